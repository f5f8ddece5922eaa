"""`kiosk simulate`: the demonstration from end to end, and checks that catch what they are for."""

import contextlib
import io
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import msgspec
import pytest
import zxingcpp
from PIL import Image
from rich.console import Console

from kiosk.cli import main
from kiosk.domain import DocumentKind, Reason
from kiosk.facts import Bound, Entry, GroupReleased, LabelPrinted, Refused, TubeOpened
from kiosk.panel import STARTING, Panel
from kiosk.simulate import checks
from kiosk.simulate.evidence import Evidence, Record, Traces
from kiosk.simulate.folder import OutFolder
from kiosk.simulate.picture import Picture
from kiosk.simulate.plan import Card, Happening, PowerCut, Visit, Way, plan
from kiosk.simulate.scene import Group, Scene, Tube
from kiosk.simulate.screen import LiveView, PlainView, choose_view

replace = msgspec.structs.replace


class Run(NamedTuple):
    status: int
    said: str
    folder: Path
    evidence: Evidence


def run(folder: Path, *arguments: str) -> Run:
    said, seen = io.StringIO(), []
    judge = checks.judge

    def spy(evidence: Evidence) -> list[tuple[str, list[str]]]:
        seen.append(evidence)
        return judge(evidence)

    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said):
        patch.setattr(checks, "judge", spy)
        status = main(["simulate", "--speed", "100", "--out", str(folder), *arguments])
    return Run(status, said.getvalue(), folder, seen[0])


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(tmp_path_factory.mktemp("demo"), "--demo")


# The demonstration ----------------------------------------------------------------------------------------------------


def test_the_demonstration_holds(demo: Run) -> None:
    assert "FAILED" not in demo.said
    assert demo.status == 0
    for line in (
        "34 registered, 34 were told so, 34 at the command post",
        "4 closed: 3 × 10/10, 1 × 4/10",
        "4 closed, 4 released",
        "5: bad-number 1, printer 1, red 1, repeat 1, unreadable 1",
        "nothing lost, nothing doubled",
        "4 printed, 4 read again",
        f"all {len(checks.CHECKS)} checks hold",
    ):
        assert line in demo.said


def test_the_demonstration_tells_every_mishap(demo: Run) -> None:
    for words in (
        "comes a second time",
        "red code",
        "wrong check digit",
        "cannot be read",
        "label not printed: out of paper",
        "a new roll",
        "the uplink is cut",
        "the uplink is back",
        "kill -9",
        "the bar stands at 5/10 again",
        "holds the button",
        "4/10 不足",
    ):
        assert words in demo.said
    assert "\x1b" not in demo.said


def test_its_labels_are_pictures_that_read(demo: Run) -> None:
    files = sorted(demo.folder.glob("label-*.png"))
    assert len(files) == 4
    for file, label in zip(files, demo.evidence.labels, strict=True):
        (code,) = zxingcpp.read_barcodes(Image.open(file))
        assert (code.text,) == label.reads


def test_no_name_and_number_is_told(demo: Run) -> None:
    told = demo.said + "".join(path.read_text() for path in demo.folder.glob("*.[lt]*"))
    for visit in demo.evidence.told:
        assert visit.visitor.person.number not in told
        assert visit.visitor.person.name not in told


def test_without_mosquitto_and_mishaps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosk.simulate.brokers.find_mosquitto", lambda: None)
    ended = run(tmp_path, "--residents", "10", "--seed", "9")
    assert ended.status == 0, ended.said
    assert "broker embedded" in ended.said
    assert "1 closed: 1 × 10/10" in ended.said


# The checks -----------------------------------------------------------------------------------------------------------


def without(evidence: Evidence, kind: type) -> Evidence:
    """The journal without its last fact of this kind."""
    last = max(n for n, entry in enumerate(evidence.entries) if isinstance(entry.fact, kind))
    return replace(evidence, journal=evidence.journal[:last] + evidence.journal[last + 1 :])


