"""A stick takes everything to the command post, and says so or why not."""

import asyncio
import errno
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from hub.cli import main as hub_command
from kiosk import cli, export_stick, issue_folder, seal
from kiosk.domain import Stamp, Trust
from kiosk.export import ExportError
from kiosk.export_stick import ERROR, FOLDER, RECEIPT, Part, Receipt, carry, main, who
from kiosk.journal import Journal
from kiosk.people import person
from kiosk.simulate.rig import Rig
from tests.roster import tables
from tests.support.programs import append
from tests.support.site_day import SiteDay, open_site, until

AT = Stamp(1_795_698_000_000, 1, trust=Trust.NTP)
WRONG = '[devices.card]\ndriver = "no such reader"\n'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Of a kiosk with 150 facts and a device key."""
    keys = seal.write_pair(tmp_path / "keys")
    path = tmp_path / "kiosk.toml"
    path.write_text(
        f"""
[site]
code = "360481"
name = "朝阳门社区 03号点"
[kiosk]
number = 1
data_dir = "{tmp_path / "data"}"
runtime_dir = "{tmp_path / "run"}"
[seal]
public_key = "{keys.line()}"
""",
        "utf-8",
    )
    (tmp_path / "data").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "stick").mkdir()
    seal.device_key(tmp_path / "data/device.key")
    make(tmp_path / "data/v2/journal.db", 150)
    return path


def make(path: Path, facts: int) -> bytes:
    path.parent.mkdir(exist_ok=True)
    with Journal.open(path) as journal:
        for _ in range(facts):
            append(journal)
        return journal.epoch


def carried(config: Path, bundle: bytes = b"bundle") -> Receipt:
    return carry(who(config), config.parent / "stick", AT, lambda: bundle)


def imported(folder: Path, stick: Path) -> int:
    """Facts that the command post has, without a complaint."""
    command = ["--db", str(folder / "hub.db")]
    assert (
        hub_command(["import", *command, "--private-key", str(folder / "keys/private.key"), str(stick / FOLDER)]) == 0
    )
    database = apsw.Connection(str(folder / "hub.db"))
    assert database.execute("SELECT count(*) FROM apart").get == 0
    return int(database.execute("SELECT count(*) FROM fact").get)


# What is on the stick -------------------------------------------------------------------------------------------------


def test_everything_reaches_the_command_post(config: Path, tmp_path: Path) -> None:
    receipt = carried(config)
    stick = tmp_path / "stick"
    (part,) = receipt.parts
    assert part.last == 150
    frames = sorted((stick / FOLDER).glob("*.frame"))
    assert part.sha256 == hashlib.sha256(b"".join(path.read_bytes() for path in frames)).hexdigest()
    assert {path.name for path in stick.iterdir()} == {FOLDER, RECEIPT}
    assert (stick / FOLDER / "support-360481-1.tar.gz").read_bytes() == b"bundle"
    assert imported(tmp_path, stick) == 150
    with Journal.open(tmp_path / "data/v2/journal.db") as journal:
        append(journal)
    assert carried(config).parts[0].last == 151
    assert imported(tmp_path, stick) == 151


def test_journals_of_before_go_along(config: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    epoch = make(data / "v2/journal.db.damaged-1", 30)
    (data / "v2/journal.db.damaged-2").write_bytes(b"this is no journal")
    (data / "v2/journal.db.damaged-3").touch()
    for name, facts in (("v3", 40), ("v3.kept-1", 0)):
        (data / name).mkdir()
        for part in (data / "v2").glob("journal.db.damaged-1*"):
            shutil.copy(part, data / name / part.name.replace(".damaged-1", ""))
        with Journal.open(data / name / "journal.db") as journal:
            for _ in range(facts):
                append(journal)
    newer = apsw.Connection(str(data / "v3.kept-1/journal.db"))
    newer.pragma("user_version", 99)
    newer.close()
    (data / "v4").mkdir()
    (data / "v4/does-not-count").touch()
    shutil.copy(data / "v2/journal.db", data / "v4/journal.db")

    receipt = carried(config)
    assert [(part.epoch == epoch, part.last) for part in receipt.parts] == [(False, 150), (True, 70)]
    assert receipt.left == ("v2/journal.db.damaged-2", "v3.kept-1/journal.db")
    assert imported(tmp_path, tmp_path / "stick") == 220


def test_the_receipt(config: Path) -> None:
    parts = (Part(bytes(8), 1234, "0123456789abcdef" * 4), Part(bytes([1] * 8), 70, "fedcba9876543210" * 4))
    receipt = Receipt(who(config), AT, parts, ("v2/journal.db.damaged-2",))
    assert receipt.lines() == [
        "360481 朝阳门社区 03号点, 1 号亭 kiosk 1",
        "记录 records 1–1234: 1234 + 70 (旧 earlier)",
        "2026-11-26 21:00",
        "sha256 0123456789abcdef",
        "可以拔出 The stick may be removed",
        "读不出 not readable: v2/journal.db.damaged-2",
    ]
    assert (
        receipt.text()
        == """\
