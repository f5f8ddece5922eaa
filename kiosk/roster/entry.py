"""One person of a roster, as the table says it. In clear only in RAM."""

from typing import Annotated

import msgspec
from msgspec import Meta

from kiosk.domain import Category, Private


class RosterError(ValueError):
    """This roster cannot be used; the text says what is wrong, where, and what was expected, without personal data."""


Text = Annotated[str, Meta(max_length=100)]
Minute = Annotated[int, Meta(ge=0, le=24 * 60)]


class Entry(Private, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """``row``: of the table, from 1; ``place``: building, village or school class; ``site``: of another sampling point
    that this person is to go to, or ""; ``every``: days between two samplings, 0 where the class decides; ``last``: day
    of the last sampling, days since 1970, 0 for unknown; ``start`` and ``end``: the hour their place is asked to come,
    minutes of the day, both 0 for any; ``vehicle``, ``origin``, ``arrival`` (minutes since 1970, local time, 0 for
    unknown): of a driver; ``report``: a driver has a result of the seven days before arrival."""

    row: Annotated[int, Meta(ge=1, lt=1 << 32)]
    name: Text
    number: Annotated[str, Meta(max_length=30)]
    phone: Text = ""
    place: Annotated[str, Meta(max_length=40)] = ""
    site: Annotated[str, Meta(pattern=r"^([0-9]{6})?\Z")] = ""
    category: Category = Category.GENERAL
    away: bool = False
    visit: bool = False
    every: Annotated[int, Meta(ge=0, le=255)] = 0
    last: Annotated[int, Meta(ge=0, lt=1 << 16)] = 0
    start: Minute = 0
    end: Minute = 0
    vehicle: Text = ""
    origin: Text = ""
    arrival: Annotated[int, Meta(ge=0, lt=1 << 32)] = 0
    report: bool = False

    __repr__ = Private.__repr__
    __str__ = Private.__str__

    @property
    def driver(self) -> bool:
        return bool(self.vehicle)