def altered(evidence: Evidence, kind: type, **changes: object) -> Evidence:
    """The journal with its last fact of this kind changed."""
    last = max(n for n, entry in enumerate(evidence.entries) if isinstance(entry.fact, kind))
    record, entry = evidence.journal[last], evidence.entries[last]
    body = msgspec.msgpack.encode(Entry(entry.version, entry.at, replace(entry.fact, **changes)))
    journal = (*evidence.journal[:last], Record(record.seq, record.id, body), *evidence.journal[last + 1 :])
    return replace(evidence, journal=journal)


def relabelled(evidence: Evidence, **changes: object) -> Evidence:
    first, *rest = evidence.labels
    return replace(evidence, labels=(first._replace(**changes), *rest))


MUTANTS: dict[str, tuple[Callable[[Evidence], Evidence], checks.Check]] = {
    "a person lost on the way": (lambda e: replace(e, at_post=e.at_post[1:]), checks.post_has_everybody),
    "a person doubled": (lambda e: replace(e, at_post=(*e.at_post, e.at_post[7])), checks.post_has_everybody),
    "a stranger": (lambda e: replace(e, at_post=(*e.at_post, "11010519491231002X")), checks.post_has_everybody),
    "green without a record": (lambda e: replace(e, in_journal=e.in_journal[:-1]), checks.journal_has_everybody),
    "a record without green": (lambda e: replace(e, told=e.told[1:]), checks.journal_has_everybody),
    "green twice": (lambda e: replace(e, told=(*e.told, e.told[0])), checks.journal_has_everybody),
    "a wrong answer": (lambda e: replace(e, told=(e.told[0]._replace(answer="refused"), *e.told[1:])), checks.answers),
    "a wrong reason": (lambda e: altered(e, Refused, reason=Reason.YELLOW), checks.refusals),
    "a refusal lost": (lambda e: without(e, Refused), checks.refusals),
    "nobody's swab": (lambda e: without(e, Bound), checks.tubes_hold),
    "a place taken twice": (lambda e: altered(e, Bound, position=1), checks.tubes_hold),
    "a place beyond the tube": (lambda e: altered(e, Bound, position=11), checks.tubes_hold),
    "a number given twice": (lambda e: altered(e, TubeOpened, tube=e.labels[0].reads[0]), checks.tubes_hold),
    "a label missing": (lambda e: replace(e, labels=e.labels[:2] + e.labels[3:]), checks.labels_match),
    "a label doubled": (lambda e: replace(e, labels=(*e.labels, e.labels[0])), checks.labels_match),
    "a label of no tube": (lambda e: relabelled(e, reads=("3604810107500016",)), checks.labels_match),
    "a label of another tube": (lambda e: relabelled(e, reads=e.labels[1].reads), checks.labels_match),
    "an unreadable label": (lambda e: relabelled(e, reads=()), checks.labels_match),
    "labels out of order": (lambda e: replace(e, labels=e.labels[::-1]), checks.labels_match),
    "another picture": (lambda e: relabelled(e, picture=e.labels[1].picture), checks.labels_tell),
    "a group kept": (lambda e: without(e, GroupReleased), checks.groups_went),
    "a group without its label": (lambda e: without(e, LabelPrinted), checks.groups_went),
    "a fact lost": (lambda e: replace(e, received=e.received[1:]), checks.facts_arrived),
    "a fact doubled": (lambda e: replace(e, received=(*e.received, e.received[0])), checks.facts_arrived),
    "a fact changed": (
        lambda e: replace(e, received=(e.received[0]._replace(body=b"?"), *e.received[1:])),
        checks.facts_arrived,
    ),
    "facts not acknowledged": (lambda e: replace(e, acked=e.acked - 1), checks.facts_arrived),
    "the post complains": (lambda e: replace(e, complaints=("a fork",)), checks.facts_arrived),
    "a person forgotten by a restart": (lambda e: replace(e, restarts=((5, 4),)), checks.resumed),
    "a name in a log": (lambda e: replace(e, leaks=("kiosk.log",)), checks.nothing_leaked),
    "a daemon that crashed": (lambda e: replace(e, exit_status=1), checks.stopped_in_order),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_caught(demo: Run, name: str) -> None:
    mutate, check = MUTANTS[name]
    assert not list(check(demo.evidence))
    assert list(check(mutate(demo.evidence)))


def test_every_check_has_a_mutant() -> None:
    assert {check for _, check in MUTANTS.values()} == set(checks.CHECKS)


def test_a_failed_check_is_told_and_decides_the_exit_status(
    demo: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ended(*_: object) -> Evidence:
        return relabelled(demo.evidence, reads=())

    monkeypatch.setattr("kiosk.simulate.main._run", ended)
    failed = run(tmp_path)
    assert failed.status == 1
    assert "FAILED Every tube has its label" in failed.said
    assert "label-01.png: the barcode reader finds 0 numbers" in failed.said
    assert f"1 of {len(checks.CHECKS)} checks FAILED" in failed.said


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "gbk"])
def test_personal_data_is_found_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    visitors = [step.visitor for step in plan(34, 1, demo=True) if isinstance(step, Visit)]
    found = next(visitor for visitor in visitors if len(visitor.person.name) == 3)
    for word in (found.person.number, found.person.name, found.code):
        traces = Traces(visitors)
        traces.look_into("nothing", b"\0" * 99)
        (tmp_path / "log").write_bytes(b"before " + word.encode(encoding) + b" after")
        traces.look_around(tmp_path, "now")
        assert traces.found == ("log now",)


