"""The connection to the site's own broker. paho runs in a thread of its own; what happens there lands in an inbox."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from kiosk.config import Neighbours
from kiosk.nearby.talk import MAX_MESSAGE

_INBOX = 2000
_KEEPALIVE_S = 10


class Connected(NamedTuple):
    pass


class Said(NamedTuple):
    topic: str
    data: bytes


class LocalBroker:
    """Connects for ever, and waits for nobody. ``inbox``: what came, the oldest lost in a flood; ``connected`` may be
    out of date by a moment."""

    def __init__(self, config: Neighbours, name: str, topics: Sequence[str], ping: Callable[[], None]) -> None:
        self.inbox: deque[Connected | Said] = deque(maxlen=_INBOX)
        self._config, self._topics = config, [(topic, 1) for topic in topics]
        self._client = client = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTv5)
        client.reconnect_delay_set(1, 10)
        client.max_queued_messages_set(200)

        def post(item: Connected | Said) -> None:
            self.inbox.append(item)
            ping()

        def on_connect(_c: Client, _u: Any, _f: Any, reason: ReasonCode, _p: Any) -> None:
            if not reason.is_failure:
                client.subscribe(self._topics)
                post(Connected())

        def on_message(_c: Client, _u: Any, message: MQTTMessage) -> None:
            if len(message.payload) <= MAX_MESSAGE:
                post(Said(message.topic, bytes(message.payload)))

        client.on_connect = on_connect
        client.on_message = on_message

    @property
    def connected(self) -> bool:
        return self._client.is_connected()

    def open(self) -> None:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 0
        config = self._config
        self._client.connect_async(config.host, config.port, _KEEPALIVE_S, clean_start=True, properties=properties)
        self._client.loop_start()

    def ask_again(self) -> None:
        """The broker sends once more what it has kept."""
        self._client.unsubscribe([topic for topic, _ in self._topics])
        self._client.subscribe(self._topics)

    def publish(self, topic: str, data: bytes, *, keep: bool) -> None:
        """``keep``: for those who come later."""
        self._client.publish(topic, data, qos=1 if keep else 0, retain=keep)

    def close(self) -> None:
        self._client.disconnect()
