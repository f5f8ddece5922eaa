"""What goes between kiosk and command post, byte for byte (docs/protocol.md). Pure: no clock, no network, no disk.

Every message is msgpack [payload: bin, signature: bin 64], the payload a msgpack map; the Ed25519 signature stands over
a label that names the kind of message, followed by the payload. Everything that can be wrong raises FrameError.
"""

import hashlib
import zlib
from collections.abc import Sequence
from typing import Annotated, NamedTuple, TypeVar

import msgspec
from msgspec import Meta
from nacl.exceptions import CryptoError
from nacl.signing import SigningKey, VerifyKey

VERSION = 1
MAX_FACTS = 100
MAX_BODIES = 32 * 1024
"""Bytes of bodies after which a sender begins another frame; one larger fact goes alone."""
MAX_PLAIN = 1 << 20
"""Bytes the compressed part may unfold to."""
MAX_HELD = 64
"""Ranges an acknowledgement names as missing; more follow when these are filled."""

_FRAME = {False: b"kiosk-frame-1\0", True: b"kiosk-drill-frame-1\0"}
_ACK = b"kiosk-ack-1\0"
_STATE = {False: b"kiosk-state-1\0", True: b"kiosk-drill-state-1\0"}
"""By whether it is of a drill: what is signed for one stream is worth nothing in the other."""

Seq = Annotated[int, Meta(ge=0, lt=1 << 62)]
Epoch = Annotated[bytes, Meta(min_length=8, max_length=8)]
Hash = Annotated[bytes, Meta(min_length=32, max_length=32)]
SiteCode = Annotated[str, Meta(pattern=r"^[0-9]{6}\Z")]
Number = Annotated[int, Meta(ge=1, le=99)]


class FrameError(ValueError):
    """This message cannot be used; the text says what is wrong with it, without personal data."""


class Row(NamedTuple):
    """One fact as the journal holds it: ``chain`` is SHA-256(chain before | id | body)."""

    seq: int
    id: bytes
    chain: bytes
    body: bytes


class Fact(NamedTuple):
    """One fact as the receiver got it. ``chain`` covers this fact and all before it."""

    seq: int
    id: bytes
    chain: bytes
    body: bytes


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """``count`` facts from ``first`` on.

    ``prev``: chain before the first; ``tip``: chain at the last; ``kid``: names the key pair the personal data inside
    is sealed to; ``facts``: zlib(msgpack [[id, body], …]).
    """

    v: int = VERSION
    site: SiteCode
    kiosk: Number
    epoch: Epoch
    first: Annotated[int, Meta(ge=1, lt=1 << 62)]
    count: Annotated[int, Meta(ge=1, le=MAX_FACTS)]
    prev: Hash
    tip: Hash
    kid: Epoch
    facts: bytes

    @property
    def last(self) -> int:
        return self.first + self.count - 1

    def unfold(self) -> list[Fact]:
        """The facts, their chain proven from ``prev`` to ``tip``. Raises FrameError."""
        pairs = _decode(_unzip(self.facts), list[tuple[_Id, bytes]], "facts")
        if len(pairs) != self.count:
            raise FrameError(f"facts: {len(pairs)} of them, the header says {self.count}")
        if self.first == 1 and self.prev != genesis(self.epoch):
            raise FrameError("prev: the chain does not begin at its epoch")
        chain, facts, sha256 = self.prev, [], hashlib.sha256
        for seq, (id_, body) in enumerate(pairs, self.first):
            chain = sha256(chain + id_ + body).digest()  # link, without the calls: a receiver does this all day
            facts.append(Fact(seq, id_, chain, body))
        if chain != self.tip:
            raise FrameError("tip: the chain of the facts ends elsewhere")
        return facts


_Id = Annotated[bytes, Meta(min_length=16, max_length=16)]


class Ack(msgspec.Struct, frozen=True, kw_only=True):
    """What the command post has committed of one journal.

    ``upto``: all facts to here; ``archived``: those that are safe in a second place; ``missing``: ranges lacking below
    the highest one it has; ``hub``: the receiver's own epoch; ``now``: its clock, ms since 1970 UTC.
    """

    v: int = VERSION
    epoch: Epoch
    upto: Seq
    archived: Seq = 0
    missing: Annotated[tuple[tuple[Seq, Seq], ...], Meta(max_length=MAX_HELD)] = ()
    hub: Epoch
    now: int


class State(msgspec.Struct, frozen=True, kw_only=True):
    """How the kiosk is. ``acked`` and ``hub``: the acknowledgement it goes by; ``key``: its own verify key;
    ``trust``: how far its clock can be believed, 0-4; ``issues``: codes of what is wrong; ``proof``: that it knows the
    one-time id it was provisioned with (`kiosk.enrolment`), if it was; ``roster``: when the roster in use was made, ms
    since 1970 UTC."""

    v: int = VERSION
    site: SiteCode
    kiosk: Number
    online: bool
    epoch: Epoch
    head: Seq
    depth: Seq
    acked: Seq
    hub: Annotated[bytes, Meta(max_length=8)] = b""
    oldest_unsent_ms: Annotated[int, Meta(ge=0)] = 0
    trust: int = 0
    version: str = ""
    issues: tuple[str, ...] = ()
    key: Hash
    proof: Annotated[bytes, Meta(min_length=16, max_length=16)] | msgspec.UnsetType = msgspec.UNSET
    roster: int | msgspec.UnsetType = msgspec.UNSET


