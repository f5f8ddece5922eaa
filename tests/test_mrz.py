"""Passports: the specimen of ICAO 9303 part 4, and every wrong digit of it."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk import mrz
from kiosk.domain import DocumentKind
from kiosk.mrz import BadZoneError

FIRST = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<"
SECOND = "L898902C36UTO7408122F1204159ZE184226B<<<<<10"
ZONE = FIRST + SECOND
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
