"""A frozen map that grows cheaply: adding one key to 100,000 must not copy them all."""

from collections.abc import Iterator
from typing import Generic, Self, TypeVar

import msgspec

K = TypeVar("K")
V = TypeVar("V")


class GrowingMap(msgspec.Struct, Generic[K, V], frozen=True, array_like=True):
    """In levels of doubling size. Adding merges small levels only (the logarithmic method): n insertions copy
    O(n log n) keys in all, and a look-up asks O(log n) levels, the newest first."""

    levels: tuple[dict[K, V], ...] = ()

    def get(self, key: K) -> V | None:
        for level in reversed(self.levels):
            if (value := level.get(key)) is not None:
                return value
        return None

    def items(self) -> Iterator[tuple[K, V]]:
        """Each key once, in no order."""
        seen: dict[K, V] = {}
        for level in self.levels:
            seen.update(level)
        yield from seen.items()

    def add(self, key: K, value: V) -> Self:
        """The map with ``key`` set; what it was set to before is forgotten."""
        merged = {key: value}
        kept = list(self.levels)
        while kept and len(kept[-1]) <= len(merged):
            merged = kept.pop() | merged
        return type(self)((*kept, merged))
