"""A roster as a file (.roster), byte for byte (docs/roster.md). Pure.

    "KR1\\n" | length of the envelope, 4 bytes big-endian | envelope | records | box

The envelope is a signed message of `kiosk.frames`, made by the command post, or by the kiosk that took a table by hand;
it holds the header, and so the hashes of what follows. Records of RECORD bytes are sorted by digest, so that a kiosk
looks somebody up where the file lies. The box is a libsodium sealed box over zlib over msgpack [Entry, …]: names and
numbers, for the command post alone; it may be left out on the way to a kiosk.
"""

import hashlib
import struct
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from mmap import mmap
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta
from nacl.exceptions import CryptoError
from nacl.public import PublicKey, SealedBox
from nacl.signing import SigningKey, VerifyKey

from kiosk import frames
from kiosk.domain import Category
from kiosk.frames import Epoch, FrameError, Hash, SiteCode
from kiosk.roster.entry import Entry, RosterError
from kiosk.seal import PrivateKeys

SUFFIX = ".roster"
MAX_PEOPLE = 2_000_000
MAX_PLACES = 60_000

_MAGIC = b"KR1\n"
_LABEL = b"kiosk-roster-1\0"
_RECORD = struct.Struct(">16sHBBBHHHII")
RECORD = _RECORD.size
"""Bytes of one record: digest 16, place 2, category 1, flags 1, days between samplings 1, day of the last one 2, start
and end of the hour 2 + 2 (minutes), arrival 4 (minutes since 1970, local), row 4; big-endian."""
_AWAY, _VISIT, _DRIVER, _REPORT, _ELSEWHERE = 1, 2, 4, 8, 16
_CATEGORIES = (Category.GENERAL, Category.KEY, Category.CONTACT, Category.RETURNEE, Category.RECOVERED, Category.YELLOW)
"""Their numbers in a record; only ever appended to."""


class Place(msgspec.Struct, frozen=True, array_like=True):
    """``total`` people of this building, village or class, ``away`` of them."""

    name: str
    total: int
    away: int


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """``made``: ms since 1970 UTC; ``key``: name of the key the digests are made with; ``drivers``: places of their
    records; ``records`` and ``box``: SHA-256 of these parts. Who is to go to another site is in no place's counts."""

    v: int = frames.VERSION
    site: SiteCode
    made: int
    key: Epoch
    count: Annotated[int, Meta(ge=1, le=MAX_PEOPLE)]
    places: Annotated[tuple[Place, ...], Meta(max_length=MAX_PLACES)]
    drivers: tuple[int, ...] = ()
    records: Hash
    box: Hash


class Record(NamedTuple):
    """What a kiosk knows of one person. ``place``: of the header's; ``arrival``: minutes since 1970, local."""

    digest: bytes
    place: int
    category: Category
    flags: int
    every: int
    last: int
    start: int
    end: int
    arrival: int
    row: int

    @property
    def away(self) -> bool:
        return bool(self.flags & _AWAY)

    @property
    def visit(self) -> bool:
        return bool(self.flags & _VISIT)

    @property
    def driver(self) -> bool:
        return bool(self.flags & _DRIVER)

    @property
    def report(self) -> bool:
        return bool(self.flags & _REPORT)

    @property
    def elsewhere(self) -> bool:
        return bool(self.flags & _ELSEWHERE)


class Parts(NamedTuple):
    """A roster file taken apart, its envelope not verified. ``box``: b"" where it was left out."""

    envelope: bytes
    records: bytes
    box: bytes


