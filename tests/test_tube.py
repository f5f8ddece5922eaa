import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.tube import (
    LAST_SERIAL,
    BadTubeNumber,
    NumbersExhausted,
    Serials,
    TubeNumber,
    check_digit,
    explain,
)

NUMBERS = st.builds(
    TubeNumber,
    st.from_regex(r"[0-9]{6}", fullmatch=True).filter(str.isascii),
    st.integers(1, 99),
    st.integers(0, 999),
    st.integers(1, LAST_SERIAL),
)
TUBE = TubeNumber("360481", 1, 123, 7)


def test_the_published_example_of_the_scheme():
    assert check_digit("572") == "4"
    assert check_digit("5724") == "0"


def test_a_number_is_sixteen_digits_and_reads_in_groups():
    assert str(TUBE) == "3604810112300070"
    assert TUBE.grouped() == "360481 01 123 0007 0"


@given(NUMBERS)
def test_what_is_written_is_read_again(tube: TubeNumber):
    assert TubeNumber.parse(str(tube)) == tube
    assert len(str(tube)) == 16
    assert tube.grouped().replace(" ", "") == str(tube)


@given(NUMBERS, st.integers(0, 15), st.integers(1, 9))
def test_every_single_wrong_digit_is_caught(tube: TubeNumber, place: int, by: int):
    digits = list(str(tube))
    digits[place] = str((int(digits[place]) + by) % 10)
    with pytest.raises(BadTubeNumber):
        TubeNumber.parse("".join(digits))


@given(NUMBERS)
def test_every_swap_of_neighbours_is_caught(tube: TubeNumber):
    text = str(tube)
    for place in range(15):
        swapped = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
        if swapped != text:
            with pytest.raises(BadTubeNumber):
                TubeNumber.parse(swapped)


def test_the_table_itself_catches_all_errors_and_swaps_in_every_state():
    """Exhaustive over states and digit pairs, so that it holds for numbers of any length."""
    prefixes = {check_digit(str(n)): str(n) for n in range(10, 100)}
    assert len(prefixes) == 10
    for prefix in prefixes.values():
        ends = [check_digit(f"{prefix}{digit}") for digit in range(10)]
        assert len(set(ends)) == 10
        for first in range(10):
            for second in range(first):
                assert check_digit(f"{prefix}{first}{second}") != check_digit(f"{prefix}{second}{first}")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "0 digits: a tube number has 16"),
        ("360481011230007", "15 digits: a tube number has 16"),
        ("36048101123000704", "17 digits: a tube number has 16"),
        ("36048101123O0070", "character 12 is 'O': a tube number has digits only"),
        ("３604810112300070", "character 1 is '３': a tube number has digits only"),
        ("3604810112300079", "check digit 9 is wrong: after these 15 digits it would be 0"),
        ("0000000000000000", "serial 0: must be from 1 to 9999"),
    ],
)
def test_a_bad_number_is_told_why(text: str, why: str):
    with pytest.raises(BadTubeNumber, match=f"^{why}$"):
        TubeNumber.parse(text)


@pytest.mark.parametrize(
    "parts",
    [
        ("36048", 1, 0, 1),
        ("36048x", 1, 0, 1),
        ("360481", -1, 0, 1),
        ("360481", 100, 0, 1),
        ("360481", 1, 1000, 1),
        ("360481", 1, -1, 1),
        ("360481", 1, 0, 0),
        ("360481", 1, 0, 10_000),
    ],
)
def test_parts_out_of_range_make_no_number(parts: tuple[str, int, int, int]):
    with pytest.raises(BadTubeNumber):
        TubeNumber(*parts)


def test_explain_names_the_parts_and_the_likely_day():
    lines = explain("360481 01-123 0007 0", today=20_124).splitlines()
    assert lines[0] == "tube    360481 01 123 0007 0"
    assert lines[1] == "site    360481"
    assert lines[2] == "kiosk   01"
    assert "2025-02-04" in lines[3]
    assert "number 7 of that day" in lines[4]
    assert "2025-02-04" not in explain("3604810112300070")
    with pytest.raises(BadTubeNumber, match="would be 0"):
        explain("360481 01 123 0007 5")


def test_the_numbers_of_a_drill_are_those_of_a_kiosk_that_no_site_has():
    drill = TubeNumber("360481", 0, 123, 7)
    assert (drill.drill, TubeNumber("360481", 1, 123, 7).drill) == (True, False)
    assert TubeNumber.parse(str(drill)) == drill
    assert "of a drill 演练: no specimen" in explain(str(drill))


@given(st.lists(st.integers(0, 999), max_size=200))
def test_whatever_the_clock_says_every_number_is_new(days: list[int]):
    serials = Serials()
    seen = set()
    for day in days:
        given_out = serials.next(day)
        assert given_out not in seen
        seen.add(given_out)
        serials = serials.used(*given_out)
    assert all(serial <= LAST_SERIAL for _, serial in seen)


def test_a_clock_that_jumps_back_goes_on_where_that_day_ended():
    serials = Serials().used(5, 1).used(5, 2).used(900, 1)
    assert serials.next(5) == (5, 3)
    assert serials.next(900) == (900, 2)
    assert serials.next(6) == (6, 1)


def test_a_fact_folded_out_of_order_never_lowers_the_mark():
    assert Serials().used(5, 9).used(5, 3).next(5) == (5, 10)


def test_a_full_day_flows_over_into_the_next_with_room():
    serials = Serials({999: LAST_SERIAL, 0: LAST_SERIAL, 1: 41})
    assert serials.next(999) == (1, 42)


def test_only_when_all_days_are_full_there_is_no_number():
    serials = Serials(dict.fromkeys(range(1000), LAST_SERIAL))
    with pytest.raises(NumbersExhausted, match="another kiosk number"):
        serials.next(0)
    assert Serials({**serials.last, 499: 12}).next(500) == (499, 13)


def test_the_state_survives_encoding():
    serials = Serials().used(5, 2).used(999, 9999)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(serials), type=Serials) == serials
