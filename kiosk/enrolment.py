"""How a kiosk makes itself known to its command post (docs/protocol.md). Pure.

The code on its enrolment label is ``KE1:<site>:<number>:<verify key>:<signature>``, both in base32 without padding: the
kiosk's own signature proves that whoever printed it holds the key. A kiosk that was provisioned with a one-time id also
proves in its state that it knows that id, without saying it.
"""

import base64
import binascii
import hashlib
import re
from typing import NamedTuple

from nacl.exceptions import CryptoError
from nacl.signing import SigningKey, VerifyKey

PREFIX = "KE1:"
_LABEL = b"kiosk-enrol-1\0"
_FORM = re.compile(r"KE1:([0-9]{6}):([1-9][0-9]?):([A-Z2-7]{52}):([A-Z2-7]{103})")


class EnrolmentError(ValueError):
    """A text is no enrolment code, or was not made by the key it names."""


class Enrolment(NamedTuple):
    site: str
    number: int
    key: bytes


def code(site: str, number: int, key: SigningKey) -> str:
    """What the QR code of the enrolment label says."""
    verify = bytes(key.verify_key)
    signature = key.sign(_message(site, number, verify)).signature
    return f"{PREFIX}{site}:{number}:{_base32(verify)}:{_base32(signature)}"


def parse(text: str) -> Enrolment:
    """Who says so, and does hold the key. Raises EnrolmentError."""
    form = _FORM.fullmatch(text.strip().upper())
    if form is None:
        raise EnrolmentError(f"not an enrolment code {PREFIX}…, or not all of it")
    site, number = form[1], int(form[2])
    try:
        key, signature = (base64.b32decode(part + "=" * (-len(part) % 8)) for part in form.group(3, 4))
        VerifyKey(key).verify(_message(site, number, key), signature)
    except (CryptoError, binascii.Error, ValueError):
        raise EnrolmentError("the code is damaged: it was not signed by the key it names") from None
    return Enrolment(site, number, key)


def proof(token: str, key: VerifyKey) -> bytes:
    """16 bytes that only who knows the one-time id ``token`` can make for this key; b"" without one."""
    return hashlib.blake2b(bytes(key), key=token.encode(), digest_size=16).digest() if token else b""


def identity(site: str, number: int, key: VerifyKey) -> bytes:
    """Names this device under this number: another one is another kiosk to the command post."""
    return hashlib.sha256(_message(site, number, bytes(key))).digest()


def _message(site: str, number: int, key: bytes) -> bytes:
    return _LABEL + f"{site}:{number}:".encode() + key


def _base32(raw: bytes) -> str:
    return base64.b32encode(raw).decode().rstrip("=")
