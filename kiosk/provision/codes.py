"""A provisioning as QR codes: signed, and cut into as many as it needs (docs/protocol.md). Pure.

A code is ``KP1:<id>:<i>/<n>:<base32>``: all of it capitals, digits and ``: /``, so that it is drawn in the alphanumeric
mode of ISO/IEC 18004, and read the same by a scanner whose Caps Lock is wrong. The base32 holds a piece of the signed
envelope and a check over the whole code, so that a damaged one is named when it is scanned.
"""

import base64
import binascii
import hashlib
import re
import zlib
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta
from nacl.signing import SigningKey, VerifyKey

from kiosk import frames
from kiosk.frames import FrameError

PREFIX = "KP1:"
VERSION = 1
MAX_CODE = 400
"""Characters of one code: a QR code of 65 modules a side."""
MAX_CODES = 32
MAX_TEXT = 64 * 1024
"""Bytes the provisioning may unfold to."""

_LABEL = b"kiosk-provision-1\0"
_CHECK = 4
_PIECE = (MAX_CODE - len("KP1:0123456789ABCDEF:32/32:")) * 5 // 8 - _CHECK
_FORM = re.compile(r"KP1:([A-Z2-7]{16}):([0-9]{1,2})/([0-9]{1,2}):([A-Z2-7]*)")


class CodeError(ValueError):
    """A code cannot be used; the text says which and why."""


class DamagedError(CodeError):
    """Scanned again it may be right."""


class _Payload(msgspec.Struct, frozen=True, kw_only=True):
    """``key``: who signed; ``toml``: zlib of the provisioning file."""

    v: int = VERSION
    key: Annotated[bytes, Meta(min_length=32, max_length=32)]
    toml: bytes


class Signed(NamedTuple):
    """A provisioning whose signature is right. ``key``: whose it is; the caller tells whether that is the right one."""

    key: bytes
    text: str


def seal(text: str, key: SigningKey) -> bytes:
    """The signed envelope of a provisioning file."""
    payload = _Payload(key=bytes(key.verify_key), toml=zlib.compress(text.encode(), 9))
    return frames.sign(_LABEL, payload, key)


def unseal(data: bytes) -> Signed:
    """The provisioning in an envelope, signed by the key it names. Raises CodeError."""
    try:
        version = msgspec.msgpack.decode(frames.envelope(data)[0], type=dict[str, object]).get("v")
        if isinstance(version, int) and version > VERSION:
            raise CodeError(
                f"v: found {version}, expected {VERSION}: it was made by a newer program: update this kiosk"
            )
        claim = msgspec.msgpack.decode(frames.envelope(data)[0], type=_Payload)
        payload = frames.verify(_LABEL, data, _Payload, VerifyKey(claim.key))
    except FrameError as error:
        raise CodeError(str(error)) from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CodeError(f"payload: {error}") from None
    unzip = zlib.decompressobj()
    try:
        text = unzip.decompress(payload.toml, MAX_TEXT).decode()
    except (zlib.error, UnicodeDecodeError):
        raise CodeError("toml: not a text in a zlib stream") from None
    if not unzip.eof or unzip.unused_data:
        raise CodeError(f"toml: not one whole zlib stream of at most {MAX_TEXT} bytes")
    return Signed(payload.key, text)


def split(data: bytes, id_: str) -> list[str]:
    """The codes of an envelope, of about the same size. ``id_``: 16 characters of base32. Raises CodeError."""
    count = -(-len(data) // _PIECE)
    if not 1 <= count <= MAX_CODES:
        raise CodeError(f"{len(data)} bytes are {count} codes, expected 1 to {MAX_CODES}")
    size = -(-len(data) // count)
    return [_code(id_, number, count, data[(number - 1) * size : number * size]) for number in range(1, count + 1)]


def _code(id_: str, number: int, count: int, piece: bytes) -> str:
    head = f"{PREFIX}{id_}:{number}/{count}:"
    return head + base64.b32encode(piece + _check(head, piece)).decode().rstrip("=")


def _check(head: str, piece: bytes) -> bytes:
    return hashlib.sha256(head.encode() + piece).digest()[:_CHECK]


class Progress(NamedTuple):
    """``have`` of ``total`` codes are there. ``known``: this one was there already; ``anew``: it belongs to another
    provisioning than those before it, which are forgotten. ``data``: the whole envelope, once all are there."""

    have: int
    total: int
    known: bool = False
    anew: bool = False
    data: bytes = b""


class Collector:
    """Takes codes in any order. ``id``: of the provisioning that is being collected."""

    def __init__(self) -> None:
        self.id = ""
        self._count = 0
        self._pieces: dict[int, bytes] = {}

    def feed(self, text: str) -> Progress:
        """Raises CodeError for what is no such code, DamagedError for a damaged one; what was collected stays."""
        id_, number, count, piece = _parse(text)
        anew = bool(self._pieces) and (id_, count) != (self.id, self._count)
        if (id_, count) != (self.id, self._count):
            self.id, self._count, self._pieces = id_, count, {}
        known = number in self._pieces
        self._pieces[number] = piece
        whole = len(self._pieces) == count
        data = b"".join(self._pieces[place] for place in sorted(self._pieces)) if whole else b""
        return Progress(len(self._pieces), count, known, anew, data)


def _parse(text: str) -> tuple[str, int, int, bytes]:
    text = text.strip().upper()
    if not text.startswith(PREFIX):
        newer = re.match(r"KP([0-9]{1,3}):", text)
        why = "made by a newer program: update this kiosk" if newer else "no provisioning code"
        raise CodeError(f"code: found {text[:8]!r}, expected {PREFIX}…: {why}")
    form = _FORM.fullmatch(text)
    if form is None:
        raise DamagedError(f"code {text[len(PREFIX) : 30]}…: damaged or cut short: scan it again")
    id_, number, count = form[1], int(form[2]), int(form[3])
    if not 1 <= number <= count <= MAX_CODES:
        raise CodeError(f"code {number}/{count}: found {number} of {count}, expected at most {MAX_CODES} codes")
    try:
        raw = base64.b32decode(form[4] + "=" * (-len(form[4]) % 8))
    except binascii.Error:
        raise DamagedError(f"code {number} of {count}: cut short: scan it again") from None
    piece, check = raw[:-_CHECK], raw[-_CHECK:]
    if not piece or check != _check(text[: text.rindex(":") + 1], piece):
        raise DamagedError(f"code {number} of {count}: damaged: scan it again")
    return id_, number, count, piece
