"""Where everything lies on the card, and that it is written there."""

import configparser
from itertools import pairwise
from pathlib import Path

import layout
import pytest
from layout import MIB, Partition

from tests.image.small_card import PARTITIONS as SMALL


@pytest.mark.parametrize("partitions", [layout.PARTITIONS, SMALL])
def test_partitions_follow_each_other_in_order(partitions: tuple[Partition, ...]) -> None:
    assert [part.number for part in partitions] == list(range(1, 9))
    primary, logical = partitions[:4], partitions[4:]
    for one, two in pairwise(primary):
        assert one.start + one.size <= two.start
    extended = primary[3]
    # Each logical partition has a sector of the table before it: a MiB is left, so that all stay aligned.
    assert logical[0].start == extended.start + 1
    for one, two in pairwise(logical):
        assert one.start + one.size + 1 == two.start
    assert logical[-1].start + logical[-1].size == extended.start + extended.size


def test_the_image_ends_with_the_data_partition_that_grows() -> None:
    last = layout.PARTITIONS[-1]
    assert last.name == "KIOSK_DATA"
    assert last.start + last.size == layout.IMAGE_MIB


def test_both_slots_are_alike() -> None:
    assert layout.BOOT.keys() == layout.ROOT.keys() == {"A", "B"}
    for numbers in (layout.BOOT, layout.ROOT):
        assert layout.partition(numbers["A"]).size == layout.partition(numbers["B"]).size


def test_sfdisk_is_told_sectors() -> None:
    lines = layout.sfdisk_script().splitlines()
    assert lines[:3] == ["label: dos", "label-id: 0x4b494f53", "unit: sectors"]
    assert lines[3] == "1 : start=8192, size=131072, type=c, bootable"
    assert lines[-1] == f"8 : start={layout.PARTITIONS[-1].start * 2048}, size=524288, type=83"


@pytest.mark.parametrize(("slot", "first", "then"), [("A", "2", "3"), ("B", "3", "2")])
def test_autoboot_names_one_slot_and_the_other_for_one_start(slot: str, first: str, then: str) -> None:
    data = layout.autoboot(slot)
    assert len(data) == 512
    assert data.endswith(b"\n")
    text = configparser.ConfigParser()
    text.read_string(data.decode("ascii"))
    assert dict(text["all"]) == {"tryboot_a_b": "1", "boot_partition": first}
    assert dict(text["tryboot"]) == {"boot_partition": then}


def test_contents_lie_at_the_start_of_their_partition_and_zeros_stay_holes(tmp_path: Path) -> None:
    image, content = tmp_path / "card.img", tmp_path / "content"
    with image.open("wb") as file:
        file.truncate(layout.IMAGE_MIB * MIB)
    content.write_bytes(b"begin" + bytes(3 * MIB) + b"end")
    layout.put(image, {5: content})
    assert image.stat().st_size == layout.IMAGE_MIB * MIB
    assert image.stat().st_blocks * 512 <= 4 * MIB
    with image.open("rb") as file:
        file.seek(layout.partition(5).start * MIB)
        assert file.read(content.stat().st_size) == content.read_bytes()


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    image, content = tmp_path / "card.img", tmp_path / "root.squashfs"
    image.touch()
    with content.open("wb") as file:
        file.truncate(layout.partition(5).size * MIB + 1)
    with pytest.raises(layout.TooLargeError, match=r"root\.squashfs has 384 MiB, partition root A holds 384"):
        layout.put(image, {5: content})
