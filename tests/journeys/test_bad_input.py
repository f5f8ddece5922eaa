"""What cannot be read is asked for again, and registers nobody."""

from pathlib import Path

import msgspec

from kiosk.domain import DocumentKind
from kiosk.drivers.idcard.sim import SimCard
from kiosk.people import person
from kiosk.tube import TubeNumber
from tests.support.people import EVERYBODY
from tests.support.site_day import open_site


async def test_a_number_with_a_wrong_check_digit(tmp_path: Path) -> None:
    right = person(1)
    wrong = msgspec.structs.replace(right, number=right.number[:-1] + ("1" if right.number[-1] != "1" else "2"))
    async with open_site(tmp_path) as day:
        assert await day.resident(wrong, code=None) == "retry"
        assert await day.resident(right) == "accepted"
        assert day.refused == ["bad-number"]


async def test_a_card_that_cannot_be_read_and_is_laid_down_again(tmp_path: Path) -> None:
    async with open_site(tmp_path) as day:
        assert await day.resident(SimCard(person(1), unreadable=True), code=None) == "retry"
        assert await day.resident(1) == "accepted"
        assert day.refused == ["unreadable"]


async def test_every_kind_of_card_is_accepted(tmp_path: Path) -> None:
    async with open_site(tmp_path, health_code="off") as day:
        for holder in EVERYBODY:
            assert await day.resident(holder, code=None) == "accepted"
        cards = set(DocumentKind) - {DocumentKind.PASSPORT, DocumentKind.PAPER}
        assert {entry.fact.document for entry in day.rig.entries() if hasattr(entry.fact, "document")} == cards


async def test_codes_that_are_none(tmp_path: Path) -> None:
    number = str(TubeNumber("360481", 1, 75, 7))
    async with open_site(tmp_path) as day:
        assert await day.only_a_code("x" * 600) == "retry"
        assert await day.only_a_code("KC1:nobody knows this") == "refused"
        assert await day.only_a_code(number) == "denied"
        await day.residents(1)
        assert await day.only_a_code(number[:-1]) == "retry"
        assert set(day.refused) == {"unreadable", "not-needed"}
        assert day.people == 1
