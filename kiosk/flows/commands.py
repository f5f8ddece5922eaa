"""Orders of the command post: each is obeyed once, before it expires, and never after a later one.

The counter and the decision are one fact, so one transaction. A kill right after it leaves the order to `resume`; who
carries it out (root's own programs) does the same one only once. A revocation is carried out by the very fact that
takes it.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from kiosk.domain import Stamp
from kiosk.events import CommandAnswered, CommandArrived, Event, ProvisioningShown
from kiosk.facts import (
    CommandEnded,
    CommandTaken,
    Fact,
    Note,
    NothingToDo,
    Obey,
    Order,
    PieceHeld,
    Provision,
    TellResult,
)

if TYPE_CHECKING:
    from kiosk.site import Site

EVERYBODY = 0
REVOKED = "the badges are out of use"


class Kept(msgspec.Struct, frozen=True):
    """The last command for one addressee. ``outcome``: "accepted" until it is "done" or "failed"."""

    n: int
    do: str
    digest: bytes
    envelope: bytes
    outcome: str = "accepted"
    text: str = ""


class Commands(msgspec.Struct, frozen=True):
    """``last``: addressee (our own number, or EVERYBODY) to the last command taken for it."""

    last: dict[int, Kept] = {}


def evolve(slice_: Commands, change: Fact | Note) -> Commands:
    match change:
        case CommandTaken():
            kept = Kept(change.n, change.do, change.digest, change.envelope)
            return Commands(slice_.last | {change.to: kept})
        case CommandEnded() if (last := slice_.last.get(change.to)) is not None and last.n == change.n:
            ended = msgspec.structs.replace(last, outcome=change.outcome, text=change.text, envelope=b"")
            return Commands(slice_.last | {change.to: ended})
    return slice_


def react(site: "Site", item: Event | Fact, at: Stamp) -> Iterator[Fact | Note | Order]:
    match item:
        case ProvisioningShown():
            yield PieceHeld()
            if item.envelope:
                yield Provision(item.envelope)
        case CommandArrived():
            yield from _arrived(site, item, at)
        case CommandAnswered():
            kept = site.commands.last.get(item.to)
            if kept is not None and kept.n == item.n and kept.outcome == "accepted":
                yield CommandEnded(item.to, item.n, item.outcome, item.text)
                yield TellResult(item.to, item.n, item.outcome, item.text)


def _arrived(site: "Site", command: CommandArrived, at: Stamp) -> Iterator[Fact | Note | Order]:
    kept = site.commands.last.get(command.to)
    if kept is not None and (kept.n, kept.digest) == (command.n, command.digest):
        if command.via == "uplink":
            yield TellResult(command.to, command.n, kept.outcome, kept.text)
        return
    if why := _obstacle(site, command, kept, at):
        if command.via == "code":
            yield NothingToDo()
        if command.site == site.setup.site and command.to in (EVERYBODY, site.setup.kiosk):
            yield TellResult(command.to, command.n, "refused", why)
        return
    yield CommandTaken(
        to=command.to,
        n=command.n,
        do=command.do,
        until=command.until,
        via=command.via,
        digest=command.digest,
        envelope=command.envelope,
        revoked=command.revoked,
    )
    if command.revoked:
        yield CommandEnded(command.to, command.n, "done", REVOKED)
        yield TellResult(command.to, command.n, "done", REVOKED)
    else:
        yield Obey(command.do, command.envelope)
        yield TellResult(command.to, command.n, "accepted", "")


def _obstacle(site: "Site", command: CommandArrived, kept: Kept | None, at: Stamp) -> str:
    """Why this one is not obeyed. The clock may be wrong, the counter is not."""
    if command.site != site.setup.site or command.to not in (EVERYBODY, site.setup.kiosk):
        return "it is for another kiosk"
    if kept is not None and command.n <= kept.n:
        return f"n: found {command.n}, expected more than {kept.n}: a later command came before it"
    if command.until <= at.wall:
        return f"until: it expired {(at.wall - command.until) // 60_000} minutes ago by this kiosk's clock"
    return command.fault


def resume(site: "Site") -> Iterator[Obey]:
    """After a start: what was decided and has not ended."""
    return (Obey(kept.do, kept.envelope) for kept in site.commands.last.values() if kept.outcome == "accepted")
