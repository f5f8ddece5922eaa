"""Who is on duty, for the status, the issues and the lamps: badges and roles, no names."""

from typing import Any, NamedTuple

from kiosk.domain import Role, Stamp
from kiosk.site import Site
from kiosk.staff import ALARM_MS, REMIND_MS

BADGE_NEEDED = "badge-needed"
"""The issue of a kiosk that waits for the round's digest key."""


class Long(NamedTuple):
    """A badge that is on shift for two hours, or (``alarm``) for four (rule Q8)."""

    badge: int
    alarm: bool


def long(site: Site, at: Stamp) -> frozenset[Long]:
    lasting = site.staff.on_shift(at).items()
    return frozenset(Long(badge, ms >= ALARM_MS) for badge, (_, ms) in lasting if ms >= REMIND_MS)


def issues(site: Site, at: Stamp, *, key_missing: bool) -> dict[str, str]:
    """Code to hint. ``key_missing``: no badge has brought the key of the digests."""
    found = {}
    shown = site.desk.badge
    if key_missing:
        found[BADGE_NEEDED] = "nobody is registered: show a staff badge that brings this round's key"
    if site.setup.key_from_badge and shown is not None and site.staff.key and shown.key not in (b"", site.staff.key):
        found["badge-key"] = (
            f"badge {shown.badge} brings another key than this round goes by, and it is not taken: show a badge of this"
            " round's issue, or start a new round and show it again"
        )
    for code, alarm, hours in (("shift-reminder", False, 2), ("shift-long", True, 4)):
        if badges := sorted(each.badge for each in long(site, at) if each.alarm is alarm):
            who = ", ".join(map(str, badges))
            found[code] = f"on shift for {hours} h: badge {who}: have them relieved; their sign-off ends this"
    return found


def supervised(site: Site, at: Stamp) -> bool:
    """Registrars are on shift, and all of them have too few drills (rule P12)."""
    registrars = [shift for shift, _ in site.staff.on_shift(at).values() if shift.role is Role.REGISTRAR]
    return bool(registrars) and all(shift.supervised for shift in registrars)


def status(site: Site, at: Stamp) -> list[dict[str, Any]]:
    """Who is on shift, by badge. ``since``: wall ms; ``supervised``: a registrar with too few drills (rule P12)."""
    return [
        {
            "badge": badge,
            "role": shift.role.value,
            "since": shift.since.wall,
            "minutes": ms // 60_000,
            "supervised": shift.supervised,
        }
        for badge, (shift, ms) in sorted(site.staff.on_shift(at).items())
    ]
