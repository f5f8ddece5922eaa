"""The border of personal data: what comes in, and what goes on."""

import logging
from datetime import date

import msgspec
import pytest

from kiosk import seal
from kiosk.config import HealthCodeFormat
from kiosk.domain import Colour, DocumentKind, Field, Person, Reason, Stamp
from kiosk.events import (
    CardFailed,
    CardPresented,
    CardRead,
    CodeFailed,
    CodePresented,
    CodeScanned,
    ContactPresented,
    Event,
    NumberTyped,
    Tick,
    TubeScanned,
    TubeTyped,
    Unusable,
    VerdictArrived,
)
from kiosk.intake import NAMES_KEPT, Intake
from kiosk.own_tubes import OwnTubes
from kiosk.people import person
from kiosk.tube import TubeNumber
from kiosk.verdicts import Verdict
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


# Opaque codes, registration codes, numbers that are typed, passports, code cards ------------------------------

WAYS = [
    HealthCodeFormat(name="asked", pattern="^HC3:(?P<token>.+)$", ask=True),
    HealthCodeFormat(name="told", pattern="^HC5:(?P<phone>[0-9]+):(?P<name>.*)$"),
    HealthCodeFormat(
        name="form", kind="registration", pattern="^HC4:(?P<id>[0-9X]{18}):(?P<phone>[0-9]*):(?P<name>.*)$"
    ),
]
ZONE = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<L898902C36UTO7408122F1204159ZE184226B<<<<<10"


@pytest.fixture
def ways() -> Intake:
    return Intake(WAYS, "360481", seal.Sealer(KEYS.public, bytes(32)), answers=lambda: True)


def test_a_code_without_a_colour_is_the_command_posts_to_judge(ways: Intake) -> None:
    event = scanned(ways, "HC3:abc")
    assert (event.colour, event.ask, event.answers, event.has) == (Colour.UNKNOWN, True, True, ())
    offline = Intake(WAYS, "360481", seal.Sealer(KEYS.public, bytes(32)))
    assert (scanned(offline, "HC3:abc").ask, scanned(offline, "HC3:abc").answers) == (True, False)


def test_a_verdict_names_its_holder_by_digest_alone(ways: Intake) -> None:
    card = ways.admit(CardRead(ZHANG), NOW)
    event = ways.verdict(b"code", Verdict(Colour.RED, ZHANG.number.lower()))
    assert event == VerdictArrived(b"code", Colour.RED, card.subject.digest)
    assert ways.verdict(b"code", Verdict(Colour.GREEN)).holder is None


def test_what_a_format_tells_of_its_holder_is_sealed(ways: Intake) -> None:
    event = scanned(ways, "HC5:13800138000:张三")
    assert event.has == (Field.NAME, Field.PHONE)
    box = seal.open_box(KEYS, event.subject.box)
    assert (box["phone"], box["name"]) == ("13800138000", "张三")
    assert scanned(ways, "HC5:10086:张三").has == (Field.NAME,)  # no mobile number


def test_a_registration_code_is_no_health_code(ways: Intake) -> None:
    event = scanned(ways, f"HC4:{ZHANG.number}:13800138000:")
    assert isinstance(event, ContactPresented)
    assert event.holder == ways.admit(CardRead(ZHANG), NOW).subject.digest
    assert event.has == (Field.NUMBER, Field.PHONE)


def test_a_typed_number_is_a_card_without_a_name(ways: Intake) -> None:
    event = ways.admit(NumberTyped(ZHANG.number), NOW)
    assert (event.typed, event.document, event.has) == (True, DocumentKind.RESIDENT, (Field.NUMBER,))
    assert event.subject.digest == ways.admit(CardRead(ZHANG), NOW).subject.digest
    assert seal.open_box(KEYS, event.subject.box)["number"] == ZHANG.number
    assert ways.admit(NumberTyped("830000199201300022"), NOW).document is DocumentKind.PERMIT


def test_a_typed_tube_number_says_which_tube_is_meant(ways: Intake) -> None:
    assert ways.admit(NumberTyped("3604810167600017"), NOW) == TubeTyped("3604810167600017")
    assert ways.admit(NumberTyped("3604810167600018"), NOW) == Unusable(Reason.BAD_NUMBER)


def test_a_typed_phone_is_a_contact(ways: Intake) -> None:
    event = ways.admit(NumberTyped("13800138000"), NOW)
    assert isinstance(event, ContactPresented)
    assert (event.holder, event.has) == (None, (Field.PHONE,))
    assert seal.open_box(KEYS, event.subject.box)["phone"] == "13800138000"


@pytest.mark.parametrize(
    "number", [ZHANG.number[:-1] + "0", "12800138000", "1380013800", "138001380000", "0", "X" * 18]
)
def test_a_typed_number_that_cannot_be_right(ways: Intake, number: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        assert ways.admit(NumberTyped(number), NOW) == Unusable(Reason.BAD_NUMBER)
    assert len(number) < 4 or number not in caplog.text


def test_a_passport_is_a_document(ways: Intake, caplog: pytest.LogCaptureFixture) -> None:
    event = scanned(ways, ZONE)
    assert (event.document, event.expired, event.has) == (DocumentKind.PASSPORT, True, (Field.NAME, Field.NUMBER))
    assert ways.name(event.subject.digest) == "ERIKSSON ANNA MARIA"
    with caplog.at_level(logging.DEBUG):
        assert scanned(ways, ZONE[:-1] + "1") == Unusable(Reason.BAD_NUMBER)
    assert "L898902" not in caplog.text


def test_a_code_card_that_was_made_here_is_known_again(ways: Intake) -> None:
    made = ways.new_card()
    shown = scanned(ways, made.text)
    assert (shown.document, shown.subject.digest, shown.has) == (DocumentKind.PAPER, made.subject.digest, ())
    assert ways.new_card().text != made.text
    assert scanned(ways, made.text[:-1]) == Unusable(Reason.UNREADABLE)
    assert made.text not in repr(made)
