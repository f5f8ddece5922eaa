"""Tubes from the table into the courier's hands: the real daemon, real badges, pages read by a barcode reader."""

import json
from pathlib import Path
from typing import Any

import pytest

from hub.cli import main as hub
from kiosk import manifest
from kiosk.domain import Do, Role
from kiosk.facts import IncidentRaised, ManifestClosed, TubeLost, TubePacked
from kiosk.notices import read
from kiosk.people import person
from kiosk.seal import device_key, fingerprint
from kiosk.simulate.rig import Rig
from tests.support.site_day import SiteDay, open_site, until
from tests.support.staff_desk import badge, command_code

RULES: dict[str, Any] = {"bag_size": 2, "labs": ["LAB-1", "LAB-2"], "permits": ["赣A12345"]}
COURIER, REGISTRAR = (Role.COURIER, 71), (Role.REGISTRAR, 72)


async def shown(rig: Rig, code: str) -> str:
    """The tone that answers, also that of a bag or a group that is full."""
    assert rig.scanner is not None
    assert rig.panel.state is not None
    since, before = len(rig.panel.history), rig.panel.state.signal
    await rig.scanner.scan(code)
    return (
        await rig.panel.wait_for(lambda panel: panel.signal != before and panel.buzzer != "off", since=since)
    ).buzzer


async def order(day: SiteDay, who: tuple[Role, int], do: Do, text: str = "") -> str:
    assert await shown(day.rig, badge(day.rig, *who)) == "acknowledged"
    return await shown(day.rig, command_code(day.rig, do, text))


async def pack(day: SiteDay, *tubes: str) -> list[str]:
    return [await shown(day.rig, tube) for tube in tubes]


def issues(rig: Rig) -> list[str]:
    return [issue["code"] for issue in rig.status()["issues"]]


def key_of(rig: Rig) -> str:
    return fingerprint(device_key(rig.config.kiosk.data_dir / "device.key").verify_key)


def codes(rig: Rig) -> list[str]:
    """The manifest's codes among all that was printed, as a laboratory's scanner reads them."""
    return [text for label in rig.labels for text in read(label) if text.startswith(manifest.PREFIX)]


async def test_a_courier_comes_with_a_pool_open_and_a_tube_missing_and_the_laboratory_reads_what_it_got(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with open_site(tmp_path, {"custody": RULES}, pool_size=5, group_size=5, unlabelled_groups=5) as day:
        await day.residents(*range(12))
        assert await order(day, COURIER, Do.COLLECT) == "full", "the open pool and its group are closed short"
        assert [(tube.members, tube.size) for tube in day.tubes] == [(5, 5), (5, 5), (2, 5)]
        one, two, short = await day.labels(3)

        assert await pack(day, one, one) == ["acknowledged", "repeat"]
        await day.rig.kill()
        await day.rig.start()
        assert await pack(day, one, two) == ["repeat", "full"]
        assert await order(day, COURIER, Do.LAB, "LAB-9") == "denied"
        assert await order(day, COURIER, Do.LAB, "LAB-2") == "acknowledged"
        assert await order(day, COURIER, Do.VEHICLE, "赣A12345") == "acknowledged"
        assert await order(day, REGISTRAR, Do.PACKED) == "denied"
        await until(lambda: day.rig.status()["custody"]["missing"] == [short], "the status says what is missing")
        await until(lambda: "manifest-open" in issues(day.rig), "the desk says that something is")
        await until(lambda: len(day.rig.labels) == 4, "a notice says which")

        assert await pack(day, short) == ["acknowledged"]
        assert await order(day, COURIER, Do.COLLECT) == "denied", "one sign-off is not enough"
        assert await order(day, REGISTRAR, Do.PACKED) == "released"
        await until(lambda: "manifest-open" not in issues(day.rig), "nothing is missing any more")
        assert day.told(ManifestClosed) == [ManifestClosed(1, 3, 2, 71, 72, "LAB-2", "赣A12345")]
        assert [(fact.tube, fact.bag) for fact in day.told(TubePacked)] == [(one, 1), (two, 1), (short, 2)]
        await until(lambda: day.rig.status()["custody"]["in_flight"] == {"LAB-2": 3}, "three tubes are on their way")

        await until(lambda: codes(day.rig) and _joined(day.rig), "the codes are printed")
        capsys.readouterr()
        assert hub(["manifest", "read", *codes(day.rig), "--key", key_of(day.rig), "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert [(tube["tube"], tube["members"], tube["size"]) for tube in told["tubes"]] == [
            (one, 5, 5),
            (two, 5, 5),
            (short, 2, 5),
        ]
        assert await day.technician("manifest", "export", str(tmp_path / "boxes")) == 0
        (path,) = (tmp_path / "boxes").iterdir()
        assert path.name == "360481-01-1.manifest"
        assert path.read_bytes() == manifest.join(codes(day.rig))


def _joined(rig: Rig) -> bool:
    try:
        return bool(manifest.join(codes(rig)))
    except ValueError:
        return False


async def test_a_tube_that_is_lost_after_it_was_synced_is_told_at_once_and_its_people_may_come_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with open_site(tmp_path, line=True, pool_size=5, group_size=5) as day:
        await day.residents(1, 2, 3, 4, 5)
        (tube,) = await day.labels(1)
        await order(day, COURIER, Do.COLLECT)
        await pack(day, tube)
        assert await order(day, REGISTRAR, Do.PACKED) == "released"
        await day.all_is_at_the_command_post()
        assert await day.resident(1) == "repeat"

        assert await order(day, COURIER, Do.LOST_TUBE) == "held"
        assert await pack(day, tube) == ["acknowledged"]
        assert day.told(TubeLost) == [TubeLost(tube, "lost", (1, 2, 3, 4, 5))]
        assert [fact.tube for fact in day.told(IncidentRaised)] == [tube]
        await day.lamp("alarm", "blink")

        capsys.readouterr()
        assert await day.technician("tube", "--members", tube) == 0
        own = capsys.readouterr().out
        assert "person 1" in own
        assert person(1).name not in own
        post = await day.all_is_at_the_command_post()
        assert post.incidents == 1
        private = str(day.rig.keys / "private.key")
        capsys.readouterr()
        assert hub(["members", "--db", str(day.rig.hub_db), "--private-key", private, tube]) == 0
        rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert rows[0]["lost"] == "lost"
        assert [row["subject"]["name"] for row in rows[1:]] == [person(who).name for who in range(1, 6)]

        await day.residents(1, 2)
        assert await day.resident(1) == "repeat"
