"""`kiosk check --udev`: rules that name the devices which are plugged in now, each by the socket it sits in.

Most serial adapters have no number of their own (CH340), or all the same one (CP2102): only the socket tells two of
them apart. A file of these rules sorts before 72-kiosk.rules, which then leaves the devices in it alone.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from kiosk.config import Devices

SCANNERS = {
    "05e0": "Zebra",
    "05f9": "Datalogic",
    "0c2e": "Honeywell",
    "1eab": "Newland",
    "23d0": "Youjie",
}
"""USB vendors that make scanners and nothing else a kiosk has. The same as in systemd/udev/72-kiosk.rules."""
CHIPS = {
    "0403": "FTDI adapter",
    "067b": "PL2303 adapter",
    "10c4": "CP210x adapter",
    "1a86": "CH340 adapter",
}

_LINKS = {"card": "kiosk-card", "code": "kiosk-code", "keys": "input/kiosk-code", "printer": "kiosk-printer"}
_WORDS = {"card": "ID-card reader", "code": "scanner", "keys": "scanner that types", "printer": "label printer"}
_CLASSES = ("tty", "input", "usbmisc")
_KEYS = 0xFFFFFFFE  # ESC to D: what udev calls a keyboard (systemd's udev-builtin-input_id.c)

_HEAD = """\
# The devices of this kiosk, each by the socket it sits in: whatever is plugged in there has this name.
# On a kiosk made from the image this file is /etc/kiosk/udev.rules; elsewhere /etc/udev/rules.d/71-kiosk.rules, then:
# udevadm control --reload && udevadm trigger
"""
_GUESSED = "# Without a usable configuration it is a guess which is which: swap the names where it is wrong.\n"
_IMPORT = 'SUBSYSTEM=="usbmisc", KERNEL=="lp*", IMPORT{builtin}="usb_id", IMPORT{builtin}="path_id"\n'
"""udev's own rules do not look where a printer sits."""


class Plugged(NamedTuple):
    """A device node on USB. ``subsystem``: one of _CLASSES; ``usb``: the device on the bus, in sysfs; ``path``: udev's
    ID_PATH; ``serial``: of the USB device, "" where it has none."""

    node: Path
    subsystem: str
    usb: Path
    vendor: str
    model: str
    serial: str
    product: str
    path: str
    port: str


def rules(devices: Devices | None, root: Path = Path("/")) -> str:
    """The rules as a text. ``devices``: as configured, None where no configuration can be used; ``root``: where dev,
    run and sys are."""
    found = list(plugged(root))
    if not found:
        return f"{_HEAD}# Nothing is plugged in that a kiosk could use.\n"
    roles = _configured(found, devices, root) if devices is not None else {}
    guesses = _guessed([each for each in found if each.node not in roles], set(roles.values()))
    text = _HEAD + (_GUESSED if devices is None else "")
    if any(each.subsystem == "usbmisc" for each in found):
        text += _IMPORT
    serials = Counter(key for key, _ in {((each.vendor, each.model, each.serial), each.usb) for each in found})
    paths = Counter((each.subsystem, each.path) for each in found)
    for each in found:
        role = roles.get(each.node) or guesses[each.node]
        how = "as configured" if each.node in roles else "a guess"
        text += "\n" + _rule(each, role, how, paths[each.subsystem, each.path] > 1)
        if _is_own(each.serial) and serials[each.vendor, each.model, each.serial] == 1:
            text += _by_serial(each, role)
    return text


# What is plugged in -----------------------------------------------------------------------------------------------


def plugged(root: Path = Path("/")) -> Iterator[Plugged]:
    """Serial lines, keyboards and printers on USB, in the order of their sockets."""
    found = []
    for subsystem in _CLASSES:
        for entry in sorted((root / "sys/class" / subsystem).glob("*")):
            if subsystem == "input" and not _is_keyboard(entry):
                continue
            if subsystem == "usbmisc" and not entry.name.startswith("lp"):
                continue
            if (device := _look(root, entry, subsystem)) is not None:
                found.append(device)
    yield from sorted(found, key=lambda each: (_CLASSES.index(each.subsystem), each.path, each.port, each.node))


def _look(root: Path, entry: Path, subsystem: str) -> Plugged | None:
    above = [entry.resolve(), *entry.resolve().parents]
    usb = next((folder for folder in above if (folder / "idVendor").is_file()), None)
    if usb is None or not (path := _id_path(root, entry)):
        return None
    product = f"{_read(usb / 'manufacturer')} {_read(usb / 'product')}".strip()
    return Plugged(
        node=root / "dev" / _node(entry, subsystem),
        subsystem=subsystem,
        usb=usb,
        vendor=_read(usb / "idVendor"),
        model=_read(usb / "idProduct"),
        serial=_read(usb / "serial"),
        product=product,
        path=path,
        port=next((_read(folder / "port_number") for folder in above if (folder / "port_number").is_file()), ""),
    )


def _node(entry: Path, subsystem: str) -> str:
    return {"tty": "", "input": "input/", "usbmisc": "usb/"}[subsystem] + entry.name


