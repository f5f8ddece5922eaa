"""The command line: what each command prints and with which status it ends."""

import base64
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from kiosk import cli, seal
from kiosk.domain import DocumentKind, Stamp
from kiosk.facts import ENTRY_VERSION, Entry, IncidentRaised, Registered
from kiosk.ids import uuid7
from kiosk.journal import Journal
from kiosk.people import person
from kiosk.simulate.rig import Rig
from kiosk.tube import TubeNumber
from tests.support.labels import read
from tests.support.site_day import open_site, until

COMMANDS = ["run", "check", "status", "journal", "export", "round", "label", "keys", "tube", "simulate"]
TUBE = TubeNumber("360481", 1, 75, 7)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    rig = Rig(tmp_path)
    rig.scanner.unplug()
    return rig.config_path


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    return printed.err


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main([command, "--help"])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: kiosk {command}")


def test_help_names_every_command_and_every_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    text = capsys.readouterr().out
    assert all(f"    {command} " in text for command in COMMANDS)
    assert all(status in " ".join(text.split()) for status in ("0 done", "1 could", "2 wrong", "3 no kiosk", "78 bad"))


@pytest.mark.parametrize("wrong", [[], ["fly"], ["round", "old"], ["label"], ["journal", "--after", "x"], ["tube"]])
def test_a_wrong_call(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(wrong)
    assert end.value.code == 2
    assert "usage: kiosk" in capsys.readouterr().err


@pytest.mark.parametrize("command", [*COMMANDS[:4], "round", "label", "export"])
def test_every_command_refuses_a_bad_configuration(
    command: str, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = {"round": ["new"], "label": ["--png", str(tmp_path / "x.png")], "export": [str(tmp_path / "stick")]}
    config.write_text(config.read_text("utf-8").replace("number = 1", "number = 100"), "utf-8")
    assert cli.main([command, *more.get(command, []), "--config", str(config)]) == 78
    assert one_line(capsys) == f"{config}: kiosk.number: found 100, expected a whole number ≥ 1 ≤ 99\n"


def test_a_configuration_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "--config", str(tmp_path / "none.toml")]) == 78
    assert "cannot be read: No such file" in one_line(capsys)


def test_check_prints_what_would_be_opened(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "--config", str(config)]) == 0
    lines = capsys.readouterr().out.splitlines()
    folder = config.parent
    for line in (
        f"{config}: good",
        "site     360481 朝阳门社区 03号点, kiosk 1",
        f"journal  {folder / 'data'}",
        f"card     sdt      port {folder / 'card'}, baud 115200",
        f"code     serial   port {folder / 'code'}, baud 9600",
        f"printer  tspl     port {folder / 'printer'}, baud 115200",
        f"panel    socket   path {folder / 'run' / 'panel.sock'}",
        "uplink   none",
    ):
        assert line in lines
    assert any("whoever takes the card" in line for line in lines)
    assert not (folder / "data").exists()


