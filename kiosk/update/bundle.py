"""An update as one file: a manifest that the command post has signed, and behind it what goes into the two partitions
of a slot, byte for byte (docs/protocol.md).

    magic 16 | length of the manifest: 4, big-endian | manifest in its envelope | boot | root

Every mebibyte has its own hash, so that a damaged file is refused with the place of the damage, before anything is
written, and so that no byte is written that was not looked at a moment before. The same bytes serve both slots: the
letter of the slot stands in the boot image once, at a place the manifest names, and whoever writes sets it.
"""

import contextlib
import hashlib
import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO, Literal, NamedTuple

import msgspec
from msgspec import Meta
from nacl.signing import SigningKey, VerifyKey

from kiosk import frames
from kiosk.frames import FrameError, Hash
from kiosk.update import fat

SUFFIX = ".kiosk"
MAGIC = b"kiosk-bundle\r\n\x1a\n"
"""As of a PNG: a transfer that changes line ends shows at once."""
CHUNK = 1 << 20
MAX_MANIFEST = 1 << 20
BOARDS = ("brcm,bcm2837", "brcm,bcm2711", "brcm,bcm2712")
"""Raspberry Pi 3, 4 and 5, as their device trees name the processor."""
SLOTS = ("A", "B")

_LABEL = b"kiosk-bundle-1\0"
_HEAD = struct.Struct(">16sI")
_DIGEST = 32
_VERSION = re.compile(r"([0-9]+(?:\.[0-9]+)*)[0-9A-Za-z.+-]*")
_SLOT = re.compile(rb"(?<!\S)kiosk\.slot=([AB])(?!\S)")

Version = Annotated[str, Meta(pattern=r"^[0-9]+(\.[0-9]+)*[0-9A-Za-z.+-]*\Z", max_length=40)]


class BundleError(ValueError):
    """This bundle cannot be used; the text says what is wrong with it, where, and what to do."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What goes to the start of a partition. ``chunks``: SHA-256 of each CHUNK bytes, one behind the other."""

    name: Literal["boot", "root"]
    size: Annotated[int, Meta(gt=0, lt=1 << 40)]
    sha256: Hash
    chunks: bytes

    def digest(self, number: int) -> bytes:
        return self.chunks[number * _DIGEST : (number + 1) * _DIGEST]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """``created``: ms since 1970 UTC; ``schema``: of the data folder that its program writes; ``from_version``: the
    oldest program that may install it; ``older``: it may replace a newer one; ``slot_at``: where in the boot part the
    letter of the slot stands."""

    v: int = frames.VERSION
    version: Version
    created: int
    schema: int
    from_version: Version = "0"
    boards: tuple[str, ...] = BOARDS
    older: bool = False
    slot_at: Annotated[int, Meta(ge=0)]
    parts: Annotated[tuple[Part, ...], Meta(min_length=2, max_length=2)]

    @property
    def boot(self) -> Part:
        return self.parts[0]

    @property
    def root(self) -> Part:
        return self.parts[1]


class Bundle(NamedTuple):
    """An open bundle whose manifest is verified; its parts are not, until they are read. ``at``: where the first part
    begins."""

    file: BinaryIO
    manifest: Manifest
    at: int

    def chunks(self, part: Part) -> Iterator[tuple[int, bytes]]:
        """Offset and content of each chunk of a part, each verified. Raises BundleError, OSError."""
        start = self.at if part.name == "boot" else self.at + self.manifest.boot.size
        for number, offset in enumerate(range(0, part.size, CHUNK)):
            self.file.seek(start + offset)
            data = self.file.read(min(CHUNK, part.size - offset))
            if hashlib.sha256(data).digest() != part.digest(number):
                place = f"byte {start + offset} to {start + min(part.size, offset + CHUNK) - 1}"
                raise BundleError(f"{part.name} is damaged at {place}: copy the bundle anew")
            yield offset, data

    def check(self) -> None:
        """Reads the whole bundle. Raises BundleError, OSError."""
        end, size = self.file.seek(0, 2), self.at + sum(part.size for part in self.manifest.parts)
        if end != size:
            what = "cut short" if end < size else "followed by something else"
            raise BundleError(f"{what}: found {end} bytes, expected {size}: copy the bundle anew")
        for part in self.manifest.parts:
            whole = hashlib.sha256()
            for _, data in self.chunks(part):
                whole.update(data)
            if whole.digest() != part.sha256:
                raise BundleError(f"{part.name}: its chunks are right and the whole is not: make the bundle anew")


def read(file: BinaryIO, key: VerifyKey) -> Bundle:
    """The bundle in a file that can seek. ``key``: the command post's. Raises BundleError, OSError."""
    file.seek(0)
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size or not head.startswith(MAGIC):
        raise BundleError("no bundle of a kiosk: it begins otherwise; take the file that `kiosk-hub bundle` made")
    _, length = _HEAD.unpack(head)
    if not 0 < length <= MAX_MANIFEST:
        raise BundleError(f"manifest: found {length} bytes, expected at most {MAX_MANIFEST}: copy the bundle anew")
    envelope = file.read(length)
    if len(envelope) < length:
        raise BundleError(f"cut short: found {_HEAD.size + len(envelope)} bytes: copy the bundle anew")
    try:
        manifest = frames.verify(_LABEL, envelope, Manifest, key)
    except FrameError as error:
        raise BundleError(f"manifest: {error}; expected one of the command post this kiosk belongs to") from None
    _agree(manifest)
    return Bundle(file, manifest, _HEAD.size + length)


