"""Which device is which kiosk: the codes on enrolment labels, fingerprints, and the ids kiosks were sent out with."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from nacl.signing import VerifyKey

from hub.store import Store
from kiosk import enrolment, frames
from kiosk.enrolment import Enrolment
from kiosk.seal import fingerprint

EXPECTED = ("site", "number", "id")
"""The columns of the expected.csv that `kiosk provision make` writes."""


class EnrolError(ValueError):
    """What was given enrols no kiosk; the text says why."""


def told(store: Store, words: Sequence[str]) -> Enrolment:
    """Whom these words mean: an enrolment code alone, or site, number and a key: in full, as a code, or by the
    fingerprint of a device that was seen. Raises EnrolError."""
    if len(words) == 1:
        return _code(words[0])
    if len(words) < 3:
        raise EnrolError("expected the code of an enrolment label, or site, number and key")
    site, number, key = words[0], _number(words[1]), "".join(words[2:])
    if key.upper().startswith(enrolment.PREFIX):
        named = _code(key)
        if (named.site, named.number) != (site, number):
            raise EnrolError(f"the code is of kiosk {named.site}/{named.number}, not of {site}/{number}")
        return named
    try:
        raw = bytes.fromhex(key)
    except ValueError:
        raw = b""
    if len(raw) == 32:
        return Enrolment(site, number, raw)
    if len(raw) != 8:
        raise EnrolError("the key is 64 hex digits, the code of the enrolment label, or the 16 digits of a fingerprint")
    return Enrolment(site, number, _seen(store, site, number, raw))


def _code(text: str) -> Enrolment:
    try:
        return enrolment.parse(text)
    except enrolment.EnrolmentError as error:
        raise EnrolError(str(error)) from None


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= 99):
        raise EnrolError(f"the kiosk's number: found {text!r}, expected 1 to 99")
    return int(text)


def _seen(store: Store, site: str, number: int, wanted: bytes) -> bytes:
    own = store.key(site, number)
    keys = [key for key in (own, *store.rivals(site, number)) if key is not None]
    for key in keys:
        if bytes.fromhex(fingerprint(VerifyKey(key))) == wanted:
            return key
    seen = "; ".join(fingerprint(VerifyKey(key)) for key in keys) or "none"
    raise EnrolError(f"no device with this fingerprint has claimed {site}/{number}; seen: {seen}")


def expect(path: Path) -> list[tuple[str, int, str]]:
    """Site, number and one-time id of each kiosk that was sent out. Raises EnrolError, OSError."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != EXPECTED:
            raise EnrolError(
                f"{path.name}:1: expected the columns {', '.join(EXPECTED)}, as `kiosk provision make` wrote"
            )
        out: list[tuple[str, int, str]] = []
        for row in reader:
            site, number, id_ = (str(row[column]) for column in EXPECTED)
            if not (re.fullmatch(r"[0-9]{6}", site) and re.fullmatch(r"[A-Z2-7]{16}", id_)):
                raise EnrolError(f"{path.name}:{reader.line_num}: not site, number and id: {site},{number},{id_}")
            try:
                out.append((site, _number(number), id_))
            except EnrolError as error:
                raise EnrolError(f"{path.name}:{reader.line_num}: {error}") from None
    return out


def proves(state: frames.State, id_: str) -> bool:
    """Whether the device that signed this state knows the id."""
    return state.proof == enrolment.proof(id_, VerifyKey(state.key))
