"""The same site with other devices: each scanner, each printer language, each kind of port."""

from pathlib import Path

import pytest

from kiosk.drivers.printer.paper import TsplPaper
from tests.support.mosquitto import free_port
from tests.support.site_day import open_site, read_barcode, until

FIVE = {"pool_size": 5, "group_size": 5}


async def test_a_scanner_that_types_like_a_keyboard(tmp_path: Path) -> None:
    scanner = {"driver": "hid", "device": str(tmp_path / "keyboard")}
    async with open_site(tmp_path, {"devices.code": scanner}, **FIVE) as day:
        await day.residents(*range(5))
        await day.release_the_group()
        assert day.released == [5]


@pytest.mark.parametrize("language", ["escpos", "zpl"])
async def test_other_printer_languages(tmp_path: Path, language: str) -> None:
    printer = {"driver": language, "port": str(tmp_path / "printer")}
    async with open_site(tmp_path, {"devices.printer": printer}, **FIVE) as day:
        await day.residents(*range(5))
        await day.release_the_group()
        assert await day.labels(1) == [tube.tube for tube in day.tubes]


async def test_a_printer_on_the_network(tmp_path: Path) -> None:
    printer = {"driver": "zpl", "port": f"tcp://127.0.0.1:{free_port()}"}
    async with open_site(tmp_path, {"devices.printer": printer}, **FIVE) as day:
        await day.residents(*range(5))
        await day.release_the_group()
        assert await day.labels(1) == [tube.tube for tube in day.tubes]


async def test_labels_into_a_plain_file(tmp_path: Path) -> None:
    file = tmp_path / "labels.bin"
    async with open_site(tmp_path, {"devices.printer": {"driver": "tspl", "port": str(file)}}, **FIVE) as day:
        await day.residents(*range(5))
        await day.release_the_group()
        (label,) = TsplPaper().feed(file.read_bytes())
        assert [read_barcode(label)] == [tube.tube for tube in day.tubes]


async def test_without_a_printer_the_number_is_written_by_hand(tmp_path: Path) -> None:
    async with open_site(tmp_path, {"devices.printer": {"driver": "none"}}, **FIVE) as day:
        await day.residents(*range(5))
        await day.release_the_group()
        assert day.released == [5]
        assert "printer" not in day.rig.status()["devices"]


async def test_a_label_counts_once_a_volunteer_has_scanned_it(tmp_path: Path) -> None:
    printer = {"driver": "tspl", "port": str(tmp_path / "printer"), "confirm": "scan"}
    async with open_site(tmp_path, {"devices.printer": printer}, **FIVE) as day:
        await day.residents(*range(5))
        (tube,) = await day.labels(1)
        await until(lambda: day.rig.status()["tubes_closed"] == 1, "the tube is closed")
        assert day.rig.panel.state.lamps["release"] == "off"
        assert await day.scan_the_label(tube) == "acknowledged"
        await day.release_the_group()
        assert day.released == [5]
