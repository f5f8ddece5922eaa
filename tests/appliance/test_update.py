"""Bundles from a stick: a damaged one is refused, a good one is tried once and kept, a bad one is given up."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.appliance.board import Board
from tests.appliance.card import BOOT, ROOT, TECHNICIAN
from tests.appliance.site import Site, status
from tests.support.vm import until

LABEL, STICK_MIB = "KIOSKUPDATE", 512
LONG = 1800.0


@pytest.fixture
def parts(image: Path) -> tuple[Path, Path]:
    """The boot and the root part that `make image` leaves beside the image."""
    return image.parent / "boot.fat", image.parent / "root.squashfs"


def bundle(site: Site, boot: Path, root: Path, version: str) -> Path:
    out = site.folder / f"sampling-kiosk-{version}.kiosk"
    command = [sys.executable, "-m", "hub", "bundle", "--private-key", site.keys / "private.key"]
    subprocess.run([*command, "--boot", boot, "--root", root, "--version", version, out], check=True)
    return out


def stick(site: Site, name: str, content: Path) -> Path:
    """A FAT stick with one file on it."""
    path = site.folder / name
    with path.open("wb") as file:
        file.truncate(STICK_MIB << 20)
    subprocess.run(["mkfs.vfat", "-F", "32", "-n", LABEL, path], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["mcopy", "-i", path, content, "::"], check=True)
    return path


def drives(**sticks: Path) -> list[str]:
    return [word for name, path in sticks.items() for word in ("-drive", f"if=none,id={name},file={path},format=raw")]


async def plug(board: Board, name: str) -> None:
    await board.vm.plug("usb-storage", f"usb-{name}", drive=name)


def default_slot(site: Site) -> str:
    told = site.card.read(TECHNICIAN, "autoboot.txt").decode()
    return next(slot for slot, number in BOOT.items() if f"[all]\ntryboot_a_b=1\nboot_partition={number}" in told)


async def test_a_stick_brings_a_version_and_a_bad_one_does_not_stay(site: Site, parts: tuple[Path, Path]) -> None:
    boot, root = parts
    good = bundle(site, boot, root, "0.1.1")
    damaged = site.folder / "damaged.kiosk"
    damaged.write_bytes(good.read_bytes())
    with damaged.open("r+b") as file:
        file.seek(good.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))
    sticks = drives(damaged=stick(site, "stick-damaged", damaged), good=stick(site, "stick-good", good))
    site.provision()

    async with site.power(extra=sticks) as board:
        await site.accepting(board)
        await site.green(board)
        before = site.card.cut(ROOT["B"], site.folder / "before").read_bytes()
        labels = len(site.labels)
        await plug(board, "damaged")

        async def refused() -> bool:
            return len(site.labels) > labels

        await until(refused, "the label that says why", within=LONG)
        assert site.card.cut(ROOT["B"], site.folder / "after").read_bytes() == before
        await board.vm.unplug("usb-damaged")
        await plug(board, "good")
        await board.ended(within=LONG)
        assert board.asked_for_tryboot
    assert default_slot(site) == "A"

    async with site.power(tryboot=True) as board:
        assert board.boot_partition == BOOT["B"]

        async def kept() -> bool:
            return default_slot(site) == "B"

        await until(kept, "slot B is kept", within=LONG)
        await site.accepting(board)
        await site.green(board)
        assert (await status(board))["people"] == 2
        await board.shell("sync")

    unfit = site.folder / "unfit.fat"
    unfit.write_bytes(boot.read_bytes())
    line = subprocess.run(["mtype", "-i", unfit, "::cmdline.txt"], check=True, capture_output=True, text=True).stdout
    masked = f"{line.strip()} systemd.mask=kiosk.service \n"
    subprocess.run(["mcopy", "-o", "-i", unfit, "-", "::cmdline.txt"], input=masked, text=True, check=True)
    bad = stick(site, "stick-bad", bundle(site, unfit, root, "0.1.2"))
    async with site.power(extra=drives(bad=bad)) as board:
        assert board.boot_partition == BOOT["B"]
        await site.accepting(board)
        await plug(board, "bad")
        await board.ended(within=LONG)
        assert board.asked_for_tryboot
    async with site.power(tryboot=True) as board:
        assert board.boot_partition == BOOT["A"]
        await board.ended(within=LONG)
    assert default_slot(site) == "B"
    async with site.power() as board:
        await site.accepting(board)
        told = await status(board)
        assert told["people"] == 2
        assert "update-failed" in [issue["code"] for issue in told["issues"]]
