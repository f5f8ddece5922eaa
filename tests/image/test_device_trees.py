"""What a board needs to find its card, on a tree of a few nodes and, where it was unpacked, on the kernel's own."""

import struct
from pathlib import Path

import debian
import device_trees
import pytest

Tree = dict[str, "bytes | Tree"]

ALIASES = {
    "brcm,sdhci": "sdhci_brcmstb",
    "regulator-fixed": "fixed",
    "regulator-gpio": "gpio_regulator",
    "brcm,gpio": "gpio_brcmstb",
    "brcm,pinctrl": "pinctrl_bcm2712",
    "some,wifi": "brcmfmac",
    "some,gpu": "vc4",
    "fallback,clock": "clk_fallback",
}
GPIO, PINS, GROUP, SUPPLY, SIGNAL, CLOCK = range(1, 7)


def cells(*numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}I", *numbers)


def text(*words: str) -> bytes:
    return b"".join(word.encode() + b"\0" for word in words)


def flatten(tree: Tree) -> bytes:
    """A flattened device tree with a NOP in it, as a tool that deletes things leaves them."""
    texts = bytearray()

    def node(name: str, content: Tree) -> bytes:
        out = cells(1) + padded(text(name)) + cells(4)
        for key, value in content.items():
            if isinstance(value, bytes):
                out += cells(3, len(value), len(texts)) + padded(value)
                texts.extend(text(key))
        return out + b"".join(node(key, value) for key, value in content.items() if isinstance(value, dict)) + cells(2)

    body = node("", tree) + cells(9)
    head = cells(0xD00DFEED, 40 + len(body) + len(texts), 40, 40 + len(body), 40, 17, 16, 0, len(texts), len(body))
    return head + body + bytes(texts)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def board(**more: "bytes | Tree") -> Tree:
    controller: Tree = {
        "compatible": text("brcm,newest-sdhci", "brcm,sdhci"),
        "clocks": cells(CLOCK, 28, CLOCK, 29),
        "pinctrl-0": cells(GROUP),
        "vmmc-supply": cells(SUPPLY),
        "vqmmc-supply": cells(SIGNAL),
        "cd-gpios": cells(GPIO, 5, 1),
        "wifi@1": {"compatible": text("some,wifi")},
    }
    return {
        "compatible": text("raspberrypi,some"),
        "soc": {
            "mmc@fff000": controller | more,
            "gpio@1": {"compatible": text("brcm,gpio"), "#gpio-cells": cells(2), "phandle": cells(GPIO)},
            "pinctrl@2": {
                "compatible": text("brcm,pinctrl"),
                "phandle": cells(PINS),
                "group": {"phandle": cells(GROUP)},
            },
            "gpu@3": {"compatible": text("some,gpu")},
        },
        "supply": {"compatible": text("regulator-fixed"), "phandle": cells(SUPPLY)},
        "signal": {"compatible": text("regulator-gpio"), "phandle": cells(SIGNAL), "gpios": cells(GPIO, 3, 0)},
        "clock": {"compatible": text("x", "fallback,clock"), "#clock-cells": cells(1), "phandle": cells(CLOCK)},
    }


def test_a_card_controller_needs_all_it_refers_to_and_nothing_else() -> None:
    found = device_trees.card_modules(flatten(board()), ALIASES)
    assert found == {"sdhci_brcmstb", "fixed", "gpio_regulator", "gpio_brcmstb", "pinctrl_bcm2712", "clk_fallback"}


@pytest.mark.parametrize(("status", "needed"), [(b"okay\0", True), (b"ok\0", True), (b"disabled\0", False)])
def test_what_is_switched_off_needs_nothing(status: bytes, needed: bool) -> None:
    assert bool(device_trees.card_modules(flatten(board(status=status)), ALIASES)) == needed


def test_a_board_needs_what_is_on_it() -> None:
    assert device_trees.board_modules(flatten(board()), ALIASES) == set(ALIASES.values())


def test_references_are_told_from_the_numbers_behind_them() -> None:
    """A clock's index that happens to be some node's handle is no reference."""
    tree = board(clocks=cells(CLOCK, SUPPLY), **{"vmmc-supply": b"", "cd-gpios": cells(0), "vqmmc-supply": b""})
    assert device_trees.card_modules(flatten(tree), ALIASES) == {"sdhci_brcmstb", "pinctrl_bcm2712", "clk_fallback"}


def test_what_is_no_device_tree_is_refused() -> None:
    with pytest.raises(ValueError, match="no device tree"):
        device_trees.parse(bytes(64))


def test_aliases_are_those_of_device_trees(tmp_path: Path) -> None:
    (tmp_path / "modules.alias").write_text(
        "# Aliases extracted from modules themselves.\n"
        "alias usb:v0403p6001d*dc*dsc*dp*ic*isc*ip*in* ftdi_sio\n"
        "alias of:N*T*Cregulator-fixedC* fixed\n"
        "alias of:N*T*Cregulator-fixed fixed\n"
    )
    assert device_trees.aliases(tmp_path) == {"regulator-fixed": "fixed"}


def test_the_boards_of_the_kernel() -> None:
    """A Raspberry Pi 5 switches its card's supply by a chip of its own; a Raspberry Pi 3 needs the controller alone."""
    kernels = [
        *(debian.cache_folder() / "image").glob("kernel-*/.complete"),
        *debian.cache_folder().glob("kernel-arm64/complete"),
    ]
    if not kernels:
        pytest.skip("no arm64 kernel was unpacked yet: make image")
    modules = debian.modules_root(kernels[0].parent)
    known = device_trees.aliases(modules)

    def needed(name: str) -> set[str]:
        return device_trees.card_modules((modules / f"dtb/broadcom/{name}.dtb").read_bytes(), known)

    assert needed("bcm2837-rpi-3-b") == {"bcm2835", "sdhci_iproc"}
    assert needed("bcm2711-rpi-4-b") == {"sdhci_iproc", "fixed", "gpio_regulator"}
    assert needed("bcm2712-rpi-5-b") >= {"sdhci_brcmstb", "fixed", "gpio_regulator", "gpio_brcmstb"}
