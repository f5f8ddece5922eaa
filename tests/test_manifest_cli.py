"""`kiosk manifest export` and `kiosk tube --members`: out of the journal alone, whether a kiosk runs or not."""

from pathlib import Path

import msgspec
import pytest

from kiosk import cli, data_folder, manifest
from kiosk.domain import Do
from kiosk.facts import ENTRY_VERSION, Entry
from kiosk.ids import uuid7
from kiosk.journal import Journal
from kiosk.seal import device_key, fingerprint
from kiosk.simulate.rig import Rig
from tests.flows.test_custody import COURIER, REGISTRAR, Table
from tests.support.desk_story import person


def kept(rig: Rig, table: Table) -> None:
    """The story becomes this kiosk's journal."""
    path = data_folder.journal(rig.config.kiosk.data_dir)
    path.parent.mkdir(parents=True, exist_ok=True)
    with Journal.open(path) as journal:
        journal.append(
            [
                (uuid7(seq), msgspec.msgpack.encode(Entry(ENTRY_VERSION, at, fact)))
                for seq, (at, fact) in enumerate(table.journal, 1)
            ]
        )


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    rig = Rig(tmp_path)
    rig.scanner.unplug()
    return rig


def run(rig: Rig, *command: str) -> int:
    return cli.main([*command, "--config", str(rig.config_path)])


def test_every_box_is_written_as_a_file_that_verifies(rig: Rig, tmp_path: Path) -> None:
    table = Table()
    table.handed_over(*table.tubes("Li", "Wang"))
    table.handed_over(*table.tubes("Zhao"))
    kept(rig, table)
    assert run(rig, "manifest", "export", str(tmp_path / "all")) == 0
    key = fingerprint(device_key(rig.config.kiosk.data_dir / "device.key").verify_key)
    read = [manifest.unpack(path.read_bytes(), [key]) for path in sorted((tmp_path / "all").iterdir())]
    assert [(each.name, len(each.unfold())) for each in read] == [("360481-01-1", 2), ("360481-01-2", 1)]
    assert run(rig, "manifest", "export", str(tmp_path / "one"), "--number", "2") == 0
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["360481-01-2.manifest"]


def test_a_box_that_never_went_is_told_and_nothing_is_written(
    rig: Rig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = Table()
    table.tubes("Li")
    table.obeys(COURIER, Do.COLLECT)
    kept(rig, table)
    assert run(rig, "manifest", "export", str(tmp_path / "all")) == 1
    assert run(rig, "manifest", "export", str(tmp_path / "all"), "--number", "7") == 1
    assert list((tmp_path / "all").iterdir()) == []
    told = capsys.readouterr().err
    assert "no box has gone away" in told
    assert "no box 7 has gone away" in told


def test_the_people_of_a_tube_by_position_and_digest(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(pool_size=5, group_size=5)
    for who in range(5):
        table.card(who)
    kept(rig, table)
    tube = table.closed[0].tube
    assert run(rig, "tube", "--members", tube[:6], tube[6:]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert lines[2].split()[:4] == ["3", "person", "3", person(2).hex()]
    assert run(rig, "tube", "--members", "3604810167600017") == 1
    assert "nobody is in tube 3604810167600017" in capsys.readouterr().err


def test_two_sign_offs_are_in_the_file(rig: Rig, tmp_path: Path) -> None:
    table = Table()
    table.handed_over(*table.tubes("Li"))
    kept(rig, table)
    run(rig, "manifest", "export", str(tmp_path / "all"))
    (path,) = (tmp_path / "all").iterdir()
    key = bytes(device_key(rig.config.kiosk.data_dir / "device.key").verify_key).hex()
    read = manifest.unpack(path.read_bytes(), [key])
    assert (read.courier, read.witness) == (COURIER, REGISTRAR)
