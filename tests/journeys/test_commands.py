"""Orders of the command post at a kiosk that works, and a kiosk whose program is on trial."""

import time
from pathlib import Path

import msgspec
import pytest

from hub.cli import main as hub_command
from kiosk import requests
from kiosk.facts import CommandEnded, CommandTaken
from kiosk.people import person
from kiosk.requests import Root
from tests.support.site_day import SiteDay, open_site, until
from tests.test_commands import SSH


def order(day: SiteDay, tmp_path: Path, *what: str, capsys: pytest.CaptureFixture[str]) -> tuple[Path, str]:
    """A signed command as a file, and as the text of a code."""
    file, key = tmp_path / "order.command", tmp_path / "id.pub"
    key.write_text(SSH)
    keys = ["--db", str(day.rig.hub_db), "--private-key", str(day.rig.keys / "private.key")]
    assert hub_command(["command", *keys, "--file", str(file), "360481", "1", *what]) == 0
    return file, capsys.readouterr().out.splitlines()[-1]


def as_root(day: SiteDay, tmp_path: Path, do: str, answer: str) -> None:
    """What the unit does: nothing but the signature is believed."""
    etc = tmp_path / "etc"
    etc.mkdir(exist_ok=True)
    root = Root(day.rig.config, etc, time.time_ns() // 1_000_000)
    work = root.take(do)
    assert work is not None
    root.answer(work.command, "done", answer)


async def test_a_code_opens_a_shell_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with open_site(tmp_path / "kiosk") as day:
        _, code = order(day, tmp_path, "shell", "--hours", "4", "--key-file", str(tmp_path / "id.pub"), capsys=capsys)
        assert day.rig.scanner is not None
        request = day.rig.config.kiosk.runtime_dir / requests.FOLDER / "shell"
        await day.rig.scanner.scan(code)
        await day.lamp("alarm", "on")  # the answer to staff
        await until(request.exists, "root is asked")
        as_root(day, tmp_path, "shell", "open for 4 h")
        await until(lambda: day.told(CommandEnded), "its end is in the journal")
        await day.rig.scanner.scan(code)
        await day.residents(1)
        assert [(taken.do, taken.via) for taken in day.told(CommandTaken)] == [("shell", "code")]
        assert day.told(CommandEnded)[0].text == "open for 4 h"
        assert not request.exists()
        assert day.refused == []


async def test_a_command_waits_for_root_over_a_restart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with open_site(tmp_path / "kiosk") as day:
        file, _ = order(day, tmp_path, "support", capsys=capsys)
        assert await day.technician("command", str(file)) == 0
        request = day.rig.config.kiosk.runtime_dir / requests.FOLDER / "support"
        await until(request.exists, "root is asked")
        await day.rig.kill()
        request.unlink()
        await day.rig.start()
        await until(request.exists, "root is asked again")
        assert len(day.told(CommandTaken)) == 1


async def test_one_by_the_line_is_answered_by_the_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with open_site(tmp_path / "kiosk", line=True) as day:
        await day.residents(1)
        await day.all_is_at_the_command_post()
        order(day, tmp_path, "support", capsys=capsys)
        request = day.rig.config.kiosk.runtime_dir / requests.FOLDER / "support"
        await until(request.exists, "the receiver has sent it")
        as_root(day, tmp_path, "support", "all is well")

        def told() -> bool:
            capsys.readouterr()
            hub_command(["report", "--json", "--db", str(day.rig.hub_db)])
            commands = msgspec.json.decode(capsys.readouterr().out)["commands"]
            return [result["text"] for each in commands for result in each["results"]] == ["all is well"]

        await until(told, "its end is at the command post")


async def test_an_order_for_nobody_here_does_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with open_site(tmp_path / "kiosk") as day, open_site(tmp_path / "other") as other:
        file, code = order(other, tmp_path, "support", capsys=capsys)
        assert await day.technician("command", str(file)) == 1
        assert day.rig.scanner is not None
        await day.rig.scanner.scan(code)
        await until(lambda: day.refused == ["not-needed"], "the desk says no")
        assert day.told(CommandTaken) == []


async def test_a_kiosk_on_trial_registers_nobody_until_it_is_kept(tmp_path: Path) -> None:
    trial = tmp_path / "kiosk-trial"
    async with open_site(tmp_path) as day:
        await day.residents(1)
        trial.touch()
        await day.lamp("stop", "on")
        await until(lambda: not day.rig.status()["ready"], "it is not ready")
        online = {name for name, state in day.rig.status()["devices"].items() if state == "online"}
        assert {"card", "code", "printer"} <= online
        day.rig.reader.place(person(2))
        await day.rig.reader.read_once()
        day.rig.reader.remove()
        asked = day.rig.reader.requests.total()
        await until(lambda: day.rig.reader.requests.total() > asked + 1, "the driver looks for the next card")
        trial.unlink()
        await day.lamp("stop", "off")
        await day.residents(3)
        assert day.people == 2
