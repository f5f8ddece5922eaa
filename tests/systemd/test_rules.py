"""udev rules: which name each device gets, and what it does by itself."""

import re

import pytest

from kiosk.udev_rules import SCANNERS
from tests.support.udev import Device, apply, parse
from tests.support.units import FOLDER, UNITS

PATH = FOLDER / "udev/72-kiosk.rules"
RULES = parse(PATH.read_text())
SOCKET = "platform-3f980000.usb-usb-0:1.2:1.0"


def serial(name: str, vendor: str, **env: str) -> Device:
    """A serial adapter, as udev's own rules leave it to ours."""
    return Device("tty", name, {"ID_VENDOR_ID": vendor, "ID_PATH": SOCKET} | env, [("tty", {}), ("usb", {})])


def keyboard(vendor: str = "1234") -> Device:
    env = {"ID_VENDOR_ID": vendor, "ID_INPUT_KEY": "1", "ID_INPUT_KEYBOARD": "1"}
    return Device("input", "event3", env, [("input", {}), ("hid", {}), ("usb", {})], tags={"power-switch"})


def stick(label: str) -> Device:
    return Device("block", "sda1", {"ID_FS_LABEL": label}, [("block", {}), ("scsi", {}), ("usb", {})])


@pytest.mark.parametrize("vendor", ["0403", "067b", "10c4", "1a86", "ffff"])
def test_a_serial_adapter_is_the_id_card_reader(vendor: str) -> None:
    device = apply(RULES, serial("ttyUSB0", vendor))
    assert device.links == {"kiosk-card"}
    assert (device.group, device.mode) == ("dialout", "0660")


def test_a_scanner_that_is_a_serial_line_is_the_scanner() -> None:
    assert apply(RULES, serial("ttyACM0", "ffff")).links == {"kiosk-code"}
    for vendor in SCANNERS:
        for name in ("ttyACM0", "ttyUSB0"):
            assert apply(RULES, serial(name, vendor)).links == {"kiosk-code"}


def test_a_scanner_that_types_is_no_switch_and_comes_before_a_keyboard() -> None:
    other = apply(RULES, keyboard())
    assert other.links == {"input/kiosk-code"}
    assert other.tags == set()
    assert (other.group, other.options) == ("input", [])
    for vendor in SCANNERS:
        assert apply(RULES, keyboard(vendor)).options == ["link_priority=10"]


def test_keys_of_a_scanner_that_are_no_letters_reach_nobody() -> None:
    media = Device("input", "event4", {"ID_INPUT_KEY": "1"}, [("input", {}), ("usb", {})], tags={"power-switch"})
    assert (apply(RULES, media).tags, media.links) == (set(), set())


def test_the_power_button_of_the_board_stays_what_it_is() -> None:
    button = Device("input", "event0", {"ID_INPUT_KEY": "1"}, [("input", {}), ("platform", {})], tags={"power-switch"})
    assert apply(RULES, button).tags == {"power-switch"}


def test_printer_and_pins() -> None:
    printer = apply(RULES, Device("usbmisc", "lp0", above=[("usbmisc", {}), ("usb", {})]))
    assert (printer.links, printer.group) == ({"kiosk-printer"}, "lp")
    assert apply(RULES, Device("gpio", "gpiochip0")).group == "gpio"


def test_no_usb_device_sleeps_and_none_is_taken_for_a_modem() -> None:
    bus = Device("usb", "1-1.2", {"DEVTYPE": "usb_device"}, [("usb", {"power/control": "auto"})])
    apply(RULES, bus)
    assert bus.above[0][1]["power/control"] == "on"
    assert bus.env["ID_MM_DEVICE_IGNORE"] == "1"
    assert apply(RULES, serial("ttyUSB0", "1a86")).env["ID_MM_PORT_IGNORE"] == "1"


@pytest.mark.parametrize("label", ["KIOSK-EXPORT", "KIOSK-EXPOR", "KIOSKEXPORT", "kiosk-expor", "kioskexport"])
def test_an_export_stick_exports(label: str) -> None:
    device = apply(RULES, stick(label))
    assert device.env["SYSTEMD_WANTS"] == "kiosk-export@sda1.service"
    assert device.tags == {"systemd"}


@pytest.mark.parametrize("label", ["KIOSK-UPDATE", "KIOSK-UPDAT", "KIOSKUPDATE"])
def test_an_update_stick_updates(label: str) -> None:
    assert apply(RULES, stick(label)).env["SYSTEMD_WANTS"] == "kiosk-update@sda1.service"


@pytest.mark.parametrize("label", ["", "KIOSK", "KIOSK_DATA", "BOOT_A", "PHOTOS", "MYKIOSK-EXPORT"])
def test_any_other_stick_does_nothing(label: str) -> None:
    assert "SYSTEMD_WANTS" not in apply(RULES, stick(label)).env


def test_every_name_of_a_stick_that_fat_holds_is_short_enough() -> None:
    for pattern in re.findall(r'ENV\{ID_FS_LABEL\}=="([^"]+)"', PATH.read_text()):
        assert all(len(name.rstrip("*")) <= 11 for name in pattern.split("|"))


def test_a_device_with_a_rule_of_the_site_keeps_its_name_alone() -> None:
    own = 'SUBSYSTEM=="tty", ENV{ID_PATH}=="' + SOCKET + '", ENV{KIOSK_NAMED}="1", SYMLINK+="kiosk-code"\n'
    device = apply(parse(own + PATH.read_text()), serial("ttyUSB0", "1a86"))
    assert device.links == {"kiosk-code"}
    assert device.group == "dialout"


def test_what_is_unplugged_is_left_alone() -> None:
    gone = apply(RULES, serial("ttyUSB0", "1a86", ID_SERIAL_SHORT="7"))
    gone = apply(RULES, Device("tty", "ttyUSB0", {"ID_VENDOR_ID": "1a86"}, [("usb", {})], action="remove"))
    assert gone.links == set()


def test_the_units_that_are_started_exist() -> None:
    wanted = re.findall(r'SYSTEMD_WANTS\}\+="([^"]+)"', PATH.read_text())
    assert len(wanted) == 2
    for name in wanted:
        assert (UNITS / name.replace("@%k.", "@.")).is_file()


def test_the_file_comes_after_what_it_takes_back_and_before_what_reads_it() -> None:
    assert "70-power-switch.rules" < PATH.name < "77-mm-usb-device-blacklist.rules"
    assert "71-kiosk.rules" < PATH.name < "99-systemd.rules"
