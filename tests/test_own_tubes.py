"""Barcodes that tubes bring along."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.own_tubes import OwnTubes

HS = OwnTubes("HS[0-9]{13}")
GOOD = "HS2024031500123"


def test_a_barcode_is_all_of_the_pattern_and_nothing_else() -> None:
    assert HS.match(GOOD)
    assert not any(map(HS.match, ("", GOOD + "4", "x" + GOOD, GOOD[:-1], GOOD.lower(), "HC1:0:" + GOOD)))


@given(st.integers(0, len(GOOD) - 1))
def test_one_that_lost_doubled_or_misread_a_character_is_near(place: int) -> None:
    lost, doubled, misread = (GOOD[:place] + new + GOOD[place + 1 :] for new in ("", GOOD[place] * 2, "Z"))
    for wrong in (lost, doubled, misread):
        assert not HS.match(wrong)
        assert HS.is_near(wrong)


@pytest.mark.parametrize("text", ["", "HS", "HC1:0:abcdef", "11010519491231002X", GOOD * 2, "HS20240315"])
def test_anything_else_is_not(text: str) -> None:
    assert not HS.is_near(text)


@pytest.mark.parametrize("pattern", ["", "[", "HS[0-9]*", ".{1,99}", "(?P<a>x", "[0-9]{3}"])
def test_a_pattern_without_an_end_or_sense_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="a regular expression"):
        OwnTubes(pattern)
