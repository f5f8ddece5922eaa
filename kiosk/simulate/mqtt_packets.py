"""The packets of MQTT 5 as a server reads and writes them, without any I/O (OASIS MQTT 5.0, section 3)."""

from typing import NamedTuple

from kiosk.simulate.mqtt_wire import (
    MAXIMUM_QOS,
    VERSION,
    Code,
    MqttError,
    Packet,
    Properties,
    Property,
    Reader,
    encode_properties,
    encode_text,
    find,
    frame,
    refuse,
)

IN_CONNECT = frozenset({17, 21, 22, 23, 25, 33, 34, 38, 39})
IN_WILL = frozenset({1, 2, 3, 8, 9, 24, 38})
IN_PUBLISH = frozenset({1, 2, 3, 8, 9, 35, 38})
IN_PUBACK = frozenset({31, 38})
IN_SUBSCRIBE = frozenset({11, 38})
IN_UNSUBSCRIBE = frozenset({38})
IN_DISCONNECT = frozenset({17, 28, 31, 38})


class Message(NamedTuple):
    """A publication on its way. ``qos`` is 0 or 1."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    properties: Properties = ()


class Connect(NamedTuple):
    client_id: str
    keep_alive_s: int
    will: Message | None
    properties: Properties


class Filter(NamedTuple):
    """One subscription. ``retain_handling``: 0 send retained, 1 only if new, 2 never (3.8.3.1)."""

    text: str
    qos: int
    no_local: bool
    retain_as_published: bool
    retain_handling: int


def parse_connect(body: bytes) -> Connect:
    """The body of a CONNECT (3.1) of version 5. A password and a user name are skipped."""
    reader = Reader(body)
    if reader.text() != "MQTT" or reader.number(1) != VERSION:
        raise MqttError(Code.UNSUPPORTED_PROTOCOL_VERSION)
    flags = reader.number(1)
    has_will, will_qos, will_retain = bool(flags & 4), flags >> 3 & 3, bool(flags & 0x20)
    if flags & 1 or will_qos > 2 or (not has_will and (will_qos or will_retain)):
        raise MqttError(Code.MALFORMED_PACKET)
    keep_alive_s = reader.number(2)
    properties = reader.properties(IN_CONNECT)
    if find(properties, Property.AUTHENTICATION_METHOD) is not None:
        raise MqttError(Code.BAD_AUTHENTICATION_METHOD)
    if 0 in (find(properties, Property.RECEIVE_MAXIMUM), find(properties, Property.MAXIMUM_PACKET_SIZE)):
        raise MqttError(Code.PROTOCOL_ERROR)
    client_id = reader.text()
    will = None
    if has_will:
        will_properties = tuple(p for p in reader.properties(IN_WILL) if p[0] != Property.WILL_DELAY_INTERVAL)
        topic = _topic_name(reader.text())
        will = Message(topic, reader.binary(), _qos(will_qos), will_retain, will_properties)
    if flags & 0x80:
        reader.text()
    if flags & 0x40:
        reader.binary()
    _end(reader)
    return Connect(client_id, keep_alive_s, will, properties)


def parse_publish(flags: int, body: bytes) -> tuple[Message, int]:
    """The message and its packet identifier, 0 for QoS 0 (3.3)."""
    reader = Reader(body)
    raw_qos = flags >> 1 & 3
    if raw_qos > 2 or (flags & 8 and not raw_qos):
        raise MqttError(Code.MALFORMED_PACKET)
    qos = _qos(raw_qos)
    topic = reader.text()
    packet_id = reader.packet_id() if qos else 0
    properties = reader.properties(IN_PUBLISH)
    if find(properties, Property.TOPIC_ALIAS) is not None:
        raise MqttError(Code.TOPIC_ALIAS_INVALID)
    return Message(_topic_name(topic), reader.rest(), qos, bool(flags & 1), properties), packet_id


def parse_puback(body: bytes) -> int:
    """The packet identifier (3.4); the reason is for the log of the sender alone."""
    reader = Reader(body)
    packet_id = reader.packet_id()
    if reader:
        reader.number(1)
    if reader:
        reader.properties(IN_PUBACK)
    _end(reader)
    return packet_id


def parse_subscribe(body: bytes) -> tuple[int, list[Filter]]:
    """Packet identifier and filters (3.8), which may be invalid: see `filter_error`."""
    reader = Reader(body)
    packet_id = reader.packet_id()
    properties = reader.properties(IN_SUBSCRIBE)
    if find(properties, Property.SUBSCRIPTION_IDENTIFIER) is not None:
        raise MqttError(Code.SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED)
    filters = []
    while reader:
        text, options = reader.text(), reader.number(1)
        qos, handling = options & 3, options >> 4 & 3
        if options & 0xC0 or qos > 2 or handling > 2:
            raise MqttError(Code.PROTOCOL_ERROR)
        filters.append(Filter(text, min(qos, 1), bool(options & 4), bool(options & 8), handling))
    return packet_id, filters or refuse(Code.PROTOCOL_ERROR)


def parse_unsubscribe(body: bytes) -> tuple[int, list[str]]:
    """Packet identifier and filters (3.10)."""
    reader = Reader(body)
    packet_id = reader.packet_id()
    reader.properties(IN_UNSUBSCRIBE)
    filters = []
    while reader:
        filters.append(reader.text())
    return packet_id, filters or refuse(Code.PROTOCOL_ERROR)


def parse_disconnect(body: bytes) -> int:
    """The reason code (3.14)."""
    reader = Reader(body)
    code = reader.number(1) if reader else Code.SUCCESS
    if reader:
        reader.properties(IN_DISCONNECT)
    _end(reader)
    return code


def filter_error(text: str) -> Code | None:
    """Why nobody can subscribe to this topic filter here (4.7.1), or None."""
    if text.startswith("$share/"):
        return Code.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED
    levels = text.split("/")
    if not text or "#" in levels[:-1] or any(len(level) > 1 and set(level) & {"+", "#"} for level in levels):
        return Code.TOPIC_FILTER_INVALID
    return None


def matches(text: str, topic: str) -> bool:
    """Whether a valid topic filter takes in this topic name (4.7). A wildcard in front takes in no ``$`` topic."""
    if topic.startswith("$") and text[0] in "+#":
        return False
    levels, names = text.split("/"), topic.split("/")
    if levels[-1] == "#":
        levels.pop()
        names = names[: len(levels)]
    return len(levels) == len(names) and all(level in ("+", name) for level, name in zip(levels, names, strict=True))


def publish(message: Message, packet_id: int) -> bytes:
    ident = packet_id.to_bytes(2) if message.qos else b""
    body = encode_text(message.topic) + ident + encode_properties(message.properties) + message.payload
    return frame(Packet.PUBLISH, body, message.qos << 1 | message.retain)


def acknowledge(packet: Packet, packet_id: int, *codes: Code | int) -> bytes:
    """PUBACK with one code; SUBACK and UNSUBACK with one for each filter."""
    properties = b"" if packet == Packet.PUBACK else b"\0"
    return frame(packet, packet_id.to_bytes(2) + properties + bytes(codes))


def _topic_name(topic: str) -> str:
    return topic if topic and not set(topic) & {"+", "#"} else refuse(Code.TOPIC_NAME_INVALID)


def _qos(qos: int) -> int:
    return qos if qos <= MAXIMUM_QOS else refuse(Code.QOS_NOT_SUPPORTED)


def _end(reader: Reader) -> None:
    if reader:
        raise MqttError(Code.MALFORMED_PACKET)
