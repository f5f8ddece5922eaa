"""Journals of many people, made by the real flows in virtual time: one person a second, every label printed, every
group released. Only the sealed boxes are not sealed: random bytes of the same size, as nothing here opens them."""

import os
import time
from pathlib import Path

import msgspec

from kiosk.config import Policy
from kiosk.domain import DocumentKind, Stamp, Subject, Trust
from kiosk.events import ButtonPressed, CardPresented, Event, PowerOn, PrintSucceeded
from kiosk.facts import Entry
from kiosk.ids import uuid7
from kiosk.journal import Journal
from kiosk.people import person
from kiosk.runner import ENTRY_VERSION, SNAPSHOT_EVERY
from kiosk.seal import PrivateKeys, Sealer
from kiosk.site import SCHEMA, Setup, Site, decide

POLICY = {"health_code": "off", "round": "manual"}
"""For the configuration of a kiosk that goes on with such a journal."""

_BATCH = 5000
_BOOT = b"virtual!"


def build(path: Path, people: int, *, snapshot: bool) -> int:
    """Makes the journal at ``path`` and returns how many facts it holds. ``snapshot``: with the snapshots that the
    runner would have made on the way."""
    path.parent.mkdir(parents=True, exist_ok=True)
    setup = Setup("360481", 1, msgspec.convert(POLICY, Policy))
    site, rows, saved = Site(setup), list[tuple[bytes, bytes]](), 0
    encode = msgspec.msgpack.Encoder().encode
    box = len(Sealer(PrivateKeys.generate().public, bytes(32)).subject(person(0)).box)
    wall = time.time_ns() // 1_000_000 - people * 1000
    with Journal.open(path) as journal:

        def happens(event: Event, second: int) -> None:
            nonlocal site
            at = Stamp(wall + second * 1000, 5_000 + second * 1000, _BOOT, Trust.NTP)
            site, facts, orders = decide(site, event, at)
            rows.extend((uuid7(at.wall), encode(Entry(ENTRY_VERSION, at, fact))) for fact in facts)
            for order in orders:
                happens(PrintSucceeded(order.tube, 1, confirmed=True), second)
            if orders:
                happens(ButtonPressed("release", 500), second)

        happens(PowerOn("0"), 0)
        for n in range(people):
            happens(CardPresented(Subject(os.urandom(16), os.urandom(box)), DocumentKind.RESIDENT), n)
            if len(rows) >= _BATCH or n == people - 1:
                journal.append(rows)
                rows.clear()
                if snapshot and journal.head - saved >= SNAPSHOT_EVERY:
                    saved = journal.head
                    journal.save_snapshot(saved, SCHEMA, site.dump())
        return journal.head
