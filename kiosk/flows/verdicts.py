"""Verdicts: the colour of an opaque code is the command post's to say. It is asked at once, and after each start until
it answers; what it answers when the desk has decided is obeyed by `registration` and `incidents` all the same."""

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from kiosk.domain import Stamp, Subject
from kiosk.events import CodePresented, Event, VerdictArrived
from kiosk.facts import AskVerdict, Fact, Note, Order, VerdictAsked, VerdictTaken

if TYPE_CHECKING:
    from kiosk.site import Site

AGAIN_MS = 5000
"""A phone that stays before the scanner is not asked about again for this long."""
MOST = 64
"""Codes that are asked about at once; the oldest gives way."""


class Verdicts(msgspec.Struct, frozen=True):
    """``asked``: digest to sealed box of each code that the command post has not answered about, the oldest first."""

    asked: dict[bytes, bytes] = {}


def evolve(slice_: Verdicts, change: Fact | Note) -> Verdicts:
    match change:
        case VerdictAsked():
            asked = slice_.asked | {change.code.digest: change.code.box}
            return Verdicts(dict(islice(asked.items(), max(0, len(asked) - MOST), None)))
        case VerdictTaken():
            return Verdicts({code: box for code, box in slice_.asked.items() if code != change.code})
    return slice_


def react(site: "Site", item: Event | Fact, at: Stamp) -> Iterator[Fact | Note | Order]:
    match item:
        case CodePresented(ask=True) if site.setup.policy.health_code != "off" and site.desk.awaits is None:
            answered = site.desk.answered == item.subject.digest and at.mono - site.desk.answered_at < AGAIN_MS
            if not answered and not site.desk.waits_with(item.subject.digest):
                if item.subject.digest not in site.verdicts.asked:
                    yield VerdictAsked(item.subject)
                yield AskVerdict(item.subject)
        case VerdictArrived() if site.desk.waits_with(item.code):
            yield VerdictTaken(item.code, item.colour, item.holder or b"", in_time=True)
        case VerdictArrived():
            yield VerdictTaken(item.code, item.colour, item.holder or b"", site.registration.owner(item.code))


def resume(site: "Site") -> Iterator[AskVerdict]:
    """What is not answered is asked anew."""
    for digest, box in site.verdicts.asked.items():
        yield AskVerdict(Subject(digest, box))
