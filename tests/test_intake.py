"""The border of personal data: what comes in, and what goes on."""

import logging
from datetime import date

import msgspec
import pytest

from kiosk import seal
from kiosk.config import HealthCodeFormat
from kiosk.domain import Colour, DocumentKind, Person, Reason, Stamp
from kiosk.events import (
    CardFailed,
    CardPresented,
    CardRead,
    CodeFailed,
    CodePresented,
    CodeScanned,
    Event,
    Tick,
    TubeScanned,
    Unusable,
)
from kiosk.intake import NAMES_KEPT, Intake
from kiosk.own_tubes import OwnTubes
from kiosk.people import person
from kiosk.tube import TubeNumber
from tests.support.people import EVERYBODY, LI, MAX, ZHANG

KEYS = seal.PrivateKeys.generate()
COLOURS = {"0": "green", "1": "yellow", "2": "red"}
FORMATS = [
    HealthCodeFormat(name="demo", pattern="^HC1:(?P<colour>[0-9]):(?P<token>.+)$", colours=COLOURS),
    HealthCodeFormat(name="named", pattern="^HC2:(?P<colour>[0-9]):(?P<id>[0-9X]{18})$", colours=COLOURS),
]
TUBE = str(TubeNumber("360481", 1, 75, 7))


@pytest.fixture
def intake() -> Intake:
    return Intake(FORMATS, "360481", seal.Sealer(KEYS.public, bytes(32)))


def on(day: date) -> Stamp:
    return Stamp((day - date(1970, 1, 1)).days * 86_400_000, 0)


NOW = on(date(2022, 3, 16))


def scanned(intake: Intake, text: str) -> Event:
    return intake.admit(CodeScanned(text), NOW)


@pytest.mark.parametrize("holder", EVERYBODY)
def test_a_card_goes_on_sealed(intake: Intake, holder: Person) -> None:
    event = intake.admit(CardRead(holder), NOW)
    assert isinstance(event, CardPresented)
    assert event.document is holder.document
    assert seal.open_box(KEYS, event.subject.box) == msgspec.to_builtins(holder)
    assert holder.number.encode() not in msgspec.msgpack.encode(event)


@pytest.mark.parametrize(
    ("day", "expired"),
    [(date(2020, 1, 1), False), (date(2020, 1, 2), True), (date(2009, 1, 1), False)],
)
def test_a_card_is_good_to_the_end_of_its_last_day(intake: Intake, day: date, expired: bool) -> None:
    event = intake.admit(CardRead(LI), on(day))
    assert (event.document, event.expired) == (DocumentKind.RESIDENT, expired)


def test_a_card_without_end_never_expires(intake: Intake) -> None:
    assert not intake.admit(CardRead(ZHANG), on(date(2099, 1, 1))).expired


@pytest.mark.parametrize("place", range(18))
def test_every_wrong_digit_of_a_number_is_noticed(intake: Intake, place: int, caplog: pytest.LogCaptureFixture) -> None:
    number = person(5).number
    wrong = number[:place] + ("1" if number[place] != "1" else "2") + number[place + 1 :]
    with caplog.at_level(logging.DEBUG):
        event = intake.admit(CardRead(msgspec.structs.replace(person(5), number=wrong)), NOW)
    assert event == Unusable(Reason.BAD_NUMBER)
    assert wrong not in caplog.text
    assert person(5).name not in caplog.text


@pytest.mark.parametrize(
    ("text", "colour"),
    [
        ("HC1:0:a", Colour.GREEN),
        ("HC1:1:a", Colour.YELLOW),
        ("HC1:2:a", Colour.RED),
        ("HC1:7:a", Colour.UNKNOWN),
        ("https://elsewhere.invalid/a", Colour.UNKNOWN),
    ],
)
def test_a_code_and_its_colour(intake: Intake, text: str, colour: Colour) -> None:
    event = scanned(intake, text)
    assert isinstance(event, CodePresented)
    assert (event.colour, event.holder) == (colour, None)
    assert seal.open_box(KEYS, event.subject.box)["code"] == text
    assert scanned(intake, text).subject.digest == event.subject.digest


