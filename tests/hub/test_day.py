"""The command post sums up a day (rules D1, D3, D4)."""

import csv
import json
from pathlib import Path

import msgspec
import pytest
from nacl.signing import SigningKey

from hub.cli import main
from hub.store import Store
from kiosk.domain import Coverage, Covered
from kiosk.events import Tick
from kiosk.export import export
from tests.support.desk_story import Story
from tests.support.post import PRIVATE, Rows

DAY = "2022-01-08"
AT = 23 * 60 + 30


def kiosk(folder: Path, number: int, story: Story) -> None:
    rows = Rows()
    for _, entry in story.entries():
        rows.add(1, body=msgspec.msgpack.encode(entry))
    export(rows, SigningKey(bytes([number]) * 32), "360481", number, PRIVATE.public.kid, folder)


def at_work(people: int, *, report: bool = True, coverage: Coverage | None = None) -> Story:
    story = Story(pool_size=5, group_size=5, setup={"report_at": AT})
    story.crowd(*range(people))
    story.printed()
    story.press()
    if report:
        story.wall += int(11.6 * 3_600_000)
        story.happens(Tick(coverage))
    return story


@pytest.fixture
def db(tmp_path: Path) -> Path:
    (tmp_path / "private.key").write_text(PRIVATE.line() + "\n")
    return tmp_path / "hub.db"


def taken_in(db: Path, *stories: Story) -> None:
    folder = db.parent / "stick"
    for number, story in enumerate(stories, 1):
        kiosk(folder, number, story)
    assert main(["import", "--db", str(db), "--private-key", str(db.parent / "private.key"), str(folder)]) == 0
    store = Store(db)
    store.close()


def test_the_kiosks_of_a_day_are_summed(db: Path, capsys: pytest.CaptureFixture[str]) -> None:
    taken_in(db, at_work(5), at_work(10))
    capsys.readouterr()
    assert main(["report", "--db", str(db), "--day", DAY]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [(row["kiosk"], row["reported"], row["registered"], row["tubes"]) for row in rows] == [
        ("1", "in time", "5", "1"),
        ("2", "in time", "10", "2"),
        ("2", "", "15", "3"),
    ]
    assert rows[-1]["site"] == "all"


def test_who_has_not_reported_shows_and_is_an_exit_status(db: Path, capsys: pytest.CaptureFixture[str]) -> None:
    late = at_work(5, report=False)
    late.wall += 14 * 3_600_000
    late.restart(reboot=True)
    late.tick(1)
    taken_in(db, at_work(5, report=False), late)
    capsys.readouterr()
    assert main(["report", "--db", str(db), "--day", DAY, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [each["reported"] for each in told] == ["no", "late"]


def test_another_day_is_empty_and_no_day_is_a_wrong_call(db: Path, capsys: pytest.CaptureFixture[str]) -> None:
    taken_in(db, at_work(5))
    capsys.readouterr()
    assert main(["report", "--db", str(db), "--day", "2022-01-07"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("2022-01-07,all,0")
    with pytest.raises(SystemExit):
        main(["report", "--db", str(db), "--day", "today"])


def test_who_of_the_roster_came_to_the_kiosks_of_a_site_is_summed(db: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (Coverage(1, Covered(40, came, 3), (Covered(40, came, 3),)) for came in (5, 10))
    taken_in(db, at_work(5, coverage=first), at_work(10, coverage=second), at_work(5))
    capsys.readouterr()
    assert main(["report", "--db", str(db), "--day", DAY]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [(row["on roster"], row["came"]) for row in rows] == [("40", "5"), ("40", "10"), ("", ""), ("40", "15")]
    assert main(["report", "--db", str(db), "--day", DAY, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told[0]["coverage"] == [{"roster": 1, "all": [40, 5, 3], "places": [[40, 5, 3]]}]
    assert [len(each["coverage"]) for each in told] == [1, 1, 0]
