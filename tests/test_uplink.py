"""The uplink against a real broker and the real receiver, and its window alone."""

from pathlib import Path

import msgspec
import pytest
from nacl.signing import SigningKey

from kiosk import frames
from kiosk.config import Mqtt
from kiosk.frames import Ack
from kiosk.uplink import MARK, Uplink
from kiosk.uplink.link import CREDENTIAL, password
from kiosk.uplink.window import FRAMES, Flight, Window
from tests.support.mosquitto import Mosquitto
from tests.support.post import (
    DEVICE,
    NUMBER,
    PRIVATE,
    SITE,
    AsyncRows,
    Client,
    Rows,
    check,
    hub,
    make_uplink,
    running,
    told,
    until,
)

HUB = b"hub--001"


def ack(upto: int, hub: bytes = HUB, missing: tuple[tuple[int, int], ...] = (), epoch: bytes = b"epoch-01") -> bytes:
    return frames.pack_ack(Ack(epoch=epoch, upto=upto, missing=missing, hub=hub, now=0), PRIVATE.sign)


ACK_TOPIC = frames.topic(SITE, NUMBER, "ack")


async def test_delivers_and_is_acknowledged(broker: Mosquitto, tmp_path: Path) -> None:
    rows, db = Rows(), tmp_path / "hub.db"
    rows.add(1234)
    with hub(db, broker.port):
        async with running(make_uplink(rows, broker.port)) as uplink:
            await until(lambda: uplink.acked == 1234)
            rows.add()
            uplink.wake()
            await until(lambda: uplink.acked == 1235)
            assert uplink.connected
            assert uplink.issue is None
    check(db, rows)
    assert msgspec.msgpack.decode(rows.marks[MARK])[0] == 1235


async def test_a_large_fact_goes_alone(broker: Mosquitto, tmp_path: Path) -> None:
    rows, db = Rows(), tmp_path / "hub.db"
    rows.add(3)
    rows.add(1, body=bytes(40_000))
    rows.add(3)
    with hub(db, broker.port):
        async with running(make_uplink(rows, broker.port)) as uplink:
            await until(lambda: uplink.acked == 7)
    check(db, rows)
    assert told(db).unknown == 1


async def test_an_incident_goes_ahead_and_comes_once(broker: Mosquitto, tmp_path: Path) -> None:
    rows, db = Rows(), tmp_path / "hub.db"
    rows.add(950)
    with Client(broker.port, "kiosk/v1/+/+/incident", "kiosk/v1/+/+/facts") as client, hub(db, broker.port):
        uplink = make_uplink(rows, broker.port)
        uplink.wake(incident=950)
        async with running(uplink):
            await until(lambda: uplink.acked == 950)
        first = client.heard[0]
    assert first[0].endswith("/incident")
    assert frames.peek(first[1]).first == 950
    check(db, rows)


async def test_a_restart_goes_on_at_the_mark(broker: Mosquitto, tmp_path: Path) -> None:
    rows, db = Rows(), tmp_path / "hub.db"
    rows.add(500)
    with hub(db, broker.port):
        async with running(make_uplink(rows, broker.port)) as uplink:
            await until(lambda: uplink.acked == 500)
        broker.restart()  # also the retained acknowledgement is gone
        rows.add(7)
        with Client(broker.port, "kiosk/v1/+/+/facts") as client:
            async with running(make_uplink(rows, broker.port)) as uplink:
                assert uplink.acked == 0
                await until(lambda: uplink.acked == 507)
            assert min(frames.peek(data).first for _, data in client.heard) == 501
    check(db, rows)


async def test_a_retained_acknowledgement_is_heard_before_anything_is_sent(broker: Mosquitto) -> None:
    rows = Rows()
    rows.add(20)
    with Client(broker.port, "kiosk/v1/+/+/facts") as client:
        client.publish(ACK_TOPIC, ack(12), retain=True)
        async with running(make_uplink(rows, broker.port)) as uplink:
            await until(lambda: client.heard)
            assert uplink.acked == 12
        assert frames.peek(client.heard[0][1]).first == 13


@pytest.mark.parametrize(
    ("payload", "issue"),
    [
        (b"noise", "cannot be used"),
        (frames.pack_ack(Ack(epoch=b"epoch-01", upto=10, hub=HUB, now=0), SigningKey.generate()), "cannot be used"),
        (ack(99), "was it copied or restored"),
        (ack(10, epoch=b"epoch-00"), None),
    ],
)
async def test_an_acknowledgement_that_is_none_moves_nothing(
    broker: Mosquitto, payload: bytes, issue: str | None
) -> None:
    rows = Rows()
    rows.add(10)
    with Client(broker.port, "kiosk/v1/+/+/facts") as client:
        client.publish(ACK_TOPIC, payload, retain=True)
        async with running(make_uplink(rows, broker.port)) as uplink:
            await until(lambda: client.heard)
            assert uplink.acked == 0
            assert issue is None if uplink.issue is None else issue is not None and issue in uplink.issue
            client.publish(ACK_TOPIC, ack(10))
            await until(lambda: uplink.acked == 10)
            assert uplink.issue is None


