"""What the store knows, told: per kiosk its people, tubes, groups and refusals, and what does not add up; and sealed
personal data, opened on demand."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
from nacl.signing import VerifyKey

from hub import commands, ranges
from hub.commands import CommandReport
from hub.entries import decode
from hub.ranges import Ranges
from hub.store import Store
from kiosk import facts, frames
from kiosk.domain import Subject
from kiosk.frames import State
from kiosk.seal import PrivateKeys, SealError, fingerprint, open_box


class JournalReport(msgspec.Struct):
    """One journal of one kiosk. ``missing``: ranges that lack; ``doubled``: ids found at two places; ``unknown``: facts
    of a kind this version cannot read; ``chain``: the hash chain holds from the first fact to ``upto``."""

    site: str
    kiosk: int
    epoch: str
    facts: int = 0
    upto: int = 0
    head: int = 0
    missing: Ranges = []
    people: int = 0
    tubes: int = 0
    groups: int = 0
    released: int = 0
    refused: dict[str, int] = {}
    incidents: int = 0
    unknown: int = 0
    doubled: int = 0
    forks: int = 0
    chain: bool = True

    @property
    def sound(self) -> bool:
        return self.chain and not (self.missing or self.doubled or self.forks)


class Claim(msgspec.Struct):
    """More than one device, or one that is not enrolled, goes by this number. All by their fingerprints; ``enrolled``:
    "" for none."""

    site: str
    kiosk: int
    enrolled: str
    others: list[str]


class Report(msgspec.Struct):
    journals: list[JournalReport]
    claims: list[Claim]
    commands: list[CommandReport]
    apart: dict[str, int]
    alarms: list[str]


def report(store: Store) -> Report:
    query = "SELECT journal, site, kiosk, epoch, ranges FROM journal ORDER BY site, kiosk, journal"
    journals = [_journal(store, *row) for row in store.rows(query).fetchall()]
    apart = dict(store.rows("SELECT why, count(*) FROM apart GROUP BY why ORDER BY why").fetchall())
    alarms = [
        f"{site}/{kiosk}: {what}"
        for site, kiosk, what in store.rows("SELECT site, kiosk, what FROM alarm ORDER BY alarm").fetchall()
    ]
    return Report(journals, _claims(store), commands.report(store), apart, alarms)


def _claims(store: Store) -> list[Claim]:
    places = store.rows("SELECT DISTINCT site, kiosk FROM rival ORDER BY site, kiosk").fetchall()
    return [
        Claim(
            site, kiosk, _fingerprint(store.key(site, kiosk)), [_fingerprint(key) for key in store.rivals(site, kiosk)]
        )
        for site, kiosk in places
    ]


def _fingerprint(key: bytes | None) -> str:
    return fingerprint(VerifyKey(key)) if key is not None else ""


def _journal(store: Store, number: int, site: str, kiosk: int, epoch: bytes, packed: bytes) -> JournalReport:
    there = msgspec.msgpack.decode(packed, type=Ranges)
    out = JournalReport(site, kiosk, epoch.hex(), upto=ranges.upto(there), missing=ranges.missing(there))
    row = store.rows("SELECT state FROM device WHERE site = ? AND kiosk = ?", site, kiosk).fetchone()
    if row and row[0]:
        state = msgspec.msgpack.decode(row[0], type=State)
        out.head = state.head if state.epoch == epoch else 0
    out.head = max(out.head, there[-1][1] if there else 0)
    counts, refused, ids, gone = Counter[type](), Counter[str](), set[bytes](), set[int]()
    seq, chain = 0, frames.genesis(epoch)
    for fact_seq, id_, stored, body in store.rows(
        "SELECT seq, id, chain, body FROM fact WHERE journal = ? ORDER BY seq", number
    ):
        chain = frames.link(chain, id_, body) if fact_seq == seq + 1 else stored
        if chain != stored or (fact_seq != seq + 1 and fact_seq <= out.upto):
            out.chain = False
            chain = stored
        seq = fact_seq
        out.facts += 1
        out.doubled += id_ in ids
        ids.add(id_)
        fact = _fact(body)
        counts[type(fact)] += 1
        match fact:
            case facts.Refused():
                refused[fact.reason.value] += 1
            case facts.Withdrawn() | facts.Unbound():
                gone.add(fact.person)
            case facts.Bound():  # elsewhere, by a correction
                gone.discard(fact.person)
    out.people = counts[facts.Registered] - len(gone)
    out.tubes, out.groups = counts[facts.TubeClosed], counts[facts.GroupClosed]
    out.released, out.incidents = counts[facts.GroupReleased], counts[facts.IncidentRaised]
    out.unknown, out.refused = counts[type(None)], dict(sorted(refused.items()))
    out.forks = store.rows("SELECT count(*) FROM fork WHERE journal = ?", number).fetchone()[0]
    return out


def _fact(body: bytes) -> facts.AnyFact | None:
    entry = decode(body)
    return entry.fact if entry is not None else None


def opened(
    store: Store, private: PrivateKeys, site: str | None, kiosk: int | None, tube: str | None
) -> Iterator[dict[str, Any]]:
    """Who was registered, in clear: one dict per person. ``tube``: only those whose swab is in it."""
    query = (
        "SELECT journal, site, kiosk, epoch FROM journal WHERE (?1 IS NULL OR site = ?1) AND (?2 IS NULL OR kiosk = ?2)"
    )
    for number, its_site, its_kiosk, epoch in store.rows(query, site, kiosk).fetchall():
        people: dict[int, dict[str, Any]] = {}
        for seq, body in store.rows("SELECT seq, body FROM fact WHERE journal = ? ORDER BY seq", number):
            match _fact(body):
                case facts.Registered() as fact:
                    people[fact.person] = {
                        "site": its_site,
                        "kiosk": its_kiosk,
                        "epoch": epoch.hex(),
                        "seq": seq,
                        "person": fact.person,
                        "tube": None,
                        "subject": _open(private, fact.subject),
                        "code": _open(private, fact.code),
                    }
                    if fact.contact is not None:
                        people[fact.person]["contact"] = _open(private, fact.contact)
                    if fact.guardian:
                        people[fact.person]["guardian"] = fact.guardian.hex()
                case facts.ContactGiven(person=person, contact=contact) if person in people:
                    people[person]["contact"] = _open(private, contact)
                case facts.Bound(tube=bound, person=person) if person in people:
                    people[person]["tube"] = bound
                case facts.Unbound(person=person) if person in people:
                    people[person]["tube"] = None
                case facts.Withdrawn(person=person, reason=reason) if person in people:
                    people[person]["withdrawn"] = reason.value
        yield from (row for row in people.values() if tube is None or row["tube"] == tube)


def _open(private: PrivateKeys, subject: Subject | None) -> dict[str, Any] | None:
    if subject is None:
        return None
    try:
        return open_box(private, subject.box)
    except SealError as error:
        return {"error": str(error)}
