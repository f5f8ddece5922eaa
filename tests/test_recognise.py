import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.config import HealthCodeFormat
from kiosk.domain import Colour
from kiosk.identity import check_mod_11_2
from kiosk.recognise import (
    MAX_TEXT,
    AnyScan,
    BadTube,
    HealthCode,
    IdNumber,
    StaffCommand,
    TubeCode,
    Unknown,
    compile_formats,
    recognise,
)
from kiosk.tube import TubeNumber
from tests.support.people import HUANG, LI, ZHANG

SITE = "360481"
COLOURS = {"0": Colour.GREEN, "1": Colour.YELLOW, "2": Colour.RED}
DEMO = HealthCodeFormat(name="demo", pattern=r"^HC1:(?P<colour>[0-9]):(?P<token>[A-Za-z0-9_-]+)$", colours={**COLOURS})
NAMED = HealthCodeFormat(
    name="named", pattern=r"HC2:(?P<id>[^:]+)(:(?P<colour>[0-9]))?", colours={**COLOURS, "": Colour.GREEN}
)
OPAQUE = HealthCodeFormat(name="opaque", pattern=r"https://code\.example/\?(?P<token>.+)")
FORMATS = compile_formats((DEMO, NAMED, OPAQUE))


def scan(text: str) -> AnyScan:
    return recognise(text, SITE, FORMATS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("HC1:0:abC-_9", HealthCode(Colour.GREEN, "abC-_9", None, "demo")),
        ("HC1:1:t", HealthCode(Colour.YELLOW, "t", None, "demo")),
        ("HC1:2:t", HealthCode(Colour.RED, "t", None, "demo")),
        ("HC1:7:t", HealthCode(Colour.UNKNOWN, "t", None, "demo")),
        (
            f"HC2:{ZHANG.number.lower()}:0",
            HealthCode(Colour.GREEN, f"HC2:{ZHANG.number.lower()}:0", ZHANG.number, "named"),
        ),
        ("HC2:1101**********002X:2", HealthCode(Colour.RED, "HC2:1101**********002X:2", None, "named")),
        (f"HC2:{LI.number}", HealthCode(Colour.UNKNOWN, f"HC2:{LI.number}", LI.number, "named")),
        ("https://code.example/?x=1", HealthCode(Colour.UNKNOWN, "x=1", None, "opaque")),
        ("3604810112300070", TubeCode(TubeNumber("360481", 1, 123, 7))),
        (str(TubeNumber("110105", 99, 0, 9999)), TubeCode(TubeNumber("110105", 99, 0, 9999))),
        (ZHANG.number, IdNumber(ZHANG.number)),
        (ZHANG.number.lower(), IdNumber(ZHANG.number)),
        (HUANG.number, IdNumber(HUANG.number)),
        ("KC1:round new", StaffCommand("round new")),
        ("KC1:", StaffCommand("")),
        ("hello", Unknown("hello")),
        ("", Unknown("")),
        ("hc1:0:t", Unknown("hc1:0:t")),
        ("xHC1:0:t", Unknown("xHC1:0:t")),
        ("HC1:0:t\n", Unknown("HC1:0:t\n")),
        ("110105194912310021", Unknown("110105194912310021")),
    ],
)
def test_content_decides(text: str, expected: AnyScan):
    assert scan(text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("3604810112300075", "check digit 5"),
        ("360481011230074", "15 digits"),
        ("36048101123000074", "17 digits"),
    ],
)
def test_a_damaged_number_of_our_own_is_no_health_code(text: str, why: str):
    catch_all = compile_formats([HealthCodeFormat(name="any", pattern=".+")])
    found = recognise(text, SITE, catch_all)
    assert isinstance(found, BadTube)
    assert why in found.why
    assert isinstance(recognise(text, "110105", catch_all), HealthCode)


def test_an_id_number_of_our_own_region_is_no_damaged_tube():
    number = "36048119900101123" + check_mod_11_2("36048119900101123")
    assert isinstance(scan(number), IdNumber)


def test_eighteen_digits_without_a_date_of_birth_are_no_id_number():
    number = "11010519491331002" + check_mod_11_2("11010519491331002")
    assert scan(number) == Unknown(number)


