"""What was scanned, told by its content and never by whose turn it is."""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from math import inf, log
from re import _parser  # type: ignore[attr-defined]  # the only way to see what a pattern repeats
from typing import Any

import msgspec

from kiosk import identity, mrz, paper_card
from kiosk.config import HealthCodeFormat
from kiosk.domain import Colour, Private
from kiosk.tube import LENGTH, BadTubeNumber, TubeNumber

MAX_TEXT = 512
"""Characters. Nothing longer is a code of ours; no pattern is ever tried on more."""

STAFF_PREFIX = "KC1:"
GROUPS = frozenset({"colour", "token", "id", "name", "phone"})
PHONE = re.compile(r"1[3-9][0-9]{9}")
"""A mobile number of the country."""

MAX_EFFORT = 3.4
"""As a power of MAX_TEXT: three open repeats and a few optional parts, a second on the slowest board at worst."""


class Scan(Private, msgspec.Struct, frozen=True):
    """Base of everything a text can turn out to be."""


class HealthCode(Scan, frozen=True):
    """``token``: what tells this code from another; ``ident``, ``name``, ``phone``: the holder's, where the format has
    them in clear; ``format``: name of the format that matched; ``ask``: only the command post knows the colour."""

    colour: Colour
    token: str
    ident: str | None
    format: str
    name: str = ""
    phone: str = ""
    ask: bool = False


class RegistrationCode(Scan, frozen=True):
    """Says who somebody is, and no colour; the rest as in a HealthCode."""

    ident: str | None
    format: str
    name: str = ""
    phone: str = ""


class PaperCard(Scan, frozen=True):
    """A code card that a kiosk has made."""

    text: str


class BadPaperCard(Scan, frozen=True):
    """Begins like one, and was misread."""


class Passport(Scan, frozen=True):
    """The machine-readable zone of one, or of another travel document, not yet checked."""

    zone: str


class TubeCode(Scan, frozen=True):
    """A valid tube number, of any site."""

    number: TubeNumber


class BadTube(Scan, frozen=True):
    """Digits that begin like our own tubes and are no valid number: one was lost, doubled or misread."""

    why: str


class IdNumber(Scan, frozen=True):
    """A valid 18-character document number, typed or scanned."""

    number: str


class StaffCommand(Scan, frozen=True):
    """``payload``: what follows the prefix."""

    payload: str


class Unknown(Scan, frozen=True):
    text: str


AnyScan = (
    HealthCode
    | RegistrationCode
    | TubeCode
    | BadTube
    | IdNumber
    | StaffCommand
    | PaperCard
    | BadPaperCard
    | Passport
    | Unknown
)


class Format(msgspec.Struct, frozen=True):
    """A health code format, ready to use."""

    name: str
    pattern: re.Pattern[str]
    colours: Mapping[str, Colour]
    ask: bool = False
    health: bool = True

    def match(self, text: str) -> HealthCode | RegistrationCode | None:
        """The pattern must match all of ``text``. A colour that is missing or not listed is UNKNOWN, never green; a
        phone number that cannot be one is none."""
        found = self.pattern.fullmatch(text)
        if found is None:
            return None
        groups = found.groupdict()
        shown = groups.get("colour")
        colour = self.colours.get(shown, Colour.UNKNOWN) if shown else Colour.UNKNOWN
        ident = (groups.get("id") or "").upper()
        known = ident if ident.isalnum() else None  # masked ones are not
        name, phone = groups.get("name") or "", groups.get("phone") or ""
        phone = phone if PHONE.fullmatch(phone) else ""
        if not self.health:
            return RegistrationCode(known, self.name, name, phone)
        ask = self.ask and colour is Colour.UNKNOWN
        return HealthCode(colour, groups.get("token") or text, known, self.name, name, phone, ask)