导出收据 Export receipt
site 360481 朝阳门社区 03号点, kiosk 1
2026-11-26 21:00
journal 0000000000000000: records 1 to 1234 (1234), sha256 of its frames """
        + "0123456789abcdef" * 4
        + """
journal 0101010101010101: records 1 to 70 (70), sha256 of its frames """
        + "fedcba9876543210" * 4
        + """
not readable, still on the kiosk's card: v2/journal.db.damaged-2
"""
    )
    unset = Receipt(who(config), Stamp(0, 0, trust=Trust.RESTORED), parts[:1], ())
    assert unset.time == "1970-01-01 08:00 (时钟未校准 clock not set)"
    assert "1234\n" not in unset.lines()


def test_on_the_stick_the_receipt_is_for_any_computer(config: Path, tmp_path: Path) -> None:
    receipt = carried(config)
    raw = (tmp_path / "stick" / RECEIPT).read_bytes()
    assert raw.decode("utf-8-sig").replace("\r\n", "\n") == receipt.text()
    assert raw.count(b"\r\n") == raw.count(b"\n")


def test_a_configuration_that_is_wrong_elsewhere_is_good_enough(config: Path) -> None:
    config.write_text(config.read_text("utf-8") + WRONG, "utf-8")
    assert carried(config).parts[0].last == 150


def test_the_old_layout_can_be_exported_before_the_first_start(config: Path, tmp_path: Path) -> None:
    (tmp_path / "data/v2/journal.db").rename(tmp_path / "data/journal.db")
    assert carried(config).parts[0].last == 150


@pytest.mark.parametrize("missing", ["v2/journal.db", "device.key"])
def test_nothing_to_export(config: Path, tmp_path: Path, missing: str) -> None:
    (tmp_path / "data" / missing).unlink()
    with pytest.raises(ExportError, match="no journal that can be read: it never started"):
        carried(config)
    assert not (tmp_path / "data" / missing).exists(), "nothing was made"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can read what is another user's")
def test_what_root_opens_stays_the_daemons(config: Path, tmp_path: Path) -> None:
    path = tmp_path / "data/v2/journal.db"
    with Journal.open(path) as journal:
        append(journal)
        for part in ("", "-wal"):
            shutil.copy(f"{path}{part}", tmp_path / f"left{part}")
    path.unlink()
    for part in ("", "-wal"):  # as a kill leaves it, without shared memory
        (tmp_path / f"left{part}").rename(f"{path}{part}")
    for each in (path.parent, *path.parent.iterdir()):
        os.chown(each, 65534, 65534)
    assert carried(config).parts[0].last == 151
    assert {each.stat().st_uid for each in path.parent.iterdir()} == {65534}


# The command ----------------------------------------------------------------------------------------------------------


class Machine:
    """Runs mount and umount for nobody; the stick is a folder."""

    def __init__(self, config: Path, **fails: str) -> None:
        self.config, self.stick = config, config.parent / "stick"
        self.did: list[str] = []
        self._fails = fails

    def run(self, command: list[str]) -> None:
        self.did.append(" ".join(command))
        if command[0] in self._fails:
            raise OSError(f"{command[0]}: {self._fails[command[0]]}")

    def export(self, bundle: Callable[[Path], bytes] = lambda _: b"bundle") -> int:
        return main(self.config, Path("/dev/sdz1"), folder=self.stick, run=self.run, bundle=bundle)

    @property
    def issues(self) -> dict[str, str]:
        return issue_folder.read(self.config.parent / issue_folder.NAME)


def test_it_is_mounted_and_gone_before_anybody_is_told(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(config)
    monkeypatch.setattr(export_stick, "_print", lambda _, title, lines: machine.did.append(f"{title}: {lines[-1]}"))
    assert machine.export() == 0
    assert machine.did == [
        f"mount -t vfat,exfat,ext4 -o nosuid,nodev,noexec,noatime /dev/sdz1 {machine.stick}",
        f"umount {machine.stick}",
        "导出完成 Export done: 可以拔出 The stick may be removed",
    ]
    assert "records 1 to 150 (150)" in capsys.readouterr().out


def no_room(_: Path) -> bytes:
    raise OSError(errno.ENOSPC, "No space left on device")


def locked(_: Path) -> bytes:
    raise OSError(errno.EROFS, "Read-only file system")


def gone(_: Path) -> bytes:
    export_stick.pulled_out(15, None)


@pytest.mark.parametrize(
    ("bundle", "why"),
    [
        (no_room, "no room left, take a larger stick or delete other files"),
        (locked, "cannot be written, is the stick's write protection on?"),
        (gone, "the stick was pulled out before all was on it: plug it in once more"),
    ],
)
def test_what_went_wrong_is_said_everywhere(
    config: Path, capsys: pytest.CaptureFixture[str], bundle: Callable[[Path], bytes], why: str
) -> None:
    machine = Machine(config)
    assert machine.export(bundle) == 1
    assert machine.did[-1] == f"umount --lazy {machine.stick}"
    assert why in capsys.readouterr().out
    assert machine.issues == {"export-failed": f"the export onto a stick failed: {why}"}
    assert (machine.stick / ERROR).read_text("utf-8-sig").strip() == why
    assert machine.export() == 0, "and once more"
    assert machine.issues == {}
    assert not (machine.stick / ERROR).exists()


@pytest.mark.parametrize(
    ("fails", "why"),
    [
        ({"mount": "wrong fs type, bad option, bad superblock"}, "mount: wrong fs type"),
        ({"umount": "target is busy"}, "umount: target is busy"),
    ],
)
def test_a_stick_that_cannot_be_mounted_or_left(config: Path, fails: dict[str, str], why: str) -> None:
    machine = Machine(config, **fails)
    assert machine.export() == 1
    assert why in machine.issues["export-failed"]


def test_a_configuration_that_tells_not_whose_records_these_are(config: Path) -> None:
    config.write_text(config.read_text("utf-8").replace('code = "360481"', 'code = "36"'), "utf-8")
    machine = Machine(config)
    machine.config.parent.joinpath("data").rename(config.parent / "elsewhere")
    assert main(config, Path("/dev/sdz1"), folder=machine.stick, run=machine.run) == 1
    assert "kiosk.toml: site: code: found" in (machine.stick / ERROR).read_text("utf-8-sig")


def test_the_real_mount_speaks(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"mount: .*missing"):
        export_stick.run(["mount", str(tmp_path / "missing"), str(tmp_path)])


def test_the_command_line(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("signal.signal", lambda *what: asked.append(what))
    monkeypatch.setattr(export_stick, "main", lambda *what: (asked.append(what), 1)[1])
    assert cli.main(["export-stick", "--config", str(config), "/dev/sdz1"]) == 1
    assert asked == [(15, export_stick.pulled_out), (config, Path("/dev/sdz1"))]


# Beside the daemon ----------------------------------------------------------------------------------------------------


async def test_a_running_kiosk_prints_the_receipt_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "stick").mkdir()
    async with open_site(tmp_path) as day:
        await day.residents(1, 2, 3)
        machine = Machine(day.rig.config_path)
        await until(lambda: day.rig.status()["devices"]["printer"] == "online", "the printer answers")
        before = len(day.rig.labels)
        assert await asyncio.to_thread(machine.export) == 0
        await until(lambda: len(day.rig.labels) > before, "the receipt is printed")
        await day.residents(4)
        assert imported(tmp_path, machine.stick) >= 7
        await in_safe_mode(day, machine)


async def in_safe_mode(day: SiteDay, machine: Machine) -> None:
    await day.rig.kill()
    facts = len(day.rig.entries())
    assert machine.export() == 0
    assert imported(machine.config.parent, machine.stick) == facts
    assert len(day.rig.labels) >= 1
    await day.rig.start()
    await day.residents(5)


async def test_without_a_printer_the_receipt_is_on_the_stick(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "stick").mkdir()
    async with Rig(tmp_path, {"devices.printer": {"driver": "none"}}) as rig:
        await rig.start()
        machine = Machine(rig.config_path)
        assert await asyncio.to_thread(machine.export) == 0
    assert "no receipt label: this kiosk has no printer" in capsys.readouterr().out
    assert "records 1 to" in (machine.stick / RECEIPT).read_text("utf-8-sig")


async def test_a_roster_made_at_the_kiosk_is_named_at_the_command_post(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, stick = tables.csv(tmp_path / "list.csv", [tables.row_of(n) for n in range(3)]), tmp_path / "stick"
    async with open_site(tmp_path) as day:
        assert await day.technician("roster", "import", str(table)) == 0
        await day.residents(1)
        carry(who(day.rig.config_path), stick, AT, lambda: b"")
    keys = ["--db", str(tmp_path / "hub.db"), "--private-key", str(tmp_path / "keys" / "private.key")]
    assert hub_command(["import", *keys, str(stick / FOLDER)]) == 0
    capsys.readouterr()
    roster = stick / FOLDER / "roster-360481-1.roster"
    assert hub_command(["roster", "missing", *keys, "--roster", str(roster), "--since", "2022-01-01"]) == 0
    told = capsys.readouterr().out
    assert [person(n).name in told for n in range(3)] == [True, False, True]
