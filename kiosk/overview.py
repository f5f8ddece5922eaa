"""From the state to what the panel tells of it."""

from collections.abc import Sequence

import msgspec

from kiosk.domain import Signal
from kiosk.events import ButtonPressed, DeviceOffline, DeviceOnline, Event, PrintFailed, PrintSucceeded
from kiosk.facts import ClockStepped, Fact
from kiosk.flows.release import group_size
from kiosk.health import WAIT_LONG, Issue, desk_faults
from kiosk.on_duty import BADGE_NEEDED, Long
from kiosk.panel import View
from kiosk.site import Site
from kiosk.staff import BADGE_MS
from kiosk.voice import Heard


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What is so right now and in no journal. ``hushed``: the issues whose tones staff have silenced; ``shifts``: those
    that last long; ``heeded``: those of them that staff have acknowledged; ``supervised``: every registrar on shift has
    too few drills."""

    devices: dict[str, bool]
    printer_needs: str = ""
    clock_step_ms: int = 0
    hushed: tuple[str, ...] = ()
    shifts: frozenset[Long] = frozenset()
    heeded: frozenset[Long] = frozenset()
    supervised: bool = False

    def after(self, event: Event, faults: tuple[str, ...]) -> "Surroundings":
        replace = msgspec.structs.replace
        match event:
            case ButtonPressed(button="ack"):
                return replace(self, hushed=faults, heeded=self.shifts)
            case DeviceOnline() | DeviceOffline():
                why = event.why if isinstance(event, DeviceOffline) else ""
                needs = why if event.device == "printer" else self.printer_needs
                devices = self.devices | {event.device: isinstance(event, DeviceOnline)}
                return replace(self, devices=devices, printer_needs=needs)
            case PrintFailed():
                return replace(self, printer_needs=event.why)
            case PrintSucceeded():
                return replace(self, printer_needs="")
        return self

    def learned(self, facts: Sequence[Fact]) -> "Surroundings":
        steps = [fact.by_ms for fact in facts if isinstance(fact, ClockStepped)]
        return msgspec.structs.replace(self, clock_step_ms=steps[-1]) if steps else self


def heard(site: Site) -> Heard:
    """What the voice follows: the answers, and the door."""
    return Heard(site.desk.signals, site.release.is_full(site.setup.queue.waiting_cap))


def told(site: Site) -> Signal:
    """The answer given last, where a resident is to be told in words: not what staff order or pack, and not that a card
    waits for a code that need not come."""
    waits = site.desk.signal is Signal.HELD and site.setup.policy.health_code != "required"
    return Signal.NONE if waits or site.desk.order is not None or site.desk.of_tube else site.desk.signal


def view(site: Site, issues: tuple[Issue, ...], surroundings: Surroundings, storage_fault: str, *, ready: bool) -> View:
    """Everything the panel depends on."""
    release, policy = site.release, site.setup.policy
    faults = desk_faults(issues)
    shifts = surroundings.shifts - surroundings.heeded
    keyless = any(issue.code == BADGE_NEEDED for issue in issues)
    full, badge = release.is_full(site.setup.queue.waiting_cap), site.desk.badge
    blocked = full or keyless or site.desk.number_taken
    return View(
        signal=site.desk.signal,
        signal_at=site.desk.signal_at,
        signal_count=site.desk.signals,
        held=any(waits is not None for waits in (site.desk.card, site.desk.code, site.desk.pair)),
        accepting=ready and release.unlabelled_groups < policy.unlabelled_groups and not blocked,
        door_closed=ready and full,
        members=release.open.members,
        group_size=group_size(site),
        group_empty=release.open.people == 0,
        release_ready=release.ready is not None,
        groups_waiting=len(release.queue),
        label_wait=release.unlabelled_groups > 0,
        alarm=bool(site.incidents.open) or any(shift.alarm for shift in shifts),
        reminder=bool(shifts),
        wait_long=any(issue.code == WAIT_LONG for issue in issues),
        drill=bool(site.setup.drill),
        supervised=surroundings.supervised,
        badge_until=badge.since + BADGE_MS if badge is not None else 0,
        faults=faults,
        storage_fault=bool(storage_fault),
        ready=ready,
        hushed=set(faults) <= set(surroundings.hushed),
    )
