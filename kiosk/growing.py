"""A frozen map that grows cheaply: adding one key to 100,000 must not copy them all."""

from typing import Self

import msgspec


class GrowingMap(msgspec.Struct, frozen=True, array_like=True):
    """Keys (bytes) to numbers, in levels of doubling size. Adding merges small levels only (the logarithmic method): n
    insertions copy O(n log n) keys in all, and a look-up asks O(log n) levels, the newest first."""

    levels: tuple[dict[bytes, int], ...] = ()

    def get(self, key: bytes) -> int | None:
        for level in reversed(self.levels):
            if (value := level.get(key)) is not None:
                return value
        return None

    def add(self, key: bytes, value: int) -> Self:
        """The map with ``key`` set; what it was set to before is forgotten."""
        merged = {key: value}
        kept = list(self.levels)
        while kept and len(kept[-1]) <= len(merged):
            merged = kept.pop() | merged
        return type(self)((*kept, merged))
