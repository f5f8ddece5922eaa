"""The card driver against the simulated reader on a real pseudo-terminal: cards come, stay and go."""

import asyncio
import itertools
from pathlib import Path

import msgspec
import pytest

from kiosk.drivers.idcard.codec import Command, Status
from kiosk.drivers.idcard.driver import PATIENCE, answer_within
from kiosk.drivers.idcard.sim import SimCard, SimReader
from kiosk.events import CardFailed, CardRead
from tests.support.card_desk import ONLINE, SAFETY_S, asked, desk
from tests.support.people import EVERYBODY, HUANG, LI, NURLAN, ZHANG, person


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kiosk-card"


@pytest.mark.parametrize("someone", EVERYBODY, ids=lambda p: p.document)
async def test_a_card_is_read_as_a_whole(path: Path, someone) -> None:
    async with SimReader(path) as reader, desk(path) as kiosk:
        reader.place(someone)
        assert await kiosk.see(2) == [ONLINE, CardRead(someone)]


async def test_without_newest_address_the_card_s_own_is_kept(path: Path) -> None:
    async with SimReader(path) as reader, desk(path, newest_address=False) as kiosk:
        reader.place(LI)
        assert await kiosk.see(2) == [ONLINE, CardRead(msgspec.structs.replace(LI, newest_address=""))]


async def test_a_newest_address_that_cannot_be_read_costs_nobody_their_place(path: Path) -> None:
    async with SimReader(path) as reader, desk(path) as kiosk:
        reader.force(Command.NEWEST_ADDRESS, Status.READ_FAILED)
        reader.place(LI)
        assert await kiosk.see(2) == [ONLINE, CardRead(msgspec.structs.replace(LI, newest_address=""))]


@pytest.mark.parametrize("refind", [True, False], ids=["finds again", "finds once"])
async def test_a_card_left_on_the_reader_is_posted_once(path: Path, refind: bool) -> None:
    async with SimReader(path, refind=refind) as reader, desk(path, same_card_s=0.02) as kiosk:
        reader.place(ZHANG)
        await kiosk.see(2)
        await asked(reader, Command.FIND, 12)  # each with a hold-off before it
        assert kiosk.events == [ONLINE, CardRead(ZHANG)]


async def test_a_reader_without_newest_address_posts_a_card_left_once_too(path: Path) -> None:
    async with SimReader(path) as reader, desk(path, newest_address=False, same_card_s=0.02) as kiosk:
        reader.force(Command.NEWEST_ADDRESS, *[Status.BAD_COMMAND] * 100)
        reader.place(ZHANG)
        await kiosk.see(2)
        await asked(reader, Command.READ, 12)
        assert kiosk.events == [ONLINE, CardRead(ZHANG)]


@pytest.mark.parametrize("refind", [True, False], ids=["finds again", "finds once"])
async def test_taken_away_and_brought_back_is_posted_again(path: Path, refind: bool) -> None:
    async with SimReader(path, refind=refind) as reader, desk(path, same_card_s=0.01) as kiosk:
        for visit in range(1, 4):
            reader.place(ZHANG)
            assert await kiosk.see(1 + visit) == [ONLINE] + [CardRead(ZHANG)] * visit
            reader.remove()
            await asked(reader, Command.FIND, 4)


async def test_brought_back_within_the_hold_off_is_the_same_visit(path: Path) -> None:
    async with SimReader(path) as reader, desk(path, same_card_s=600.0) as kiosk:
        for _ in range(5):
            reader.place(ZHANG)
            await asked(reader, Command.READ, 1)
            reader.remove()
            await asked(reader, Command.FIND, 4)
        assert kiosk.events == [ONLINE, CardRead(ZHANG)]


async def test_brought_back_within_the_hold_off_and_left_there_it_is_answered_after_it(path: Path) -> None:
    async with SimReader(path) as reader, desk(path, same_card_s=0.5) as kiosk:
        reader.place(ZHANG)
        await kiosk.see(2)
        reader.remove()
        await asked(reader, Command.FIND, 4)
        reader.place(ZHANG)
        await kiosk.see(3)
        await asked(reader, Command.READ, 20)
        assert kiosk.events == [ONLINE, CardRead(ZHANG), CardRead(ZHANG)]


async def test_a_reader_that_cannot_tell_whose_newest_address_it_has_still_reads_the_next_card_at_once(
    path: Path,
) -> None:
    async with SimReader(path) as reader, desk(path, same_card_s=600.0) as kiosk:
        for count, someone in enumerate(map(person, range(5)), 2):
            reader.force(Command.NEWEST_ADDRESS, *[Status.NO_SUCH_ITEM] * 3)
            reader.place(someone)
            await kiosk.see(count)
        assert len(kiosk.events) == 6


async def test_a_flicker_of_the_field_is_no_removal(path: Path) -> None:
    async with SimReader(path) as reader, desk(path, same_card_s=0.02) as kiosk:
        reader.place(ZHANG)
        await kiosk.see(2)
        for _ in range(5):
            reader.force(Command.NEWEST_ADDRESS, Status.READ_FAILED)
            reader.force(Command.FIND, Status.NOT_FOUND)
            await asked(reader, Command.READ, 2)
        assert kiosk.events == [ONLINE, CardRead(ZHANG)]


async def test_another_card_is_read_at_once_though_the_hold_off_runs(path: Path) -> None:
    people = [*EVERYBODY, *map(person, range(20))]
    async with SimReader(path) as reader, desk(path, same_card_s=600.0) as kiosk:
        for count, someone in enumerate(people, 2):
            reader.place(someone)
            await kiosk.see(count)
        assert kiosk.events == [ONLINE, *map(CardRead, people)]


