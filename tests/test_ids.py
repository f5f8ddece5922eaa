"""UUIDs of version 7, RFC 9562."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from kiosk.ids import uuid7


@given(st.integers(min_value=0, max_value=2**48 - 1))
def test_version_variant_and_time(wall: int) -> None:
    made = uuid.UUID(bytes=uuid7(wall))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == wall


@given(st.integers(min_value=0, max_value=2**48 - 2))
def test_a_later_one_sorts_behind(wall: int) -> None:
    assert uuid7(wall) < uuid7(wall + 1)


@given(st.integers(min_value=-(2**63), max_value=2**63 - 1))
def test_no_clock_is_too_wrong(wall: int) -> None:
    assert len(uuid7(wall)) == 16


def test_all_are_different() -> None:
    assert len({uuid7(1_647_410_700_000) for _ in range(10_000)}) == 10_000
