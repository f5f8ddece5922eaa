"""(h) A day before it exists: `kiosk plan` for 10,000 people, from the profile to the answer."""

import time
from pathlib import Path

from kiosk.plan.answer import plan
from kiosk.plan.site import setup
from tests.bench.measure import Samples, Section, Target, number

PEOPLE, HOURS = 10_000, 10
LIMIT_S = 5.0


def run(_folder: Path, scale: float) -> Section:
    samples, rows = Samples("all"), []
    for arrivals in ("peak", "even", "slots"):
        for _ in range(max(1, round(3 * scale))):
            began = time.perf_counter()
            answer = plan(setup("standard", None), PEOPLE, HOURS, arrivals=arrivals)
            samples.add(took := time.perf_counter() - began)
        rows.append((arrivals, str(answer.tables), number(answer.waits.p95), number(took)))
    return Section(
        "(h) A day of 10,000 people in virtual time",
        "The flows of each kiosk, step by step, for as many days as it takes to find the least number of tables.",
        ("arrivals", "tables", "p95 of the waits, min", "s"),
        rows,
        [Target("median of all", samples.median, LIMIT_S, " s")],
    )