async def test_the_simulator_tells_when_a_card_has_been_read(path: Path) -> None:
    async with SimReader(path) as reader, desk(path, same_card_s=600.0) as kiosk:
        for someone in (ZHANG, LI, HUANG):
            reader.place(someone)
            async with asyncio.timeout(SAFETY_S):
                await reader.read_once()
            reader.remove()
        assert await kiosk.see(4) == [ONLINE, CardRead(ZHANG), CardRead(LI), CardRead(HUANG)]


async def test_an_unreadable_card_is_told_once_after_three_tries_and_a_reset(path: Path) -> None:
    async with SimReader(path) as reader, desk(path) as kiosk:
        reader.place(SimCard(ZHANG, unreadable=True))
        assert await kiosk.see(2) == [ONLINE, CardFailed("reading the card failed (41)")]
        assert (reader.requests[Command.READ], reader.requests[Command.RESET]) == (3, 1)
        await asked(reader, Command.READ, 20)
        assert len(kiosk.events) == 2
        assert reader.requests[Command.RESET] == 1
        reader.remove()
        await asked(reader, Command.FIND, 4)
        reader.place(SimCard(ZHANG, unreadable=True))
        assert (await kiosk.see(3))[2:] == [CardFailed("reading the card failed (41)")]


async def test_a_card_that_becomes_readable_after_all_is_read(path: Path) -> None:
    async with SimReader(path) as reader, desk(path) as kiosk:
        crooked = SimCard(ZHANG, unreadable=True)
        reader.place(crooked)
        await kiosk.see(2)
        crooked.unreadable = False
        assert (await kiosk.see(3))[2:] == [CardRead(ZHANG)]


async def test_after_an_unreadable_card_another_is_read_at_once(path: Path) -> None:
    async with SimReader(path) as reader, desk(path) as kiosk:
        reader.place(SimCard(ZHANG, unreadable=True))
        await kiosk.see(2)
        reader.place(LI)
        assert (await kiosk.see(3))[2:] == [CardRead(LI)]


async def test_a_chip_that_hangs_is_read_after_the_reset(path: Path) -> None:
    async with SimReader(path) as reader, desk(path) as kiosk:
        reader.place(SimCard(ZHANG, hung=True))
        assert await kiosk.see(2) == [ONLINE, CardRead(ZHANG)]
        assert reader.requests[Command.RESET] == 1


async def test_one_failed_read_is_repeated_in_silence(path: Path) -> None:
    async with SimReader(path) as reader, desk(path) as kiosk:
        reader.force(Command.READ, Status.SAM_REJECTED)
        reader.place(ZHANG)
        assert await kiosk.see(2) == [ONLINE, CardRead(ZHANG)]
        assert reader.requests[Command.RESET] == 0


async def test_a_card_that_is_taken_away_after_its_read_gets_no_second_answer(path: Path) -> None:
    """The reader still finds it at the edge of its field, and can read it no more."""
    async with SimReader(path) as reader, desk(path) as kiosk:
        reader.place(ZHANG)
        await kiosk.see(2)
        reader.remove()
        reader.force(Command.FIND, Status.FOUND)
        await asked(reader, Command.FIND, 6)
        assert kiosk.events == [ONLINE, CardRead(ZHANG)]


async def test_a_card_swiped_too_fast_is_answered(path: Path) -> None:
    async with SimReader(path) as reader, desk(path) as kiosk:
        reader.force(Command.FIND, Status.FOUND)
        assert await kiosk.see(2) == [ONLINE, CardFailed("reading the card failed (41)")]


async def test_a_failed_select_decides_nothing(path: Path) -> None:
    async with SimReader(path) as reader, desk(path) as kiosk:
        reader.force(Command.SELECT, Status.SELECT_FAILED)
        reader.place(ZHANG)
        assert await kiosk.see(2) == [ONLINE, CardRead(ZHANG)]
        assert reader.requests[Command.READ] == 1


async def test_malformed_contents_are_a_failed_card(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    async with SimReader(path) as reader, desk(path) as kiosk:
        text = SimCard(ZHANG).payload()[4:260]
        reader.place(SimCard(ZHANG, text=text[:248] + b"Q\0" + text[250:]))
        assert await kiosk.see(2) == [ONLINE, CardFailed("unknown type of card")]
        reader.place(SimCard(ZHANG, text=text[:100]))
        await asked(reader, Command.READ, 2)
        reader.place(NURLAN)
        assert (await kiosk.see(3))[2:] == [CardRead(NURLAN)]
    for someone in (ZHANG, NURLAN):
        assert someone.number not in caplog.text
        assert someone.name not in caplog.text


def test_time_outs_grow_as_the_line_slows() -> None:
    for command in Command:
        waits = [answer_within(command, baud, PATIENCE) for baud in (115200, 57600, 38400, 19200, 9600)]
        assert all(a < b for a, b in itertools.pairwise(waits))
    assert 3.1 < answer_within(Command.READ, 115200, PATIENCE) < 3.5
    assert answer_within(Command.READ, 9600, PATIENCE) - PATIENCE.read_s > 2.69  # 1.349 s on the wire
    assert 1.0 < answer_within(Command.FIND, 115200, PATIENCE) < answer_within(Command.FIND, 9600, PATIENCE) < 1.3


def test_nothing_of_a_person_shows_in_the_driver_s_text_forms() -> None:
    assert ZHANG.number not in f"{CardRead(ZHANG)!r} {CardRead(ZHANG)} {SimCard(ZHANG)!r}"
