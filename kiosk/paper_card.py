"""Code cards of paper (rule F7): a random token that stands for whoever holds the card. Pure.

``KI1:`` and base32 (RFC 4648, no padding) of 16 random bytes and the first 4 bytes of SHA-256(``KI1:`` + token), so
that a misread one is noticed. It says nothing of its holder; who that is, the facts tell by its digest.
"""

import base64
import binascii
import hashlib

PREFIX = "KI1:"
TOKEN_BYTES = 16
_CHECK_BYTES = 4


def text(token: bytes) -> str:
    """What the code on the card holds. ``token``: 16 random bytes."""
    return PREFIX + base64.b32encode(token + _check(token)).decode().rstrip("=")


def is_whole(scanned: str) -> bool:
    """Whether a text that begins like a code card is one."""
    payload = scanned.removeprefix(PREFIX)
    try:
        raw = base64.b32decode(payload + "=" * (-len(payload) % 8))
    except (binascii.Error, ValueError):
        return False
    token = raw[:TOKEN_BYTES]
    return len(raw) == TOKEN_BYTES + _CHECK_BYTES and raw[TOKEN_BYTES:] == _check(token) and scanned == text(token)


def _check(token: bytes) -> bytes:
    return hashlib.sha256(PREFIX.encode() + token).digest()[:_CHECK_BYTES]