def recognise(text: str, site: str, formats: Iterable[Format]) -> AnyScan:
    """What ``text`` is. ``site``: our own six digits; ``formats``: from `compile_formats`, tried in order."""
    if len(text) > MAX_TEXT:
        return Unknown(text[:MAX_TEXT])
    if text.startswith(STAFF_PREFIX):
        return StaffCommand(text.removeprefix(STAFF_PREFIX))
    if text.startswith(paper_card.PREFIX):
        return PaperCard(text) if paper_card.is_whole(text) else BadPaperCard()
    if mrz.is_zone(text):
        return Passport(text)
    try:
        return TubeCode(TubeNumber.parse(text))
    except BadTubeNumber as error:
        if text.startswith(site) and text.isascii() and text.isdecimal() and abs(len(text) - LENGTH) <= 1:
            return BadTube(str(error))
    if is_id_number(number := identity.normalise(text)):
        return IdNumber(number)
    for known in formats:
        if code := known.match(text):
            return code
    return Unknown(text)


def is_id_number(number: str) -> bool:
    """18 characters with a right check (ISO 7064 MOD 11-2) and a real date of birth: few tokens look like that."""
    if len(number) != 18 or identity.kind_of(number) is None:
        return False
    try:
        date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    return True


def compile_formats(formats: Iterable[HealthCodeFormat]) -> tuple[Format, ...]:
    """Makes the formats ready. Raises ValueError, in one line that names the format, for a pattern that does not
    compile, has groups we do not know, or could keep the kiosk busy for ever on a hostile code."""
    return tuple(_compile(given) for given in formats)


def _compile(given: HealthCodeFormat) -> Format:
    where = f"health code format {given.name!r}"
    try:
        pattern = re.compile(given.pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{where}: bad pattern: {error}") from None
    if strange := sorted(pattern.groupindex.keys() - GROUPS):
        raise ValueError(f"{where}: unknown group {strange[0]!r}, expected {', '.join(sorted(GROUPS))}")
    if given.colours and "colour" not in pattern.groupindex:
        raise ValueError(f"{where}: has colours, but its pattern has no group (?P<colour>...)")
    if Colour.NONE in given.colours.values():
        raise ValueError(f'{where}: a code that is shown cannot have the colour "none"')
    if _effort(_parser.parse(given.pattern)) > MAX_EFFORT:
        raise ValueError(
            f"{where}: a hostile code could keep this pattern busy for ever: at most three open repeats, none of a "
            "group that itself varies; possessive ones (*+ ++ ?+) do not count"
        )
    health = given.kind == "health"
    if not health and (given.colours or given.ask):
        raise ValueError(f"{where}: a registration code has no colour: leave out colours and ask")
    if not health and not pattern.groupindex.keys() & {"id", "phone"}:
        raise ValueError(f"{where}: a registration code needs a group (?P<id>...) or (?P<phone>...)")
    return Format(given.name, pattern, given.colours, given.ask, health)


def _effort(tree: Any) -> float:
    """Upper bound of the ways a parsed pattern can match a text, as a power of MAX_TEXT; inf where exponential."""
    total = 0.0
    for operation, argument in tree:
        name = str(operation)
        if name in {"MAX_REPEAT", "MIN_REPEAT"}:
            low, high, body = argument
            inner = _effort(body)
            if low == high or high == 1:
                total += inner * high
            elif inner:
                return inf
            total += log(min(high, MAX_TEXT) - min(low, MAX_TEXT) + 1, MAX_TEXT)
        elif name == "POSSESSIVE_REPEAT":
            total += _effort(argument[2])
        elif name == "BRANCH":
            total += log(len(argument[1]), MAX_TEXT) + max(map(_effort, argument[1]))
        elif name in {"SUBPATTERN", "ASSERT", "ASSERT_NOT"}:
            total += _effort(argument[-1])
        elif name == "ATOMIC_GROUP":
            total += _effort(argument)
        elif name == "GROUPREF_EXISTS":
            total += log(2, MAX_TEXT) + sum(_effort(branch) for branch in argument[1:] if branch)
    return total
