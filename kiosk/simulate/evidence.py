"""What is left when the last group has gone: collected from the journal, from the command post's database, from the
printer's labels and from every file the kiosk wrote. `checks` compares it."""

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import zxingcpp
from PIL import Image

from hub.report import opened, report
from hub.store import Store
from kiosk import data_folder
from kiosk.domain import Private, Reason
from kiosk.facts import Entry, LabelWanted, Registered, TubeClosed
from kiosk.journal import Journal
from kiosk.labels import TubeLabel, render
from kiosk.seal import PrivateKeys, open_box
from kiosk.simulate.folder import OutFolder
from kiosk.simulate.plan import Visitor, Way, with_wrong_digit
from kiosk.simulate.rig import Rig

_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "gbk")
_LEAST = 6
"""Bytes of a trace at least: shorter ones turn up by chance in what is sealed."""


class Told(NamedTuple):
    """What a visitor showed, was told by lamps and tone, and should have been told."""

    visitor: Visitor
    way: Way
    answer: str
    expected: str
    reason: Reason | None

    @property
    def identity(self) -> str:
        """By what the command post knows them: the code where nothing else was shown, else the card's number."""
        return self.visitor.code if self.way is Way.CODE else self.visitor.person.number


class Record(NamedTuple):
    """One fact as it is stored, here or at the command post."""

    seq: int
    id: bytes
    body: bytes


class LabelFile(NamedTuple):
    """``reads``: what a barcode reader finds in the file."""

    path: Path
    reads: tuple[str, ...]
    picture: bytes


class Evidence(Private, msgspec.Struct, frozen=True, kw_only=True):
    """``acked``: the kiosk believes that the command post has all facts to here; ``in_journal``, ``at_post``: the
    identity of everybody registered, out of the boxes, opened with the private key; ``complaints``: what the command
    post itself found wrong; ``drawn``: tube to the pictures its label may be, as the journal tells; ``leaks``: files
    with personal data in clear; ``exit_status``: of the daemon after SIGTERM."""

    told: tuple[Told, ...]
    restarts: tuple[tuple[int, int], ...]
    journal: tuple[Record, ...]
    acked: int
    in_journal: tuple[str, ...]
    received: tuple[Record, ...]
    at_post: tuple[str, ...]
    complaints: tuple[str, ...]
    labels: tuple[LabelFile, ...]
    drawn: dict[str, tuple[bytes, ...]]
    leaks: tuple[str, ...]
    exit_status: int | None

    @property
    def entries(self) -> list[Entry]:
        return [msgspec.msgpack.decode(record.body, type=Entry) for record in self.journal]


class Traces:
    """Looks for personal data in what the kiosk leaves behind."""

    def __init__(self, visitors: Iterable[Visitor]) -> None:
        self._found: set[str] = set()
        self._words: dict[bytes, list[bytes]] = {}
        for visitor in visitors:
            person = visitor.person
            numbers = (person.number, with_wrong_digit(person).number, person.permit_number)
            phone = visitor.code.rpartition(":")[2]
            for word in (*numbers, person.name, person.latin_name, visitor.code, phone):
                self._add(word)

    def _add(self, word: str) -> None:
        for encoding in _ENCODINGS:
            with contextlib.suppress(UnicodeEncodeError):
                trace = word.encode(encoding)
                if len(trace) >= _LEAST:
                    self._words.setdefault(trace[:_LEAST], []).append(trace)

    def look_into(self, name: str, data: bytes) -> None:
        words = self._words
        for at in range(len(data) - _LEAST + 1):
            traces = words.get(data[at : at + _LEAST])
            if traces is not None and any(data.startswith(trace, at) for trace in traces):
                self._found.add(name)
                return

    def look_around(self, folder: Path, when: str) -> None:
        """Every file but the command post's keys. Files that are just being removed are passed over."""
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink() and path.parent.name != "keys":
                with contextlib.suppress(FileNotFoundError):
                    self.look_into(f"{path.relative_to(folder)} {when}", path.read_bytes())

    @property
    def found(self) -> tuple[str, ...]:
        return tuple(sorted(self._found))


