"""A card in a folder, and bundles for it."""

import json
import struct
from pathlib import Path
from random import Random

from nacl.signing import SigningKey

from kiosk.journal import FORMAT
from kiosk.seal import PrivateKeys
from kiosk.update import bundle, slots
from kiosk.update.attempt import Places
from kiosk.update.bundle import CHUNK, Manifest
from kiosk.update.slots import Card, Slot

KEYS = PrivateKeys(PrivateKeys.generate().unseal, SigningKey(bytes(range(32))))
NEW = "99.1.0"
CMDLINE = b"console=tty0 kiosk.slot=A ro quiet\n"
MODEL = ("raspberrypi,4-model-b", "brcm,bcm2711")


def boot_image(
    path: Path,
    *,
    root: Path,
    seed: int = 1,
    free: int = CHUNK // 2,
    chunk: int = CHUNK,
    cmdline: bytes = CMDLINE,
) -> Path:
    """A small FAT32: cmdline.txt, slot.json, a kernel that speaks of slots too, noise, and ``free`` bytes of free
    clusters at the end."""
    used = 2 * chunk + chunk // 2
    per_cluster = max(1, used // 512 // 64)
    cluster, data = per_cluster * 512, 2 * 512
    content = bytearray(Random(seed).randbytes(used)) + bytes(free)
    front = bytearray(512)
    struct.pack_into("<3xxxxxxxxxHBHB", front, 0, 512, per_cluster, 1, 1)
    struct.pack_into("<I4xI", front, 36, 1, 2)
    front[82:90], front[510:512] = b"FAT32   ", b"\x55\xaa"
    content[0:512] = front
    content[512:1024] = struct.pack("<5I", *[0x0FFFFFFF] * 5).ljust(512, b"\0")
    size, sha256 = bundle.size_and_hash(root)
    told = json.dumps({"version": NEW, "root_size": size, "root_sha256": sha256.hex()}).encode() + b"\n"
    files = ((b"KERNEL8 IMG", b'*" kiosk.slot=A ") number=5'), (b"CMDLINE TXT", cmdline), (b"SLOT~1  JSO", told))
    folder = b"BOOT_A     \x08".ljust(32, b"\0") + b"\xe5MDLINE TXT".ljust(32, b"\0")
    for number, (name, file) in enumerate(files, 3):
        folder += struct.pack("<11sB8xH4xHI", name, 0x20, 0, number, len(file))
        at = data + (number - 2) * cluster
        content[at : at + cluster] = file.ljust(cluster, b"\0")
    content[data : data + cluster] = folder.ljust(cluster, b"\0")
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
    root = root_image(folder / "root.img", seed=seed + 1, chunk=chunk)
    boot = boot_image(folder / "boot.img", root=root, seed=seed, chunk=chunk)
    bundle.write(folder / name, boot, root, keys.sign, **({"version": NEW, "created": 0, "schema": FORMAT} | told))
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
