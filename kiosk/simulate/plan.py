"""Who comes by and what goes wrong, as a list: pure, and the same for the same seed."""

from collections.abc import Iterator
from enum import Enum, StrEnum
from random import Random

import msgspec

from kiosk.domain import DocumentKind, Person, Private, Reason
from kiosk.identity import check_731, check_mod_11_2
from kiosk.people import person

GROUP = 10
DEMO_RESIDENTS = 34
"""The demonstration tells its mishaps within so many residents."""

_SEEDS = 200_000_000
_DOCUMENTS = {3: DocumentKind.PERMIT, 5: DocumentKind.FOREIGNER_2017, 8: DocumentKind.FOREIGNER_2023}
"""Of every ten residents these have no resident's ID card."""
_MISHAP = 0.05
"""How likely each small mishap is at each resident, outside the demonstration."""


class Way(StrEnum):
    """What somebody shows, in this order."""

    CARD_CODE = "card, then code"
    CODE_CARD = "code, then card"
    CARD = "card alone"
    CODE = "code alone"


class Card(Enum):
    """What is wrong with the card."""

    GOOD = 0
    BAD_DIGIT = 1
    UNREADABLE = 2


class Visitor(Private, msgspec.Struct, frozen=True):
    """``number`` counts from 1; residents come first, strangers who are never registered after them. ``code`` is the
    text their phone shows."""

    number: int
    person: Person
    way: Way
    code: str

    __repr__ = Private.__repr__
    __str__ = Private.__repr__


class Visit(msgspec.Struct, frozen=True):
    """Somebody comes. ``answer``: the tone they should hear; ``reason``: why they are refused; ``why``: what is special
    about it, for the log."""

    visitor: Visitor
    way: Way
    answer: str = "accepted"
    reason: Reason | None = None
    card: Card = Card.GOOD
    why: str = ""


class PowerCut(msgspec.Struct, frozen=True):
    """The daemon is killed while this visitor's card lies on the reader, and started again."""

    visitor: Visitor


class Happening(Enum):
    """What staff, printer and network do between two residents."""

    RELEASE = "release"
    CLOSE_SHORT = "close short"
    ACKNOWLEDGE = "acknowledge"
    CUT_UPLINK = "cut uplink"
    MEND_UPLINK = "mend uplink"
    ROLL_ENDS = "roll ends"
    REFILL = "refill"


Step = Visit | PowerCut | Happening


def plan(residents: int, seed: int, *, demo: bool, group: int = GROUP, phone: bool = False) -> tuple[Step, ...]:
    """Everything in order; ``group`` people are released together; ``phone``: its number is needed, and only codes tell
    it. With ``demo`` (at least DEMO_RESIDENTS, groups of ten) each mishap happens at its place, without it small ones
    happen now and then."""
    cast = _Cast(residents, seed, group, phone=phone)
    return tuple(_demo(cast) if demo else _ordinary(cast))


class _Cast:
    def __init__(self, residents: int, seed: int, group: int, *, phone: bool) -> None:
        self.group, self.phone = group, phone
        self.rng = Random(seed)
        self._first = self.rng.randrange(_SEEDS)
        self._strangers = residents
        self.residents = residents

    def resident(self, number: int, way: Way, colour: str = "0") -> Visitor:
        """``colour``: "0" green, "1" yellow, "2" red, "" a code of no known kind."""
        document = _DOCUMENTS.get(number % 10, DocumentKind.RESIDENT)
        n = self._first + number if document is DocumentKind.RESIDENT else (self._first + number) % 1_000_000
        token = "".join(self.rng.choices("ABCDEFGHJKMNPQRSTUVWXYZ23456789", k=14))
        phone = f"1{self.rng.randrange(3_000_000_000, 10_000_000_000)}"
        code = f"HC1:{colour}:{token}:{phone}" if colour else f"elsewhere:{token}"
        return Visitor(number, person(n, document), way, code)

    def stranger(self, way: Way, colour: str = "0") -> Visitor:
        self._strangers += 1
        return self.resident(self._strangers, way, colour)


