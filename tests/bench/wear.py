"""(g) What a registration writes to the card."""

import subprocess
import sys
from pathlib import Path

from kiosk import data_folder
from kiosk.journal import Journal
from kiosk.machine import MUCH_WRITTEN
from kiosk.people import person
from tests.bench.desk import Desk
from tests.bench.measure import Section, Target, number

PEOPLE = 1000
A_DAY = 4000
"""People at one table in ten hours, one each nine seconds."""

ABOUT = f"""\
`write_bytes` of /proc/PID/io: bytes the process has sent to the disk, here of the daemon over {PEOPLE:,} people at the
desk, each a card, ten a tube and a group, every label printed: the journal's -wal, its copy into the main file, and all
else the daemon writes. Not in it is what the file system adds, and what a memory card does inside. Facts: the bytes of
their ids, chain values and bodies in the same time. Floor: as many bare transactions of as many bytes as a step has, by
bare apsw with the journal's pragmas, in a process of its own.

A step is one transaction, and a transaction is whole pages of 4 KiB, once in the -wal and, shared with the steps around
it, once in the main file: that is the price of nobody being lost at a power cut. A kiosk says so (`card-writes`) when
its whole card takes more than {MUCH_WRITTEN >> 30} GiB in a day."""

FLOOR = """
import os, sys, apsw
path, count, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
db = apsw.Connection(path)
db.pragma("journal_mode", "wal")
db.pragma("synchronous", "full")
db.execute("CREATE TABLE t(seq INTEGER PRIMARY KEY, body BLOB NOT NULL)")
for _ in range(count):
    with db:
        db.execute("INSERT INTO t(body) VALUES (?)", (os.urandom(size),))
print(open("/proc/self/io").read())
"""


def written(text: str) -> int:
    return int(dict(line.split(": ") for line in text.strip().splitlines())["write_bytes"])


def run(folder: Path, scale: float) -> Section:
    people = max(100, round(PEOPLE * scale))
    with Desk(folder, {"policy": {"health_code": "off"}}) as desk:
        io = Path(f"/proc/{desk.process.pid}/io")
        before, head = written(io.read_text()), facts_of(folder)[0]
        for n in range(people):
            desk.visit(person(n))
            if n % 10 == 9:
                desk.release()
        desk.rest(1.0)
        after, (_, facts) = written(io.read_text()), facts_of(folder, head)
    step = facts // people
    command = [sys.executable, "-c", FLOOR, str(folder / "floor.db"), str(people), str(step)]
    floor = written(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    rows = [
        (name, number(total / people), number(total / facts) + "×", number(total / people * A_DAY / 2**20))
        for name, total in (("facts", facts), ("bare INSERT + COMMIT", floor), ("the daemon", after - before))
    ]
    targets = [
        Target("written / bytes of the facts", (after - before) / facts, 40, "×"),
        Target("written / bare commits", (after - before) / floor, 2.5, "×"),
        Target(f"a day of {A_DAY:,} people", (after - before) / people * A_DAY / 2**20, 150, " MB"),
    ]
    return Section("(g) Wear", ABOUT, ("", "bytes a registration", "ratio", f"MB a day of {A_DAY:,}"), rows, targets)


def facts_of(folder: Path, after: int = 0) -> tuple[int, int]:
    """Head of the journal, and bytes of the facts behind ``after``."""
    with Journal.open_readonly(data_folder.journal(folder / "data")) as journal:
        rows = journal.read(after, 1 << 30, 1 << 40)
        return journal.head, sum(len(row.id) + len(row.chain) + len(row.body) for row in rows)