# The plan -------------------------------------------------------------------------------------------------------------


def people(residents: int, seed: int, *, demo: bool = False) -> list[str]:
    steps = plan(residents, seed, demo=demo)
    return [step.visitor.person.number + step.visitor.code for step in steps if isinstance(step, Visit)]


def test_the_same_seed_brings_the_same_people() -> None:
    assert people(34, 5, demo=True) == people(34, 5, demo=True)
    assert people(200, 5) == people(200, 5)
    assert not set(people(200, 5)) & set(people(200, 6))


def test_the_demonstration_has_everything() -> None:
    steps = plan(34, 1, demo=True)
    visits = [step for step in steps if isinstance(step, Visit)]
    accepted = [visit for visit in visits if visit.answer in checks.GREEN]
    assert [visit.visitor.number for visit in accepted] == list(range(1, 35))
    cards = set(DocumentKind) - {DocumentKind.PASSPORT, DocumentKind.PAPER}
    assert {visit.visitor.person.document for visit in accepted} == cards
    assert {visit.way for visit in accepted} == set(Way)
    assert {visit.card for visit in visits} == set(Card)
    assert {step for step in steps if isinstance(step, Happening)} == set(Happening)
    assert any(isinstance(step, PowerCut) for step in steps)


@pytest.mark.parametrize("seed", range(20))
def test_any_plan_can_be_told_apart(seed: int) -> None:
    """Everybody comes once and is another person; a code alone never follows a card alone."""
    visits = [step for step in plan(300, seed, demo=False) if isinstance(step, Visit)]
    accepted = [visit for visit in visits if visit.answer in checks.GREEN]
    assert Counter(visit.visitor.number for visit in accepted) == dict.fromkeys(range(1, 301), 1)
    assert len({visit.visitor.person.number for visit in accepted}) == 300
    ways = [visit.way for visit in accepted]
    assert (Way.CARD, Way.CODE) not in set(pairwise(ways))


# The call -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ("--residents", "0"),
        ("--residents", "-3"),
        ("--residents", "many"),
        ("--speed", "0"),
        ("--speed", "-1"),
        ("--speed", "nan"),
        ("--speed", "inf"),
        ("--seed", "x"),
        ("--demo", "--residents", "20"),
    ],
)
def test_a_wrong_call_is_answered(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["simulate", *arguments])
    assert ended.value.code == 2
    assert "kiosk simulate: error: " in capsys.readouterr().err


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "label-01.png").write_text("mine")
    (tmp_path / "notes").write_text("mine")
    first = OutFolder(tmp_path)
    with pytest.raises(FileExistsError, match=r"label-01.png was not made by a simulation"):
        first.place("label-01.png")
    first.place("label-02.png").write_text("made")
    second = OutFolder(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name[0] != ".") == ["label-01.png", "notes"]
    assert second.place("label-02.png") == tmp_path / "label-02.png"