def test_a_code_that_names_its_holder_is_known_by_the_holders_card(intake: Intake) -> None:
    event = scanned(intake, f"HC2:0:{ZHANG.number}")
    card = intake.admit(CardRead(ZHANG), NOW)
    assert event.holder == event.subject.digest == card.subject.digest
    assert scanned(intake, f"HC2:0:{person(1).number}").holder != card.subject.digest


def test_a_tube_is_a_tube_and_a_broken_one_is_asked_for_again(intake: Intake, caplog: pytest.LogCaptureFixture) -> None:
    assert scanned(intake, TUBE) == TubeScanned(TUBE)
    wrong = TUBE[:-1] + ("1" if TUBE[-1] != "1" else "2")
    for text in (wrong, TUBE[:-1], TUBE + "0", TUBE[:7] + TUBE[8:]):
        assert scanned(intake, text) == Unusable(Reason.UNREADABLE)


@pytest.mark.parametrize("text", ["KC1:close", ZHANG.number])
def test_what_nobody_here_needs(intake: Intake, text: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        assert scanned(intake, text) == Unusable(Reason.NOT_NEEDED)
    assert text not in caplog.text


@pytest.mark.parametrize("event", [CardFailed("the card was taken away"), CodeFailed("noise, no text")])
def test_what_cannot_be_read(intake: Intake, event: Event, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert intake.admit(event, NOW) == Unusable(Reason.UNREADABLE)
    assert caplog.text == ""


def test_everything_else_goes_through(intake: Intake) -> None:
    assert intake.admit(Tick(), NOW) == Tick()


def test_names_for_labels_are_kept_for_a_while_and_only_here(intake: Intake) -> None:
    digest = intake.admit(CardRead(ZHANG), NOW).subject.digest
    assert intake.name(digest) == "张三"
    assert intake.name(intake.admit(CardRead(MAX), NOW).subject.digest) == MAX.name
    for number in range(NAMES_KEPT):
        intake.admit(CardRead(person(number)), NOW)
    assert intake.name(digest) is None
    assert len(intake._names) == NAMES_KEPT
    assert intake.name(b"nobody") is None


@pytest.mark.parametrize(("text", "said"), [("7k", Unusable), ("abc", Unusable), ("abcd", CodePresented)])
def test_a_text_too_short_to_be_a_code_is_not_paired_with_the_next_card(intake: Intake, text: str, said: type) -> None:
    assert isinstance(scanned(intake, text), said)


# Tubes that bring their own barcode -----------------------------------------------------------------------------------


@pytest.fixture
def table() -> Intake:
    return Intake(FORMATS, "360481", seal.Sealer(KEYS.public, bytes(32)), tubes=OwnTubes("HS[0-9]{13}"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("HS2024031500123", TubeScanned("HS2024031500123")),
        ("HS202403150012", Unusable(Reason.BAD_TUBE)),  # a digit is missing
        ("HS20240315001123", Unusable(Reason.BAD_TUBE)),
        (TUBE, Unusable(Reason.BAD_TUBE)),  # a label of another day
        (LI.number, Unusable(Reason.NOT_A_TUBE)),  # the ID number in the tube's place
    ],
)
def test_a_tube_with_a_barcode_of_its_own_is_told_from_all_that_is_none(
    table: Intake, text: str, expected: Event
) -> None:
    assert scanned(table, text) == expected


def test_a_health_code_stays_one_where_tubes_bring_their_own_barcodes(table: Intake) -> None:
    assert isinstance(scanned(table, "HC1:0:HS202403150012"), CodePresented)
    assert isinstance(scanned(table, "some other code"), CodePresented)
