"""`kiosk check --udev` on machines made of files: what is plugged in, and the names its rules give."""

from pathlib import Path

import pytest

from kiosk import cli
from kiosk.config import Devices, HidCode, SdtCard, SerialCode, TsplPrinter
from kiosk.udev_rules import plugged, rules
from tests.support.udev import Device, apply, parse
from tests.support.units import FOLDER

PI_4 = "devices/platform/scb/fd500000.pcie/pci0000:00/0000:00:00.0/0000:01:00.0/usb1/1-1"
PI_3 = "devices/platform/soc/3f980000.usb/usb1/1-1"
BASE = (FOLDER / "udev/72-kiosk.rules").read_text()
ALL_KEYS = "10000 0 0 fffffffffffffffe"


class Machine:
    """A root with dev, run and sys. Every device hangs on the hub ``hub``."""

    def __init__(self, root: Path, hub: str = PI_4) -> None:
        self.root, self.hub = root, hub
        self._number = 0
        place = root / "sys"
        for part in Path(hub).parts:
            place /= part
            kind = "usb" if place.name.startswith(("usb", "1-")) else "pci" if place.name[:2] == "00" else "platform"
            if place.name not in ("devices", "platform", "pci0000:00"):
                self._device(place, kind)

    def plug(
        self,
        name: str,
        socket: str,
        vendor: str = "1a86",
        model: str = "7523",
        serial: str = "",
        product: str = "USB Serial",
        keys: str = "",
        port: str = "",
        function: str = "0",
    ) -> Device:
        """Plugs it in; returns it as udev's own rules leave it to ours. ``socket``: such as "1-1.2"."""
        usb = self.root / "sys" / self.hub / socket
        self._device(usb, "usb")
        told = {"idVendor": vendor, "idProduct": model, "serial": serial, "product": product}
        for attribute, text in told.items():
            if text:
                (usb / attribute).write_text(text + "\n")
        interface = usb / f"{socket}:1.{function}"
        self._device(interface, "usb")
        kind = "input" if name.startswith("event") else "usbmisc" if name.startswith("lp") else "tty"
        above = interface
        if name.startswith("ttyUSB"):
            above = interface / name
            self._device(above, "usb-serial")
            (above / "port_number").write_text(port + "\n")
        elif kind == "input":
            above = interface / "0003:1A86:0001.0001" / "input" / "input5"
            self._device(above, "input")
            (above / "capabilities").mkdir()
            (above / "capabilities/key").write_text(keys + "\n")
        node = above / kind / name if kind != "input" else above / name
        self._device(node, kind)
        (node / "device").symlink_to(above)
        self._number += 1
        (node / "dev").write_text(f"188:{self._number}\n")
        by_class = self.root / "sys/class" / kind
        by_class.mkdir(parents=True, exist_ok=True)
        (by_class / name).symlink_to(node)
        place = {"tty": "", "input": "input", "usbmisc": "usb"}[kind]
        (self.root / "dev" / place).mkdir(parents=True, exist_ok=True)
        (self.root / "dev" / place / name).touch()
        bus = "platform-fd500000.pcie-pci-0000:01:00.0" if self.hub == PI_4 else "platform-3f980000.usb"
        env = {"ID_PATH": f"{bus}-usb-0:{socket.partition('-')[2]}:1.{function}", "ID_VENDOR_ID": vendor}
        env |= {"ID_MODEL_ID": model, "ID_SERIAL_SHORT": serial}
        if kind == "input":
            env["ID_INPUT_KEYBOARD"] = "1"
        return Device(kind, name, env, [(kind, {}), ("usb-serial", {"port_number": port}), ("usb", {})])

    def _device(self, place: Path, subsystem: str) -> None:
        place.mkdir(parents=True, exist_ok=True)
        (place / "uevent").touch()
        if not (place / "subsystem").is_symlink():
            (place / "subsystem").symlink_to(self.root / "sys/bus" / subsystem)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def named(text: str, *devices: Device) -> list[set[str]]:
    """The links of each device under the rules in ``text``, followed by those of the image."""
    both = parse(text + BASE)
    return [apply(both, device).links for device in devices]


@pytest.mark.parametrize("hub", [PI_3, PI_4])
def test_two_adapters_without_a_number_are_told_apart_by_their_sockets(tmp_path: Path, hub: str) -> None:
    machine = Machine(tmp_path, hub)
    first, second = machine.plug("ttyUSB1", "1-1.2"), machine.plug("ttyUSB0", "1-1.4")
    text = rules(None, tmp_path)
    assert [each.path for each in plugged(tmp_path)] == [first.env["ID_PATH"], second.env["ID_PATH"]]
    assert named(text, first, second) == [{"kiosk-card"}, {"kiosk-code"}]
    assert "a guess" in text
    assert "CH340" in text
    assert "no number" in text


def test_the_configuration_knows_better_than_a_guess(machine: Machine) -> None:
    first, second = machine.plug("ttyUSB0", "1-1.2"), machine.plug("ttyUSB1", "1-1.4")
    (machine.root / "dev/scanner").symlink_to("ttyUSB0")
    devices = Devices(card=SdtCard(port="/dev/ttyUSB1"), code=SerialCode(port="/dev/scanner"))
    text = rules(devices, machine.root)
    assert named(text, first, second) == [{"kiosk-code"}, {"kiosk-card"}]
    assert "guess" not in text


