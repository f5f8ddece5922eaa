"""From the state to what the panel tells of it."""

from collections.abc import Sequence

import msgspec

from kiosk.events import ButtonPressed, DeviceOffline, DeviceOnline, Event, PrintFailed, PrintSucceeded
from kiosk.facts import ClockStepped, Fact
from kiosk.health import Issue, desk_faults
from kiosk.panel import View
from kiosk.site import Site


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What is so right now and in no journal. ``hushed``: the issues whose tones staff have silenced."""

    devices: dict[str, bool]
    printer_needs: str = ""
    clock_step_ms: int = 0
    hushed: tuple[str, ...] = ()

    def after(self, event: Event, faults: tuple[str, ...]) -> "Surroundings":
        replace = msgspec.structs.replace
        match event:
            case ButtonPressed(button="ack"):
                return replace(self, hushed=faults)
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


def view(site: Site, issues: tuple[Issue, ...], surroundings: Surroundings, storage_fault: str, *, ready: bool) -> View:
    """Everything the panel depends on."""
    release, policy = site.release, site.setup.policy
    faults = desk_faults(issues)
    return View(
        signal=site.desk.signal,
        signal_at=site.desk.signal_at,
        signal_count=site.desk.signals,
        held=site.desk.card is not None or site.desk.code is not None,
        accepting=ready and release.unlabelled_groups < policy.unlabelled_groups,
        members=release.open.members,
        group_size=policy.group_size,
        group_empty=release.open.people == 0,
        release_ready=release.ready is not None,
        groups_waiting=len(release.queue),
        label_wait=release.unlabelled_groups > 0,
        alarm=bool(site.incidents.open),
        faults=faults,
        storage_fault=bool(storage_fault),
        ready=ready,
        hushed=set(faults) <= set(surroundings.hushed),
    )
