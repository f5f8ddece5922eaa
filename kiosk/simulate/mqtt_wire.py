"""The data types, codes and properties of MQTT 5, without any I/O (OASIS MQTT 5.0, sections 1.5 and 2)."""

from enum import IntEnum
from typing import NoReturn

VERSION = 5
MAXIMUM_QOS = 1


class Packet(IntEnum):
    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    SUBSCRIBE = 8
    SUBACK = 9
    UNSUBSCRIBE = 10
    UNSUBACK = 11
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14


class Code(IntEnum):
    """Reason codes (2.4) that this server sends or heeds."""

    SUCCESS = 0x00
    DISCONNECT_WITH_WILL = 0x04
    NO_MATCHING_SUBSCRIBERS = 0x10
    NO_SUBSCRIPTION_EXISTED = 0x11
    MALFORMED_PACKET = 0x81
    PROTOCOL_ERROR = 0x82
    UNSUPPORTED_PROTOCOL_VERSION = 0x84
    SERVER_SHUTTING_DOWN = 0x8B
    BAD_AUTHENTICATION_METHOD = 0x8C
    KEEP_ALIVE_TIMEOUT = 0x8D
    SESSION_TAKEN_OVER = 0x8E
    TOPIC_FILTER_INVALID = 0x8F
    TOPIC_NAME_INVALID = 0x90
    TOPIC_ALIAS_INVALID = 0x94
    PACKET_TOO_LARGE = 0x95
    QUOTA_EXCEEDED = 0x97
    QOS_NOT_SUPPORTED = 0x9B
    SHARED_SUBSCRIPTIONS_NOT_SUPPORTED = 0x9E
    SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED = 0xA1


class Property(IntEnum):
    """Properties (2.2.2.2) that this server sends or heeds; all others are only checked and passed on."""

    SUBSCRIPTION_IDENTIFIER = 11
    SESSION_EXPIRY_INTERVAL = 17
    ASSIGNED_CLIENT_IDENTIFIER = 18
    AUTHENTICATION_METHOD = 21
    WILL_DELAY_INTERVAL = 24
    RECEIVE_MAXIMUM = 33
    TOPIC_ALIAS = 35
    MAXIMUM_QOS = 36
    USER_PROPERTY = 38
    MAXIMUM_PACKET_SIZE = 39
    SUBSCRIPTION_IDENTIFIER_AVAILABLE = 41
    SHARED_SUBSCRIPTION_AVAILABLE = 42


Properties = tuple[tuple[int, bytes], ...]
"""Identifier and raw value, in the order received."""

_FIXED = {1: 1, 2: 4, 17: 4, 23: 1, 24: 4, 25: 1, 33: 2, 34: 2, 35: 2, 39: 4}
_PREFIXED = frozenset({3, 8, 9, 21, 22, 28, 31})


class MqttError(Exception):
    """The peer broke the protocol. ``code``: what it is told before its connection is closed."""

    def __init__(self, code: Code) -> None:
        super().__init__(code.name)
        self.code = code


class Reader:
    """A cursor over one packet's body; every method raises MqttError where the bytes do not suffice."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise MqttError(Code.MALFORMED_PACKET)
        data, self._at = self._data[self._at : end], end
        return data

    def rest(self) -> bytes:
        return self.take(len(self._data) - self._at)

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size))

    def packet_id(self) -> int:
        return self.number(2) or refuse(Code.PROTOCOL_ERROR)

    def varint(self) -> int:
        value = 0
        for shift in (0, 7, 14, 21):
            byte = self.number(1)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise MqttError(Code.MALFORMED_PACKET)

    def binary(self) -> bytes:
        return self.take(self.number(2))

    def text(self) -> str:
        try:
            text = self.binary().decode()
        except UnicodeDecodeError:
            raise MqttError(Code.MALFORMED_PACKET) from None
        return text if "\0" not in text else refuse(Code.MALFORMED_PACKET)

    def properties(self, allowed: frozenset[int]) -> Properties:
        reader = Reader(self.take(self.varint()))
        found: list[tuple[int, bytes]] = []
        while reader:
            ident = reader.varint()
            if ident not in allowed or (ident != Property.USER_PROPERTY and any(ident == other for other, _ in found)):
                raise MqttError(Code.PROTOCOL_ERROR)
            start = reader._at
            if ident in _FIXED:
                reader.take(_FIXED[ident])
            elif ident in _PREFIXED:
                reader.binary()
            elif ident == Property.USER_PROPERTY:
                reader.text()
                reader.text()
            else:
                reader.varint()
            found.append((ident, reader._data[start : reader._at]))
        return tuple(found)


def refuse(code: Code) -> NoReturn:
    raise MqttError(code)


def find(properties: Properties, ident: Property) -> int | None:
    """The value of an integer property."""
    return next((int.from_bytes(value) for found, value in properties if found == ident), None)


def encode_varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def encode_text(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2) + data


def encode_properties(properties: Properties) -> bytes:
    body = b"".join(encode_varint(ident) + value for ident, value in properties)
    return encode_varint(len(body)) + body


def frame(packet: Packet, body: bytes = b"", flags: int = 0) -> bytes:
    return bytes([packet << 4 | flags]) + encode_varint(len(body)) + body
