"""Messages from the broker into the store. The order is the promise: verify, store, COMMIT, then PUBACK, then our own
signed acknowledgement. What arrived together is committed together."""

import contextlib
import logging
import queue
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from nacl.signing import SigningKey
from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from hub import commands as outbox
from hub.intake import Intake, Place, wall_ms
from hub.roster import Outbox as Rosters
from hub.verdicts import Answers
from kiosk import frames

log = logging.getLogger(__name__)

GROUP = 100
"""Messages committed together at most."""
_LEAVES = ("state", "facts", "incident", "result", "ask")
_OF_DRILLS = ("state", "facts", "incident")
_LOOK_S = 0.2
_WINDOW = 200
_MAX_PACKET = 2 << 20


@dataclass(frozen=True, kw_only=True)
class Broker:
    host: str
    port: int = 1883
    tls: bool = False
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    username: str | None = None
    password_file: Path | None = None
    client_id: str = ""


class _Message(NamedTuple):
    topic: str
    data: bytes
    mid: int
    qos: int
    connection: int
    correlation: bytes

    @property
    def drill(self) -> bool:
        return "/drill/" in self.topic


class Receiver:
    """``at`` is called at each step, for tests that stop there: received, before-commit, after-commit, after-puback,
    after-ack. ``answers``: who answers questions; without it they stay unanswered. ``drills`` takes what comes of
    drills, into a store of its own; without it nothing does."""

    def __init__(
        self,
        intake: Intake,
        key: SigningKey,
        broker: Broker,
        at: Callable[[str], None] = lambda _step: None,
        answers: Answers | None = None,
        drills: Intake | None = None,
    ) -> None:
        self._intake, self._drills = intake, drills
        self._key = key
        self._broker = broker
        self._at = at
        self._answers = answers
        self._queue: queue.Queue[_Message] = queue.Queue(maxsize=1000)
        self._connection = 0
        self._newest = outbox.head(intake.store)
        self._rosters = Rosters(intake.store)
        self._stopping = False  # not told through the queue: its lock is held when a signal comes
        self._client = self._make_client()

    def run(self) -> None:
        """Works until ``stop``. Raises OSError when key files cannot be read, apsw.Error when the store fails: what was
        not committed was not acknowledged either, and comes again."""
        broker, properties = self._broker, Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 0
        properties.ReceiveMaximum = _WINDOW
        properties.MaximumPacketSize = _MAX_PACKET
        client = self._client
        client.connect_async(broker.host, broker.port, 30, clean_start=True, properties=properties)
        client.loop_start()
        try:
            while not self._stopping:
                with contextlib.suppress(queue.Empty):
                    group = [self._queue.get(timeout=_LOOK_S)]
                    while len(group) < GROUP and not self._queue.empty():
                        group.append(self._queue.get())
                    group = [message for message in group if not self._is_answered(message)]
                    self._take(self._intake, [message for message in group if not message.drill])
                    if self._drills is not None:
                        self._take(self._drills, [message for message in group if message.drill])
                self._send_commands()
        finally:
            client.disconnect()
            client.loop_stop()

    def stop(self) -> None:
        """From any thread or a signal handler."""
        self._stopping = True

    def _is_answered(self, message: _Message) -> bool:
        """Somebody stands at a desk and waits for it: a question goes ahead of all facts, and nothing is stored."""
        if not message.topic.endswith("/ask"):
            return False
        if message.connection == self._connection:
            self._client.ack(message.mid, message.qos)
            if self._answers is not None and (said := self._answers.answer(message.topic, message.data)) is not None:
                properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
                properties.CorrelationData = message.correlation
                self._client.publish(said.topic, said.data, qos=1, properties=properties)
        return True

    def _take(self, intake: Intake, group: list[_Message]) -> None:
        if not group:
            return
        self._at("received")
        owed: dict[Place, None] = {}
        with intake.store.transaction():
            for message in group:
                place = intake.take(message.topic, message.data)
                if place is not None:
                    owed[place] = None
            acks = {place: intake.ack(place) for place in owed}
            self._at("before-commit")
        self._at("after-commit")
        for message in group:
            if message.connection == self._connection:
                self._client.ack(message.mid, message.qos)
        self._at("after-puback")
        if group[-1].connection == self._connection:
            for (site, kiosk, _), ack in acks.items():
                data = frames.pack_ack(ack, self._key)
                self._client.publish(intake.topic(site, kiosk, "ack"), data, qos=1, retain=True)
        self._at("after-ack")

    def _send_commands(self) -> None:
        """Those that are new, and those a kiosk that is there has not answered for good."""
        store, now = self._intake.store, wall_ms()
        present = sorted(self._intake.present)
        self._intake.present.clear()
        messages = [message for place in present for message in outbox.due(store, *place, now)]
        places = {*present, *self._rosters.fresh()}
        messages += [message for place in sorted(places) for message in self._rosters.due(*place, now)]
        if (newest := outbox.head(store)) > self._newest:
            messages += outbox.fresh(store, self._newest, now)
            self._newest = newest
        for message in messages:
            self._client.publish(message.topic, message.data, qos=1)

    def _make_client(self) -> Client:
        broker = self._broker
        client = Client(CallbackAPIVersion.VERSION2, client_id=broker.client_id, protocol=MQTTv5, manual_ack=True)
        client.reconnect_delay_set(1, 30)
        client.max_inflight_messages_set(_WINDOW)
        client.max_queued_messages_set(10_000)
        if broker.tls:
            ca, cert, key = (str(path) if path else None for path in (broker.ca, broker.cert, broker.key))
            client.tls_set(ca, cert, key)
        if broker.username is not None:
            file = broker.password_file
            client.username_pw_set(broker.username, file.read_text().strip() if file else None)

        def on_connect(client: Client, _u: Any, _f: Any, reason: ReasonCode, _p: Any) -> None:
            if reason.is_failure:
                log.error("the broker refuses the receiver: %s", reason)
                return
            self._connection += 1
            topics = [frames.topic("+", "+", leaf) for leaf in _LEAVES]
            if self._drills is not None:
                topics += [frames.topic("+", "+", leaf, drill=True) for leaf in _OF_DRILLS]
            client.subscribe([(topic, SubscribeOptions(qos=1)) for topic in topics])

        def on_subscribe(_c: Client, _u: Any, _mid: int, reasons: list[ReasonCode], _p: Any) -> None:
            refused = [str(reason) for reason in reasons if reason.is_failure]
            if refused:
                log.error("the broker refuses our subscriptions: %s", ", ".join(refused))
            else:
                log.info("receiving from %s:%s", broker.host, broker.port)

        def on_message(_c: Client, _u: Any, message: MQTTMessage) -> None:
            data, correlation = bytes(message.payload), getattr(message.properties, "CorrelationData", b"")
            self._queue.put(_Message(message.topic, data, message.mid, message.qos, self._connection, correlation))

        def on_publish(_c: Client, _u: Any, _mid: int, reason: ReasonCode, _p: Any) -> None:
            if reason.is_failure:
                log.error("the broker did not pass on an acknowledgement: %s", reason)

        def on_disconnect(_c: Client, _u: Any, _f: Any, reason: ReasonCode, _p: Any) -> None:
            log.warning("no connection to the broker: %s", reason)

        client.on_connect = on_connect
        client.on_subscribe = on_subscribe
        client.on_message = on_message
        client.on_publish = on_publish
        client.on_disconnect = on_disconnect
        client.on_connect_fail = lambda _c, _u: log.warning("cannot reach %s:%s", broker.host, broker.port)
        client.on_socket_open = _no_delay
        return client


def _no_delay(_client: Client, _userdata: Any, sock: Any) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
