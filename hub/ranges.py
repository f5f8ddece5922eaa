"""Sets of sequence numbers as sorted, disjoint, never touching ranges."""

from collections.abc import Sequence

Ranges = list[tuple[int, int]]


def add(ranges: Ranges, first: int, last: int) -> Ranges:
    """``ranges`` with first..last in it."""
    before = [r for r in ranges if r[1] < first - 1]
    after = [r for r in ranges if r[0] > last + 1]
    touching = ranges[len(before) : len(ranges) - len(after)]
    if touching:
        first, last = min(first, touching[0][0]), max(last, touching[-1][1])
    return [*before, (first, last), *after]


def upto(ranges: Sequence[tuple[int, int]]) -> int:
    """The last number that is there with all before it, from 1 on."""
    return ranges[0][1] if ranges and ranges[0][0] == 1 else 0


def missing(ranges: Sequence[tuple[int, int]]) -> Ranges:
    """What lacks below the highest number that is there."""
    ends = [0, *(last for _, last in ranges)]
    return [(end + 1, first - 1) for end, (first, _) in zip(ends, ranges, strict=False) if first > end + 1]
