"""UUID version 7 (RFC 9562, section 5.7). The time in it helps a database's index and is never trusted."""

import secrets

_RANDOM_A = (1 << 12) - 1
_RANDOM_B = (1 << 62) - 1


def uuid7(wall_ms: int) -> bytes:
    """16 bytes: 48 bits of ``wall_ms`` (milliseconds since 1970 UTC, clamped to what fits) and 74 random bits."""
    time = min(max(wall_ms, 0), (1 << 48) - 1)
    random = secrets.randbits(74)
    value = time << 80 | 0x7 << 76 | (random >> 62 & _RANDOM_A) << 64 | 0b10 << 62 | random & _RANDOM_B
    return value.to_bytes(16, "big")
