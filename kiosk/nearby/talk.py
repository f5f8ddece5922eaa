"""What kiosks of a site tell each other over a broker of their own network (docs/protocol.md, "Neighbours"). Pure.

Every message is msgpack [payload: bin, mac: bin 16]. The MAC is made with the round's digest key, so that a kiosk of
this round is believed and nobody else; whom it has registered it tells by digests of the same key.
"""

import hmac
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from kiosk.frames import VERSION, FrameError, Hash, Number, SiteCode

DIGEST = 16
A_PAGE = 256
"""Digests in one message."""
MOST = 20_000
"""Digests that one kiosk tells, and that it remembers of all others."""
MAX_MESSAGE = 8192

_PAGE, _HERE = b"kiosk-seen-1\0", b"kiosk-here-1\0"

Mac = Callable[[bytes], bytes]
Token = Annotated[bytes, Meta(min_length=8, max_length=8)]


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """People a kiosk has registered in its round: retained by the broker, and sent anew as a whole when it changes.
    ``key``: of the device; ``day``: on which its round began, days since 1970-01-01."""

    v: int = VERSION
    site: SiteCode
    kiosk: Number
    key: Hash
    day: int
    page: Annotated[int, Meta(ge=0, le=MOST // A_PAGE)]
    digests: Annotated[bytes, Meta(max_length=A_PAGE * DIGEST)]

    def people(self) -> frozenset[bytes]:
        """Raises FrameError."""
        if len(self.digests) % DIGEST:
            raise FrameError(f"digests: {len(self.digests)} bytes, expected a multiple of {DIGEST}")
        return frozenset(self.digests[at : at + DIGEST] for at in range(0, len(self.digests), DIGEST))


class Here(msgspec.Struct, frozen=True, kw_only=True):
    """A kiosk is at work under this number. ``token``: random, new with each start; ``heard``: the tokens of others
    under the same number, which proves to them that this is no echo."""

    v: int = VERSION
    site: SiteCode
    kiosk: Number
    key: Hash
    token: Token
    heard: Annotated[tuple[Token, ...], Meta(max_length=8)] = ()


_T = TypeVar("_T", Page, Here)


def who(key: bytes) -> str:
    """A device in a topic."""
    return key.hex()[:16]


def page_topic(site: str, who_: str, page: int | str) -> str:
    return f"kiosk/site/{site}/seen/{who_}/{page}"


def here_topic(site: str, who_: str) -> str:
    return f"kiosk/site/{site}/here/{who_}"


def pages(digests: Sequence[bytes]) -> list[bytes]:
    """In pages, the oldest dropped beyond MOST."""
    kept = digests[-MOST:]
    return [b"".join(kept[at : at + A_PAGE]) for at in range(0, len(kept), A_PAGE)]


def pack(message: Page | Here, mac: Mac) -> bytes:
    payload = msgspec.msgpack.encode(message)
    return msgspec.msgpack.encode((payload, mac(_label(type(message)) + payload)))


def unpack(data: bytes, kind: type[_T], mac: Mac) -> _T:
    """Raises FrameError."""
    if len(data) > MAX_MESSAGE:
        raise FrameError(f"{len(data)} bytes, expected at most {MAX_MESSAGE}")
    try:
        payload, proof = msgspec.msgpack.decode(data, type=tuple[bytes, bytes])
        if not hmac.compare_digest(proof, mac(_label(kind) + payload)):
            raise FrameError("mac: not made with the key of this round")
        return msgspec.msgpack.decode(payload, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FrameError(f"message: {error}") from None


def _label(kind: type[Page | Here]) -> bytes:
    return _PAGE if kind is Page else _HERE
