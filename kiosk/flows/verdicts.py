"""Verdicts: the colour of an opaque code is the command post's to say. It is asked at once; what it answers when the
desk has decided is a fact, and obeyed by `registration` and `incidents` all the same."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kiosk.domain import Stamp
from kiosk.events import CodePresented, Event, VerdictArrived
from kiosk.facts import AskVerdict, Fact, Note, Order, VerdictTaken

if TYPE_CHECKING:
    from kiosk.site import Site

AGAIN_MS = 5000
"""A phone that stays before the scanner is not asked about again for this long."""


def react(site: "Site", item: Event | Fact, at: Stamp) -> Iterator[Fact | Note | Order]:
    match item:
        case CodePresented(ask=True) if site.setup.policy.health_code != "off" and site.desk.awaits is None:
            answered = site.desk.answered == item.subject.digest and at.mono - site.desk.answered_at < AGAIN_MS
            if not answered and not site.desk.waits_with(item.subject.digest):
                yield AskVerdict(item.subject)
        case VerdictArrived() if not site.desk.waits_with(item.code):
            yield VerdictTaken(item.code, item.colour, item.holder or b"", site.registration.owner(item.code))
