"""Checks → issues → status file. What the checks look at is collected elsewhere; the checks themselves are pure."""

import json
import logging
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from kiosk.domain import Trust

log = logging.getLogger(__name__)

STATUS_NAME = "status.json"
"""Of the status file, in the runtime folder."""
DISK_LOW = 200 * 1024 * 1024
DISK_FULL = 50 * 1024 * 1024
LAG_MS = 2 * 3600 * 1000
"""Facts older than this that the command post has not acknowledged concern the desk."""
STEP_MS = 60_000
REFRESH_MS = 5_000
STALLED_MS = 20_000


class Vitals(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the checks and the status look at.

    ``drill``: which one goes on, or 0. ``visit``: the team is at homes. ``devices``: name to whether it is online,
    without those that are "none". ``waiting``: people registered and not yet released; ``waiting_cap``: as many as may,
    0 for any number; ``door_closed``: so many wait; ``wait_limit_s``: the longest that anybody should, 0 for any time.
    ``pace``: people who came and who went, an hour, None until it is known; ``proposed_group``: the group size it
    suggests, 0 for none.
    ``unlabelled``: closed tubes whose label is not confirmed. ``printer_needs``: why the printer is off line or the
    last label failed, or "". ``panel_fault``: a jammed button. ``uplink``: "off" without [mqtt];
    ``uplink_issue``: what the broker or the command post refuses; ``oldest_unacked_ms``: age of the oldest fact not
    acknowledged. ``clock_step_ms``: the last jump of the wall clock since the start. ``set_aside``: the damaged or
    foreign journal found at the start. ``disk_free``: bytes; ``written``: bytes the card took in the last day; None:
    unknown. ``machine``: issues, code to hint, that others have found (`kiosk.machine`, `kiosk.issue_folder`).
    ``shift``: who is on shift, by badge (`kiosk.on_duty`). ``roster``: how many of it have come (`kiosk.roster`).
    ``custody``: the tubes that no courier has (`kiosk.tube_clocks`).
    """

    ready: bool = False
    drill: int = 0
    visit: bool = False
    people: int = 0
    members: int = 0
    group_size: int = 10
    waiting: int = 0
    waiting_cap: int = 0
    door_closed: bool = False
    oldest_wait_s: int = 0
    wait_limit_s: int = 0
    pace: tuple[int, int] | None = None
    proposed_group: int = 0
    tubes_closed: int = 0
    unlabelled: int = 0
    groups_released: int = 0
    journal_seq: int = 0
    journal_acked: int = 0
    devices: dict[str, bool] = {}
    printer_needs: str = ""
    panel_fault: str = ""
    uplink: Literal["off", "online", "offline"] = "off"
    uplink_issue: str = ""
    oldest_unacked_ms: int = 0
    storage_fault: str = ""
    set_aside: str = ""
    digest_key_in_file: bool = False
    trust: Trust = Trust.NTP
    clock_step_ms: int = 0
    disk_free: int | None = None
    written: int | None = None
    machine: dict[str, str] = {}
    custody: dict[str, Any] | None = None
    shift: list[dict[str, Any]] = []
    roster: dict[str, Any] | None = None


class Issue(msgspec.Struct, frozen=True):
    """``since``: wall ms. ``hint``: what a technician should do."""

    code: str
    since: int
    hint: str


WAIT_LONG = "wait-long"
"""Somebody waits too long (rule Q3)."""

_FOR_THE_TECHNICIAN = frozenset(
    {
        "badge-key",
        "board-moved",
        "card-writes",
        "clock-stepped",
        "clock-untrusted",
        "data-repaired",
        "digest-key-file",
        "driver-due",
        "journal-rolled-back",
        "journal-set-aside",
        "shell-failed",
        "shell-open",
        "shift-long",
        "shift-reminder",
        "slot-damaged",
        "under-voltage-past",
        "update-failed",
        "update-trial",
        "uplink-offline",
        WAIT_LONG,
    }
)
"""The kiosk works and loses nothing: these wait for the technician's next visit, or have a lamp of their own."""


def desk_faults(issues: tuple[Issue, ...]) -> tuple[str, ...]:
    """The codes that light the fault lamp, also those nobody has thought of here."""
    return tuple(issue.code for issue in issues if issue.code not in _FOR_THE_TECHNICIAN)


def check(vitals: Vitals) -> dict[str, str]:
    """Issue code to hint, for everything that is wrong now."""
    return dict(_check(vitals))


def _check(v: Vitals) -> Iterator[tuple[str, str]]:
    if v.storage_fault:
        yield "storage", f"nobody is registered: {v.storage_fault}; check the card and its free space"
    for name, online in v.devices.items():
        if not online:
            why = f"{v.printer_needs}; if that is not it, " if name == "printer" and v.printer_needs else ""
            yield f"{name}-offline", f"{why}check the cable and power of devices.{name}; `kiosk check` names its port"
    if v.printer_needs and v.devices.get("printer", False):
        yield "printer-help", f"the printer needs help: {v.printer_needs}"
    if v.wait_limit_s and v.oldest_wait_s >= v.wait_limit_s:
        minutes = v.oldest_wait_s // 60
        hint = "release what is ready, close a short group, or open another table"
        yield WAIT_LONG, f"somebody has waited for {minutes} min: {hint}"
    if v.panel_fault:
        yield "panel-button", v.panel_fault
    if v.uplink_issue:
        yield "uplink-refused", v.uplink_issue
    if v.uplink == "offline":
        yield "uplink-offline", "the broker cannot be reached; records are kept here and sent later"
    if v.uplink != "off" and v.oldest_unacked_ms > LAG_MS:
        hours = v.oldest_unacked_ms // 3_600_000
        yield "uplink-lag", f"records wait for {hours} h: restore the network, or carry them with `kiosk export`"
    if v.disk_free is not None and v.disk_free < DISK_FULL:
        yield "disk-full", f"{v.disk_free // 2**20} MB left: registration is about to stop"
    elif v.disk_free is not None and v.disk_free < DISK_LOW:
        yield "disk-low", f"{v.disk_free // 2**20} MB left for records"
    if v.trust < Trust.RTC:
        yield "clock-untrusted", "no clock chip and no time server: times may be wrong, order and numbers are not"
    if abs(v.clock_step_ms) >= STEP_MS:
        yield "clock-stepped", f"the clock jumped by {v.clock_step_ms // 1000} s"
    if v.digest_key_in_file:
        yield "digest-key-file", "the key of the digests lies readable on the card: for demonstrations only"
    if v.set_aside:
        yield "journal-set-aside", f"a journal that could not be used was kept as {v.set_aside}: send it in"
    yield from v.machine.items()


class Issues:
    """The issues of now, each with the time it began. An issue that went and came back is a new one."""

    def __init__(self) -> None:
        self.now: tuple[Issue, ...] = ()

    def update(self, found: Mapping[str, str], wall: int) -> tuple[Issue, ...]:
        """Raises what is new among ``found`` (code to hint), keeps what stays, clears the rest. Logs each change."""
        since = {issue.code: issue.since for issue in self.now}
        for code in found.keys() - since.keys():
            log.warning("issue raised: %s: %s", code, found[code])
        for code in since.keys() - found.keys():
            log.info("issue cleared: %s", code)
        self.now = tuple(Issue(code, since.get(code, wall), hint) for code, hint in found.items())
        return self.now


def status(vitals: Vitals, issues: tuple[Issue, ...]) -> dict[str, Any]:
    """The status as others read it (`kiosk status --json`, the status file, the retained topic). No personal data."""
    return {
        "ready": vitals.ready,
        "drill": vitals.drill,
        "visit": vitals.visit,
        "people": vitals.people,
        "group": {"members": vitals.members, "size": vitals.group_size},
        "waiting": vitals.waiting,
        "waiting_cap": vitals.waiting_cap,
        "door": "closed" if vitals.door_closed else "open",
        "oldest_wait_s": vitals.oldest_wait_s,
        "pace_per_hour": {"came": vitals.pace[0], "went": vitals.pace[1]} if vitals.pace is not None else None,
        "proposed_group": vitals.proposed_group or None,
        "tubes_closed": vitals.tubes_closed,
        "unlabelled": vitals.unlabelled,
        "custody": vitals.custody,
        "groups_released": vitals.groups_released,
        "journal": {"seq": vitals.journal_seq, "acked": vitals.journal_acked},
        "devices": {name: "online" if online else "offline" for name, online in vitals.devices.items()},
        "uplink": vitals.uplink,
        "clock": vitals.trust.name.lower(),
        "shift": vitals.shift,
        "roster": vitals.roster,
        "card": {"free": vitals.disk_free, "written": vitals.written},
        "issues": [msgspec.structs.asdict(issue) for issue in issues],
    }


class StatusFile:
    """Replaces the file as a whole, on change and every REFRESH_MS, without fsync: it lives in RAM (/run).

    Beside the status it holds ``pid`` and ``started`` (process and its start in clock ticks since boot, which together
    name one process) and ``written`` (monotonic ms).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: dict[str, Any] = {}
        self._written = 0
        self._failed = False

    def write(self, status: dict[str, Any]) -> None:
        """Never raises: a status that cannot be written is logged once."""
        now = time.monotonic_ns() // 1_000_000
        if status == self._last and now - self._written < REFRESH_MS:
            return
        pid = os.getpid()
        whole = {"pid": pid, "started": _started(pid), "written": now} | status
        new = self._path.with_name(f".{self._path.name}.new")
        try:
            new.write_text(json.dumps(whole, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
            new.replace(self._path)
        except OSError as error:
            if not self._failed:
                log.warning("status file: %s", error)
            self._failed = True
            return
        self._last, self._written, self._failed = status, now, False


class StatusError(Exception):
    """There is no status to show; the text says why."""


def read_status(path: Path) -> dict[str, Any]:
    """The status in the file, with ``state``: "running" | "stalled" | "stopped" (and then not ``ready``). Raises
    StatusError."""
    try:
        status: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        alive = _started(status["pid"]) == status["started"] is not None
        age = time.monotonic_ns() // 1_000_000 - status["written"]
    except FileNotFoundError:
        raise StatusError(f"{path}: missing: the kiosk was not started since the last boot") from None
    except OSError as error:
        raise StatusError(f"{path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise StatusError(f"{path}: no status of a kiosk") from None
    state = "stopped" if not alive else "running" if age < STALLED_MS else "stalled"
    ready = bool(status.get("ready")) and state == "running"
    return status | {"state": state, "ready": ready}


def _started(pid: int) -> int | None:
    """Field 22 of /proc/<pid>/stat (proc_pid_stat(5)); None when there is no such process, or it is a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return None if fields[0] in "ZX" else int(fields[19])
    except (OSError, ValueError, IndexError):
        return None


def format_status(status: dict[str, Any]) -> str:
    """The status as plain text for a technician at a console."""
    ready = "ready" if status["ready"] else "NOT READY"
    if status["visit"]:
        ready += ", home visits (上门): groups go by themselves"
    if status["drill"]:
        ready += f", DRILL {status['drill']} (演练): nothing of it counts"
    group, journal = status["group"], status["journal"]
    unsent = journal["seq"] - journal["acked"]
    lines = [
        f"kiosk      {status['state']}, {ready}",
        f"people     {status['people']}",
        f"group      {group['members']} of {group['size']}",
        f"waiting    {status['waiting']} people, the first for {status['oldest_wait_s'] // 60} min{_door(status)}",
        f"released   {status['groups_released']} groups",
        f"pace       {_pace(status)}",
        f"tubes      {status['tubes_closed']} closed, {status['unlabelled']} without label",
        f"journal    {journal['seq']} facts, {journal['acked']} acknowledged, {unsent} to send",
        f"uplink     {status['uplink']}",
        f"clock      {status['clock']}",
        f"card       {_mb(status['card']['free'])} free, {_mb(status['card']['written'])} written in the last day",
        "devices    " + (", ".join(f"{name} {state}" for name, state in status["devices"].items()) or "none"),
    ]
    on_shift = [f"{each['badge']} {each['role']}{_supervised(each)}" for each in status["shift"]]
    lines.append(f"on shift   {', '.join(on_shift) or 'nobody signed on'}")
    if (roster := status["roster"]) is not None:
        lines.append(f"roster     {roster['done']} of {roster['total']} came, {roster['percent']} % of who is not away")
    if (custody := status["custody"]) is not None:
        lines.append(f"courier    {_custody(custody)}")
    issues = status["issues"]
    lines.append(f"issues     {len(issues) or 'none'}")
    for issue in issues:
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(issue["since"] / 1000))
        lines.append(f"  {issue['code']} since {since}: {issue['hint']}")
    return "\n".join(lines)


def _door(status: dict[str, Any]) -> str:
    return f", the door is closed (at most {status['waiting_cap']})" if status["door"] == "closed" else ""


def _pace(status: dict[str, Any]) -> str:
    pace, group = status["pace_per_hour"], status["proposed_group"]
    if pace is None:
        return "not known yet"
    proposed = f", suggests groups of {group}" if group not in (None, status["group"]["size"]) else ""
    return f"{pace['came']} people an hour come, {pace['went']} go{proposed}"


def _custody(custody: dict[str, Any]) -> str:
    text = f"{custody['waiting']} tubes wait, the first for {custody['oldest_s'] // 60} min"
    if custody["packed"] is not None:
        text += f"; {custody['packed']} are packed, {len(custody['missing'])} missing"
    sent = ", ".join(f"{lab or 'laboratory'} {tubes}" for lab, tubes in custody["in_flight"].items())
    return text + (f"; in flight: {sent}" if sent else "")


def _supervised(shift: dict[str, Any]) -> str:
    return " (supervised)" if shift["supervised"] else ""


def _mb(count: int | None) -> str:
    return "?" if count is None else f"{count >> 20} MB"
