"""From a tube to its people: positive, lost or leaked. Names are told at the command post alone, and on record."""

import json
from pathlib import Path

import msgspec
import pytest

from hub.cli import main
from hub.report import report
from hub.store import Store
from kiosk.domain import Colour, DocumentKind, Person, Stamp
from kiosk.export import export
from kiosk.facts import AnyFact, Bound, Entry, ManifestClosed, Registered, TubeLost, TubeOpened, TubePacked, Unbound
from kiosk.people import person
from kiosk.seal import Sealer
from tests.support.post import DEVICE, NUMBER, PRIVATE, SITE, Rows

TUBES = ["3604810010010001", "3604810010010002", "3604810010010003"]
LOST = TUBES[1]


def people() -> list[Person]:
    return [person(number) for number in range(1, 5)]


@pytest.fixture
def site(tmp_path: Path) -> dict[str, str]:
    """Li, Wang and Zhao in the tube, Wang left; the tube went away in box 1 and was lost."""
    sealer, rows = Sealer(PRIVATE.public, bytes(32)), Rows()

    def add(fact: AnyFact, at: int = 0) -> None:
        rows.add(1, body=msgspec.msgpack.encode(Entry(1, Stamp(at, 0), fact)))

    for serial, tube in enumerate(TUBES, 1):
        add(TubeOpened(tube, 1, serial, 10))
    for number, one in enumerate(people()[:3], 1):
        add(Registered(number, sealer.subject(one), "card", Colour.GREEN, DocumentKind.RESIDENT), at=number * 1000)
        add(Bound(LOST, number, number))
    add(Unbound(LOST, 2, 2))
    add(TubePacked(LOST, 1))
    add(ManifestClosed(1, 1, 1, 71, 72, "LAB-1"))
    add(TubeLost(LOST, "lost", (1, 3)))
    (tmp_path / "private.key").write_text(PRIVATE.line() + "\n")
    export(rows, DEVICE, SITE, NUMBER, PRIVATE.public.kid, tmp_path / "stick")
    paths = {"db": str(tmp_path / "hub.db"), "key": str(tmp_path / "private.key"), "stick": str(tmp_path / "stick")}
    assert main(["import", "--db", paths["db"], "--private-key", paths["key"], paths["stick"]]) == 0
    return paths


def told(site: dict[str, str], tube: str) -> int:
    return main(["members", "--db", site["db"], "--private-key", site["key"], tube])


def test_a_lost_tube_names_who_must_be_sampled_again(site: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert told(site, LOST) == 0
    tube, *members = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (tube["tube"], tube["before"], tube["after"]) == (LOST, TUBES[0], TUBES[2])
    assert (tube["box"]["number"], tube["box"]["lab"], tube["lost"]) == (1, "LAB-1", "lost")
    assert [(row["position"], row["registered"]) for row in members] == [(1, 1000), (3, 3000)]
    assert [row["subject"]["name"] for row in members] == [people()[0].name, people()[2].name]


def test_who_left_the_tube_is_not_counted(site: dict[str, str]) -> None:
    (journal,) = report(Store(Path(site["db"]))).journals
    assert journal.people == 2


def test_the_access_is_on_record(site: dict[str, str]) -> None:
    told(site, LOST)
    store = Store(Path(site["db"]))
    (row,) = store.rows("SELECT what, opened FROM access").fetchall()
    assert row == (f"members of tube {LOST}", 2)


def test_a_tube_nobody_is_in_says_so(site: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    for tube in (TUBES[0], "3604810010010009"):
        capsys.readouterr()
        assert told(site, tube) == 1
        assert f"nobody is in tube {tube}" in capsys.readouterr().err


def test_blanks_between_the_groups_are_allowed(site: dict[str, str]) -> None:
    grouped = ["360481", "00", "100", "1000", "2"]
    assert main(["members", "--db", site["db"], "--private-key", site["key"], *grouped]) == 0
