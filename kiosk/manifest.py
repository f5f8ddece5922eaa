"""The manifest (清单) of a box of tubes: signed by the kiosk, read by a laboratory without a network (rule T13). Pure.

It goes as a file, or as QR codes on labels: ``KM1:<id>:<i>/<n>:<base32>``, capitals and digits alone, each with a check
of its own so that a damaged one is named when it is scanned (docs/protocol.md).
"""

import base64
import binascii
import hashlib
import re
import zlib
from collections.abc import Iterable
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta
from nacl.signing import SigningKey, VerifyKey

from kiosk import frames
from kiosk.domain import Handover, Specimen, Trust
from kiosk.frames import FrameError, Hash, SiteCode
from kiosk.seal import fingerprint

SUFFIX = ".manifest"
PREFIX = "KM1:"
MAX_CODE = 400
"""Characters of one code: a QR code of 65 modules a side."""
MAX_CODES = 99
MAX_PLAIN = 1 << 20
"""Bytes the list of tubes may unfold to."""

_LABEL = b"kiosk-manifest-1\0"
_CHECK = 4
_PIECE = (MAX_CODE - len("KM1:01234567:99/99:")) * 5 // 8 - _CHECK
_FORM = re.compile(r"KM1:([A-Z2-7]{8}):([0-9]{1,2})/([0-9]{1,2}):([A-Z2-7]*)")
_HOUSEHOLD, _NASAL, _UNTRUSTED = 1, 2, 4

Count = Annotated[int, Meta(ge=0, lt=1 << 32)]
Text = Annotated[str, Meta(max_length=100)]


class _Columns(msgspec.Struct, frozen=True, array_like=True):
    """One entry per tube in each. ``age``: seconds from the first swab to the closing; ``kind``: the sum of 1
    household, 2 nasopharyngeal, 4 its clock was not to be believed; ``absent``: as in Tube."""

    tube: list[Annotated[str, Meta(min_length=1, max_length=40)]]
    bag: list[Count]
    age: list[Count]
    size: list[Count]
    members: list[Count]
    kind: list[Annotated[int, Meta(ge=0, le=7)]]
    absent: list[Count]


class Tube(NamedTuple):
    """``first``: when its first swab was registered, ms since 1970 UTC; ``trusted``: that clock could be believed;
    ``members`` of ``size`` swabs are in it; ``absent``: so many fewer than its label says."""

    tube: str
    bag: int
    first: int
    trusted: bool
    size: int
    members: int
    household: bool
    specimen: Specimen
    absent: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """``key``: who signed; ``kiosk``: 0 in a drill; ``place``: the site's name; ``number`` counts the boxes of one
    journal; ``at``: closed, ms since 1970 UTC; ``zone``: seconds east of UTC; ``courier``, ``witness``: badges;
    ``left``: tubes that stayed for want of a label; ``tubes``: zlib of the msgpack of their columns."""

    v: int = frames.VERSION
    key: Hash
    site: SiteCode
    kiosk: Annotated[int, Meta(ge=0, le=99)]
    place: Text
    number: Annotated[int, Meta(ge=1, lt=1 << 32)]
    at: Annotated[int, Meta(ge=0, lt=1 << 48)]
    zone: Annotated[int, Meta(ge=-86_400, le=86_400)]
    lab: Text
    vehicle: Text
    courier: Count
    witness: Count
    left: Count = 0
    tubes: bytes

    @property
    def name(self) -> str:
        """What stands on the box, such as "360481-01-3"."""
        return box_name(self.site, self.kiosk, self.number)

    def unfold(self) -> list[Tube]:
        """The tubes in the order they were packed. Raises FrameError."""
        columns = _columns(self.tubes)
        if len({len(column) for column in msgspec.structs.astuple(columns)}) != 1:
            raise FrameError("tubes: the columns have different lengths")
        return [
            Tube(
                tube,
                bag,
                self.at - age * 1000,
                not kind & _UNTRUSTED,
                size,
                members,
                bool(kind & _HOUSEHOLD),
                Specimen.NASAL if kind & _NASAL else Specimen.THROAT,
                absent,
            )
            for tube, bag, age, size, members, kind, absent in zip(*msgspec.structs.astuple(columns), strict=True)
        ]


def box_name(site: str, kiosk: int, number: int) -> str:
    return f"{site}-{kiosk:02}-{number}"


