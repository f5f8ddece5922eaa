"""Labels: every tube that needs one gets it, under its one number, however often the printer fails, and again when it
is no longer right or was peeled off."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from kiosk.domain import Do, Stamp
from kiosk.events import Event, PrintFailed, PrintSucceeded, TubeScanned
from kiosk.facts import (
    Bound,
    Fact,
    LabelFailed,
    LabelPrinted,
    LabelWanted,
    Note,
    NothingToDo,
    Order,
    PrintLabel,
    StaffOrdered,
    TubeClosed,
    TubeOpened,
    TubeVoided,
    Unbound,
)
from kiosk.tubes import Tube

if TYPE_CHECKING:
    from kiosk.site import Site

Said = Iterator[Fact | Note | Order]


class Wanted(msgspec.Struct, frozen=True):
    """A label that is not confirmed. ``again``: an older one may be about, so that a scan proves nothing before this
    one was printed."""

    label: PrintLabel
    printed: bool = False
    again: bool = False


class Labelling(msgspec.Struct, frozen=True):
    """``wanted``: tube number to label, in the order the labels were ordered. ``last``: the tube of the last label."""

    wanted: dict[str, Wanted] = {}
    last: str = ""


def evolve(slice_: Labelling, change: Fact | Note, at: Stamp) -> Labelling:
    replace = msgspec.structs.replace
    match change:
        case TubeClosed(labelled=False):
            return _ordered(slice_, _order(change, at), again=False)
        case LabelWanted():
            return _ordered(slice_, _order(change, change.at, change.attempt), again=change.attempt > 1)
        case TubeVoided():
            return replace(slice_, wanted=_without(slice_, change.tube))
        case LabelFailed() if (wanted := slice_.wanted.get(change.tube)) is not None:
            again = replace(wanted.label, attempt=change.attempt + 1)
            return replace(slice_, wanted=slice_.wanted | {change.tube: replace(wanted, label=again)})
        case LabelPrinted(confirmed=False) if (wanted := slice_.wanted.get(change.tube)) is not None:
            return replace(slice_, wanted=slice_.wanted | {change.tube: replace(wanted, printed=True)})
        case LabelPrinted():
            return replace(slice_, wanted=_without(slice_, change.tube))
    return slice_


def _order(said: TubeClosed | LabelWanted, at: Stamp, attempt: int = 1) -> PrintLabel:
    return PrintLabel(
        tube=said.tube,
        members=said.members,
        size=said.size,
        at=at,
        attempt=attempt,
        name_of=said.digest,
        household=said.household,
        specimen=said.specimen,
        isolation=said.isolation,
    )


def _ordered(slice_: Labelling, label: PrintLabel, *, again: bool) -> Labelling:
    return Labelling(slice_.wanted | {label.tube: Wanted(label, again=again)}, label.tube)


def _without(slice_: Labelling, tube: str) -> dict[str, Wanted]:
    return {number: wanted for number, wanted in slice_.wanted.items() if number != tube}


def react(site: "Site", item: Event | Fact, at: Stamp) -> Said:
    wanted = site.labelling.wanted
    match item:
        case TubeOpened() | TubeClosed() | Bound() | Unbound(late=False):
            yield from _due(site, item, at)
        case LabelWanted() if item.tube in wanted:
            yield wanted[item.tube].label
        case StaffOrdered(do=Do.REPRINT):
            yield from _again(site, at)
        case PrintSucceeded() if item.tube in wanted and not wanted[item.tube].printed:
            if item.attempt >= wanted[item.tube].label.attempt:
                proof = "status" if item.confirmed else "sent"
                yield LabelPrinted(item.tube, item.attempt, proof, confirmed=not site.setup.confirm_by_scan)
        case PrintFailed() if item.tube in wanted and item.attempt >= wanted[item.tube].label.attempt:
            yield LabelFailed(item.tube, item.attempt, item.why)
        case TubeScanned() if site.desk.awaits is None:
            yield from _scanned(site, item.tube)


def _due(site: "Site", change: TubeOpened | TubeClosed | Bound | Unbound, at: Stamp) -> Said:
    """The label of a tube that was just opened or closed, or is no longer right."""
    policy, tube = site.setup.policy, site.pooling.tube(change.tube)
    wanted = site.labelling.wanted.get(change.tube)
    if isinstance(change, TubeClosed) and not change.labelled:
        if wanted is not None:
            yield wanted.label
    elif tube is None or not tube.members or policy.tube_source == "preprinted":
        return
    elif tube.at is None:
        if policy.label_at == "open" and not tube.shown:
            yield _wanted(site, tube, at, tube.kind.size)
    elif tube.shown != tube.showing:
        yield _wanted(site, tube, tube.at, len(tube.members))


def _again(site: "Site", at: Stamp) -> Said:
    """The last label, which was peeled off or cannot be read."""
    tube = site.pooling.tube(site.labelling.last)
    if tube is None or not tube.members:
        yield NothingToDo()
    elif tube.at is None:
        yield _wanted(site, tube, at, tube.kind.size)
    else:
        yield _wanted(site, tube, tube.at, len(tube.members))


def _wanted(site: "Site", tube: Tube, at: Stamp, members: int) -> LabelWanted:
    before = site.labelling.wanted.get(tube.tube)
    first = before is None and not tube.shown
    person = tube.members.get(1, 0) if tube.kind.size == 1 else 0
    return LabelWanted(
        tube=tube.tube,
        members=members,
        size=tube.kind.size,
        at=at,
        attempt=1 if first else 2 if before is None else before.label.attempt + 1,
        digest=site.registration.digests((person,)).get(person, b""),
        household=tube.kind.household,
        specimen=tube.kind.specimen,
        isolation=tube.kind.isolation,
    )


def _scanned(site: "Site", tube: str) -> Said:
    wanted = site.labelling.wanted.get(tube)
    if wanted is not None and (wanted.printed or not wanted.again):
        yield LabelPrinted(tube, wanted.label.attempt, "scan")
    elif site.setup.policy.tube_source == "print" and site.custody.packing is None:
        yield NothingToDo()


def resume(site: "Site") -> Iterator[PrintLabel]:
    """After a start: the labels that were promised and are not printed, in order."""
    return (wanted.label for wanted in site.labelling.wanted.values() if not wanted.printed)