def test_a_folder_that_is_none_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["simulate", "--out", str(tmp_path / "file")]) == 1
    assert "is no folder" in capsys.readouterr().err


def test_a_daemon_that_does_not_start_shows_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho the card is worn out\nexit 70\n")
    broken.chmod(0o755)
    monkeypatch.setattr("kiosk.simulate.rig.sys.executable", str(broken))
    assert main(["simulate", "--out", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert "the kiosk ended with status 70 instead of starting" in error
    assert "the card is worn out" in error


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "kiosk", "simulate", "--demo", "--out", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as process:
        for line in process.stdout or ():
            if b"resident 01" in line:
                break
        assert len(list(processes_of(process.pid))) >= 3
        process.send_signal(number)
        _, error = process.communicate(timeout=30)
    assert process.returncode == 130
    assert error.decode() == "kiosk simulate: stopped before the end\n"
    assert not list(processes_of(process.pid))


def processes_of(session: int) -> Iterator[int]:
    """The processes of a session, from proc_pid_stat(5)."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                state, _, _, its = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
                if int(its) == session and state != "Z":
                    yield int(entry.name)


# The live view --------------------------------------------------------------------------------------------------------


def scene(panel: Panel | None, tmp_path: Path) -> Scene:
    rig = SimpleNamespace(
        config=SimpleNamespace(site=SimpleNamespace(name="朝阳门社区 03号点")),
        panel=SimpleNamespace(state=panel, online=panel is not None),
        status=lambda: {"devices": {"card": "online", "printer": "offline"}, "journal": {"acked": 33}},
        entries=lambda _after: [],
    )
    made = Scene(rig, 34, "mosquitto", lambda _: None)
    made.tubes["3604810107500011"] = Tube("3604810107500011", 10, 10, "failed", "out of paper", 1)
    made.groups = [Group(1, 10, closed=True, released=True), Group(2, 10, closed=True), Group(3, 4)]
    made.people, made.facts, made.running, made.broker_up = 24, 70, True, False
    made.say("person", "居民 resident 24: " + "很长 " * 60)
    return made


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (160, 50)])
@pytest.mark.parametrize("lit", [True, False])
def test_the_live_view_fits_and_tells(tmp_path: Path, size: tuple[int, int], lit: bool) -> None:
    lamps = dict.fromkeys(STARTING.lamps, "off") | {"go": "on", "alarm": "blink"}
    panel = replace(STARTING, lamps=lamps, bar=4, buzzer="accepted", signal=1) if lit else None
    console = Console(width=size[0], height=size[1], file=io.StringIO(), force_terminal=True)
    lines = console.render_lines(Picture(scene(panel, tmp_path)), console.options.update(height=size[1]))
    assert len(lines) == size[1]
    assert {sum(segment.cell_length for segment in line) for line in lines} == {size[0]}
    text = "\n".join("".join(segment.text for segment in line) for line in lines)
    for words in ("停 STOP", "请等 WAIT", "请走 GO", "放行 RELEASE", "请处置 ALARM", "故障 FAULT", "24/34"):
        assert words in text
    for words in ("out of paper", "released", "CUT", "backlog 37 of 70", "× printer"):
        assert words in text
    assert ("● 请走 GO" in text) is lit
    assert ("◎ 请处置 ALARM" in text) is lit
    assert ("全灭 no power" in text) is not lit


@pytest.mark.parametrize(
    ("terminal", "size", "rich", "kind"),
    [
        (True, (100, 30), True, LiveView),
        (False, (100, 30), True, PlainView),
        (True, (79, 30), True, PlainView),
        (True, (100, 23), True, PlainView),
        (True, (100, 30), False, PlainView),
    ],
)
def test_plain_lines_where_a_picture_would_not_do(
    terminal: bool, size: tuple[int, int], rich: bool, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kiosk.simulate.screen.shutil.get_terminal_size", lambda: size)
    monkeypatch.setattr("kiosk.simulate.screen.sys", SimpleNamespace(stdout=SimpleNamespace(isatty=lambda: terminal)))
    if not rich:
        monkeypatch.setitem(sys.modules, "rich", None)
    assert isinstance(choose_view(), kind)
