"""A whole group of ten on real kernel devices: nine cards of every kind and a code, one tube, one label, one press."""

from typing import NamedTuple

import pytest
import pytest_asyncio
import zxingcpp

from tests.guest.daemon import Daemon, Fact, of_kind
from tests.guest.machine import Guest
from tests.support.people import EVERYBODY

pytestmark = pytest.mark.asyncio(loop_scope="session")

POLICY = """
    group_size = 10
    pool_size = 10
    card_alone_after_s = 0.1
    pair_window_s = 0.5
"""


class Day(NamedTuple):
    """What is left of it. ``bar``: the levels of its ten lamps when nine were there."""

    facts: list[Fact]
    numbers: list[str]
    labels: list[str]
    bar: list[int]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def day(daemon: Daemon, guest: Guest) -> Day:
    printed = len(guest.labels)
    for somebody in EVERYBODY:
        await daemon.show_card(somebody)
    bar = await daemon.bar()
    await daemon.show_code("the-tenth")
    await daemon.release()
    facts = await daemon.facts()
    labels = [code.text for label in guest.labels[printed:] for code in zxingcpp.read_barcodes(label)]
    numbers = [daemon.number(fact) for fact in of_kind(facts, "registered") if "document" in fact]
    return Day(facts, numbers, labels, bar)


async def test_ten_are_registered(day: Day) -> None:
    assert [fact["person"] for fact in of_kind(day.facts, "registered")] == [*range(1, 11)]


async def test_the_command_post_reads_the_nine_cards(day: Day) -> None:
    assert day.numbers == [somebody.number for somebody in EVERYBODY]


async def test_the_tenth_came_with_a_code_alone(day: Day) -> None:
    assert [fact["source"] for fact in of_kind(day.facts, "registered")] == ["card"] * 9 + ["code"]


async def test_the_bar_shows_nine_and_flashes_the_tenth(day: Day) -> None:
    assert day.bar[:9] == [1] * 9


async def test_all_are_in_one_tube_in_their_order(day: Day) -> None:
    (tube,) = {fact["tube"] for fact in of_kind(day.facts, "bound")}
    assert [(fact["tube"], fact["position"]) for fact in of_kind(day.facts, "bound")] == [
        (tube, position) for position in range(1, 11)
    ]


async def test_the_tube_is_full(day: Day) -> None:
    (closed,) = of_kind(day.facts, "tube-closed")
    assert (closed["members"], closed["size"]) == (10, 10)


async def test_its_one_label_can_be_scanned(day: Day) -> None:
    assert day.labels == [fact["tube"] for fact in of_kind(day.facts, "tube-closed")]


async def test_the_printer_confirmed_the_label(day: Day) -> None:
    (printed,) = of_kind(day.facts, "label-printed")
    assert (printed["attempt"], printed["proof"]) == (1, "status")


async def test_the_group_went(day: Day) -> None:
    (released,) = of_kind(day.facts, "group-released")
    assert released["members"] == 10


async def test_nothing_went_wrong(day: Day) -> None:
    assert not {fact["t"] for fact in day.facts} & {"label-failed", "incident-raised", "unbound"}
