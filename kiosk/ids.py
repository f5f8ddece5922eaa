"""UUIDs that sort by time (RFC 9562, version 7). Nothing relies on their time."""

import os


def uuid7(wall_ms: int) -> bytes:
    """16 bytes: 48 bits of milliseconds since 1970 (a clock before that counts as 1970), then 74 random bits."""
    random = int.from_bytes(os.urandom(10), "big")
    value = (max(wall_ms, 0) & (1 << 48) - 1) << 80 | random
    value = value & ~(0xF << 76) | 7 << 76
    value = value & ~(0b11 << 62) | 0b10 << 62
    return value.to_bytes(16, "big")
