"""The embedded broker and mosquitto, held to the same behaviour by real paho clients."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import paho.mqtt.client as paho
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from kiosk.simulate import mqtt_packets, mqtt_wire
from kiosk.simulate.broker import MAX_PACKET
from kiosk.simulate.brokers import BrokerError, Mosquitto, RunningBroker, find_mosquitto, open_broker

PATIENCE = 20


@pytest.fixture(params=["embedded", "mosquitto"])
async def broker(request: pytest.FixtureRequest) -> AsyncIterator[RunningBroker]:
    if request.param == "mosquitto" and find_mosquitto() is None:
        pytest.skip("no mosquitto here")
    async with open_broker(prefer=request.param) as running:
        assert running.kind == request.param
        yield running


@pytest.fixture
async def embedded() -> AsyncIterator[RunningBroker]:
    async with open_broker(prefer="embedded") as running:
        yield running


class Peer:
    """A paho client of MQTT 5 whose callbacks end up in queues."""

    def __init__(self, broker: RunningBroker, client_id: str = "", **connect: Any) -> None:
        self._loop = asyncio.get_running_loop()
        self._broker = broker
        self._connect = {"keepalive": 30, "clean_start": True} | connect
        self.messages: asyncio.Queue[paho.MQTTMessage] = asyncio.Queue()
        self.events: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id, protocol=paho.MQTTv5)
        self.client.reconnect_delay_set(1, 1)
        self.client.on_connect = lambda _c, _u, _f, reason, properties: self._post("connect", reason, properties)
        self.client.on_disconnect = lambda _c, _u, _f, reason, _p: self._post("disconnect", reason)
        self.client.on_publish = lambda _c, _u, mid, reason, _p: self._post("publish", mid, reason)
        self.client.on_subscribe = lambda _c, _u, _m, reasons, _p: self._post("subscribe", reasons)
        self.client.on_unsubscribe = lambda _c, _u, _m, reasons, _p: self._post("unsubscribe", reasons)
        self.client.on_message = lambda _c, _u, message: self._call(self.messages.put_nowait, message)

    def _call(self, function: Callable[..., None], *args: Any) -> None:
        self._loop.call_soon_threadsafe(function, *args)

    def _post(self, kind: str, *args: Any) -> None:
        self._call(self.events.put_nowait, (kind, *args))

    async def __aenter__(self) -> "Peer":
        self.client.connect_async("127.0.0.1", self._broker.port, **self._connect)
        self.client.loop_start()
        self.connack = await self.event("connect")
        return self

    async def __aexit__(self, *_: object) -> None:
        self.client.disconnect()
        await asyncio.to_thread(self.client.loop_stop)

    async def event(self, kind: str) -> Any:
        """The next callback of this kind; others before it are passed over."""
        async with asyncio.timeout(PATIENCE):
            while True:
                found, *args = await self.events.get()
                if found == kind:
                    return args

    async def message(self) -> paho.MQTTMessage:
        async with asyncio.timeout(PATIENCE):
            return await self.messages.get()

    async def subscribe(self, *filters: str, qos: int = 1, **options: Any) -> list[int]:
        self.client.subscribe([(text, paho.SubscribeOptions(qos=qos, **options)) for text in filters])
        [reasons] = await self.event("subscribe")
        return [reason.value for reason in reasons]

    async def publish(self, topic: str, payload: bytes = b"", qos: int = 1, **options: Any) -> int:
        sent = self.client.publish(topic, payload, qos, **options)
        while True:
            mid, reason = await self.event("publish")
            if mid == sent.mid:
                return reason.value

    def drop(self) -> None:
        """Cuts the connection without a DISCONNECT."""
        self.client.socket().shutdown(socket.SHUT_RDWR)


async def test_qos_1_goes_both_ways_in_order(broker: RunningBroker) -> None:
    async with Peer(broker) as sender, Peer(broker) as receiver:
        assert await receiver.subscribe("kiosk/v1/+/+/facts") == [1]
        for number in range(500):
            sender.client.publish("kiosk/v1/360481/1/facts", str(number), qos=1)
        got = [await receiver.message() for _ in range(500)]
        assert [int(message.payload) for message in got] == list(range(500))
        assert {(message.qos, message.retain, message.topic) for message in got} == {
            (1, False, "kiosk/v1/360481/1/facts")
        }


async def test_a_publisher_learns_whether_anyone_listens(broker: RunningBroker) -> None:
    async with Peer(broker) as sender, Peer(broker) as receiver:
        assert await sender.publish("a/b") == 0x10
        await receiver.subscribe("a/#")
        assert await sender.publish("a/b") == 0


async def test_subscriptions_lower_the_quality(broker: RunningBroker) -> None:
    async with Peer(broker) as sender, Peer(broker) as receiver:
        assert await receiver.subscribe("a", qos=0) == [0]
        await sender.publish("a", b"x", qos=1)
        assert (await receiver.message()).qos == 0


async def test_properties_travel(broker: RunningBroker) -> None:
    properties = Properties(PacketTypes.PUBLISH)
    properties.ResponseTopic = "kiosk/v1/360481/1/answer"
    properties.CorrelationData = b"\x00\x01"
    properties.ContentType = "application/msgpack"
    properties.UserProperty = [("a", "1"), ("a", "2")]
    async with Peer(broker) as sender, Peer(broker) as receiver:
        await receiver.subscribe("ask")
        await sender.publish("ask", b"?", properties=properties)
        got = (await receiver.message()).properties
        assert got.json() == properties.json()


async def test_wildcards(broker: RunningBroker) -> None:
    async with Peer(broker) as sender, Peer(broker) as receiver:
        assert await receiver.subscribe("s/+/t", "deep/#", "+/end") == [1, 1, 1]
        for topic in ("s/1/t", "s/1/2/t", "s//t", "deep", "deep/er/still", "deeper", "x/end", "x/y/end", "fin/end"):
            await sender.publish(topic)
        heard = []
        while not heard or heard[-1] != "fin/end":
            heard.append((await receiver.message()).topic)
        assert heard == ["s/1/t", "s//t", "deep", "deep/er/still", "x/end", "fin/end"]


async def test_unsubscribe(broker: RunningBroker) -> None:
    async with Peer(broker) as sender, Peer(broker) as receiver:
        await receiver.subscribe("a", "b")
        receiver.client.unsubscribe(["a", "never"])
        [reasons] = await receiver.event("unsubscribe")
        assert [reason.value for reason in reasons] == [0, 0x11]
        await sender.publish("a")
        await sender.publish("b")
        assert (await receiver.message()).topic == "b"


async def test_retained(broker: RunningBroker) -> None:
    async with Peer(broker) as sender, Peer(broker) as early:
        await early.subscribe("state")
        await sender.publish("state", b"1", retain=True)
        await sender.publish("state", b"2", retain=True)
        assert [((m := await early.message()).payload, m.retain) for _ in range(2)] == [(b"1", False), (b"2", False)]
        async with Peer(broker) as late:
            await late.subscribe("#")
            message = await late.message()
            assert (message.payload, message.retain, message.qos) == (b"2", True, 1)
        await sender.publish("state", b"", retain=True)
        async with Peer(broker) as too_late:
            await too_late.subscribe("#")
            await sender.publish("now", b"x")
            assert (await too_late.message()).topic == "now"


async def test_options_of_a_subscription(broker: RunningBroker) -> None:
    async with Peer(broker) as sender, Peer(broker) as receiver:
        await sender.publish("state", b"1", retain=True)
        await receiver.subscribe("state", retainHandling=2, retainAsPublished=True, noLocal=True)
        await receiver.publish("state", b"mine", retain=True)
        await sender.publish("state", b"2", retain=True)
        message = await receiver.message()
        assert (message.payload, message.retain) == (b"2", True)


async def test_a_lost_connection_leaves_its_will(broker: RunningBroker) -> None:
    async with Peer(broker) as watcher:
        await watcher.subscribe("+/state")
        going, gone = Peer(broker, "going"), Peer(broker, "gone")
        for peer in (going, gone):
            peer.client.will_set(f"{peer.client._client_id.decode()}/state", b"offline", qos=1, retain=True)
        async with gone:
            pass
        async with going:
            going.drop()
            message = await watcher.message()
            assert (message.topic, message.payload) == ("going/state", b"offline")
    async with Peer(broker) as later:
        await later.subscribe("#")
        assert (await later.message()).retain


async def test_a_second_connection_takes_over(broker: RunningBroker) -> None:
    async with Peer(broker, "kiosk") as first:
        first.client.reconnect_delay_set(3600, 3600)
        async with Peer(broker, "kiosk") as second:
            [reason] = await first.event("disconnect")
            assert reason.is_failure
            assert broker.kind != "embedded" or reason.value == 0x8E
            await second.subscribe("a")
            assert await second.publish("a") == 0
            await second.message()


async def test_clients_come_back_after_a_restart_on_the_same_port(broker: RunningBroker) -> None:
    async with Peer(broker) as peer:
        port = broker.port
        await peer.publish("state", b"old", retain=True)
        await broker.stop()
        await peer.event("disconnect")
        await broker.start()
        assert broker.port == port
        [reason, _] = await peer.event("connect")
        assert reason.value == 0
        await peer.subscribe("#")
        await peer.publish("fresh")
        assert (await peer.message()).topic == "fresh"


async def test_stopping_twice_is_stopping(broker: RunningBroker) -> None:
    await broker.stop()
    await broker.stop()


async def test_no_session_is_promised(embedded: RunningBroker) -> None:
    wish = Properties(PacketTypes.CONNECT)
    wish.SessionExpiryInterval = 3600
    async with Peer(embedded, clean_start=False, properties=wish) as peer:
        _, granted = peer.connack
        assert granted.SessionExpiryInterval == 0
        assert granted.MaximumQoS == 1
        assert granted.AssignedClientIdentifier.startswith("auto-")


async def test_a_small_window_still_gets_everything(embedded: RunningBroker) -> None:
    narrow = Properties(PacketTypes.CONNECT)
    narrow.ReceiveMaximum = 1
    async with Peer(embedded) as sender, Peer(embedded, properties=narrow) as receiver:
        await receiver.subscribe("a")
        for number in range(50):
            sender.client.publish("a", str(number), qos=1)
        assert [int((await receiver.message()).payload) for _ in range(50)] == list(range(50))


async def test_filters_nobody_can_have(embedded: RunningBroker) -> None:
    codes = mqtt_wire.Code
    assert mqtt_packets.filter_error("a/#/b") == mqtt_packets.filter_error("a+") == codes.TOPIC_FILTER_INVALID
    assert mqtt_packets.filter_error("") == codes.TOPIC_FILTER_INVALID
    assert mqtt_packets.filter_error("$share/g/a") == codes.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED
    assert mqtt_packets.filter_error("+/a/#") is None


@pytest.mark.parametrize(
    ("text", "topic", "answer"),
    [
        ("#", "$SYS/x", False),
        ("+/x", "$SYS/x", False),
        ("$SYS/#", "$SYS/x", True),
        ("a/#", "a", True),
        ("a/+", "a", False),
        ("a/+", "a/", True),
        ("#", "a/b", True),
        ("a/b", "a/b/c", False),
    ],
)
def test_matching(text: str, topic: str, answer: bool) -> None:
    assert mqtt_packets.matches(text, topic) is answer


CONNECT = bytes.fromhex("100d 0004 4d515454 05 02 003c 00 0000")
SUBSCRIBED = CONNECT + bytes.fromhex("8207 0001 00 0001 61 01")

BROKEN = {
    "noise": (b"\xff" * 64, None),
    "http": (b"GET / HTTP/1.1\r\n\r\n", None),
    "no connect first": (bytes.fromhex("c000"), None),
    "mqtt 3.1.1": (bytes.fromhex("100c 0004 4d515454 04 02 003c 0000"), bytes.fromhex("20020001")),
    "connect cut short": (bytes.fromhex("1006 0004 4d515454"), bytes.fromhex("2003008100")),
    "reserved connect flag": (
        bytes.fromhex("100d 0004 4d515454 05 03 003c 00 0000"),
        bytes.fromhex("2003008100"),
    ),
    "second connect": (CONNECT + CONNECT, bytes.fromhex("e00182")),
    "topic with wildcard": (CONNECT + bytes.fromhex("3004 0001 23 00"), bytes.fromhex("e00190")),
    "topic not utf-8": (CONNECT + bytes.fromhex("3004 0001 ff 00"), bytes.fromhex("e00181")),
    "qos 2": (CONNECT + bytes.fromhex("3406 0001 61 0001 00"), bytes.fromhex("e0019b")),
    "qos 3": (CONNECT + bytes.fromhex("3606 0001 61 0001 00"), bytes.fromhex("e00181")),
    "packet id 0": (CONNECT + bytes.fromhex("3206 0001 61 0000 00"), bytes.fromhex("e00182")),
    "topic alias": (CONNECT + bytes.fromhex("3007 0001 61 03 230001"), bytes.fromhex("e00194")),
    "unknown property": (CONNECT + bytes.fromhex("3006 0001 61 02 7f00"), bytes.fromhex("e00182")),
    "property twice": (CONNECT + bytes.fromhex("3008 0001 61 04 01000100"), bytes.fromhex("e00182")),
    "properties too long": (CONNECT + bytes.fromhex("3004 0001 61 7f"), bytes.fromhex("e00181")),
    "subscribe without filter": (CONNECT + bytes.fromhex("8203 0001 00"), bytes.fromhex("e00182")),
    "subscribe with wrong flags": (CONNECT + bytes.fromhex("8007 0001 00 0001 61 01"), bytes.fromhex("e00181")),
    "length that never ends": (CONNECT + bytes.fromhex("30ffffffff"), bytes.fromhex("e00181")),
    "too large": (CONNECT + b"\x30" + mqtt_wire.encode_varint(MAX_PACKET + 1), bytes.fromhex("e00195")),
    "puback with more behind": (SUBSCRIBED + bytes.fromhex("4005 0001 00 00 ff"), bytes.fromhex("e00181")),
    "auth": (CONNECT + bytes.fromhex("f000"), bytes.fromhex("e00182")),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_client_is_told_and_closed_alone(embedded: RunningBroker, name: str) -> None:
    sent, told = BROKEN[name]
    async with Peer(embedded) as good:
        await good.subscribe("a")
        reader, writer = await asyncio.open_connection("127.0.0.1", embedded.port)
        writer.write(sent)
        async with asyncio.timeout(PATIENCE):
            answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        assert told is None or answer.endswith(told)
        assert await good.publish("a") == 0
        await good.message()


async def test_a_silent_client_is_closed_after_its_keep_alive(embedded: RunningBroker) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", embedded.port)
    writer.write(bytes.fromhex("100d 0004 4d515454 05 02 0001 00 0000"))
    async with asyncio.timeout(PATIENCE):
        assert (await reader.read()).endswith(bytes.fromhex("e0018d"))
    writer.close()
    await writer.wait_closed()


async def test_a_client_that_never_reads_is_dropped_and_holds_nobody_up(
    embedded: RunningBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kiosk.simulate.broker.MAX_BACKLOG", 20)
    reader, writer = await asyncio.open_connection("127.0.0.1", embedded.port)
    writer.write(SUBSCRIBED)
    async with Peer(embedded) as sender:
        while await sender.publish("a", bytes(1000)) == 0:
            pass
    async with asyncio.timeout(PATIENCE):
        assert (await reader.read()).endswith(bytes.fromhex("e00197"))
    writer.close()
    await writer.wait_closed()


@given(st.integers(0, 268_435_455))
def test_varint(value: int) -> None:
    assert mqtt_wire.Reader(mqtt_wire.encode_varint(value)).varint() == value


@given(st.binary(max_size=80))
def test_no_body_breaks_a_parser(body: bytes) -> None:
    for parse in (
        mqtt_packets.parse_connect,
        mqtt_packets.parse_puback,
        mqtt_packets.parse_subscribe,
        mqtt_packets.parse_unsubscribe,
        mqtt_packets.parse_disconnect,
        lambda data: mqtt_packets.parse_publish(2, data),
    ):
        with contextlib.suppress(mqtt_wire.MqttError):
            parse(body)


@pytest.mark.skipif(find_mosquitto() is None, reason="no mosquitto here")
async def test_a_mosquitto_that_cannot_start_says_why(embedded: RunningBroker, tmp_path: Any) -> None:
    mosquitto = Mosquitto(find_mosquitto(), tmp_path)
    mosquitto._program = "false"
    with pytest.raises(BrokerError, match="ended with 1"):
        await mosquitto.start()
