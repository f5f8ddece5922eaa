"""One connection to an MQTT 5 broker. paho runs in threads of its own; what happens there lands in an inbox."""

import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from kiosk.config import Mqtt

CREDENTIAL = "mqtt.password"
HEARD = ("ack", "command", "answer", "roster")
"""The last parts of the topics that the command post speaks on."""
_HOLD_S = 1.0  # at most this long for the retained acknowledgement
_MAX_PACKET = 64 * 1024


def password(config: Mqtt, environ: Mapping[str, str] = os.environ) -> str | None:
    """What the file in the configuration holds; where none is named, what the service manager hands over
    (systemd.exec(5), LoadCredential=). None where neither says anything. Raises OSError."""
    file = config.password_file
    if file is None:
        file = Path(environ.get("CREDENTIALS_DIRECTORY", "/nonexistent"), CREDENTIAL)
        if not file.exists():
            return None
    return file.read_text().strip() or None


def _no_delay(_client: Client, _userdata: Any, sock: Any) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Ready(NamedTuple):
    """Connected and subscribed; ``deaf``: the last part of each topic to why the broker lets us not hear it, or ""."""

    deaf: dict[str, str]


class Taken(NamedTuple):
    """The broker's PUBACK."""

    mid: int
    code: int
    text: str


class Heard(NamedTuple):
    """``leaf``: the last part of the topic."""

    leaf: str
    payload: bytes


class Lost(NamedTuple):
    """``refused``: the broker is there and does not want this kiosk."""

    why: str
    refused: bool = False


Happening = Ready | Taken | Heard | Lost


class Link:
    """One connection to the broker, used once. paho's thread fills ``inbox`` and calls ``ping``.

    ``topic``: of a last part. ``hold``: nothing but the state is sent before; ``state_due``: when to look at the state;
    ``told``: what it was.
    """

    def __init__(
        self,
        config: Mqtt,
        name: str,
        topic: Callable[[str], str],
        ping: Callable[[], None],
    ) -> None:
        self.inbox: deque[Happening] = deque(maxlen=256)
        self.told: object = None
        self.told_at = self.state_due = time.monotonic()
        self.hold = self.told_at + _HOLD_S
        self._waiting: dict[int, tuple[str, float]] = {}
        self._config = config
        self._lock = threading.Lock()
        self._closed = False
        self._client = client = Client(
            CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTv5, reconnect_on_failure=False
        )
        client.max_queued_messages_set(64)
        inbox, state = self.inbox, topic("state")

        def post(item: Happening) -> None:
            inbox.append(item)
            ping()

        def on_connect(client: Client, _u: Any, _f: Any, reason: ReasonCode, _p: Any) -> None:
            if reason.is_failure:
                post(Lost(f"the broker refuses this kiosk: {reason}", refused=True))
            else:
                fresh = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
                any_time = SubscribeOptions(qos=1)
                wanted = [(topic(leaf), any_time if leaf == "ack" else fresh) for leaf in HEARD]
                client.subscribe([*wanted, (state, any_time)])

        def on_subscribe(_c: Client, _u: Any, _mid: int, reasons: list[ReasonCode], _p: Any) -> None:
            why = (str(reason) if reason.is_failure else "" for reason in reasons[: len(HEARD)])
            post(Ready(dict(zip(HEARD, why, strict=True))))

        def on_message(client: Client, _u: Any, message: MQTTMessage) -> None:
            if message.topic == state:  # one is enough: that of whoever was here before
                client.unsubscribe(state)
            post(Heard(message.topic.rpartition("/")[2], bytes(message.payload)))

        client.on_connect = on_connect
        client.on_subscribe = on_subscribe
        client.on_message = on_message
        client.on_publish = lambda _c, _u, mid, reason, _p: post(Taken(mid, reason.value, str(reason)))
        client.on_disconnect = lambda _c, _u, _f, reason, _p: post(Lost(f"connection lost: {reason}"))
        client.on_socket_open = _no_delay
        self._post = post

    def open(self, will_topic: str, will: bytes) -> None:
        self._client.will_set(will_topic, will, qos=1, retain=True)
        threading.Thread(target=self._open, name="uplink-connect", daemon=True).start()

    def _open(self) -> None:
        config, client = self._config, self._client
        try:
            if config.tls:
                ca, cert, key = (str(path) if path else None for path in (config.ca, config.cert, config.key))
                client.tls_set(ca, cert, key)
            if config.username is not None:
                client.username_pw_set(config.username, password(config))
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = 0
            properties.MaximumPacketSize = _MAX_PACKET
            client.connect(config.host, config.port, config.keepalive_s, clean_start=True, properties=properties)
            with self._lock:
                if self._closed:
                    client.disconnect()
                else:
                    client.loop_start()
        except (OSError, ValueError) as error:
            self._post(Lost(f"cannot reach {config.host}:{config.port}: {error}"))

    def publish(
        self, topic: str, data: bytes, now: float, *, retain: bool = False, answer: tuple[str, bytes] | None = None
    ) -> None:
        """``answer``: topic and correlation for it. Raises OSError when the connection is lost."""
        properties = None
        if answer is not None:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.ResponseTopic, properties.CorrelationData = answer
        info = self._client.publish(topic, data, qos=1, retain=retain, properties=properties)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise OSError(f"connection lost: {info.rc.name}")
        self._waiting[info.mid] = (topic.rpartition("/")[2], now)

    def taken(self, mid: int) -> str:
        """The last part of the topic that the broker answers for."""
        return self._waiting.pop(mid, ("", 0.0))[0]

    def silent_at(self, patience: float) -> float | None:
        """When the broker must have answered the oldest of what was published."""
        return next((at + patience for _, at in self._waiting.values()), None)

    def close(self) -> None:
        """Leaves without waiting; the broker then publishes the Last Will."""
        with self._lock:
            self._closed = True
        self._client.disconnect(ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message"))