def topic(site: str, kiosk: int | str, leaf: str, *, drill: bool = False) -> str:
    """``leaf``: facts, ack, state, incident, command, result, ask, answer, roster."""
    return f"kiosk/v1/{site}/{kiosk}/{'drill/' if drill else ''}{leaf}"


def genesis(epoch: bytes) -> bytes:
    """The chain before the first fact of a journal."""
    return hashlib.sha256(b"kiosk-journal-1" + epoch).digest()


def link(chain: bytes, id_: bytes, body: bytes) -> bytes:
    return hashlib.sha256(chain + id_ + body).digest()


def fitting(rows: Sequence[Row]) -> int:
    """How many of these rows go into one frame."""
    size = 0
    for count, row in enumerate(rows[:MAX_FACTS]):
        size += len(row.body)
        if count and size > MAX_BODIES:
            return count
    return min(len(rows), MAX_FACTS)


def pack(
    rows: Sequence[Row],
    *,
    site: str,
    kiosk: int,
    epoch: bytes,
    prev: bytes,
    kid: bytes,
    key: SigningKey,
    drill: bool = False,
) -> bytes:
    """A signed frame of neighbouring journal rows; ``prev`` is the chain of the row before them."""
    if not 1 <= len(rows) <= MAX_FACTS:
        raise FrameError(f"count: {len(rows)} facts, expected 1 to {MAX_FACTS}")
    plain = msgspec.msgpack.encode([(row.id, row.body) for row in rows])
    if len(plain) > MAX_PLAIN:
        raise FrameError(f"facts: {len(plain)} bytes, expected at most {MAX_PLAIN}")
    frame = Frame(
        site=site,
        kiosk=kiosk,
        epoch=epoch,
        first=rows[0].seq,
        count=len(rows),
        prev=prev,
        tip=rows[-1].chain,
        kid=kid,
        facts=zlib.compress(plain, 1),
    )
    return sign(_FRAME[drill], frame, key)


def peek(data: bytes) -> Frame:
    """The frame as it claims to be: neither signature nor facts are looked at. Raises FrameError."""
    return claim(data, Frame)


def unpack(data: bytes, key: VerifyKey, *, drill: bool = False) -> Frame:
    """The frame, its signature verified. Its facts come out by ``unfold``. Raises FrameError."""
    return verify(_FRAME[drill], data, Frame, key)


def pack_ack(ack: Ack, key: SigningKey) -> bytes:
    return sign(_ACK, ack, key)


def unpack_ack(data: bytes, key: VerifyKey) -> Ack:
    ack = verify(_ACK, data, Ack, key)
    if any(first > last or first <= ack.upto for first, last in ack.missing):
        raise FrameError("missing: not ranges above upto")
    return ack


def pack_state(state: State, key: SigningKey, *, drill: bool = False) -> bytes:
    return sign(_STATE[drill], state, key)


def unpack_state(data: bytes, *, drill: bool = False) -> State:
    """The state, signed by the very key it names: proof that the sender holds it, not that it is the right one."""
    state = claim(data, State)
    return verify(_STATE[drill], data, State, VerifyKey(state.key))


class _Versioned(msgspec.Struct):
    v: int


_T = TypeVar("_T")


def sign(label: bytes, message: msgspec.Struct, key: SigningKey) -> bytes:
    """The envelope of a message: ``label`` keeps it from being taken for one of another kind."""
    payload = msgspec.msgpack.encode(message)
    return msgspec.msgpack.encode((payload, key.sign(label + payload).signature))


def verify(label: bytes, data: bytes, kind: type[_T], key: VerifyKey) -> _T:
    """The message in an envelope that ``key`` signed. Raises FrameError."""
    payload, signature = envelope(data)
    try:
        key.verify(label + payload, signature)
    except (CryptoError, ValueError):
        raise FrameError("signature: not made by this key over these bytes") from None
    return _payload(payload, kind)


def claim(data: bytes, kind: type[_T]) -> _T:
    """The message in an envelope as it claims to be: its signature is not looked at. Raises FrameError."""
    return _payload(envelope(data)[0], kind)


def envelope(data: bytes) -> tuple[bytes, bytes]:
    """Payload and signature; nothing is verified. Raises FrameError."""
    return _decode(data, tuple[bytes, Annotated[bytes, Meta(min_length=64, max_length=64)]], "envelope")


def _payload(payload: bytes, kind: type[_T]) -> _T:
    version = _decode(payload, _Versioned, "payload").v
    if version != VERSION:
        raise FrameError(f"v: version {version}, expected {VERSION}")
    return _decode(payload, kind, "payload")


def _decode(data: bytes, kind: type[_T], what: str) -> _T:
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FrameError(f"{what}: {error}") from None


def _unzip(data: bytes) -> bytes:
    unzip = zlib.decompressobj()
    try:
        plain = unzip.decompress(data, MAX_PLAIN + 1)
    except zlib.error:
        raise FrameError("facts: not a zlib stream") from None
    if len(plain) > MAX_PLAIN:
        raise FrameError(f"facts: more than {MAX_PLAIN} bytes")
    if not unzip.eof:
        raise FrameError("facts: the zlib stream is cut short")
    if unzip.unused_data:
        raise FrameError("facts: bytes after the end of the zlib stream")
    return plain