def _read(path: Path) -> str:
    """An attribute as printable ASCII: a device can say anything of itself."""
    try:
        return re.sub(r"[^ -~]", "?", path.read_text("ascii", "replace").strip())
    except OSError:
        return ""


def _is_keyboard(entry: Path) -> bool:
    try:
        return int(_read(entry / "device/capabilities/key").split()[-1], 16) & _KEYS == _KEYS
    except (ValueError, IndexError):
        return False


def _id_path(root: Path, entry: Path) -> str:
    """What udev's database has, or what udev would put there (systemd's udev-builtin-path_id.c, as far as USB goes)."""
    numbers = _read(entry / "dev")
    known = re.search(r"^E:ID_PATH=([!-~]+)$", _text(root / f"run/udev/data/c{numbers}"), re.MULTILINE)
    if known is not None:
        return known[1]
    parts: list[str] = []
    before = ""
    for folder in (entry.resolve(), *entry.resolve().parents):
        if not (folder / "uevent").is_file():  # no device, a folder only
            continue
        kind = (folder / "subsystem").resolve().name if (folder / "subsystem").is_symlink() else ""
        if kind != before:  # of several of a kind, one above the other, the lowest has the name
            if kind == "usb":
                parts.append(f"usb-0:{folder.name.partition('-')[2]}")
            elif kind in ("pci", "platform"):
                parts.append(f"{kind}-{folder.name}")
        before = kind
    return "-".join(reversed(parts))


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


# Which is which ---------------------------------------------------------------------------------------------------


def _configured(found: Sequence[Plugged], devices: Devices, root: Path) -> dict[Path, str]:
    """Node to role, for those the configuration names, by whatever link."""
    roles = {}
    for key, role in (("card", "card"), ("code", "code"), ("printer", "printer")):
        device = getattr(devices, key)
        where = getattr(device, "port", "") or getattr(device, "device", "")
        if not where.startswith("/"):
            continue
        node = (root / where.lstrip("/")).resolve()
        for each in found:
            if each.node.resolve() == node:
                roles[each.node] = "keys" if each.subsystem == "input" else role
    return roles


def _guessed(found: Sequence[Plugged], taken: set[str]) -> dict[Path, str]:
    """Node to role, "" for one too many."""
    roles = {}
    known_first = sorted(found, key=lambda each: each.vendor not in SCANNERS)
    for each in known_first:
        if each.subsystem == "tty":
            scanner = each.vendor in SCANNERS or each.node.name.startswith("ttyACM")
            wanted = ["code", "card"] if scanner else ["card", "code"]
        else:
            wanted = ["keys"] if each.subsystem == "input" else ["printer"]
        role = next((role for role in wanted if role not in taken), "")
        taken = taken | {role}
        roles[each.node] = role
    return roles


# How it is written ------------------------------------------------------------------------------------------------


def _rule(device: Plugged, role: str, how: str, shared: bool) -> str:
    serial = f"number {device.serial}" if device.serial else "no number"
    maker = SCANNERS.get(device.vendor) or CHIPS.get(device.vendor, "")
    what = " ".join(part for part in (maker, f'"{device.product}"' if device.product else "") if part)
    text = f"# {device.vendor}:{device.model} {what}, {serial}, now {device.node.name}: "
    match = [f'SUBSYSTEM=="{device.subsystem}"', f'ENV{{ID_PATH}}=="{device.path}"']
    if device.subsystem == "input":
        match.append('ENV{ID_INPUT_KEYBOARD}=="1"')
    if shared and device.port:
        match.append(f'ATTRS{{port_number}}=="{device.port}"')
    if not role:
        return f"{text}one too many, it gets no name\n# {', '.join((*match, *_names('')))}\n"
    return f"{text}{_WORDS[role]} ({how})\n{', '.join((*match, *_names(role)))}\n"


def _names(role: str) -> tuple[str, ...]:
    return ('ENV{KIOSK_NAMED}="1"', f'SYMLINK+="{_LINKS.get(role, "kiosk-NAME")}"')


def _is_own(serial: str) -> bool:
    """Whether it can be the number of one device alone: not the 0001 of a whole series."""
    return re.fullmatch(r"[A-Za-z0-9._-]+", serial) is not None and len(set(serial)) > 2


def _by_serial(device: Plugged, role: str) -> str:
    match = (
        f'SUBSYSTEM=="{device.subsystem}"',
        f'ENV{{ID_VENDOR_ID}}=="{device.vendor}"',
        f'ENV{{ID_MODEL_ID}}=="{device.model}"',
        f'ENV{{ID_SERIAL_SHORT}}=="{device.serial}"',
        *(('ENV{ID_INPUT_KEYBOARD}=="1"',) if device.subsystem == "input" else ()),
    )
    return f"# ... or this very device, in whatever socket:\n# {', '.join((*match, *_names(role)))}\n"


def for_config(path: Path) -> str:
    """The command: rules for this machine, with the configuration where it can be used."""
    from kiosk import config_file
    from kiosk.config import ConfigError

    try:
        devices: Devices | None = config_file.load(path).devices
    except ConfigError:
        devices = None
    return rules(devices)
