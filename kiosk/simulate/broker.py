"""An MQTT 5 broker for loopback, where mosquitto cannot be had: QoS 0 and 1, retained messages, wills, wildcards.

Nothing outlives a connection but the retained messages, and nothing at all outlives `stop`: every client gets a clean
session. Message expiry is passed on, not enforced. There is no authentication.
"""

import asyncio
import logging
import secrets
from collections import deque
from typing import Literal

from kiosk.simulate import mqtt_packets as mqtt
from kiosk.simulate.mqtt_packets import Filter, Message
from kiosk.simulate.mqtt_wire import (
    MAXIMUM_QOS,
    Code,
    MqttError,
    Packet,
    Properties,
    Property,
    encode_properties,
    encode_text,
    find,
    frame,
)

log = logging.getLogger(__name__)

MAX_PACKET = 1 << 20
"""Bytes of the largest packet taken."""
MAX_INFLIGHT = 200
"""QoS 1 messages sent to one client and not acknowledged; a client may ask for less."""
MAX_BACKLOG = 10_000
"""QoS 1 messages waiting for one client; it is closed with "quota exceeded" when there are more."""
MAX_UNSENT = 4 << 20
"""Unsent bytes beyond which a client gets no QoS 0 message."""
CONNECT_WITHIN_S = 10.0

_FLAGS: dict[int, int] = {Packet.SUBSCRIBE: 2, Packet.UNSUBSCRIBE: 2}


class Broker:
    """Listens on 127.0.0.1. ``port``: 0 takes a free one at the first start and keeps it."""

    kind: Literal["embedded"] = "embedded"

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._clients: dict[str, _Client] = {}
        self._retained: dict[str, Message] = {}

    async def start(self) -> None:
        """Raises OSError when the port is taken."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Tells every client, closes its connection and forgets everything."""
        if self._server is None:
            return
        self._server.close()
        for client in self._clients.values():
            client.close(Code.SERVER_SHUTTING_DOWN)
        self._clients.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None
        self._retained.clear()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._connection(reader, writer)
        except (OSError, asyncio.IncompleteReadError) as error:
            log.debug("broker: connection lost: %s", type(error).__name__)
        except Exception:  # a fault over one client never reaches the others
            log.exception("broker: fault in a session")
        finally:
            writer.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(CONNECT_WITHIN_S):
                packet, _, body = await _read_packet(reader)
            if packet != Packet.CONNECT:
                return
            client = _Client(mqtt.parse_connect(body), writer)
        except TimeoutError:
            return
        except MqttError as error:
            if error.code == Code.UNSUPPORTED_PROTOCOL_VERSION:
                writer.write(b"\x20\x02\x00\x01")  # the refusal of MQTT 3.1.1, which such a client understands
            else:
                writer.write(frame(Packet.CONNACK, bytes([0, error.code, 0])))
            return
        if (old := self._clients.pop(client.id, None)) is not None:
            old.close(Code.SESSION_TAKEN_OVER)
            self._publish_will(old)
        self._clients[client.id] = client
        client.greet()
        try:
            await self._session(client, reader)
        except MqttError as error:
            log.warning("broker: %s closed: %s", client.id, error.code.name)
            client.close(error.code)
        finally:
            if self._clients.get(client.id) is client:
                del self._clients[client.id]
                self._publish_will(client)

    async def _session(self, client: "_Client", reader: asyncio.StreamReader) -> None:
        patience = client.keep_alive_s * 1.5 or None
        while True:
            try:
                async with asyncio.timeout(patience):
                    packet, flags, body = await _read_packet(reader)
            except TimeoutError:
                raise MqttError(Code.KEEP_ALIVE_TIMEOUT) from None
            if packet == Packet.DISCONNECT:
                if mqtt.parse_disconnect(body) != Code.DISCONNECT_WITH_WILL:
                    client.will = None
                return
            self._handle(client, packet, flags, body)
            await client.drained()

    def _handle(self, client: "_Client", packet: int, flags: int, body: bytes) -> None:
        match packet:
            case Packet.PUBLISH:
                message, packet_id = mqtt.parse_publish(flags, body)
                heard = self._publish(message, client)
                if message.qos:
                    code = Code.SUCCESS if heard else Code.NO_MATCHING_SUBSCRIBERS
                    client.send(mqtt.acknowledge(Packet.PUBACK, packet_id, code))
            case Packet.PUBACK:
                client.acknowledged(mqtt.parse_puback(body))
            case Packet.SUBSCRIBE:
                packet_id, filters = mqtt.parse_subscribe(body)
                self._subscribe(client, packet_id, filters)
            case Packet.UNSUBSCRIBE:
                packet_id, texts = mqtt.parse_unsubscribe(body)
                gone = [client.filters.pop(text, None) for text in texts]
                codes = [Code.SUCCESS if one else Code.NO_SUBSCRIPTION_EXISTED for one in gone]
                client.send(mqtt.acknowledge(Packet.UNSUBACK, packet_id, *codes))
            case Packet.PINGREQ:
                client.send(frame(Packet.PINGRESP))
            case _:
                raise MqttError(Code.PROTOCOL_ERROR)

    def _subscribe(self, client: "_Client", packet_id: int, filters: list[Filter]) -> None:
        codes: list[Code | int] = []
        retained: list[Message] = []
        for one in filters:
            if (error := mqtt.filter_error(one.text)) is not None:
                codes.append(error)
                continue
            codes.append(one.qos)
            if one.retain_handling == 0 or (one.retain_handling == 1 and one.text not in client.filters):
                found = [message for topic, message in self._retained.items() if mqtt.matches(one.text, topic)]
                retained += [message._replace(qos=min(message.qos, one.qos)) for message in found]
            client.filters[one.text] = one
        client.send(mqtt.acknowledge(Packet.SUBACK, packet_id, *codes))
        for message in retained:
            client.deliver(message)

    def _publish(self, message: Message, sender: "_Client | None") -> bool:
        """Hands the message to everyone subscribed, once each; tells whether there was anyone."""
        if message.retain:
            self._retained.pop(message.topic, None)
            if message.payload:
                self._retained[message.topic] = message
        heard = False
        for client in list(self._clients.values()):
            found = [
                one
                for one in client.filters.values()
                if mqtt.matches(one.text, message.topic) and not (one.no_local and client is sender)
            ]
            if found:
                heard = True
                qos = min(message.qos, max(one.qos for one in found))
                retain = message.retain and any(one.retain_as_published for one in found)
                client.deliver(message._replace(qos=qos, retain=retain))
        return heard

    def _publish_will(self, client: "_Client") -> None:
        if client.will is not None:
            self._publish(client.will, client)


