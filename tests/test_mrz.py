"""Travel documents: the specimens of ICAO 9303 parts 4 to 7, every wrong digit of them, and their lines one by one."""

import itertools
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk import mrz
from kiosk.domain import DocumentKind
from kiosk.drivers.code_serial.codec import GM65_ACK, SerialCodec
from kiosk.drivers.zone_lines import HALF, PATIENCE_S, ZoneLines
from kiosk.events import CodeFailed, CodeScanned
from kiosk.mrz import BadZoneError
from kiosk.recognise import Passport, recognise

FIRST = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<"
SECOND = "L898902C36UTO7408122F1204159ZE184226B<<<<<10"
ZONE = FIRST + SECOND
LARGER = ("I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", "D231458907UTO7408122F1204159<<<<<<<6")
CARD = ("I<UTOD231458907<<<<<<<<<<<<<<<", "7408122F1204159UTO<<<<<<<<<<<6", "ERIKSSON<<ANNA<MARIA<<<<<<<<<<")
VISA = ("V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L8988901C4XXX4009078F96121096ZE184226B<<<<<<")
DOCUMENTS = ((FIRST, SECOND), LARGER, CARD, VISA)
TODAY = date(2022, 3, 16)
VALUES = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""The check is blind to a difference of ten: A for 0, B for 1."""


@pytest.mark.parametrize("between", ["", "\n", "\r\n", "\t", "\x1d", " "])
def test_the_specimen_is_read_whatever_the_scanner_puts_between_its_lines(between: str) -> None:
    text = FIRST + between + SECOND
    assert mrz.is_zone(text)
    holder = mrz.parse(text, TODAY)
    assert holder.document is DocumentKind.PASSPORT
    assert (holder.number, holder.latin_name, holder.nationality) == ("L898902C3", "ERIKSSON ANNA MARIA", "UTO")
    assert (holder.birth, holder.sex, holder.valid_to) == ("19740812", "2", "20120415")


@pytest.mark.parametrize("place", [*range(44, 44 + 10), *range(44 + 13, 44 + 20), *range(44 + 21, 88)])
def test_every_wrong_character_under_a_check_digit_is_noticed(place: int) -> None:
    wrong = VALUES[(VALUES.index(ZONE[place].replace("<", "0")) + 1) % 36]
    with pytest.raises(BadZoneError) as caught:
        mrz.parse(ZONE[:place] + wrong + ZONE[place + 1 :], TODAY)
    for told in ("L898902", "ERIKSSON", "740812"):
        assert told not in str(caught.value)


@given(st.text("ABCZ0123456789<", min_size=87, max_size=87))
def test_noise_that_begins_like_a_passport_is_named(rest: str) -> None:
    assert mrz.is_zone("P" + rest)
    with pytest.raises(BadZoneError):
        mrz.parse("P" + rest, TODAY)


@pytest.mark.parametrize("text", ["", "P", FIRST, ZONE[:-1], ZONE + "0", "Q" + ZONE[1:], ZONE.lower()])
def test_what_is_no_zone(text: str) -> None:
    assert not mrz.is_zone(text)


# The other sizes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lines", [CARD, LARGER], ids=["TD1", "TD2"])
@pytest.mark.parametrize("between", ["", "\r\n"])
def test_the_specimens_of_cards(lines: tuple[str, ...], between: str) -> None:
    text = between.join(lines)
    assert isinstance(recognise(text, "360481", ()), Passport)
    holder = mrz.parse(text, TODAY)
    assert (holder.number, holder.latin_name, holder.nationality) == ("D23145890", "ERIKSSON ANNA MARIA", "UTO")
    assert (holder.birth, holder.sex, holder.valid_to) == ("19740812", "2", "20120415")


def test_a_number_longer_than_nine_goes_on_in_the_optional_data() -> None:
    """ICAO 9303 part 5, the specimen of a long document number."""
    zone = "I<UTOD23145890<7349<<<<<<<<<<<3407127M9507122UTO<<<<<<<<<<<2STEVENSON<<PETER<JOHN<<<<<<<<<"
    assert mrz.parse(zone, TODAY).number == "D23145890734"


@pytest.mark.parametrize(
    ("zone", "covered"),
    [("".join(CARD), [*range(5, 30), *range(30, 37), *range(38, 45), *range(48, 60)]),
     ("".join(LARGER), [*range(36, 46), *range(49, 56), *range(57, 72)])],
    ids=["TD1", "TD2"],
)  # fmt: skip
@given(data=st.data())
def test_every_wrong_character_of_a_card_is_noticed(zone: str, covered: list[int], data: st.DataObject) -> None:
    place = data.draw(st.sampled_from(covered))
    wrong = VALUES[(VALUES.index(zone[place].replace("<", "0")) + 1) % 36]
    with pytest.raises(BadZoneError):
        mrz.parse(zone[:place] + wrong + zone[place + 1 :], TODAY)


def test_a_visa_names_nobody() -> None:
    visa = VISA[0] + VISA[1]
    assert mrz.is_zone(visa)
    with pytest.raises(BadZoneError, match="visa"):
        mrz.parse(visa, TODAY)


@pytest.mark.parametrize("text", ["A" * 72, "C1" * 45, "I" + "0" * 89, "A<" * 36 + "<", "A" * 44, "I1" * 15])
def test_a_long_code_of_another_system_is_no_zone_and_no_line(text: str) -> None:
    assert not mrz.is_zone(text)
    assert not mrz.is_line(text)


# Lines that come one by one -------------------------------------------------------------------------------------------


class Scanner:
    """What the kiosk hears of a scanner that ends each line with Enter."""

    def __init__(self) -> None:
        self.lines, self.now, self.heard = ZoneLines(), 0.0, list[CodeScanned | CodeFailed]()

    def scans(self, *texts: str | CodeFailed, gap: float = 0.01) -> "Scanner":
        for text in texts:
            self.now += gap
            self.heard += self.lines.idle(self.now)
            self.heard += self.lines.feed(text if isinstance(text, CodeFailed) else CodeScanned(text), self.now)
        return self

    def rests(self, seconds: float) -> "Scanner":
        self.now += seconds
        self.heard += self.lines.idle(self.now)
        return self


@pytest.mark.parametrize("lines", DOCUMENTS)
def test_lines_that_belong_together_are_one_scan(lines: tuple[str, ...]) -> None:
    assert Scanner().scans(*lines).rests(60).heard == [CodeScanned("".join(lines))]


@pytest.mark.parametrize("lines", DOCUMENTS)
def test_half_a_document_is_told_after_a_while_and_only_once(lines: tuple[str, ...]) -> None:
    scanner = Scanner().scans(*lines[:-1])
    assert scanner.lines.waits(scanner.now) == PATIENCE_S
    assert scanner.rests(PATIENCE_S - 0.1).heard == []
    assert scanner.rests(0.2).heard == [CodeFailed(HALF)]
    assert scanner.lines.waits(scanner.now) is None
    assert scanner.rests(60).heard == [CodeFailed(HALF)]
    assert scanner.scans(*lines).heard[1:] == [CodeScanned("".join(lines))]


@pytest.mark.parametrize("between", ["HC1:0:phone", "3604810100000011", "x"])
def test_another_code_breaks_a_document_off_and_is_heard_itself(between: str) -> None:
    scanner = Scanner().scans(FIRST, between, SECOND)
    assert scanner.heard == [CodeFailed(HALF), CodeScanned(between), CodeFailed(HALF)]


def test_what_cannot_be_read_breaks_it_off_with_one_signal() -> None:
    scanner = Scanner().scans(FIRST, CodeFailed("noise")).rests(60)
    assert scanner.heard == [CodeFailed("noise")]


def test_a_second_first_line_begins_anew() -> None:
    assert Scanner().scans(FIRST, FIRST, SECOND).heard == [CodeFailed(HALF), CodeScanned(ZONE)]
    assert Scanner().scans(CARD[0], *LARGER).heard == [CodeFailed(HALF), CodeScanned("".join(LARGER))]


def test_a_second_line_that_was_misread_is_a_document_misread() -> None:
    misread = SECOND.replace("8", "B")
    [zone] = Scanner().scans(FIRST, misread).heard
    assert isinstance(zone, CodeScanned)
    with pytest.raises(BadZoneError):
        mrz.parse(zone.text, TODAY)


NOISE = ("HC1:0:phone", "3604810100000011", "x", "1<2", "I<" * 15 + "I")
PIECES = [(line, place, len(line)) for lines in DOCUMENTS for place, line in enumerate(lines)]
SCANS = st.lists(
    st.tuples(
        st.sampled_from(PIECES) | st.sampled_from(NOISE).map(lambda text: (text, -1, 0)),
        st.sampled_from([0.0, 0.1, PATIENCE_S - 0.1, PATIENCE_S, 10.0]),
    ),
    max_size=12,
)


def expected(scans: list[tuple[tuple[str, int, int], float]]) -> list[str | None]:
    """What is heard by the words of the standard alone: zones and other codes; None for each line in vain."""
    out: list[str | None] = []
    at = 0
    while at < len(scans):
        (text, place, length), _ = scans[at]
        rest = scans[at + 1 : at + (3 if length == 30 else 2)]
        goes_on = all(place > 0 and size == length and gap < PATIENCE_S for (_, place, size), gap in rest)
        if place == 0 and goes_on and len(rest) == (2 if length == 30 else 1):
            out.append("".join([text, *(line for (line, _, _), _ in rest)]))
            at += 1 + len(rest)
        else:
            out.append(None if place >= 0 else text)
            at += 1
    return out


@given(SCANS)
def test_lines_in_any_order_with_anything_between_at_any_time(
    scans: list[tuple[tuple[str, int, int], float]],
) -> None:
    scanner = Scanner()
    for (text, _, _), gap in scans:
        scanner.scans(text, gap=gap)
    scanner.rests(PATIENCE_S)
    said = [event.text if isinstance(event, CodeScanned) else None for event in scanner.heard]
    told = expected(scans)
    assert [text for text in said if text is not None] == [text for text in told if text is not None]
    assert (None in said) is (None in told), "each half is told, and nothing else"
    assert said.count(None) <= told.count(None)
    assert not any(mrz.is_line(text) for text in said if text), "a line alone is never a code"


@given(lines=st.sampled_from(DOCUMENTS), order=st.data())
def test_no_order_of_the_lines_names_anybody_else(lines: tuple[str, ...], order: st.DataObject) -> None:
    shown = order.draw(st.permutations(lines))
    for event in Scanner().scans(*shown).rests(60).heard:
        if isinstance(event, CodeScanned) and shown != list(lines):
            with pytest.raises(BadZoneError):
                mrz.parse(event.text, TODAY)


@given(
    lines=st.sampled_from(DOCUMENTS),
    end=st.sampled_from([b"\r", b"\r\n", b"\n", b"\r" + GM65_ACK, b"\r\x06"]),
    cuts=st.lists(st.integers(0, 100), max_size=6),
)
def test_however_a_serial_scanner_s_bytes_are_cut(lines: tuple[str, ...], end: bytes, cuts: list[int]) -> None:
    data = b"".join(line.encode() + end for line in lines)
    codec, scanner, places = SerialCodec(), Scanner(), sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for start, stop in itertools.pairwise(places):
        for event in codec.feed(data[start:stop]):
            scanner.scans(event.text if isinstance(event, CodeScanned) else event)
    assert scanner.rests(60).heard == [CodeScanned("".join(lines))]
