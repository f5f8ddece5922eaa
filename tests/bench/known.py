"""(i) A million known people: is this one registered already, and what does the roster say of them?"""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from kiosk.domain import Category, Stamp, Trust
from kiosk.flows.registration import Registration
from kiosk.growing import GrowingMap
from kiosk.roster import codec
from kiosk.roster.entry import Entry
from kiosk.roster.shelf import NAME, Shelf
from kiosk.seal import PrivateKeys
from tests.bench.measure import Samples, Section, Target, interleave, number

MILLION = 1_000_000
LOOK_UPS = 20_000
BATCH = 20
AT = Stamp(1_650_000_000_000, 0, trust=Trust.NTP)

ABOUT = """\
One thread, digests in RAM or, for the roster, in a mapped file of 35 bytes a person. Each sample is the mean of 20
look-ups of people spread over all; every other one is known. Bare: the same look-ups in one Python dict, which a
kiosk does not have: it would have to be copied for each person."""


def run(folder: Path, scale: float) -> Section:
    people = round(MILLION * min(1.0, scale))
    digests = [_digest(str(n)) for n in range(2 * people)]
    bare = {digests[n]: n for n in range(people)}
    seen: GrowingMap[bytes, int] = GrowingMap()
    for n in range(people):
        seen = seen.add(digests[n], n + 1)
    registration = Registration(people=people, seen=seen)
    shelf, size, took = _shelf(folder, people)
    which = iter(range(0, 2 * people, max(1, 2 * people // (3 * LOOK_UPS + 3))))
    samples = Samples("dict"), Samples("registered"), Samples("roster")
    looks: tuple[Callable[[bytes], object], ...] = (
        bare.get,
        registration.person,
        lambda digest: shelf.listed(digest, AT),
    )

    def work(look: Callable[[bytes], object]) -> Callable[[], object]:
        def batch() -> None:
            start = next(which)
            for step in range(BATCH):
                look(digests[(start + step * 7919) % len(digests)])

        return batch

    interleave(LOOK_UPS // BATCH, *zip(samples, map(work, looks), strict=True))
    rows = [
        (
            name,
            number(each.median / BATCH * 1e6),
            number(each.p99 / BATCH * 1e6),
            f"{each.median / samples[0].median:.1f}×",
        )
        for name, each in zip(("a bare dict", "registered in this round", "on the roster"), samples, strict=True)
    ]
    rows.append(("the roster taken and opened", number(took * 1e6), "", ""))
    limit = 1000.0
    return Section(
        title="(i) Known people",
        about=ABOUT,
        columns=(f"of {people:,}", "median µs", "p99 µs", "ratio"),
        rows=rows,
        targets=[
            Target("seen before, median", samples[1].median / BATCH * 1e6, limit, " µs"),
            Target("what the roster says, median", samples[2].median / BATCH * 1e6, limit, " µs"),
            Target("bytes of the roster's records a person", size / people, 40.0),
        ],
    )


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _shelf(folder: Path, people: int) -> tuple[Shelf, int, float]:
    """The shelf, the bytes of its records, and the seconds it took to take the file."""
    keys = PrivateKeys.generate()
    entries = [
        Entry(row=n + 1, name="x", number=str(n), place=f"{n % 500}", every=5, last=19_000) for n in range(people)
    ]
    data = codec.make(
        entries,
        site="360481",
        made=1,
        key=bytes(8),
        digest=_digest,
        seal=keys.public.seal,
        sign=keys.sign,
    )
    size = len(codec.split(data).records)
    shelf = Shelf(folder, "360481", (keys.public.verify,), lambda: bytes(8), {Category.KEY: 5})
    began = time.perf_counter()
    shelf.take(data)
    took = time.perf_counter() - began
    assert (folder / NAME).exists()
    return shelf, size, took
