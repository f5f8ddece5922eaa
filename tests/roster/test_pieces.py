"""A roster on its way over the broker."""

import os

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.roster.entry import RosterError
from kiosk.roster.pieces import MOST, SIZE, Pieces, cut

FILE = os.urandom(SIZE * 3 + 7)


@given(st.permutations(range(4)), st.sets(st.integers(0, 3)))
def test_pieces_in_any_order_and_doubled_make_the_file(order: list[int], doubled: set[int]) -> None:
    sent, heard = list(cut(5, FILE)), Pieces()
    order = [number for place in order for number in [place] * (1 + (place in doubled))]
    whole = [heard.hear(sent[number]) for number in order]
    assert [each for each in whole if each is not None][:1] == [FILE]


def test_a_later_roster_takes_the_place_of_a_half() -> None:
    heard, other = Pieces(), os.urandom(SIZE + 1)
    assert heard.hear(next(iter(cut(5, FILE)))) is None
    assert [heard.hear(each) for each in cut(6, other)] == [None, other]


def test_a_file_that_is_too_large_is_carried() -> None:
    with pytest.raises(RosterError, match="expected at most 15: carry the file there"):
        next(cut(1, bytes(SIZE * MOST + 1)))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xc1",
        msgspec.msgpack.encode([1, 2, 2, b""]),
        msgspec.msgpack.encode([1, 0, MOST + 1, b""]),
        b"\x94" * 999,
    ],
)
def test_what_is_no_piece_is_an_error(payload: bytes) -> None:
    with pytest.raises(RosterError, match="no piece of a roster"):
        Pieces().hear(payload)
