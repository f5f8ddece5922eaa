"""The card driver on a bad line: noise, damage, silence, readers that start up, break down and are unplugged."""

import asyncio
import random
from pathlib import Path

import pytest

from kiosk.drivers.idcard.codec import PREAMBLE, Command, Request, Response, Status, encode_response
from kiosk.drivers.idcard.driver import Patience
from kiosk.drivers.idcard.sim import SimReader
from kiosk.events import CardFailed, CardRead, DeviceOffline, DeviceOnline
from tests.support.card_desk import IMPATIENT, ONLINE, asked, desk
from tests.support.people import LI, ZHANG, person


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kiosk-card"


async def test_a_damaged_answer_costs_one_time_out(path: Path) -> None:
    async with SimReader(path) as reader, desk(path, IMPATIENT) as kiosk:
        await kiosk.see(1)
        for someone in map(person, range(4)):
            reader.place(someone)
            reader.damage(2)  # wherever they fall
            await kiosk.until(lambda events, who=someone: events[-1] == CardRead(who))
        assert not any(isinstance(e, CardFailed) for e in kiosk.events)


@pytest.mark.parametrize("chunk", [1, 7, 64])
async def test_answers_in_pieces(path: Path, chunk: int) -> None:
    async with SimReader(path, chunk=chunk) as reader, desk(path) as kiosk:
        reader.place(LI)
        assert await kiosk.see(2) == [ONLINE, CardRead(LI)]


async def test_a_late_answer_to_an_earlier_request_is_passed_over(path: Path) -> None:
    class LateReader(SimReader):
        def _reply(self, request: Request) -> None:
            late = (
                Response(Status.OK, bytes(8)) if request.command == Command.FIND else Response(Status.FOUND, bytes(4))
            )
            self._send(encode_response(late))
            super()._reply(request)

    async with LateReader(path) as reader, desk(path) as kiosk:
        reader.place(ZHANG)
        assert await kiosk.see(2) == [ONLINE, CardRead(ZHANG)]
        assert (reader.requests[Command.READ], reader.requests[Command.RESET]) == (1, 0)


async def test_a_false_header_is_forgotten_with_the_request_it_spoilt(path: Path) -> None:
    async with SimReader(path) as reader, desk(path, IMPATIENT) as kiosk:
        await kiosk.see(1)
        reader.mute = True
        await asked(reader, Command.FIND, 1)
        reader.noise(PREAMBLE + b"\x09\x00")
        reader.mute = False
        reader.place(ZHANG)
        assert await kiosk.see(2) == [ONLINE, CardRead(ZHANG)]


async def test_a_reader_still_starting_up_is_waited_for(path: Path) -> None:
    async with SimReader(path, power_up_s=0.4) as reader, desk(path, Patience(status_s=0.1)) as kiosk:
        reader.place(ZHANG)
        assert await kiosk.see(2) == [ONLINE, CardRead(ZHANG)]
        assert reader.requests[Command.STATUS] > 1


async def test_a_reader_that_knows_no_status_is_used_all_the_same(path: Path) -> None:
    class PlainReader(SimReader):
        def _reply(self, request: Request) -> None:
            if request.command in (Command.FIND, Command.SELECT, Command.READ):
                super()._reply(request)

    async with PlainReader(path) as reader, desk(path, IMPATIENT) as kiosk:
        reader.place(ZHANG)
        assert await kiosk.see(2) == [ONLINE, CardRead(ZHANG)]


async def test_a_mute_reader_is_offline_and_back_when_it_answers(path: Path) -> None:
    async with SimReader(path) as reader, desk(path, IMPATIENT) as kiosk:
        await kiosk.see(1)
        reader.mute = True
        await kiosk.see(2)
        await asked(reader, Command.STATUS, 4)
        reader.mute = False
        reader.place(ZHANG)
        await kiosk.until(lambda events: events[-1] == CardRead(ZHANG))
        lost = DeviceOffline("card", "the reader does not answer any more")
        assert kiosk.events[:3] == [ONLINE, lost, ONLINE]