async def test_only_a_receiver_with_another_epoch_may_ask_again(broker: Mosquitto) -> None:
    rows = Rows()
    rows.add(50)
    with Client(broker.port, "kiosk/v1/+/+/facts", "kiosk/v1/+/+/state") as client:
        client.publish(ACK_TOPIC, ack(50), retain=True)
        async with running(make_uplink(rows, broker.port)) as uplink:
            await until(lambda: uplink.acked == 50)
            states = len(client.heard)
            client.publish(ACK_TOPIC, ack(20))
            await until(lambda: len(client.heard) > states)  # it tells its mark instead
            assert uplink.acked == 50
            assert frames.unpack_state(client.heard[-1][1]).acked == 50
            client.publish(ACK_TOPIC, ack(20, hub=b"hub--002"))
            await until(lambda: client.heard[-1][0].endswith("/facts"))
            assert uplink.acked == 20
            assert frames.peek(client.heard[-1][1]).first == 21


async def test_state_and_last_will(broker: Mosquitto) -> None:
    rows = Rows()
    rows.add(3)
    with Client(broker.port, "kiosk/v1/+/+/state") as client:
        async with running(make_uplink(rows, broker.port)):
            await until(lambda: client.heard)
        await until(lambda: len(client.heard) > 1)
        online, offline = (frames.unpack_state(data) for _, data in client.heard[:2])
    assert (online.online, offline.online) == (True, False)
    assert (online.head, online.depth, online.key) == (3, 3, bytes(DEVICE.verify_key))
    assert online.oldest_unsent_ms > 0


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"port": 1}, "cannot reach 127.0.0.1:1: "),
        ({"tls": True, "ca": Path("/nowhere/ca.pem")}, "No such file"),
        ({"username": "kiosk", "password_file": Path("/nowhere/password")}, "No such file"),
    ],
)
async def test_what_stands_in_the_way_is_an_issue(settings: dict[str, object], says: str) -> None:
    config = Mqtt(**({"host": "127.0.0.1", "port": 1} | settings))
    async with running(
        Uplink(config, SITE, NUMBER, AsyncRows(Rows()), DEVICE, PRIVATE.public, dict[str, object])
    ) as uplink:
        await until(lambda: uplink.issue is not None and says in uplink.issue)
        assert not uplink.connected


def test_where_the_password_comes_from(tmp_path: Path) -> None:
    handed_over, own = tmp_path / CREDENTIAL, tmp_path / "own"
    handed_over.write_text("from the unit\n")
    own.write_text("from the file\n")
    unit = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert password(Mqtt(host="broker"), {}) is None
    assert password(Mqtt(host="broker"), unit) == "from the unit"
    assert password(Mqtt(host="broker", password_file=own), unit) == "from the file"
    handed_over.write_text("\n")
    assert password(Mqtt(host="broker"), unit) is None, "the unit of a kiosk without a password"
    handed_over.unlink()
    assert password(Mqtt(host="broker"), unit) is None


def flown(window: Window, *ranges: tuple[int, int], now: float = 0.0) -> None:
    for first, last in ranges:
        window.sent(Flight(first, last, b"", now))


def heard(window: Window, upto: int, *missing: tuple[int, int], now: float = 1.0, hub: bytes = HUB) -> list[int]:
    message = Ack(epoch=b"epoch-01", upto=upto, missing=missing, hub=hub, now=0)
    return [flight.first for flight in window.heard(message, now)]


def test_window_opens_with_progress_and_is_bounded() -> None:
    window, last = Window(), 0
    for _ in range(20):
        while window.room(0.0):
            flown(window, (last + 1, last + 10))
            last += 10
        heard(window, last - 10)
    assert len(window.flights) == 1
    while window.room(0.0):
        flown(window, (last + 1, last + 10))
        last += 10
    assert len(window.flights) == FRAMES


def test_window_goes_back_with_growing_waits_until_it_hears_something() -> None:
    window, waits = Window(mark=5, cursor=5, hub=HUB), []
    for _ in range(12):
        flown(window, (6, 9))
        window.stall(100.0, 1.0)
        assert window.cursor == 5
        waits.append(window.not_before - 100.0)
    assert waits[:4] == [1, 2, 4, 8]
    assert waits[-1] == 120
    assert window.patience == 120
    heard(window, 5)
    assert window.room(0.0)


def test_window_sends_again_only_what_got_lost() -> None:
    window = Window(_frames=8)
    flown(window, (1, 10), (11, 20), (21, 30), (31, 40))
    assert heard(window, 10, (11, 20)) == [11]  # 21 came, so 11-20 is lost; 31-40 may still be on its way
    assert [flight.first for flight in window.flights] == [21, 31, 11]
    assert heard(window, 10, (11, 20)) == []  # once is enough
    assert heard(window, 40) == []
    assert (window.mark, window.flights) == (40, [])


def test_window_takes_an_incident_for_no_loss() -> None:
    window = Window(_frames=8)
    flown(window, (1, 100), (101, 200))
    assert heard(window, 0, (1, 499)) == []


def test_window_patience_follows_the_line() -> None:
    window = Window()
    flown(window, (1, 10), now=0.0)
    assert window.stalls_at == 5.0
    heard(window, 10, now=20.0)
    assert window.patience == 80.0
