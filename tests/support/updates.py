"""A card in a folder, and bundles for it."""

import json
from pathlib import Path
from random import Random

from nacl.signing import SigningKey

from kiosk.seal import PrivateKeys
from kiosk.update import bundle, slots
from kiosk.update.attempt import Places
from kiosk.update.bundle import CHUNK, Manifest
from kiosk.update.slots import Card, Slot

KEYS = PrivateKeys(PrivateKeys.generate().unseal, SigningKey(bytes(range(32))))
NEW = "99.1.0"
CMDLINE = b"console=tty0 kiosk.slot=A ro quiet\n"
MODEL = ("raspberrypi,4-model-b", "brcm,bcm2711")


def boot_image(path: Path, *, seed: int = 1, free: int = CHUNK // 2, chunk: int = CHUNK) -> Path:
    """As good as a FAT: a front sector, files, a command line in a sector of its own, an initramfs that speaks of slots
    too, and ``free`` bytes of free clusters at the end."""
    content = bytearray(Random(seed).randbytes(2 * chunk + chunk // 2)) + bytes(free)
    content[0:3] = b"\xeb\x58\x90"
    content[3 * 512 : 4 * 512] = CMDLINE.ljust(512, b"\0")
    content[5 * 512 : 6 * 512] = b'*" kiosk.slot=A ") number=5'.ljust(512, b"#")
    path.write_bytes(content)
    return path


def root_image(path: Path, *, seed: int = 2, chunk: int = CHUNK) -> Path:
    path.write_bytes(Random(seed).randbytes(chunk + chunk // 4))
    return path


def make(
    folder: Path,
    *,
    name: str = "update.kiosk",
    seed: int = 1,
    keys: PrivateKeys = KEYS,
    chunk: int = CHUNK,
    **told: object,
) -> Path:
    """A bundle of a new version."""
    folder.mkdir(parents=True, exist_ok=True)
    boot = boot_image(folder / "boot.img", seed=seed, chunk=chunk)
    root = root_image(folder / "root.img", seed=seed + 1, chunk=chunk)
    bundle.write(folder / name, boot, root, keys.sign, **({"version": NEW, "created": 0, "schema": 1} | told))
    boot.unlink()
    root.unlink()
    return folder / name


def manifest_of(path: Path) -> Manifest:
    with path.open("rb") as file:
        return bundle.read(file, KEYS.public.verify).manifest


def card_in(folder: Path, *, running: Slot = "A", default: Slot = "A", model: tuple[str, ...] = MODEL) -> Card:
    """Both slots hold something; ``running`` is in use."""
    card = Card(folder / "devices", folder / "boot", folder / "cmdline", folder / "tree")
    for path in (card.devices, card.boot, card.tree):
        path.mkdir(parents=True, exist_ok=True)
    fill(card, CHUNK)
    (card.boot / "autoboot.txt").write_bytes(slots.autoboot(default))
    runs(card, running)
    (card.tree / "compatible").write_bytes("\0".join(model).encode() + b"\0")
    return card


def fill(card: Card, chunk: int) -> None:
    """Partitions that hold something else than a bundle."""
    for slot in ("A", "B"):
        card.boot_partition(slot).write_bytes(f"boot of {slot}".encode().ljust(4 * chunk, b"."))
        card.root_partition(slot).write_bytes(f"root of {slot}".encode().ljust(2 * chunk, b"."))


def runs(card: Card, slot: Slot) -> None:
    """The machine has started this slot."""
    card.cmdline.write_text(f"console=tty0 kiosk.slot={slot} ro quiet\n")


def places_in(folder: Path) -> Places:
    at = Places(folder / "etc", folder / "run", folder / "run" / "kiosk")
    for path in (at.etc, at.runtime):
        path.mkdir(parents=True, exist_ok=True)
    return at


def holds(card: Card, slot: Slot, path: Path) -> bool:
    """Whether a slot is what the bundle says, byte for byte, with its own letter."""
    with path.open("rb") as file:
        opened = bundle.read(file, KEYS.public.verify)
        boot, root = (b"".join(data for _, data in opened.chunks(part)) for part in opened.manifest.parts)
    at = opened.manifest.slot_at
    boot = boot[:at] + slot.encode() + boot[at + 1 :]
    return card.boot_partition(slot).read_bytes().startswith(boot) and card.root_partition(
        slot
    ).read_bytes().startswith(root)


def issue(at: Places, code: str) -> str:
    """The hint of an issue, "" when there is none."""
    path = at.run / "kiosk-issues" / f"{code}.json"
    return str(json.loads(path.read_text())["hint"]) if path.exists() else ""