def _ordinary(cast: _Cast) -> Iterator[Step]:
    last, before = Way.CARD, None
    rng = cast.rng
    for number in range(1, cast.residents + 1):
        last = _way(rng, last)
        foreign = rng.random() < _MISHAP and last in (Way.CARD_CODE, Way.CODE_CARD)
        visitor = cast.resident(number, last, "" if foreign else "0")
        if rng.random() < _MISHAP:
            yield from _red(cast)
        if rng.random() < _MISHAP:
            yield from _bad_digit(cast)
        elif rng.random() < _MISHAP and last is not Way.CODE:  # a second "once more" at once would be taken for noise
            yield _unreadable(visitor)
        lacks = cast.phone and last is Way.CARD
        yield _flagged(visitor) if foreign else Visit(visitor, last, "flagged" if lacks else "accepted")
        if rng.random() < _MISHAP and before is not None:  # not at once: the reader takes it for a card left lying
            yield _again(before)
        before = visitor if last is not Way.CODE else None
        if number % cast.group == 0:
            yield Happening.RELEASE
    yield from _end(cast)


def _demo(cast: _Cast) -> Iterator[Step]:
    alone = {3: Way.CARD, 11: Way.CODE}
    earlier: dict[int, Visitor] = {}
    for number in range(1, cast.residents + 1):
        way = alone.get(number, cast.rng.choice((Way.CARD_CODE, Way.CODE_CARD)))
        visitor = earlier[number] = cast.resident(number, way, "" if number == 24 else "0")
        yield from _mishaps_before(number, visitor, earlier, cast)
        yield _flagged(visitor) if number == 24 else Visit(visitor, way)
        if number % GROUP == 0 and number not in (20, 30):
            yield Happening.RELEASE
    yield from _end(cast)


def _mishaps_before(number: int, visitor: Visitor, earlier: dict[int, Visitor], cast: _Cast) -> Iterator[Step]:
    match number:
        case 5:
            yield _again(earlier[2])
        case 7:
            yield from _bad_digit(cast)
        case 9:
            yield _unreadable(visitor)
        case 12:
            yield Happening.ROLL_ENDS
            yield Happening.CUT_UPLINK
        case 14:
            yield from _red(cast)
        case 16:
            yield PowerCut(visitor)
        case 26:
            yield Happening.MEND_UPLINK
        case 31:
            why = "two full groups wait for labels"
            yield Visit(visitor, Way.CARD, "refused", Reason.PRINTER, why=why)
            yield Happening.REFILL
            yield Happening.RELEASE
            yield Happening.RELEASE


def _end(cast: _Cast) -> Iterator[Step]:
    if cast.residents % cast.group:
        yield Happening.CLOSE_SHORT
        yield Happening.RELEASE


def _way(rng: Random, last: Way) -> Way:
    """A code that comes alone soon after a card that came alone would be taken for its other half."""
    ways = {Way.CARD_CODE: 45, Way.CODE_CARD: 40, Way.CARD: 10, Way.CODE: 0 if last is Way.CARD else 5}
    return rng.choices(list(ways), list(ways.values()))[0]


def _again(visitor: Visitor) -> Visit:
    return Visit(visitor, Way.CARD, "repeat", Reason.REPEAT, why="comes a second time")


def _flagged(visitor: Visitor) -> Visit:
    return Visit(visitor, visitor.way, "flagged", why="unknown code")


def _unreadable(visitor: Visitor) -> Visit:
    return Visit(visitor, Way.CARD, "retry", Reason.UNREADABLE, Card.UNREADABLE, why="the card cannot be read")


def _bad_digit(cast: _Cast) -> Iterator[Step]:
    stranger = cast.stranger(Way.CARD)
    yield Visit(stranger, Way.CARD, "retry", Reason.BAD_NUMBER, Card.BAD_DIGIT, why="wrong check digit")


def _red(cast: _Cast) -> Iterator[Step]:
    stranger = cast.stranger(Way.CARD_CODE, "2")
    yield Visit(stranger, Way.CARD_CODE, "refused", Reason.RED, why="red code")
    yield Happening.ACKNOWLEDGE


def with_wrong_digit(person: Person) -> Person:
    """The same person with a document number whose check digit is wrong."""
    body = person.number[:-1]
    check = check_731 if person.document is DocumentKind.FOREIGNER_2017 else check_mod_11_2
    wrong = next(digit for digit in "0123456789" if digit != check(body))
    return msgspec.structs.replace(person, number=body + wrong)