def make(
    entries: Sequence[Entry],
    *,
    site: str,
    made: int,
    key: bytes,
    digest: Callable[[str], bytes],
    seal: PublicKey,
    sign: SigningKey,
) -> bytes:
    """The file. ``digest``: from a document number to its keyed digest. Raises RosterError."""
    if not 1 <= len(entries) <= MAX_PEOPLE:
        raise RosterError(f"found {len(entries)} people, expected 1 to {MAX_PEOPLE}")
    names = sorted({entry.place for entry in entries})
    if len(names) > MAX_PLACES:
        raise RosterError(f"found {len(names)} buildings and villages, expected at most {MAX_PLACES}")
    index = {name: place for place, name in enumerate(names)}
    packed = sorted(_pack(entry, digest(entry.number), index, site) for entry in entries)
    records = b"".join(packed)
    here = [entry for entry in entries if entry.site in ("", site)]
    total, away = Counter(entry.place for entry in here), Counter(entry.place for entry in here if entry.away)
    box = SealedBox(seal).encrypt(zlib.compress(msgspec.msgpack.encode(list(entries))))
    header = Header(
        site=site,
        made=made,
        key=key,
        count=len(entries),
        places=tuple(Place(name, total[name], away[name]) for name in names),
        drivers=tuple(at for at, record in enumerate(packed) if unpack(record).driver),
        records=hashlib.sha256(records).digest(),
        box=hashlib.sha256(box).digest(),
    )
    return join(Parts(frames.sign(_LABEL, header, sign), records, box))


def _pack(entry: Entry, digest: bytes, places: dict[str, int], site: str) -> bytes:
    flags = _AWAY * entry.away | _VISIT * entry.visit | _DRIVER * entry.driver | _REPORT * entry.report
    flags |= _ELSEWHERE * (entry.site not in ("", site))
    return _RECORD.pack(
        digest,
        places[entry.place],
        _CATEGORIES.index(entry.category),
        flags,
        entry.every,
        entry.last,
        entry.start,
        entry.end,
        entry.arrival,
        entry.row,
    )


def unpack(record: bytes) -> Record:
    digest, place, category, flags, every, last, start, end, arrival, row = _RECORD.unpack(record)
    known = _CATEGORIES[category] if category < len(_CATEGORIES) else Category.GENERAL
    return Record(digest, place, known, flags, every, last, start, end, arrival, row)


def join(parts: Parts) -> bytes:
    return b"".join((_MAGIC, len(parts.envelope).to_bytes(4, "big"), *parts))


def split(data: bytes | mmap) -> Parts:
    """Raises RosterError for what is no whole roster file."""
    if data[:4] != _MAGIC:
        raise RosterError("no roster file: expected one that `kiosk-hub roster make` wrote")
    end = start(data)
    try:
        header = frames.claim(data[8:end], Header)
    except FrameError as error:
        raise RosterError(f"no whole roster file: {error}") from None
    records, box = data[end : end + header.count * RECORD], data[end + header.count * RECORD :]
    if hashlib.sha256(records).digest() != header.records:
        raise RosterError("the roster file is cut short or damaged: copy it again")
    if box and hashlib.sha256(box).digest() != header.box:
        raise RosterError("the roster file is cut short or damaged in its sealed part: copy it again")
    return Parts(data[8:end], records, box)


def start(data: bytes | mmap) -> int:
    """Where the records begin."""
    return 8 + int.from_bytes(data[4:8], "big")


def header(parts: Parts, keys: Sequence[VerifyKey]) -> Header:
    """The header, signed by one of these keys. Raises RosterError."""
    for key in keys:
        try:
            return frames.verify(_LABEL, parts.envelope, Header, key)
        except FrameError:
            continue
    raise RosterError("signature: this roster was not made by our command post, nor by this kiosk")


def claimed(parts: Parts) -> Header:
    """The header as it claims to be."""
    return frames.claim(parts.envelope, Header)


def entries(parts: Parts, private: PrivateKeys) -> list[Entry]:
    """Names and numbers, for the command post. Raises RosterError."""
    try:
        plain = zlib.decompress(SealedBox(private.unseal).decrypt(parts.box))
        return msgspec.msgpack.decode(plain, type=list[Entry])
    except (CryptoError, zlib.error, msgspec.MsgspecError, ValueError):
        raise RosterError("the sealed part is missing, or was sealed to another command post's key") from None
