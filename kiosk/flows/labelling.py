"""Labels: every closed tube gets one, under its one number, however often the printer fails."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from kiosk.domain import Stamp
from kiosk.events import Event, PrintFailed, PrintSucceeded, TubeScanned
from kiosk.facts import Fact, LabelFailed, LabelPrinted, Note, NothingToDo, Order, PrintLabel, TubeClosed

if TYPE_CHECKING:
    from kiosk.site import Site


class Wanted(msgspec.Struct, frozen=True):
    """A label that is not confirmed. ``attempts`` counts the tries the journal knows of."""

    label: PrintLabel
    printed: bool = False


class Labelling(msgspec.Struct, frozen=True):
    """``wanted``: tube number to label, in the order the tubes closed."""

    wanted: dict[str, Wanted] = {}


def evolve(slice_: Labelling, change: Fact | Note, at: Stamp) -> Labelling:
    replace = msgspec.structs.replace
    match change:
        case TubeClosed():
            label = PrintLabel(change.tube, change.members, change.size, at, name_of=change.digest)
            return Labelling(slice_.wanted | {change.tube: Wanted(label)})
        case LabelFailed() if (wanted := slice_.wanted.get(change.tube)) is not None:
            again = replace(wanted.label, attempt=change.attempt + 1)
            return Labelling(slice_.wanted | {change.tube: replace(wanted, label=again)})
        case LabelPrinted(confirmed=False) if (wanted := slice_.wanted.get(change.tube)) is not None:
            return Labelling(slice_.wanted | {change.tube: replace(wanted, printed=True)})
        case LabelPrinted():
            return Labelling({tube: wanted for tube, wanted in slice_.wanted.items() if tube != change.tube})
    return slice_


def react(site: "Site", item: Event | Fact, at: Stamp) -> Iterator[Fact | Note | Order]:
    wanted = site.labelling.wanted
    match item:
        case TubeClosed():
            yield wanted[item.tube].label
        case PrintSucceeded() if item.tube in wanted and not wanted[item.tube].printed:
            proof = "status" if item.confirmed else "sent"
            yield LabelPrinted(item.tube, item.attempt, proof, confirmed=not site.setup.confirm_by_scan)
        case PrintFailed() if item.tube in wanted:
            yield LabelFailed(item.tube, item.attempt, item.why)
        case TubeScanned() if site.desk.awaits == "tube":
            return
        case TubeScanned() if item.tube in wanted:
            yield LabelPrinted(item.tube, wanted[item.tube].label.attempt, "scan")
        case TubeScanned():
            yield NothingToDo()


def resume(site: "Site") -> Iterator[PrintLabel]:
    """After a start: the labels that were promised and are not printed, in order."""
    return (wanted.label for wanted in site.labelling.wanted.values() if not wanted.printed)
