"""(e) Start of the daemon on a journal of many people, and (f) how much memory it then has."""

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from kiosk import data_folder
from kiosk.people import person
from tests.bench import history
from tests.bench.desk import Desk
from tests.bench.measure import MS, Samples, Section, Target, number, times

PEOPLE = (20_000, 100_000)
ROUNDS = 7
VISITORS = 40

ABOUT = """\
The daemon as a process of its own, from its fork to its READY=1 to the service manager (sd_notify), which it says when
runner and journal have answered. The journals were made by the real flows, one person a second, every group released.
"Whole": no snapshot, every fact is folded; "snapshot": with the last one the runner would have made. Floor: the same
interpreter importing the daemon's modules and leaving. All take turns. The files are in the page cache; a memory card
adds its reading time. 1 s here stands for 5 s on a Raspberry Pi 4.

Memory is that of the daemon's process (resident, and its peak) after the start on that journal and then 40 more people
at the desk: cards read, labels drawn, decoded again and printed, groups released, the uplink without its broker."""


def _memory(pid: int) -> tuple[float, float]:
    """Resident now and at the peak, MB."""
    text = Path(f"/proc/{pid}/status").read_text()
    now, peak = (int(re.search(rf"{key}:\s+(\d+) kB", text)[1]) for key in ("VmRSS", "VmHWM"))  # type: ignore[index]
    return now / 1024, peak / 1024


def _import() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import kiosk.cli, kiosk.app"], check=True)
    return time.perf_counter() - began


def run(folder: Path, scale: float) -> Section:
    floor = Samples("imports alone")
    series: dict[tuple[int, bool], Samples] = {(0, False): Samples("an empty journal")}
    facts, memory = {0: 0}, dict[tuple[int, bool], tuple[float, float]]()
    for people in PEOPLE:
        for snapshot in (False, True):
            name = f"{people:,} people, {'snapshot' if snapshot else 'whole'}"
            series[people, snapshot] = Samples(name)
            facts[people] = history.build(folder / name / "journal.db", round(people * scale), snapshot=snapshot)
    for turn in range(ROUNDS):
        floor.add(_import())
        for (people, snapshot), samples in series.items():
            place = folder / f"turn {turn} {samples.name}"
            there = data_folder.journal(place / "data").parent
            there.mkdir(parents=True)
            for part in (folder / samples.name).glob("journal.db*"):
                shutil.copy(part, there)
            with Desk(place, {"policy": history.POLICY}) as desk:
                samples.add(desk.ready_s)
                if turn == 0:
                    memory[people, snapshot] = _after_visitors(desk)
            shutil.rmtree(place)
    rows = [(floor.name, "", *times(floor), "", "")]
    for key, samples in series.items():
        now, peak = memory[key]
        rows.append((samples.name, f"{facts[key[0]]:,}", *times(samples, floor), number(now), number(peak)))
    twenty = [series[20_000, False], series[20_000, True]]
    targets = [Target(f"{each.name}: ready, median", each.median * MS, 1000, " ms") for each in twenty]
    targets.append(
        Target("20,000 people: resident at the peak", max(memory[20_000, s][1] for s in (False, True)), 120, " MB")
    )
    columns = ("journal", "facts", "median ms", "p99 ms", "ratio", "resident MB", "peak MB")
    return Section("(e) Start and (f) memory", ABOUT, columns, rows, targets)


def _after_visitors(desk: Desk) -> tuple[float, float]:
    for n in range(VISITORS):
        desk.visit(person(1_000_000 + n))
        if n % 10 == 9:
            desk.release()
    return _memory(desk.process.pid)
