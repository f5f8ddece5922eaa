"""`kiosk plan` on the command line."""

import json
from pathlib import Path

import pytest
from PIL import Image

from kiosk.cli import main

PLAN = ["plan", "--profile", "standard", "--people", "600", "--hours", "2"]


def test_it_tells_tables_waits_tubes_pick_ups_and_the_bottleneck(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(PLAN) == 0
    out = capsys.readouterr().out
    for word in ("tables      1", "p50", "p95", "worst", "of 10", "pick-ups", "bottleneck", "sampling", "gate"):
        assert word in out


def test_programs_get_json_and_the_same_for_the_same_seed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*PLAN, "--json", "--tables", "2"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert (first["tables"], first["people"], first["kept"]) == (2, 600, True)
    assert main([*PLAN, "--json", "--tables", "2"]) == 0
    assert json.loads(capsys.readouterr().out) == first
    assert main([*PLAN, "--json", "--tables", "2", "--seed", "2"]) == 0
    assert json.loads(capsys.readouterr().out)["waits"] != first["waits"]


def test_the_day_is_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*PLAN, "--plot", str(tmp_path / "day.png")]) == 0
    with Image.open(tmp_path / "day.png") as image:
        assert image.format == "PNG"
        assert len(image.convert("RGB").getcolors(1 << 20) or []) > 5
    assert main([*PLAN, "--people", "1", "--plot", str(tmp_path / "one.png")]) == 0


def test_a_whole_configuration_serves_as_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.support.post import PRIVATE

    config = tmp_path / "kiosk.toml"
    config.write_text(
        '[site]\ncode = "360481"\nname = "示例"\n[kiosk]\nnumber = 3\n[policy]\npool_size = 5\n'
        f'[seal]\npublic_key = "{PRIVATE.public.line()}"\n',
        "utf-8",
    )
    assert main(["plan", "--config", str(config), "--people", "100", "--hours", "1"]) == 0
    assert "of 5" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "status", "said"),
    [
        (["--profile", "nowhere"], 78, "standard"),
        (["--assume", "scan=7"], 1, "scan_s"),
        (["--assume", "scan_s=-7"], 1, "scan_s=-7"),
        (["--assume", "red=0.5x"], 1, "red=0.5x"),
    ],
)
def test_what_cannot_be_planned_is_told(
    more: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*PLAN, *more]) == status
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("more", [["--people", "0"], ["--hours", "x"], ["--tables", "100"], ["--arrivals", "never"]])
def test_a_wrong_call_is_told(more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as told:
        main([*PLAN, *more])
    assert told.value.code == 2
