"""How long the tubes of a table have been waiting, and what that calls for (rules T1 to T4, T12). Pure."""

from collections import Counter
from typing import Any

import msgspec

from kiosk.config import CustodyRules
from kiosk.domain import Stamp, Trust
from kiosk.flows.custody import IN_FLIGHT_MS, missing
from kiosk.site import Site

_MINUTE_MS = 60_000
_SHOWN = 5


class Tubes(msgspec.Struct, frozen=True):
    """``waiting``: tubes with a swab in them that no courier has, ``closed`` of them closed; ``oldest_ms``: the age of
    the oldest; ``warn``, ``limit``: how many are past the first age alone, past the second; ``left``: after the end of
    their day; ``unsure``: how many may be older, as no clock could be believed. ``packed``: in the box that is being
    packed, or None; ``missing``: what it lacks; ``stopped``: it was to go and could not. ``in_flight``: tubes on their
    way to a laboratory or in it, by laboratory."""

    waiting: int = 0
    closed: int = 0
    oldest_ms: int = 0
    warn: int = 0
    limit: int = 0
    left: int = 0
    unsure: int = 0
    packed: int | None = None
    missing: tuple[str, ...] = ()
    stopped: bool = False
    in_flight: dict[str, int] = {}


def look(site: Site, at: Stamp) -> Tubes:
    custody, rules = site.custody, site.setup.rules
    swabs = [held.since for held in (*custody.here.values(), *custody.open.values()) if held.people and held.since]
    ages = [at.since(swab) for swab in swabs]
    packing = custody.packing
    flights = Counter[str]()
    for trip in custody.trips:
        flights[trip.lab] += trip.tubes * (at.since(trip.at) < IN_FLIGHT_MS)
    warn, limit = rules.warn_min * _MINUTE_MS, rules.limit_min * _MINUTE_MS
    return Tubes(
        waiting=len(swabs),
        closed=len(custody.here),
        oldest_ms=max(ages, default=0),
        warn=sum(warn <= age < limit for age in ages),
        limit=sum(age >= limit for age in ages),
        left=sum(_is_left(swab, at, rules.day_end) for swab in swabs),
        unsure=sum(swab.boot != at.boot and min(swab.trust, at.trust) < Trust.RTC for swab in swabs),
        packed=len(packing.packed) if packing is not None else None,
        missing=missing(site),
        stopped=packing is not None and packing.stopped,
        in_flight=dict(+flights),
    )


def _is_left(swab: Stamp, at: Stamp, day_end: str) -> bool:
    """A clock nobody believes does not tell the end of a day."""
    if not day_end or at.trust < Trust.RTC:
        return False
    hours, minutes = day_end.split(":")
    over = (at.wall // 1000 + at.zone) % 86_400 >= (int(hours) * 60 + int(minutes)) * 60
    return over or (swab.trust >= Trust.RTC and swab.day < at.day)


def issues(tubes: Tubes, rules: CustodyRules | None) -> dict[str, str]:
    """Issue code to hint; ``rules``: None where no tube is watched."""
    found = {}
    if tubes.stopped:
        more = " …" if len(tubes.missing) > _SHOWN else ""
        lacks = f"{len(tubes.missing)} tubes are missing: {' '.join(tubes.missing[:_SHOWN])}{more}"
        found["manifest-open"] = lacks if tubes.missing else "the box lacks laboratory, vehicle or a sign-off"
    if rules is None:
        return found
    minutes, least = tubes.oldest_ms // _MINUTE_MS, " at least" if tubes.unsure else ""
    if tubes.waiting and rules.pick_up_min and minutes >= rules.pick_up_min:
        found["pick-up-due"] = f"{tubes.waiting} tubes wait, the first for {minutes} min{least}: call the courier"
    elif rules.pick_up_tubes and tubes.closed >= rules.pick_up_tubes:
        found["pick-up-due"] = f"{tubes.closed} tubes wait: call the courier"
    if tubes.warn:
        found["tube-2h"] = f"{tubes.warn} tubes are older than {rules.warn_min} min{least}"
    if tubes.limit:
        found["tube-4h"] = f"{tubes.limit} tubes are older than {rules.limit_min} min{least}: ask the command post"
    if tubes.left:
        found["tubes-left"] = f"{tubes.left} tubes are still here at the end of the day: they must go today"
    return found


def status(tubes: Tubes) -> dict[str, Any]:
    """As the status file shows it."""
    return {
        "waiting": tubes.waiting,
        "closed": tubes.closed,
        "oldest_s": tubes.oldest_ms // 1000,
        "packed": tubes.packed,
        "missing": list(tubes.missing),
        "in_flight": tubes.in_flight,
    }
