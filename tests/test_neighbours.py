"""A number used twice shows: on the local network, and through the broker."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey, VerifyKey

from kiosk import frames, neighbours, seal
from kiosk.frames import FrameError
from kiosk.neighbours import GROUP_4, GROUP_6, HOLD_S, Beacon, Doubles, Neighbours, pack, unpack
from kiosk.seal import fingerprint
from kiosk.simulate.rig import Rig
from tests.support.mosquitto import Mosquitto
from tests.support.site_day import until

MINE, THEIRS = SigningKey(bytes(range(32))), SigningKey(bytes(range(32, 64)))
BOOT, OTHER_BOOT = b"boot-001", b"boot-002"
LOOPBACK = 1


def beacon(key: SigningKey = THEIRS, boot: bytes = OTHER_BOOT, site: str = "360481", number: int = 1) -> bytes:
    return pack(Beacon(site=site, kiosk=number, key=bytes(key.verify_key), boot=boot), key)


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("", 0))
        return int(sock.getsockname()[1])


class Kiosk(Neighbours):
    """One that can be asked what it has found; on the loopback interface alone."""

    def __init__(self, key: SigningKey = MINE, boot: bytes = BOOT, number: int = 1, port: int = 0) -> None:
        self.now = 1000.0
        self.doubles = Doubles("360481", number, bytes(key.verify_key), lambda: self.now)
        super().__init__("360481", number, key, boot, self.doubles, port=port, interfaces=lambda: [LOOPBACK])

    @property
    def issue(self) -> str:
        return self.doubles.issues().get("number-taken", "")


# What is heard --------------------------------------------------------------------------------------------------------


def test_another_device_with_this_number() -> None:
    kiosk = Kiosk()
    kiosk.hear(beacon())
    assert "another kiosk is number 1 of site 360481 too (on the local network)" in kiosk.issue
    for key in (MINE, THEIRS):
        assert fingerprint(key.verify_key) in kiosk.issue
    kiosk.now += HOLD_S - 1
    assert kiosk.issue
    kiosk.now += 1
    assert kiosk.issue == "", "it has gone, or was given another number"


def test_a_copied_card() -> None:
    kiosk = Kiosk()
    kiosk.hear(beacon(MINE, OTHER_BOOT))
    assert "a copy of this card is at work in another machine" in kiosk.issue
    assert fingerprint(MINE.verify_key) in kiosk.issue


@pytest.mark.parametrize(
    "data",
    [
        beacon(MINE, BOOT),
        beacon(number=2),
        beacon(site="360482"),
        b"",
        b"\xc0",
        b"x" * 10_000,
        beacon()[:-1],
        beacon() + b"x",
    ],
)
def test_what_is_no_double(data: bytes) -> None:
    kiosk = Kiosk()
    kiosk.hear(data)
    assert kiosk.issue == ""


def test_nobody_speaks_for_another_key() -> None:
    payload = msgspec.msgpack.encode(Beacon(site="360481", kiosk=1, key=bytes(THEIRS.verify_key), boot=OTHER_BOOT))
    forged = msgspec.msgpack.encode((payload, MINE.sign(b"kiosk-beacon-1\0" + payload).signature))
    with pytest.raises(FrameError, match="signature"):
        unpack(forged)
    kiosk = Kiosk()
    kiosk.hear(forged)
    assert kiosk.issue == ""


def test_a_message_of_another_kind_is_no_beacon() -> None:
    state = frames.State(
        site="360481", kiosk=1, online=True, epoch=bytes(8), head=0, depth=0, acked=0, key=bytes(THEIRS.verify_key)
    )
    with pytest.raises(FrameError):
        unpack(frames.pack_state(state, THEIRS))


def test_the_wire() -> None:
    told = msgspec.msgpack.decode(msgspec.msgpack.decode(beacon())[0])
    assert told == {"v": 1, "site": "360481", "kiosk": 1, "key": bytes(THEIRS.verify_key), "boot": OTHER_BOOT}
    assert unpack(beacon()).boot == OTHER_BOOT
    assert len(beacon()) < 256
    page = (Path(__file__).parents[1] / "docs/protocol.md").read_text("utf-8")
    for word in (GROUP_4, GROUP_6, str(neighbours.PORT), r"kiosk-beacon-1\0"):
        assert word in page


@given(st.binary(max_size=600))
def test_noise_is_passed_over(data: bytes) -> None:
    kiosk = Kiosk()
    kiosk.hear(data)
    assert kiosk.issue == ""


# On the network -------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def running(*kiosks: Neighbours) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(kiosk.run()) for kiosk in kiosks]
    try:
        yield
        assert not any(task.done() for task in tasks), "it works until it is cancelled"
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "EVERY_S", 0.05)


@pytest.mark.usefixtures("often")
async def test_two_with_one_number_hear_of_each_other() -> None:
    port = free_port()
    one, two, three = (
        Kiosk(port=port),
        Kiosk(THEIRS, OTHER_BOOT, port=port),
        Kiosk(SigningKey.generate(), number=2, port=port),
    )
    async with running(one, two, three):
        await until(lambda: one.issue and two.issue, "both say so")
        assert fingerprint(THEIRS.verify_key) in one.issue
        assert fingerprint(MINE.verify_key) in two.issue
        assert three.issue == ""


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6"])
async def test_either_protocol_will_do(family: str) -> None:
    class Half(Kiosk):
        def _say(self, sock: socket.socket) -> None:
            if sock.family.name == family:
                super()._say(sock)

    if family == "AF_INET6" and "\nfe80" not in "\n" + Path("/proc/net/if_inet6").read_text():
        pytest.skip("this machine has no network with IPv6")
    port = free_port()
    one, two = Half(port=port), Half(THEIRS, OTHER_BOOT, port=port)
    for kiosk in (one, two):
        kiosk._interfaces = neighbours._all_interfaces
    async with running(one, two):
        await until(lambda: one.issue and two.issue, "both say so")


@pytest.mark.usefixtures("often")
async def test_a_flood_costs_one_short_turn_and_the_word_still_comes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_PAUSE_S", 0.01)
    port = free_port()
    kiosk = Kiosk(port=port)
    turns: list[int] = []
    hear = kiosk.hear

    def counted(data: bytes) -> None:
        turns[-1] += 1
        hear(data)

    kiosk.hear = counted
    read = kiosk._read
    kiosk._read = lambda sock: (turns.append(0), read(sock))
    async with running(kiosk):
        await asyncio.sleep(0)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
            for _ in range(100):
                flood.sendto(b"noise", ("127.0.0.1", port))
            flood.sendto(beacon(), ("127.0.0.1", port))
        await until(lambda: kiosk.issue, "it is heard")
    assert max(turns) == neighbours._AT_ONCE


async def test_without_a_network_nothing_happens() -> None:
    kiosk = Kiosk(port=free_port())
    kiosk._interfaces = list
    async with running(kiosk):
        await asyncio.sleep(0)
    kiosk._interfaces = lambda: [10_000]
    async with running(kiosk):
        await asyncio.sleep(0)
    assert kiosk.issue == ""


async def test_a_port_that_is_taken_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    with contextlib.ExitStack() as stack:
        for family in (socket.AF_INET, socket.AF_INET6):
            taken = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
            if family == socket.AF_INET6:
                taken.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            taken.bind(("", port))
        async with running(Kiosk(port=port)):
            await asyncio.sleep(0.01)
    assert caplog.text.count("no beacon over") == 2


def test_all_interfaces_of_this_machine() -> None:
    assert LOOPBACK in neighbours._all_interfaces()


# Whole kiosks ---------------------------------------------------------------------------------------------------------


def said(rig: Rig) -> str:
    issues = {issue["code"]: issue["hint"] for issue in rig.status().get("issues", ())}
    return issues.get("number-taken", "")


def print_of(rig: Rig) -> str:
    return fingerprint(VerifyKey(bytes(seal.device_key(rig.config.kiosk.data_dir / "device.key").verify_key)))


async def test_two_daemons_on_one_network(tmp_path: Path) -> None:
    site = {"site": {"code": f"{free_port():06}"}, "kiosk": {"beacon": True}}  # nobody else's
    async with Rig(tmp_path / "one", site) as one, Rig(tmp_path / "two", site) as two:
        await one.start()
        await two.start()
        await until(lambda: said(one) and said(two), "both say so")
        assert print_of(two) in said(one)
        assert print_of(one) in said(two)
        assert "on the local network" in said(one)
        assert one.panel.state.lamps["fault"] != "off"


async def test_two_daemons_at_one_broker(tmp_path: Path, broker: Mosquitto) -> None:
    async with Rig(tmp_path / "one", mqtt_port=broker.port) as one, Rig(tmp_path / "two", mqtt_port=broker.port) as two:
        await one.start()
        await until(lambda: one.status()["uplink"] == "online", "the first is there")
        await two.start()
        await until(lambda: said(one) and said(two), "both say so")
        assert print_of(two) in said(one)
        assert "from the broker" in said(two)


async def test_a_kiosk_alone_hears_itself_and_says_nothing(tmp_path: Path, broker: Mosquitto) -> None:
    async with Rig(tmp_path, mqtt_port=broker.port) as rig:
        for _ in range(2):  # the second time it finds its own state
            await rig.start()
            await until(lambda: rig.status()["uplink"] == "online", "it is there")
            await until(lambda: rig.status()["journal"]["seq"] > 0, "it is at work")
            assert said(rig) == ""
            await rig.stop()