def test_a_whole_kiosk(machine: Machine) -> None:
    card = machine.plug("ttyUSB0", "1-1.1", "0403", "6001", "A50285BI", "FT232R")
    typing = machine.plug("event2", "1-1.2", "0c2e", "0b61", "S/N 19", "Scanner", ALL_KEYS)
    keyboard = machine.plug("event1", "1-1.1.1", "046d", "c31c", "", "Keyboard", ALL_KEYS)
    printer = machine.plug("lp0", "1-1.3", "2d37", "62de", "", "XP-365B")
    text = rules(None, machine.root)
    names = named(text, card, typing, printer)
    assert names == [{"kiosk-card"}, {"input/kiosk-code"}, {"kiosk-printer"}]
    assert "one too many" in text, "the keyboard of a technician, although its socket comes first"
    assert f'# SUBSYSTEM=="input", ENV{{ID_PATH}}=="{keyboard.env["ID_PATH"]}"' in text
    assert 'IMPORT{builtin}="path_id"' in text, "udev itself does not look where a printer sits"


def test_a_device_with_a_number_of_its_own_may_be_named_by_it(machine: Machine) -> None:
    first = machine.plug("ttyUSB0", "1-1.1", "0403", "6001", "A50285BI")
    machine.plug("ttyUSB1", "1-1.2", "10c4", "ea60", "0001")
    text = rules(None, machine.root)
    offered = [line[2:] for line in text.splitlines() if line.startswith("# SUBSYSTEM") and "ID_SERIAL_SHORT" in line]
    assert len(offered) == 1, "0001 is the number of a whole series"
    first.env["ID_PATH"] = "somewhere else"
    assert named(offered[0] + "\n", first) == [{"kiosk-card"}]


def test_a_number_that_two_devices_have_names_none(machine: Machine) -> None:
    machine.plug("ttyUSB0", "1-1.1", "0403", "6001", "A50285BI")
    machine.plug("ttyUSB1", "1-1.2", "0403", "6001", "A50285BI")
    assert "ID_SERIAL_SHORT" not in rules(None, machine.root)


def test_one_device_with_two_lines_has_a_number_of_its_own_all_the_same(machine: Machine) -> None:
    machine.plug("ttyUSB0", "1-1.1", "0403", "6010", "FT1ABCDE", function="0")
    machine.plug("ttyUSB1", "1-1.1", "0403", "6010", "FT1ABCDE", function="1")
    assert rules(None, machine.root).count("ID_SERIAL_SHORT") == 2


def test_two_lines_of_one_interface_are_told_apart_by_their_port(machine: Machine) -> None:
    first = machine.plug("ttyUSB0", "1-1.1", port="0")
    second = machine.plug("ttyUSB1", "1-1.1", port="1")
    assert named(rules(None, machine.root), first, second) == [{"kiosk-card"}, {"kiosk-code"}]


def test_udevs_own_word_for_a_socket_counts(machine: Machine) -> None:
    machine.plug("ttyUSB0", "1-1.1")
    (machine.root / "run/udev/data").mkdir(parents=True)
    (machine.root / "run/udev/data/c188:1").write_text("I:1\nE:ID_PATH=acpi-usb-0:7:1.0\nG:systemd\n")
    assert 'ENV{ID_PATH}=="acpi-usb-0:7:1.0"' in rules(None, machine.root)


def test_what_is_no_device_of_a_kiosk_is_passed_over(machine: Machine) -> None:
    for name in ("tty1", "ttyS0"):
        (machine.root / "sys/devices/virtual/tty" / name).mkdir(parents=True)
        (machine.root / "sys/class/tty").mkdir(parents=True, exist_ok=True)
        (machine.root / "sys/class/tty" / name).symlink_to(machine.root / "sys/devices/virtual/tty" / name)
    machine.plug("event0", "1-1.1", product="Mouse", keys="1f0000 0 0 0 0")
    machine.plug("event1", "1-1.2", product="Broken", keys="")
    assert list(plugged(machine.root)) == []
    assert "Nothing is plugged in" in rules(None, machine.root)


def test_a_device_says_anything_of_itself_and_the_rules_stay_rules(machine: Machine) -> None:
    evil = 'x"\nSUBSYSTEM=="tty", SYMLINK+="kiosk-card", RUN+="/bin/sh'
    machine.plug("ttyUSB0", "1-1.1", serial='"; RUN+="x', product=evil + "\x1b\u202e读卡器")
    text = rules(None, machine.root)
    assert "RUN" not in "".join(line for line in text.splitlines() if not line.startswith("#"))
    assert len(parse(text)) == 1
    assert text.isascii()


def test_the_command_needs_no_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "--udev", "--config", str(tmp_path / "none.toml")]) == 0
    parse(capsys.readouterr().out)


def test_a_port_on_the_network_or_a_missing_node_is_no_hindrance(machine: Machine) -> None:
    card = machine.plug("ttyUSB0", "1-1.1")
    devices = Devices(
        card=SdtCard(port="/dev/nothing"),
        code=HidCode(device="/dev/input/nothing"),
        printer=TsplPrinter(port="tcp://printer.example.org:9100"),
    )
    assert named(rules(devices, machine.root), card) == [{"kiosk-card"}]