async def test_a_reader_mute_from_the_start_was_never_online(path: Path) -> None:
    async with SimReader(path) as reader, desk(path, IMPATIENT) as kiosk:
        reader.mute = True
        await kiosk.see(1)
        reader.mute = False
        assert (await kiosk.see(2))[:2] == [DeviceOffline("card", "the reader does not answer"), ONLINE]


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (Status.SELF_CHECK_FAILED, "the SAM failed its self-check (60)"),
        (Status.NOT_AUTHORISED, "the SAM is not authorised (66)"),
    ],
)
@pytest.mark.parametrize("command", [Command.STATUS, Command.FIND, Command.READ])
async def test_a_reader_that_says_it_cannot_work_is_offline(
    path: Path, command: Command, status: Status, why: str
) -> None:
    async with SimReader(path) as reader:
        reader.force(command, status)
        reader.place(ZHANG)
        async with desk(path) as kiosk:
            await kiosk.until(lambda events: CardRead(ZHANG) in events)
            assert DeviceOffline("card", why) in kiosk.events
            assert kiosk.events[-2:] == [ONLINE, CardRead(ZHANG)]


async def test_unplugged_and_back_with_and_without_a_card(path: Path) -> None:
    async with SimReader(path) as reader, desk(path) as kiosk:
        for someone in map(person, range(3)):
            del kiosk.events[:]
            reader.place(someone)
            await kiosk.until(lambda events, who=someone: CardRead(who) in events)
            reader.unplug()
            await kiosk.until(lambda events: any(isinstance(e, DeviceOffline) for e in events))
            reader.remove()
            reader.plug()
            await kiosk.until(lambda events: events[-1] == ONLINE)
            assert [type(e) for e in kiosk.events[-3:]] == [CardRead, DeviceOffline, DeviceOnline]


async def test_unplugged_in_the_middle_of_a_read(path: Path) -> None:
    async with SimReader(path, chunk=40, chunk_s=0.005) as reader, desk(path) as kiosk:
        await kiosk.see(1)
        reader.place(ZHANG)
        await asked(reader, Command.READ, 1)
        reader.unplug()
        await kiosk.see(2)
        reader.plug()
        assert [type(e) for e in await kiosk.see(4)] == [DeviceOnline, DeviceOffline, DeviceOnline, CardRead]


async def test_a_missing_port_is_offline_until_it_appears(path: Path) -> None:
    async with desk(path) as kiosk:
        (offline,) = await kiosk.see(1)
        assert isinstance(offline, DeviceOffline)
        async with SimReader(path):
            assert (await kiosk.see(2))[1] == ONLINE


async def test_noise_for_long_then_a_card(path: Path) -> None:
    rng = random.Random(3)
    async with SimReader(path) as reader, desk(path, IMPATIENT) as kiosk:
        await kiosk.see(1)
        reader.mute = True
        for _ in range(200):
            reader.noise(rng.randbytes(2048))
            await asyncio.sleep(0.002)
        reader.mute = False
        reader.place(ZHANG)
        await kiosk.until(lambda events: events[-1] == CardRead(ZHANG))
        assert not any(isinstance(e, CardFailed) for e in kiosk.events)


async def test_noise_between_the_answers_costs_nothing(path: Path) -> None:
    rng = random.Random(4)
    async with SimReader(path) as reader, desk(path) as kiosk:
        await kiosk.see(1)
        for count, someone in enumerate(map(person, range(10)), 2):
            reader.noise(rng.randbytes(300).replace(b"\x69", b"\x68"))
            reader.place(someone)
            reader.noise(rng.randbytes(300).replace(b"\x69", b"\x68"))
            assert (await kiosk.see(count))[-1] == CardRead(someone)
        assert len(kiosk.events) == 11
