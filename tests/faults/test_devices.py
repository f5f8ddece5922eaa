"""Any device unplugged and back at any moment: the fault lamp, then normal, with the same daemon."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from kiosk.drivers.panel_socket import codec
from kiosk.facts import LabelFailed, LabelPrinted
from kiosk.people import person
from tests.support.site_day import SiteDay, open_site, until

FIVE = {"pool_size": 5, "group_size": 5}
PRINTER = {"devices.printer": {"timeout_s": 1.0}}
HID = "keyboard"


def hid(folder: Path) -> dict[str, dict[str, Any]]:
    return {"devices.code": {"driver": "hid", "device": str(folder / HID)}}


async def trouble(day: SiteDay, device: str) -> None:
    await until(lambda: day.rig.status()["devices"][device] == "offline", f"{device} is missed")
    await day.rig.panel.wait_for(lambda panel: panel.lamps["fault"] != "off")


async def all_well(day: SiteDay) -> None:
    await until(lambda: set(day.rig.status()["devices"].values()) == {"online"}, "all devices are back")
    await day.lamp("fault", "off")


async def check_same_daemon(day: SiteDay, pid: int) -> None:
    assert day.rig.kiosk.poll() is None
    assert day.rig.status()["pid"] == pid


@pytest.mark.parametrize("scanner", ["serial", "hid"])
async def test_reader_and_scanner_come_and_go(tmp_path: Path, scanner: str) -> None:
    async with open_site(tmp_path, hid(tmp_path) if scanner == "hid" else None) as day:
        pid = day.rig.status()["pid"]
        await day.residents(1)
        for who, device in ((2, day.rig.reader), (3, day.rig.scanner)):
            device.unplug()
            await trouble(day, "card" if who == 2 else "code")
            device.plug()
            await all_well(day)
            await day.residents(who)
        assert day.people == 3
        await check_same_daemon(day, pid)


async def test_without_the_scanner_people_register_by_card(tmp_path: Path) -> None:
    async with open_site(tmp_path) as day:
        day.rig.scanner.unplug()
        await trouble(day, "code")
        assert await day.resident(1, code=None) == "accepted"


async def test_the_reader_goes_while_it_reads_and_the_person_lays_the_card_down_again(tmp_path: Path) -> None:
    """At twelve moments spread over a whole reading."""
    async with open_site(tmp_path, health_code="off", group_size=20, pool_size=20) as day:
        rig, rng = day.rig, random.Random(12)
        for who in range(12):
            before = rig.panel.state.signal
            rig.reader.place(person(who))
            await asyncio.sleep(rng.uniform(0, 0.12))
            rig.reader.unplug()
            rig.reader.plug()
            answer = await rig.panel.wait_for(lambda panel, n=before: panel.signal > n)
            assert answer.buzzer == "accepted"
            rig.reader.remove()
        assert day.people == 12
        assert day.rig.kiosk.poll() is None


async def test_the_printer_is_unplugged_within_a_label(tmp_path: Path) -> None:
    async with open_site(tmp_path, PRINTER, **FIVE) as day:
        day.rig.printer.stalled = True
        await day.residents(*range(5))
        await until(lambda: day.rig.status()["unlabelled"] == 1, "the label is on its way")
        day.rig.printer.unplug()
        await trouble(day, "printer")
        assert day.rig.panel.state.lamps["release"] == "off"
        await day.residents(5)
        day.rig.printer.stalled = False
        day.rig.printer.plug()
        await all_well(day)
        await day.release_the_group()
        assert await day.labels(1) == [tube.tube for tube in day.tubes]
        (failed,), (printed,) = day.told(LabelFailed), day.told(LabelPrinted)
        assert failed.tube == printed.tube
        assert printed.attempt > failed.attempt


async def test_out_of_paper_registration_goes_on_for_two_groups(tmp_path: Path) -> None:
    async with open_site(tmp_path, PRINTER, **FIVE) as day:
        day.rig.printer.paper_out = True
        await day.residents(*range(10))
        assert (await day.lamp("stop", "on")).lamps["fault"] == "blink"
        await day.rig.panel.wait_for(lambda panel: panel.buzzer == "help")
        issues = {issue["code"]: issue["hint"] for issue in day.rig.status()["issues"]}
        assert "out of paper" in issues["printer-offline"]
        assert await day.resident(10) == "refused"
        assert day.refused == ["printer"]
        assert day.rig.panel.state.lamps["release"] == "off"

        day.rig.printer.refill()
        await all_well(day)
        assert await day.labels(2) == [tube.tube for tube in day.tubes]
        await day.release_the_group()
        await day.release_the_group()
        await day.residents(10)
        assert day.released == [5, 5]
        assert day.places[11][1] == 1


async def test_a_label_waits_for_the_open_head(tmp_path: Path) -> None:
    async with open_site(tmp_path, PRINTER, **FIVE) as day:
        day.rig.printer.head_open = True
        await day.residents(*range(5))
        await trouble(day, "printer")
        assert day.rig.labels == []
        day.rig.printer.head_open = False
        await day.release_the_group()
        assert await day.labels(1) == [tube.tube for tube in day.tubes]


async def test_paper_that_ends_within_a_label_costs_no_number(tmp_path: Path) -> None:
    async with open_site(tmp_path, PRINTER, **FIVE) as day:
        day.rig.printer.paper_left = 1
        await day.residents(*range(5))
        await day.release_the_group()
        await day.residents(*range(5, 10))
        await trouble(day, "printer")
        day.rig.printer.refill()
        await day.release_the_group()
        assert await day.labels(2) == [tube.tube for tube in day.tubes]
        assert [fact.attempt for fact in day.told(LabelPrinted)] == [1, 2]


async def test_a_restart_while_labels_wait_prints_them_in_order(tmp_path: Path) -> None:
    async with open_site(tmp_path, PRINTER, **FIVE) as day:
        day.rig.printer.paper_out = True
        await day.residents(*range(10))
        await day.rig.kill()
        day.rig.printer.refill()
        since = len(day.rig.panel.history)
        await day.rig.start()
        await day.rig.panel.wait_for(lambda panel: panel.lamps["release"] == "blink", since=since)
        assert await day.labels(2) == [tube.tube for tube in day.tubes]


async def test_a_mute_printer_is_printed_on(tmp_path: Path) -> None:
    async with open_site(tmp_path, PRINTER, **FIVE) as day:
        day.rig.printer.mute = True
        await day.residents(*range(5))
        await day.release_the_group()
        assert await day.labels(1) == [tube.tube for tube in day.tubes]
        assert [fact.proof for fact in day.told(LabelPrinted)] == ["sent"]


async def test_a_stalled_printer_holds_nothing_else_up(tmp_path: Path) -> None:
    async with open_site(tmp_path, PRINTER, **FIVE) as day:
        day.rig.printer.stalled = True
        await day.residents(*range(5))
        await trouble(day, "printer")
        await day.residents(5, 6)
        day.rig.printer.stalled = False
        await all_well(day)
        await day.release_the_group()
        assert set(await day.labels(1)) == {tube.tube for tube in day.tubes}


async def test_the_lamp_box_goes_and_a_press_that_was_cut_off_has_not_happened(tmp_path: Path) -> None:
    async with open_site(tmp_path, **FIVE) as day:
        await day.residents(*range(5))
        await day.lamp("release", "blink")
        panel = day.rig.panel
        panel.send(codec.encode(codec.Edge("release", "down")))
        await asyncio.sleep(0.4)
        since = len(panel.history)
        panel._writer.transport.abort()
        await panel.wait_online(False)
        await panel.wait_online()
        again = await panel.wait_for(lambda _: True, since=since)
        assert again.lamps["release"] == "blink"
        assert day.released == []
        await day.release_the_group()
        assert day.released == [5]


async def test_somebody_deletes_the_panel_socket(tmp_path: Path) -> None:
    async with open_site(tmp_path) as day:
        (tmp_path / "run" / "panel.sock").unlink()
        day.rig.panel._writer.transport.abort()
        await day.rig.panel.wait_online(False)
        await day.rig.panel.wait_online()
        await day.residents(1)
        await all_well(day)
