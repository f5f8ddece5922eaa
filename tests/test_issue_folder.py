"""What root's programs tell the daemon, and what else may lie in that folder."""

from pathlib import Path

import pytest

from kiosk.health import desk_faults
from kiosk.issue_folder import NAME, read, remembered, take_back, tell
from kiosk.simulate.rig import Rig
from tests.support.site_day import until


def test_told_and_taken_back(tmp_path: Path) -> None:
    folder = tmp_path / NAME
    assert read(folder) == {}
    tell(folder, "slot-damaged", "旧的 send\nthe card in")
    tell(folder, "data-repaired", "export")
    assert read(folder) == {"data-repaired": "export", "slot-damaged": "旧的 send the card in"}
    tell(folder, "data-repaired", "export, then change the card")
    take_back(folder, "slot-damaged")
    take_back(folder, "never-told")
    assert read(folder) == {"data-repaired": "export, then change the card"}
    assert [path.name for path in folder.iterdir()] == ["data-repaired.json"]


def test_some_end_by_themselves(tmp_path: Path) -> None:
    tell(tmp_path, "export-failed", "the stick is full", for_s=600)
    assert list(read(tmp_path)) == ["export-failed"]
    assert read(tmp_path, now=10.0**9) == {}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.json", b""),
        ("list.json", b"[]"),
        ("no-hint.json", b'{"hin": ""}'),
        ("number.json", b'{"hint": 7}'),
        ("binary.json", b"\xff\xfe{}"),
        ("large.json", b'{"hint": "' + b"x" * 5000 + b'"}'),
        ("BIG.json", b'{"hint": "x"}'),
        ("with space.json", b'{"hint": "x"}'),
        ("half.new", b'{"hint": "x"}'),
    ],
)
def test_what_is_no_issue_is_passed_over(tmp_path: Path, name: str, content: bytes) -> None:
    tell(tmp_path, "slot-damaged", "send the card in")
    (tmp_path / name).write_bytes(content)
    (tmp_path / "folder.json").mkdir()
    assert list(read(tmp_path)) == ["slot-damaged"]


async def test_the_daemon_says_it(tmp_path: Path) -> None:
    tell(tmp_path / NAME, "data-repaired", "the data partition was damaged")
    async with Rig(tmp_path) as rig:
        await rig.start()

        def codes() -> set[str]:
            return {issue["code"] for issue in rig.status().get("issues", ())}

        def lamp() -> str:
            return rig.panel.state.lamps["fault"] if rig.panel.state else ""

        await until(lambda: "data-repaired" in codes() and lamp() == "off", "it waits for the technician")
        tell(tmp_path / NAME, "data-set-aside", "put in a new card")
        await until(lambda: lamp() != "off", "the desk sees it")
        for code in ("data-repaired", "data-set-aside"):
            take_back(tmp_path / NAME, code)
        await until(lambda: "data-set-aside" not in codes() and lamp() == "off", "it is over")
        assert "data-repaired" in codes(), "that stays with the card"


def test_the_codes_for_the_technician_alone() -> None:
    from kiosk.health import Issue

    assert desk_faults((Issue("update-trial", 0, ""), Issue("number-taken", 0, ""))) == ("number-taken",)


def test_damage_to_the_card_is_told_after_every_later_start(tmp_path: Path) -> None:
    others = {"slot-damaged": "send the card in"}
    assert remembered(others, tmp_path) == others
    assert remembered(others | {"data-repaired": "export"}, tmp_path) == others | {"data-repaired": "export"}
    assert remembered(others, tmp_path) == others | {"data-repaired": "export"}
    assert remembered({}, tmp_path / "another card") == {}
