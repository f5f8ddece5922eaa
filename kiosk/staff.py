"""What staff may order and how (rule G14): the table of a site's roles. Pure."""

from typing import Literal

from kiosk.domain import Do, Role

BADGE_MS = 60_000
"""A command code counts for so long after a badge: a code copied by a resident's phone orders nothing."""

Thing = Literal["person", "tube"]

TAKES: dict[Do, tuple[Thing, ...]] = {
    Do.VOID: ("person",),
    Do.NO_SHOW: ("person",),
    Do.REFUSED: ("person",),
    Do.LEFT: ("person",),
    Do.MOVE: ("person",),
    Do.SWAP: ("person", "person"),
    Do.WRONG_TUBE: ("tube", "tube"),
    Do.SPLIT: ("tube",),
    Do.OVERRIDE: ("person",),
    Do.LOST_TUBE: ("tube",),
    Do.LEAKED_TUBE: ("tube",),
    Do.GUARDIAN: ("person",),
}
"""What must be shown after the command code, in this order; a command that is not here needs nothing."""

DRILLS = 3
"""A registrar with fewer recorded drills is supervised (rule P12)."""
LEADERS = frozenset({Role.REGISTRAR, Role.TECHNICIAN})
"""Who may stand by a supervised registrar, when they are not supervised themselves."""
REMIND_MS, ALARM_MS = 2 * 3_600_000, 4 * 3_600_000
"""On shift for so long: time to be relieved, and too long (rule Q8)."""
FORGOTTEN_MS = 12 * 3_600_000
"""Who is on shift for longer has gone home without signing off."""

_HELP = frozenset({Do.CALL_STAFF, Do.CALL_SUPPLIES, Do.CALL_SECURITY, Do.SHIFT_ON, Do.SHIFT_OFF})
_SWAB = frozenset({Do.VOID_LAST, Do.VOID, Do.NO_SHOW, Do.REFUSED, Do.LEFT, Do.LOST_TUBE, Do.LEAKED_TUBE})
_SAMPLER = _HELP | _SWAB | {Do.NASAL_NEXT, Do.PACKED}
_TECHNICIAN = _HELP | {Do.REPRINT, Do.STOCK, Do.DRILL_ON, Do.DRILL_OFF}
_COURIER = _HELP | {Do.COLLECT, Do.VEHICLE, Do.LAB, Do.LOST_TUBE, Do.LEAKED_TUBE, Do.MISSING_LOST}
_REGISTRAR = frozenset(Do) - {Do.COLLECT}

RIGHTS: dict[Role, frozenset[Do]] = {
    Role.REGISTRAR: _REGISTRAR,
    Role.SAMPLER: _SAMPLER,
    Role.COURIER: _COURIER,
    Role.TECHNICIAN: _TECHNICIAN,
}

SECONDED = frozenset(
    {
        Do.VOID_LAST,
        Do.VOID,
        Do.NO_SHOW,
        Do.REFUSED,
        Do.LEFT,
        Do.MOVE,
        Do.SWAP,
        Do.WRONG_TUBE,
        Do.SPLIT,
        Do.OVERRIDE,
        Do.MISSING_LOST,
        Do.POOL,
        Do.GROUP,
        Do.HOUSEHOLD_START,
        Do.HOUSEHOLD_END,
        Do.ROUND_START,
        Do.ROUND_END,
        Do.DRILL_ON,
        Do.DRILL_OFF,
    }
)
"""Corrections and changes of policy: a supervised registrar does not order them alone."""