def test_status_without_a_kiosk(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status", "--config", str(config)]) == 3
    assert "was not started since the last boot" in one_line(capsys)
    assert cli.main(["round", "new", "--config", str(config)]) == 3
    assert "no kiosk answers on" in one_line(capsys)


async def test_status_and_a_new_round_of_a_running_kiosk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with open_site(tmp_path) as day:
        await day.residents(1, 2, 3)
        await until(lambda: day.rig.status()["people"] == 3, "the status follows")
        capsys.readouterr()
        assert await day.technician("status", "--json") == 0
        status = json.loads(capsys.readouterr().out)
        assert (status["state"], status["ready"], status["people"]) == ("running", True, 3)
        assert status["group"] == {"members": 3, "size": 10}
        assert status["devices"] == dict.fromkeys(("card", "code", "printer", "panel"), "online")
        assert status["journal"]["seq"] == len(day.rig.entries())
        assert await day.technician("status") == 0
        assert "running, ready" in capsys.readouterr().out
        assert await day.technician("round", "new") == 0
        assert capsys.readouterr().out == "round 2 has begun\n"
        await day.rig.stop()
        assert await day.technician("status") == 3
        assert "stopped, NOT READY" in capsys.readouterr().out


def test_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "post"
    assert cli.main(["keys", str(folder)]) == 0
    printed = capsys.readouterr()
    public, private = (folder / "public.key").read_text(), (folder / "private.key").read_text()
    assert printed.out == public
    assert "private.key stays at the command post" in printed.err
    assert seal.PrivateKeys.parse(private).public.line() == public.strip()
    assert private.strip() not in printed.out + printed.err
    assert stat.S_IMODE((folder / "private.key").stat().st_mode) == 0o600
    assert cli.main(["keys", str(folder)]) == 1
    assert "exists and is not overwritten" in one_line(capsys)
    assert (folder / "private.key").read_text() == private


@pytest.mark.parametrize("text", [[str(TUBE)], [TUBE.grouped()], TUBE.grouped().split()])
def test_tube(text: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["tube", *text]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"tube    {TUBE.grouped()}"
    assert [line.split()[0] for line in lines] == ["tube", "site", "kiosk", "day", "serial", "check"]


@pytest.mark.parametrize("text", ["360481", "3604810107500070x", "36048101075000711", "o604810107500071"])
def test_a_tube_number_that_is_none(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["tube", text]) == 1
    assert one_line(capsys).startswith("kiosk tube: ")


def test_label(config: Path, tmp_path: Path) -> None:
    png = tmp_path / "label.png"
    assert cli.main(["label", "--png", str(png), "--config", str(config)]) == 0
    with Image.open(png) as label:
        assert label.size == (400, 240)
        (number,) = read(label)
    assert TubeNumber.parse(number).site == "360481"


def test_label_into_nowhere(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["label", "--png", str(tmp_path / "no" / "label.png"), "--config", str(config)]) == 1
    assert "No such file" in one_line(capsys)


def write_journal(folder: Path) -> None:
    keys = seal.PublicKeys.parse((folder / "keys" / "public.key").read_text())
    sealer = seal.Sealer(keys, bytes(32))
    subject = sealer.subject(person(1))
    facts = [
        Registered(1, subject, "card", "green", DocumentKind.RESIDENT),
        IncidentRaised(1, "red", subject.digest, code=sealer.code("HC1:2:token", None, "demo")),
    ]
    (folder / "data").mkdir()
    with Journal.open(folder / "data" / "journal.db") as journal:
        for wall, fact in enumerate(facts, 1_647_410_700_000):
            row = (uuid7(wall), msgspec.msgpack.encode(Entry(ENTRY_VERSION, Stamp(wall, 0), fact)))
            journal.append([row])


def test_journal_prints_sealed_facts(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_journal(tmp_path)
    assert cli.main(["journal", "--config", str(config)]) == 0
    out = capsys.readouterr().out
    first, second = (json.loads(line) for line in out.splitlines())
    assert (first["seq"], first["t"], second["t"]) == (1, "registered", "incident-raised")
    assert first["time"] == "2022-03-16T14:05:00.000+08:00"
    assert person(1).number not in out
    assert person(1).name not in out
    private = seal.PrivateKeys.parse((tmp_path / "keys" / "private.key").read_text())
    assert seal.open_box(private, base64.b64decode(first["subject"][1]))["number"] == person(1).number
    assert cli.main(["journal", "--after", "1", "--config", str(config)]) == 0
    assert [json.loads(line)["seq"] for line in capsys.readouterr().out.splitlines()] == [2]


@pytest.mark.parametrize("command", [["journal"], ["export", "stick"]])
def test_without_a_journal(command: list[str], config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*command, "--config", str(config)]) == 1
    assert one_line(capsys).startswith(f"kiosk {command[0]}: ")


def test_export(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_journal(tmp_path)
    stick = tmp_path / "stick"
    assert cli.main(["export", str(stick), "--config", str(config)]) == 0
    assert capsys.readouterr().out == f"facts 1 to 2 are in {stick}: 1 files, 1 of them new\n"
    assert cli.main(["export", str(config), "--config", str(config)]) == 1
    assert "is not a folder" in one_line(capsys)
    assert cli.main(["export", str(stick), "--after", "3", "--config", str(config)]) == 1
    assert "there are 2 facts, none behind 3" in one_line(capsys)


@pytest.mark.parametrize("command", ["journal", "check"])
def test_a_reader_that_has_seen_enough_is_no_failure(command: str, config: Path, tmp_path: Path) -> None:
    write_journal(tmp_path)
    ours, theirs = os.pipe()
    os.close(ours)
    arguments = [sys.executable, "-m", "kiosk", command, "--config", str(config)]
    done = subprocess.run(arguments, stdout=theirs, stderr=subprocess.PIPE, text=True)
    os.close(theirs)
    assert (done.returncode, done.stderr) == (0, "")
