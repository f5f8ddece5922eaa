"""`kiosk report`, from a journal on disk."""

import csv
import json
from pathlib import Path

import msgspec
import pytest

from kiosk import data_folder, health
from kiosk.cli import main
from kiosk.domain import Coverage, Covered, Do
from kiosk.events import Tick
from kiosk.journal import Journal
from kiosk.roster.xlsx import read
from tests.support.desk_story import DAY_S, NOON, Story
from tests.support.post import PRIVATE

DAY = "2022-01-08"


def day() -> Story:
    story = Story(pool_size=5, group_size=5)
    story.ordered(Do.STOCK, text="labels 1000")
    story.crowd(*range(11))
    story.both("red", "red")
    story.printed()
    story.press()
    return story


@pytest.fixture
def config(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    path = tmp_path / "kiosk.toml"
    path.write_text(
        f'[site]\ncode = "360481"\nname = "示例采样点"\n[kiosk]\nnumber = 1\ndata_dir = "{data}"\n'
        f'runtime_dir = "{tmp_path}"\n[seal]\npublic_key = "{PRIVATE.public.line()}"\n',
        "utf-8",
    )
    return path


def keep(story: Story, config: Path) -> None:
    path = data_folder.journal(config.parent / "data")
    path.parent.mkdir(parents=True, exist_ok=True)
    with Journal.open(path) as journal:
        journal.append([(seq.to_bytes(16, "big"), msgspec.msgpack.encode(entry)) for seq, entry in story.entries()])


def test_the_last_day_is_told_in_chinese_first(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(day(), config)
    assert main(["report", "--config", str(config)]) == 0
    out = capsys.readouterr().out
    assert DAY in out
    for line in ("登记人数 registered", "库存 标签 labels", "待转运管 tubes waiting for a courier"):
        assert line in out


def test_programs_get_everything(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(day(), config)
    assert main(["report", "--config", str(config), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["date"], told["figures"]["counts"]["registered"], told["here"]) == (DAY, 10, 2)
    assert (told["left"], told["figures"]["counts"]["incidents.red"]) == ({"labels": 998}, 1)
    assert told["waits_s"]["p50"] <= told["waits_s"]["worst"]


def test_a_day_is_asked_for_by_name(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    story = day()
    story.tick(DAY_S)
    story.crowd("a", "b")
    keep(story, config)
    for name, people in ((DAY, 10), ("2022-01-09", 2)):
        assert main(["report", "--config", str(config), "--json", "--day", name]) == 0
        assert json.loads(capsys.readouterr().out)["figures"]["counts"]["registered"] == people
    assert main(["report", "--config", str(config), "--day", "2022-01-10"]) == 1
    assert "2022-01-10" in capsys.readouterr().err


def test_a_spreadsheet_is_written_whole(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(day(), config)
    book = config.parent / "day.xlsx"
    assert main(["report", "--config", str(config), "--xlsx", str(book)]) == 0
    rows = read(book.read_bytes())
    assert rows[1] == ["", DAY]
    assert ["登记人数 registered", "10"] in rows.values()


def test_csv_opens_in_a_spreadsheet_of_any_language(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(day(), config)
    assert main(["report", "--config", str(config), "--csv", str(config.parent / "csv")]) == 0
    files = sorted((config.parent / "csv").iterdir())
    assert [path.name for path in files] == [f"{DAY}-{name}.csv" for name in ("course", "day", "details")]
    assert all(path.read_bytes().startswith(b"\xef\xbb\xbf") for path in files)
    rows = list(csv.reader(files[1].read_text("utf-8-sig").splitlines()))
    assert ["登记人数 registered", "10"] in rows


def test_no_name_no_number_and_no_digest_is_in_a_report(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rule R7; a spreadsheet goes far."""
    story = day()
    keep(story, config)
    assert main(["report", "--config", str(config), "--json"]) == 0
    out = capsys.readouterr().out
    for _, fact in story.journal:
        digest = getattr(getattr(fact, "subject", None), "digest", b"")
        assert not digest or digest.hex() not in out
    assert "box of" not in out


def test_a_journal_without_figures_and_a_wrong_day_are_told(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(Story(), config)
    assert main(["report", "--config", str(config)]) == 1
    assert "nothing yet" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["report", "--config", str(config), "--day", "yesterday"])
    assert "2026-11-27" in capsys.readouterr().err


def test_coverage_is_that_of_the_running_kiosk_and_of_today(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(day(), config)
    roster = {"total": 100, "done": 11, "away": 0, "missing": 89, "percent": 11}
    status = health.status(health.Vitals(roster=roster), ())
    health.StatusFile(config.parent / health.STATUS_NAME).write(status)
    assert main(["report", "--config", str(config), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["coverage"] is None

    class Then:
        def now(self) -> object:
            return Story(start=NOON).at

    monkeypatch.setattr("kiosk.reports.read.SystemClock", Then)
    assert main(["report", "--config", str(config), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["coverage"] == roster


def test_coverage_of_a_day_that_is_over_is_what_was_reported(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    story = Story(setup={"report_at": 23 * 60 + 30})
    story.crowd(*range(3))
    story.wall += int(11.6 * 3_600_000)
    story.happens(Tick(Coverage(1, Covered(100, 3, 20), (Covered(60, 3, 15), Covered(40, 0, 5)))))
    keep(story, config)
    assert main(["report", "--config", str(config), "--json"]) == 0
    whole = {"total": 100, "done": 3, "away": 20, "missing": 77, "percent": 3}
    assert json.loads(capsys.readouterr().out)["coverage"] == whole
    book = config.parent / "day.xlsx"
    assert main(["report", "--config", str(config), "--xlsx", str(book)]) == 0
    assert ["花名册 roster missing", "77"] in read(book.read_bytes()).values()
    assert main(["report", "--config", str(config), "--csv", str(config.parent)]) == 0
    rows = list(csv.reader((config.parent / f"{DAY}-roster.csv").read_text("utf-8-sig").splitlines()))
    assert rows[1:] == [["1", "60", "3", "15", "42"], ["2", "40", "0", "5", "35"]]
