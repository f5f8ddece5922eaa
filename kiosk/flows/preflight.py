"""The pre-flight (`kiosk preflight`): what was tried before people came, and what did not work."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from kiosk.domain import Stamp
from kiosk.events import Event, PreflightEnded
from kiosk.facts import Fact, Note, Order, Preflight

if TYPE_CHECKING:
    from kiosk.site import Site


class Readiness(msgspec.Struct, frozen=True):
    """Of the last pre-flight: ``at``, None before the first; ``failed``: the names of what did not work."""

    at: Stamp | None = None
    failed: tuple[str, ...] = ()


def evolve(slice_: Readiness, change: Fact | Note, at: Stamp) -> Readiness:
    match change:
        case Preflight():
            return Readiness(at, change.failed)
    return slice_


def react(site: "Site", item: Event | Fact, at: Stamp) -> Iterator[Fact | Note | Order]:
    match item:
        case PreflightEnded():
            yield Preflight(item.passed, item.failed, item.seconds)