def save_labels(rig: Rig, out: OutFolder) -> list[Path]:
    """The labels in the order they came out of the printer."""
    paths = [out.place(f"label-{number:02}.png") for number in range(1, len(rig.labels) + 1)]
    for path, label in zip(paths, rig.labels, strict=True):
        label.save(path)
    return paths


def collect(
    rig: Rig, told: list[Told], restarts: list[tuple[int, int]], labels: list[Path], traces: Traces, acked: int
) -> Evidence:
    """Everything but the exit status, while the daemon may still run."""
    private = PrivateKeys.parse((rig.keys / "private.key").read_text("utf-8"))
    with Journal.open_readonly(data_folder.journal(rig.config.kiosk.data_dir)) as journal:
        rows = journal.read(0, limit=1 << 30, max_bytes=1 << 40)
    records = tuple(Record(row.seq, row.id, row.body) for row in rows)
    received, at_post, complaints = _received(rig.hub_db, private)
    traces.look_into("what the printer was sent", bytes(rig.printer.received))
    traces.look_around(rig.folder, "at the end")
    evidence = Evidence(
        told=tuple(told),
        restarts=tuple(restarts),
        journal=records,
        acked=acked,
        in_journal=(),
        received=received,
        at_post=at_post,
        complaints=complaints,
        labels=tuple(_read(path) for path in labels),
        drawn={},
        leaks=traces.found,
        exit_status=None,
    )
    entries = evidence.entries
    registered = [entry.fact for entry in entries if isinstance(entry.fact, Registered)]
    return msgspec.structs.replace(
        evidence,
        in_journal=tuple(_identity(open_box(private, fact.subject.box)) for fact in registered),
        drawn=_drawn(rig, entries),
    )


def _received(db: Path, private: PrivateKeys) -> tuple[tuple[Record, ...], tuple[str, ...], tuple[str, ...]]:
    store = Store(db)
    try:
        records = tuple(Record(*row) for row in store.rows("SELECT seq, id, body FROM fact ORDER BY journal, seq"))
        people = tuple(_identity(row["subject"] or {}) for row in opened(store, private, None, None, None))
        told = report(store)
    finally:
        store.close()
    complaints = [f"{count} messages kept apart: {why}" for why, count in told.apart.items()]
    complaints += [alarm for alarm in told.alarms if "incident at " not in alarm]
    complaints += [f"journal {journal.epoch} is not sound" for journal in told.journals if not journal.sound]
    return records, people, tuple(complaints)


def _identity(box: dict[str, Any]) -> str:
    return str(box.get("code") or box.get("number", ""))


def _read(path: Path) -> LabelFile:
    with Image.open(path) as picture:
        reads = tuple(code.text for code in zxingcpp.read_barcodes(picture))
        return LabelFile(path, reads, picture.convert("1").tobytes())


def _drawn(rig: Rig, entries: list[Entry]) -> dict[str, tuple[bytes, ...]]:
    """Each pooled tube's label drawn anew from its fact: without a name, fresh and as a reprint."""
    printer, drawn = rig.label_printer, dict[str, tuple[bytes, ...]]()
    for entry in entries:
        fact = entry.fact
        if isinstance(fact, TubeClosed | LabelWanted) and fact.size > 1:
            label = TubeLabel(
                site=rig.config.site.name,
                tube=fact.tube,
                members=fact.members,
                size=fact.size,
                at=fact.at if isinstance(fact, LabelWanted) else entry.at,
                specimen=rig.config.policy.specimen,
            )
            both = (label, msgspec.structs.replace(label, reprint=True))
            pictures = (render(each, printer.label_mm, printer.dpi).tobytes() for each in both)
            drawn[fact.tube] = (*drawn.get(fact.tube, ()), *pictures)
    return drawn