def pack(handover: Handover, site: str, place: str, kiosk: int, key: SigningKey) -> bytes:
    """The signed envelope of a manifest."""
    rows = handover.tubes
    columns = _Columns(
        [row.tube for row in rows],
        [row.bag for row in rows],
        [max(0, handover.at.wall - row.since.wall) // 1000 for row in rows],
        [row.size for row in rows],
        [row.members for row in rows],
        [
            _HOUSEHOLD * row.household
            + _NASAL * (row.specimen is Specimen.NASAL)
            + _UNTRUSTED * (row.since.trust < Trust.RTC)
            for row in rows
        ],
        [row.absent for row in rows],
    )
    manifest = Manifest(
        key=bytes(key.verify_key),
        site=site,
        kiosk=kiosk,
        place=place,
        number=handover.number,
        at=handover.at.wall,
        zone=handover.at.zone,
        lab=handover.lab,
        vehicle=handover.vehicle,
        courier=handover.courier,
        witness=handover.witness,
        left=handover.left,
        tubes=zlib.compress(msgspec.msgpack.encode(columns), 9),
    )
    return frames.sign(_LABEL, manifest, key)


def unpack(data: bytes, trusted: Iterable[str]) -> Manifest:
    """The manifest in an envelope. ``trusted``: keys of kiosks, each in hex or by its fingerprint. Raises FrameError
    for one that none of them signed."""
    key = VerifyKey(frames.claim(data, Manifest).key)
    manifest = frames.verify(_LABEL, data, Manifest, key)
    names = {bytes(key).hex(), fingerprint(key).replace(" ", "")}
    if not names & {"".join(name.split()).lower() for name in trusted}:
        raise FrameError(f"key: signed by {fingerprint(key)}, which is none of the keys that were named")
    return manifest


def pieces(data: bytes) -> list[str]:
    """The codes of an envelope, of about the same size. Raises FrameError for one that is too long."""
    count = -(-len(data) // _PIECE)
    if not 1 <= count <= MAX_CODES:
        raise FrameError(f"{len(data)} bytes are {count} codes, expected 1 to {MAX_CODES}")
    size = -(-len(data) // count)
    id_ = base64.b32encode(hashlib.sha256(data).digest()[:5]).decode()
    return [_code(id_, number, count, data[(number - 1) * size : number * size]) for number in range(1, count + 1)]


def join(codes: Iterable[str]) -> bytes:
    """The envelope in its codes, given in any order. Raises FrameError that says which are damaged or missing."""
    found: dict[tuple[str, int], dict[int, bytes]] = {}
    for code in codes:
        id_, number, count, piece = _parse(code)
        found.setdefault((id_, count), {})[number] = piece
    if len(found) != 1:
        raise FrameError(f"codes: found those of {len(found)} manifests, expected one")
    ((_, count), parts) = found.popitem()
    if lacking := sorted(set(range(1, count + 1)) - parts.keys()):
        raise FrameError(f"codes: {', '.join(map(str, lacking))} of {count} not scanned yet")
    return b"".join(parts[number] for number in sorted(parts))


def _code(id_: str, number: int, count: int, piece: bytes) -> str:
    head = f"{PREFIX}{id_}:{number}/{count}:"
    return head + base64.b32encode(piece + _check(head, piece)).decode().rstrip("=")


def _check(head: str, piece: bytes) -> bytes:
    return hashlib.sha256(head.encode() + piece).digest()[:_CHECK]


def _parse(text: str) -> tuple[str, int, int, bytes]:
    text = text.strip().upper()
    form = _FORM.fullmatch(text)
    if form is None:
        raise FrameError(f"code {text[:30]}…: no code of a manifest, or cut short: scan it again")
    number, count = int(form[2]), int(form[3])
    try:
        raw = base64.b32decode(form[4] + "=" * (-len(form[4]) % 8))
    except binascii.Error:
        raise FrameError(f"code {number} of {count}: cut short: scan it again") from None
    piece, check = raw[:-_CHECK], raw[-_CHECK:]
    if not 1 <= number <= count or not piece or check != _check(text[: text.rindex(":") + 1], piece):
        raise FrameError(f"code {number} of {count}: damaged: scan it again")
    return form[1], number, count, piece


def _columns(data: bytes) -> _Columns:
    unzip = zlib.decompressobj()
    try:
        plain = unzip.decompress(data, MAX_PLAIN)
    except zlib.error:
        raise FrameError("tubes: not a zlib stream") from None
    if not unzip.eof or unzip.unused_data:
        raise FrameError(f"tubes: not one whole zlib stream of at most {MAX_PLAIN} bytes")
    try:
        return msgspec.msgpack.decode(plain, type=_Columns)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FrameError(f"tubes: {error}") from None
