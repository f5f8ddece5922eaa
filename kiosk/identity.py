"""Numbers on Chinese identity documents: their forms and check digits.

Sources: GB 11643 (resident number), GB/T 17710 and ISO 7064 MOD 11-2 (its check), ICAO 9303 (weights 7-3-1 of the
foreigner number before 2023). Regions are not looked up: those of people registered long ago are often abolished,
and residence permits and foreigner cards carry 8x and 9x.
"""

import re
from operator import mul

from kiosk.domain import DocumentKind

_FORMS = {
    DocumentKind.RESIDENT: re.compile(r"[0-9]{17}[0-9X]"),
    DocumentKind.PERMIT: re.compile(r"8[0-9]{16}[0-9X]"),
    DocumentKind.FOREIGNER_2017: re.compile(r"[A-Z]{3}[0-9]{12}"),
    DocumentKind.FOREIGNER_2023: re.compile(r"9[0-9]{16}[0-9X]"),
}
_KINDS_BY_FORM = (  # the narrow forms first: a resident's number could look like any of 18 digits
    DocumentKind.PERMIT,
    DocumentKind.FOREIGNER_2023,
    DocumentKind.RESIDENT,
    DocumentKind.FOREIGNER_2017,
)


_WEIGHTS = tuple(2 ** (17 - i) % 11 for i in range(17))


def normalise(number: str) -> str:
    """The number as it is compared and digested: no blanks around it, upper case (a card may hold ``x``)."""
    return number.strip(" \0").upper()


def check_mod_11_2(body: str) -> str:
    """The check character, "0" to "9" or "X", of 17 digits."""
    total = sum(map(mul, map(int, body), _WEIGHTS))
    return "10X98765432"[total % 11]


def check_731(body: str) -> str:
    """The check digit of letters and digits with the weights 7, 3, 1 repeated; A counts 10, Z counts 35."""
    return str(sum(int(char, 36) * (7, 3, 1)[i % 3] for i, char in enumerate(body)) % 10)


def number_fault(kind: DocumentKind, number: str) -> str | None:
    """What is wrong with a normalised number on a document of this kind, or None. Never repeats the number."""
    if not _FORMS[kind].fullmatch(number):
        return "wrong form"
    check = check_731 if kind is DocumentKind.FOREIGNER_2017 else check_mod_11_2
    return None if check(number[:-1]) == number[-1] else "wrong check digit"


def kind_of(number: str) -> DocumentKind | None:
    """Which document a normalised number belongs to, by its form and check digit alone; None for no such number."""
    return next((kind for kind in _KINDS_BY_FORM if number_fault(kind, number) is None), None)
