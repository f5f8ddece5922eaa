"""kiosk-hub on the command line."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from hub.cli import main
from hub.store import Store
from kiosk.domain import Colour, DocumentKind, Person, Reason, Stamp
from kiosk.export import export
from kiosk.facts import AnyFact, Bound, Entry, Refused, Registered, TubeClosed, TubeOpened
from kiosk.seal import Sealer
from tests.support.post import DEVICE, NUMBER, PRIVATE, SITE, Rows

TUBE = "3604810010010001"


@pytest.fixture
def site(tmp_path: Path) -> dict[str, str]:
    sealer, rows = Sealer(PRIVATE.public, bytes(32)), Rows()

    def add(fact: AnyFact) -> None:
        rows.add(1, body=msgspec.msgpack.encode(Entry(1, Stamp(0, 0), fact)))

    add(TubeOpened(TUBE, 1, 1, 10))
    for person, name in enumerate(("张三", "李四"), 1):
        subject = sealer.subject(Person(DocumentKind.RESIDENT, f"11010119900307{person}", name, "19900307"))
        add(Registered(person, subject, "card", Colour.GREEN))
        if person == 1:
            add(Bound(TUBE, person, 1))
    add(Refused(Reason.RED))
    add(TubeClosed(TUBE, 1, 10))
    rows.add(1, body=b"\x93\x01\x92\x00\x00\x81\xa1t\xa5later")
    (tmp_path / "private.key").write_text(PRIVATE.line() + "\n")
    export(rows, DEVICE, SITE, NUMBER, PRIVATE.public.kid, tmp_path / "stick")
    paths = {"db": str(tmp_path / "hub.db"), "key": str(tmp_path / "private.key"), "stick": str(tmp_path / "stick")}
    assert main(["import", "--db", paths["db"], "--private-key", paths["key"], paths["stick"]]) == 0
    return paths


def test_report(site: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["report", "--db", site["db"], "--json"]) == 0
    journal = json.loads(capsys.readouterr().out)["journals"][0]
    assert (journal["people"], journal["tubes"], journal["refused"]) == (2, 1, {"red": 1})
    assert (journal["facts"], journal["unknown"], journal["chain"], journal["missing"]) == (7, 1, True, [])
    assert main(["report", "--db", site["db"]]) == 0
    assert "people 2, tubes 1" in capsys.readouterr().out


def test_report_sees_what_was_altered(site: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(Path(site["db"]))
    with store.transaction():
        store.rows("UPDATE fact SET body = x'00' WHERE seq = 3")
    store.close()
    assert main(["report", "--db", site["db"]]) == 1
    assert "BROKEN" in capsys.readouterr().out


def test_open_tells_who_and_is_on_record(site: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    command = ["open", "--db", site["db"], "--private-key", site["key"]]
    assert main([*command, "--tube", TUBE]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["subject"]["name"] for row in rows] == ["张三"]
    assert main([*command, "--site", SITE, "--number", "1"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    store = Store(Path(site["db"]))
    records = store.rows("SELECT what, opened FROM access ORDER BY access").fetchall()
    store.close()
    assert records == [(f"site all, kiosk all, tube {TUBE}", 1), (f"site {SITE}, kiosk 1, tube all", 2)]


def test_what_cannot_be_used_is_told(site: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--db", str(tmp_path / "none.db")]) == 78
    assert "there is no such database" in capsys.readouterr().err
    (tmp_path / "bad.key").write_text("ks1_nonsense")
    assert main(["open", "--db", site["db"], "--private-key", str(tmp_path / "bad.key")]) == 78
    assert main(["open", "--db", site["db"], "--private-key", str(tmp_path / "no.key")]) == 66
    assert main(["enrol", "--db", site["db"], SITE, "1", "abc"]) == 64
    assert main(["enrol", "--db", site["db"], SITE, "1", "ab" * 32]) == 0
    with pytest.raises(SystemExit) as caught:
        main(["report"])
    assert caught.value.code == 64
    (tmp_path / "stick" / "360481-1-00-000000000001.frame").write_bytes(b"noise")
    assert main(["import", "--db", site["db"], "--private-key", site["key"], site["stick"]]) == 1


def test_run_stops_on_request_even_without_a_broker(site: dict[str, str]) -> None:
    command = [sys.executable, "-m", "hub.cli", "run", "--db", site["db"], "--private-key", site["key"]]
    with subprocess.Popen([*command, "--host", "127.0.0.1", "--port", "1"], stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert b"cannot reach" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