def test_formats_are_tried_in_order():
    first = HealthCodeFormat(name="first", pattern=r"HC1:.*+", colours={})
    assert recognise("HC1:0:t", SITE, compile_formats([first, DEMO])) == HealthCode(
        Colour.UNKNOWN, "HC1:0:t", None, "first"
    )


@given(st.text(max_size=MAX_TEXT * 2))
def test_any_text_is_something(text: str):
    found = scan(text)
    assert isinstance(found, AnyScan)
    if isinstance(found, HealthCode) and not text.startswith(("HC1:0:", "HC2:")):
        assert found.colour is not Colour.GREEN


def test_too_long_is_unknown_and_cut():
    assert scan("HC1:0:" + "a" * MAX_TEXT) == Unknown(("HC1:0:" + "a" * MAX_TEXT)[:MAX_TEXT])


@pytest.mark.parametrize("text", ["HC1:0:secret", "3604810112300070", "3604810112300075", LI.number, "KC1:secret", "s"])
def test_text_forms_withhold_the_content(text: str):
    found = scan(text)
    assert repr(found) == str(found) == f"<{type(found).__name__} withheld>"


@pytest.mark.parametrize(
    ("pattern", "colours", "why"),
    [
        (r"HC1:(?P<colour>[01", {}, "unterminated character set"),
        (r"a{99999999999999999999}", {}, "bad pattern"),
        (r"(?P<color>.)", {}, "unknown group 'color'"),
        (r"(?P<token>.+)", {"0": Colour.GREEN}, "no group"),
        (r"(?P<colour>.)", {"0": Colour.NONE}, '"none"'),
        (r"(a+)+b", {}, "hostile"),
        (r"(a|aa)+b", {}, "hostile"),
        (r"(?=(\w+\s?)*$)x", {}, "hostile"),
        (r"x?(?(1)a|(b+)*)y(z)?|((c*)*)d", {}, "hostile|bad pattern"),
        (r".*.*.*.*x", {}, "hostile"),
        (r"(.*x){4}", {}, "hostile"),
        (r"(?:a?){64}", {}, "hostile"),
    ],
)
def test_a_bad_format_stops_at_the_start(pattern: str, colours: dict[str, Colour], why: str):
    with pytest.raises(ValueError, match=f"^health code format 'odd': .*({why})") as stopped:
        compile_formats([HealthCodeFormat(name="odd", pattern=pattern, colours=colours)])
    assert "\n" not in str(stopped.value)


@pytest.mark.parametrize(
    "pattern",
    [
        r"^https?://\w+\.example/.*[?&]t=(?P<token>[^&]+)$",
        r"(?:[0-9A-F]{4}-){3}[0-9A-F]{4}",
        r"(?:[a-z]|[0-9])+x",
        r"(?:\.\w++)+x",
        r"(?>a+)b(?!c)(?P<token>\d*?)",
        r"(?i)hc1:(?P<colour>0|1|2):(?P<token>\w{1,64})(;.*)?",
        r".*.*.*[xy]",
    ],
)
def test_a_pattern_that_passes_answers_soon_whatever_is_shown(pattern: str):
    formats = compile_formats([HealthCodeFormat(name="fine", pattern=pattern)])
    started = time.process_time()
    for text in ("a" * MAX_TEXT, "." * MAX_TEXT, "http://a.example/" + "?t=&" * 120, "0" * MAX_TEXT):
        recognise(text, SITE, formats)
    assert time.process_time() - started < 30


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"kind": "registration", "pattern": "(?P<id>.+)", "ask": True}, "a registration code has no colour"),
        (
            {"kind": "registration", "pattern": "(?P<colour>.)(?P<id>.+)", "colours": {"0": "green"}},
            "a registration code has no colour",
        ),
        ({"kind": "registration", "pattern": "(?P<token>.+)"}, "a registration code needs a group"),
    ],
)
def test_a_registration_format_that_makes_no_sense_is_named(given: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        compile_formats((HealthCodeFormat(name="form", **given),))
