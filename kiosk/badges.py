"""Staff badges and command codes, as the command post signs them for its scanners (docs/protocol.md). Pure.

A badge names no person: a number, a role, a time. What it may bring along is the round's digest key, which no kiosk
keeps on its card. A command code orders nothing by itself: it counts for a minute after a badge.
"""

from typing import Annotated

import msgspec
from msgspec import Meta
from nacl.signing import SigningKey, VerifyKey

from kiosk import commands, frames
from kiosk.commands import BadgeNumber
from kiosk.domain import Do, Private, Role
from kiosk.frames import FrameError, Hash, SiteCode

BADGE, ORDER = b"\x02", b"\x03"
"""The first byte behind KC1: what follows is a badge, or a command code."""

_BADGE = b"kiosk-badge-1\0"
_ORDER = b"kiosk-order-1\0"

Millis = Annotated[int, Meta(ge=0, lt=1 << 62)]


class Badge(Private, msgspec.Struct, frozen=True, kw_only=True):
    """``since`` and ``until``: ms since 1970 UTC, the second excluded; ``drills``: recorded drill sessions the command
    post attests (rule P12); ``key``: the 32 bytes of the round's digest key, where the badge brings it."""

    v: int = frames.VERSION
    site: SiteCode
    badge: BadgeNumber
    role: Role
    since: Millis
    until: Millis
    drills: Annotated[int, Meta(ge=0, le=999)] = 0
    key: Hash | msgspec.UnsetType = msgspec.UNSET

    __repr__ = Private.__repr__
    __str__ = Private.__repr__


class CommandCode(msgspec.Struct, frozen=True, kw_only=True):
    """``sheet``: the sheet it is printed on; ``text``: the argument of ``do``, such as "5" of a pool of five."""

    v: int = frames.VERSION
    site: SiteCode
    sheet: Annotated[int, Meta(ge=1, lt=1 << 32)]
    do: Do
    text: Annotated[str, Meta(max_length=40)] = ""


def pack(what: Badge | CommandCode, key: SigningKey) -> str:
    """The text of its code. Raises FrameError for one that no kiosk would take."""
    kind, label = (BADGE, _BADGE) if isinstance(what, Badge) else (ORDER, _ORDER)
    data = frames.sign(label, what, key)
    frames.verify(label, data, type(what), key.verify_key)
    return commands.code_text(kind, data)


def unpack(kind: bytes, data: bytes, site: str, key: VerifyKey) -> Badge | CommandCode:
    """What a code of this kind says, if the command post signed it for this site. Raises FrameError."""
    found: Badge | CommandCode
    if kind == BADGE:
        found = frames.verify(_BADGE, data, Badge, key)
    elif kind == ORDER:
        found = frames.verify(_ORDER, data, CommandCode, key)
    else:
        raise FrameError(f"code: found kind {kind.hex()}, which this version does not know: update this kiosk")
    if found.site != site:
        raise FrameError(f"site: found {found.site}, expected {site}: it is of another site")
    return found
