"""The two slots of a card, and what the firmware is told."""

from pathlib import Path

import layout
import pytest

from kiosk.update import bundle, slots
from kiosk.update.bundle import CHUNK, BundleError
from kiosk.update.slots import Card, SlotError
from tests.support.updates import KEYS, card_in, holds, make, runs


@pytest.fixture
def card(tmp_path: Path) -> Card:
    return card_in(tmp_path / "card")


@pytest.mark.parametrize("slot", ["A", "B"])
def test_it_is_what_the_image_is_built_with(slot: slots.Slot) -> None:
    assert slots.autoboot(slot) == layout.autoboot(slot)
    assert len(slots.autoboot(slot)) == layout.AUTOBOOT_BYTES == 512


def test_a_fresh_card_runs_a(card: Card) -> None:
    assert (card.running(), card.default(), card.is_trial()) == ("A", "A", False)
    runs(card, "B")
    assert (card.running(), card.is_trial()) == ("B", True)
    card.set_default("B")
    assert (card.default(), card.is_trial()) == ("B", False)
    assert (card.boot / "autoboot.txt").read_bytes() == slots.autoboot("B")


def test_the_partitions_have_the_names_of_the_table() -> None:
    card = Card()
    for slot in ("A", "B"):
        assert card.boot_partition(slot).name == f"{layout.DISK_ID:08x}-{layout.BOOT[slot]:02}"
        assert card.root_partition(slot).name == f"{layout.DISK_ID:08x}-{layout.ROOT[slot]:02}"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 512,
        slots.autoboot("A")[:-1],
        slots.autoboot("A") + b"\n",
        slots.autoboot("A").replace(b"boot_partition=2", b"boot_partition=7"),
        slots.autoboot("A").replace(b"[all]", b"[pi4]"),
        bytes(range(256)) * 2,
    ],
)
def test_an_autoboot_that_is_not_ours_is_left_alone(card: Card, content: bytes) -> None:
    (card.boot / "autoboot.txt").write_bytes(content)
    for refuses in (card.default, lambda: card.set_default("B"), card.is_trial):
        with pytest.raises(SlotError, match="write the card anew"):
            refuses()
    assert (card.boot / "autoboot.txt").read_bytes() == content


def test_a_first_partition_that_cannot_be_read(card: Card) -> None:
    (card.boot / "autoboot.txt").unlink()
    with pytest.raises(SlotError, match="the first partition cannot be read"):
        card.default()


def test_another_machine(card: Card) -> None:
    card.cmdline.write_text("root=/dev/sda1 kiosk.slot=AB\n")
    with pytest.raises(SlotError, match="does not run a kiosk's image"):
        card.running()


@pytest.mark.parametrize("slot", ["A", "B"])
def test_the_same_bundle_serves_both_slots(card: Card, tmp_path: Path, slot: slots.Slot) -> None:
    path = make(tmp_path / "stick")
    with path.open("rb") as file:
        slots.write(bundle.read(file, KEYS.public.verify), card, slot)
    assert holds(card, slot, path)
    assert f"kiosk.slot={slot} ro".encode() in card.boot_partition(slot).read_bytes()


def test_a_source_that_changes_while_it_is_read_leaves_no_slot_that_starts(card: Card, tmp_path: Path) -> None:
    path = make(tmp_path / "stick")
    with path.open("r+b") as file:
        opened = bundle.read(file, KEYS.public.verify)
        opened.check()
        file.seek(opened.at + CHUNK + 7)
        file.write(b"another")
        file.flush()
        with pytest.raises(BundleError, match="boot is damaged at byte"):
            slots.write(opened, card, "B")
    assert card.boot_partition("B").read_bytes()[:512] == bytes(512)
    assert card.boot_partition("A").read_bytes().startswith(b"boot of A")


def test_a_card_that_does_not_keep_what_is_written(card: Card, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(tmp_path / "stick")
    write = slots.os.pwrite

    def worn(descriptor: int, data: bytes, offset: int) -> int:
        return write(descriptor, b"\0" + bytes(data)[1:] if offset == CHUNK else data, offset)

    monkeypatch.setattr(slots.os, "pwrite", worn)
    with path.open("rb") as file, pytest.raises(SlotError, match="the card is worn out, change it"):
        slots.write(bundle.read(file, KEYS.public.verify), card, "B")
    assert card.boot_partition("B").read_bytes()[:512] == bytes(512)