class _Client:
    """One connected client: its subscriptions and what is on the way to it."""

    def __init__(self, connect: mqtt.Connect, writer: asyncio.StreamWriter) -> None:
        self.id = connect.client_id or f"auto-{secrets.token_hex(8)}"
        self.keep_alive_s = connect.keep_alive_s
        self.will = connect.will
        self.filters: dict[str, Filter] = {}
        self._assigned = not connect.client_id
        self._writer = writer
        self._window = min(MAX_INFLIGHT, find(connect.properties, Property.RECEIVE_MAXIMUM) or MAX_INFLIGHT)
        self._max_packet = find(connect.properties, Property.MAXIMUM_PACKET_SIZE)
        self._last_id = 0
        self._inflight: set[int] = set()
        self._backlog: deque[Message] = deque()

    def greet(self) -> None:
        properties: Properties = (
            (Property.SESSION_EXPIRY_INTERVAL, bytes(4)),
            (Property.MAXIMUM_QOS, bytes([MAXIMUM_QOS])),
            (Property.MAXIMUM_PACKET_SIZE, MAX_PACKET.to_bytes(4)),
            (Property.SUBSCRIPTION_IDENTIFIER_AVAILABLE, b"\0"),
            (Property.SHARED_SUBSCRIPTION_AVAILABLE, b"\0"),
        )
        if self._assigned:
            properties += ((Property.ASSIGNED_CLIENT_IDENTIFIER, encode_text(self.id)),)
        self.send(frame(Packet.CONNACK, bytes([0, Code.SUCCESS]) + encode_properties(properties)))

    def send(self, data: bytes) -> None:
        if not self._writer.is_closing():
            self._writer.write(data)

    async def drained(self) -> None:
        await self._writer.drain()

    def close(self, code: Code) -> None:
        """Says why and hangs up; does not wait for a client that reads no more."""
        self.send(frame(Packet.DISCONNECT, bytes([code])))
        transport = self._writer.transport
        if transport.get_write_buffer_size():
            transport.abort()
        else:
            transport.close()

    def deliver(self, message: Message) -> None:
        if message.qos:
            self._backlog.append(message)
            self._fill_window()
            if len(self._backlog) > MAX_BACKLOG:
                self.close(Code.QUOTA_EXCEEDED)
        elif self._writer.transport.get_write_buffer_size() < MAX_UNSENT:
            self._send_message(message, 0)

    def acknowledged(self, packet_id: int) -> None:
        self._inflight.discard(packet_id)
        self._fill_window()

    def _fill_window(self) -> None:
        while self._backlog and len(self._inflight) < self._window:
            self._last_id = self._last_id % 0xFFFF + 1
            if self._last_id not in self._inflight and self._send_message(self._backlog.popleft(), self._last_id):
                self._inflight.add(self._last_id)

    def _send_message(self, message: Message, packet_id: int) -> bool:
        data = mqtt.publish(message, packet_id)
        if self._max_packet is not None and len(data) > self._max_packet:
            return False  # dropped as if delivered, 3.1.2.11.4
        self.send(data)
        return True


async def _read_packet(reader: asyncio.StreamReader) -> tuple[int, int, bytes]:
    """Type, flags, body. Raises MqttError, or IncompleteReadError at the end of the stream."""
    first = (await reader.readexactly(1))[0]
    packet, flags = first >> 4, first & 0x0F
    if packet != Packet.PUBLISH and flags != _FLAGS.get(packet, 0):
        raise MqttError(Code.MALFORMED_PACKET)
    length = 0
    for shift in (0, 7, 14, 21):
        byte = (await reader.readexactly(1))[0]
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
    else:
        raise MqttError(Code.MALFORMED_PACKET)
    if length > MAX_PACKET:
        raise MqttError(Code.PACKET_TOO_LARGE)
    return packet, flags, await reader.readexactly(length)
