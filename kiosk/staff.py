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

_HELP = frozenset({Do.CALL_STAFF, Do.CALL_SUPPLIES, Do.CALL_SECURITY, Do.SHIFT_ON, Do.SHIFT_OFF})
_SWAB = frozenset({Do.VOID_LAST, Do.VOID, Do.NO_SHOW, Do.REFUSED, Do.LEFT, Do.LOST_TUBE, Do.LEAKED_TUBE})
_SAMPLER = _HELP | _SWAB | {Do.NASAL_NEXT}
_TECHNICIAN = _HELP | {Do.REPRINT, Do.DRILL_ON, Do.DRILL_OFF}
_COURIER = _HELP | {Do.COLLECT, Do.LOST_TUBE, Do.LEAKED_TUBE}
_REGISTRAR = frozenset(Do) - {Do.COLLECT}

RIGHTS: dict[Role, frozenset[Do]] = {
    Role.REGISTRAR: _REGISTRAR,
    Role.SAMPLER: _SAMPLER,
    Role.COURIER: _COURIER,
    Role.TECHNICIAN: _TECHNICIAN,
}
