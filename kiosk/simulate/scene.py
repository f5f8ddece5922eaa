"""What there is to see of a site at work: read off the panel, the status file and the journal, as anybody could."""

import contextlib
import time
from collections.abc import Callable

import msgspec

from kiosk.facts import (
    Bound,
    ClockStepped,
    Entry,
    Fact,
    GroupClosed,
    GroupReleased,
    IncidentRaised,
    LabelFailed,
    LabelPrinted,
    RoundStarted,
    Started,
    TubeClosed,
    TubeOpened,
    Unbound,
)
from kiosk.journal import StorageFault
from kiosk.panel import STARTING, Panel
from kiosk.simulate.rig import Rig
from kiosk.tube import TubeNumber


class Tube(msgspec.Struct):
    """``label``: "" while it is filled, then "wanted", "failed" or "printed"."""

    number: str
    size: int
    members: int = 0
    label: str = ""
    why: str = ""
    group: int = 0


class Group(msgspec.Struct):
    number: int
    people: int = 0
    short: bool = False
    closed: bool = False
    released: bool = False


class Line(msgspec.Struct, frozen=True):
    """One thing that happened. ``kind``: "person", "mishap", "staff" or "kiosk"."""

    at_s: float
    kind: str
    text: str


class Scene:
    """``people`` of ``total`` are registered; ``backlog``: facts the command post has not acknowledged; ``running``:
    the daemon is up. Each new line of the log goes to ``tell`` as well."""

    def __init__(self, rig: Rig, total: int, broker: str, tell: Callable[[Line], None]) -> None:
        self.total = total
        self.broker = broker
        self.broker_up = True
        self.running = False
        self.people = 0
        self.refused = 0
        self.tubes: dict[str, Tube] = {}
        self.groups: list[Group] = [Group(1)]
        self.facts = 0
        self.acked = 0
        self.devices: dict[str, str] = {}
        self.issues: list[str] = []
        self.log: list[Line] = []
        self.site = rig.config.site.name
        self._rig = rig
        self._tell = tell
        self._began = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._began

    @property
    def backlog(self) -> int:
        return self.facts - self.acked

    @property
    def panel(self) -> Panel:
        state = self._rig.panel.state
        return state if state is not None and self._rig.panel.online else STARTING

    @property
    def lit(self) -> bool:
        """The lamp box hears from the daemon; without it all lamps are dark."""
        return self._rig.panel.online

    def say(self, kind: str, text: str) -> None:
        """What happened besides what the journal tells."""
        self.look()
        self._add(kind, text)

    def _add(self, kind: str, text: str) -> None:
        line = Line(self.elapsed_s, kind, text)
        self.log.append(line)
        self._tell(line)

    def look(self) -> None:
        """Reads status file and journal anew."""
        status = self._rig.status()
        self.devices = status.get("devices", {}) if self.running else {}
        self.issues = [issue["code"] for issue in status.get("issues", [])] if self.running else []
        self.acked = max(self.acked, status.get("journal", {}).get("acked", 0))
        with contextlib.suppress(StorageFault):  # just being opened
            for entry in self._rig.entries(self.facts):
                self.facts += 1
                self._learn(entry)

    def _learn(self, entry: Entry) -> None:
        fact, group = entry.fact, self.groups[-1]
        match fact:
            case TubeOpened():
                self.tubes[fact.tube] = Tube(fact.tube, fact.size, group=group.number)
            case Bound() | Unbound():
                change = 1 if isinstance(fact, Bound) else -1
                self.tubes[fact.tube].members += change
                self.tubes[fact.tube].group = group.number
                self.people += change
                group.people += change
            case TubeClosed():
                self.tubes[fact.tube].label = "wanted"
            case LabelPrinted():
                self.tubes[fact.tube].label = "printed"
            case LabelFailed():
                self.tubes[fact.tube].label, self.tubes[fact.tube].why = "failed", fact.why
            case GroupClosed():
                group.closed, group.short = True, fact.short
                self.groups.append(Group(fact.group + 1))
            case GroupReleased():
                self.groups[fact.group - 1].released = True
        if (text := _in_words(fact)) is not None:
            self._add("kiosk", text)


def grouped(tube: str) -> str:
    return TubeNumber.parse(tube).grouped()


def _in_words(fact: Fact) -> str | None:
    match fact:
        case Started():
            return f"daemon {fact.version} starts: the journal is folded"
        case RoundStarted():
            return f"round {fact.round} begins"
        case ClockStepped():
            return "the clock jumped"
        case TubeClosed():
            short = " 不足 short" if fact.members < fact.size else ""
            return f"tube {grouped(fact.tube)} closed with {fact.members}/{fact.size}{short}"
        case LabelPrinted():
            again = f" (try {fact.attempt})" if fact.attempt > 1 else ""
            return f"label printed: {grouped(fact.tube)}{again}"
        case LabelFailed():
            return f"label not printed: {fact.why}"
        case GroupReleased():
            return f"group {fact.group} released: {fact.members} people 放行"
        case IncidentRaised():
            return f"警 alarm: a {fact.kind.value} code; the command post hears it first of all"
        case GroupClosed():
            return f"group {fact.group} is complete: {fact.members} people"
    return None