def _agree(manifest: Manifest) -> None:
    if [part.name for part in manifest.parts] != ["boot", "root"]:
        raise BundleError("manifest: parts: expected boot and root")
    for part in manifest.parts:
        if len(part.chunks) != -(-part.size // CHUNK) * _DIGEST:
            raise BundleError(f"manifest: {part.name}: expected one hash for each {CHUNK} bytes")
    if manifest.slot_at >= manifest.boot.size:
        raise BundleError("manifest: slot_at: expected a place in boot")


def write(out: Path, boot: Path, root: Path, key: SigningKey, **told: object) -> Manifest:
    """Makes a bundle; ``told``: what the manifest tells beside the parts. The zeros at the end of the boot image are
    left out: they are free clusters. Raises BundleError, OSError."""
    sizes = {"boot": _used(boot), "root": root.stat().st_size}
    files = {"boot": boot, "root": root}
    parts = [_hashed(name, path, sizes[name]) for name, path in files.items()]
    try:
        fields = {**told, "slot_at": slot_letter(boot), "parts": parts}
        _belongs(boot, parts[1])
        manifest = msgspec.convert(msgspec.to_builtins(fields, builtin_types=(bytes,)), Manifest)
    except msgspec.ValidationError as error:
        raise BundleError(f"manifest: {error}") from None
    envelope = frames.sign(_LABEL, manifest, key)
    fresh = out.with_name(out.name + ".new")
    with fresh.open("wb") as target:
        target.write(_HEAD.pack(MAGIC, len(envelope)) + envelope)
        for name, path in files.items():
            for data in _blocks(path, sizes[name]):
                target.write(data)
    with fresh.open("rb") as file:
        read(file, key.verify_key).check()
    fresh.rename(out)
    return manifest


def _hashed(name: str, path: Path, size: int) -> dict[str, object]:
    whole, chunks = hashlib.sha256(), []
    for data in _blocks(path, size):
        whole.update(data)
        chunks.append(hashlib.sha256(data).digest())
    return {"name": name, "size": size, "sha256": whole.digest(), "chunks": b"".join(chunks)}


def _blocks(path: Path, size: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        while size > 0 and (data := file.read(min(CHUNK, size))):
            size -= len(data)
            yield data


def _used(path: Path) -> int:
    """Bytes to the end of the last chunk that is not all zeros. Raises BundleError where there is none."""
    used = at = 0
    for data in _blocks(path, path.stat().st_size):
        at += len(data)
        if data.count(0) != len(data):
            used = at
    if not used:
        raise BundleError(f"{path.name}: is empty, expected the image of a boot partition")
    return used


def _belongs(boot: Path, root: dict[str, object]) -> None:
    """Whether this root is the one that the boot image was made with: its slot.json says so. Raises BundleError."""
    _, content = _file(boot, "SLOT.JSO")
    found: list[object] = []
    with contextlib.suppress(ValueError, KeyError, TypeError):
        told = json.loads(content)
        found = [told["root_size"], bytes.fromhex(told["root_sha256"])]
    if found != [root["size"], root["sha256"]]:
        raise BundleError(f"{boot.name}: its slot.json does not name this root: take both from the same `make image`")


def slot_letter(boot: Path) -> int:
    """Where in the image of a boot partition the letter of the slot stands: in cmdline.txt. Raises BundleError."""
    at, content = _file(boot, "CMDLINE.TXT")
    found = list(_SLOT.finditer(content))
    if len(found) != 1:
        raise BundleError(f"{boot.name}: cmdline.txt: found {len(found)} times kiosk.slot=A or B, expected one")
    return at + found[0].start(1)


def _file(boot: Path, name: str) -> tuple[int, bytes]:
    """Place and content of a small file of a FAT. Raises BundleError, OSError."""
    with boot.open("rb") as image:
        try:
            place = fat.find(image, name)
        except fat.FatError as error:
            raise BundleError(f"{boot.name}: {error}: expected the boot part that `make image` leaves") from None
        image.seek(place.at)
        return place.at, image.read(place.size)


def size_and_hash(path: Path) -> tuple[int, bytes]:
    """Of a whole bundle: what a command to fetch it names. Raises OSError."""
    with path.open("rb") as file:
        return path.stat().st_size, hashlib.file_digest(file, "sha256").digest()


def numbers(version: str) -> tuple[int, ...]:
    """What two versions are compared by; what follows the numbers does not count."""
    match = _VERSION.fullmatch(version)
    return tuple(map(int, match[1].split("."))) if match else ()
