"""Which kernel modules a board needs, read from its flattened device tree (devicetree-specification, chapter 5).

A card controller works only when everything it refers to works, too: its clock, its pins, the regulator of its supply
and the GPIO chip that switches that. Without one of their modules the board does not find its card.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_MAGIC = 0xD00DFEED
_BEGIN, _END, _PROPERTY, _NOP = 1, 2, 3, 4
_REFERENCES = {
    "clocks": "#clock-cells",
    "dmas": "#dma-cells",
    "resets": "#reset-cells",
    "power-domains": "#power-domain-cells",
    "mboxes": "#mbox-cells",
    "mmc-pwrseq": "",
    "msi-parent": "#msi-cells",
    "phys": "#phy-cells",
}
"""Properties that refer to other nodes, and what says how many numbers follow each reference."""
_PLAIN = re.compile(r"-supply$|^pinctrl-\d+$|^interrupt-parent$")
_GPIOS = re.compile(r"(^|-)gpios?$")


@dataclass(eq=False)
class Node:
    name: str
    parent: "Node | None"
    properties: dict[str, bytes] = field(default_factory=dict)
    children: list["Node"] = field(default_factory=list)

    def numbers(self, name: str) -> list[int]:
        data = self.properties.get(name, b"")
        return [int.from_bytes(data[at : at + 4], "big") for at in range(0, len(data) & ~3, 4)]

    def strings(self, name: str) -> list[str]:
        return self.properties.get(name, b"").decode("utf-8", "replace").split("\0")[:-1]

    def all(self) -> Iterator["Node"]:
        yield self
        for child in self.children:
            yield from child.all()

    @property
    def enabled(self) -> bool:
        return self.strings("status") in ([], ["okay"], ["ok"])


def parse(dtb: bytes) -> Node:
    """The root node. Raises ValueError for anything but a device tree."""
    words = [int.from_bytes(dtb[at : at + 4], "big") for at in range(0, 40, 4)]
    if words[0] != _MAGIC:
        raise ValueError("no device tree")
    at, texts = words[2], words[3]
    root = node = Node("", None)
    while True:
        token, at = int.from_bytes(dtb[at : at + 4], "big"), at + 4
        if token == _BEGIN:
            end = dtb.index(b"\0", at)
            child = Node(dtb[at:end].decode(), node)
            node.children.append(child)
            node, at = child, (end + 4) & ~3
        elif token == _END and node.parent is not None:
            node = node.parent
        elif token == _PROPERTY:
            length, text = (int.from_bytes(dtb[at + k : at + k + 4], "big") for k in (0, 4))
            name = dtb[texts + text : dtb.index(b"\0", texts + text)].decode()
            node.properties[name] = dtb[at + 8 : at + 8 + length]
            at = (at + 8 + length + 3) & ~3
        elif token != _NOP:
            return root.children[0]


def all_card_modules(dtbs: Iterable[Path], known: Mapping[str, str]) -> list[str]:
    """Those of ``card_modules`` of all boards, sorted."""
    return sorted(set().union(*(card_modules(dtb.read_bytes(), known) for dtb in dtbs)))


def card_modules(dtb: bytes, known: Mapping[str, str]) -> set[str]:
    """The modules that the card controllers of a board need, themselves and everything they refer to."""
    root = parse(dtb)
    wanted = [node for node in root.all() if node.name.startswith("mmc@") and node.enabled]
    by_handle = {node.numbers("phandle")[0]: node for node in root.all() if "phandle" in node.properties}
    seen: dict[Node, None] = {}
    while wanted:
        node = wanted.pop()
        if node not in seen:
            seen[node] = None
            wanted += _referred(node, by_handle)
            if node.parent is not None:
                wanted.append(node.parent)
    return set(_modules(seen, known))


def board_modules(dtb: bytes, known: Mapping[str, str]) -> set[str]:
    """The modules of all that is on a board and switched on."""
    return set(_modules((node for node in parse(dtb).all() if node.enabled), known))


def aliases(modules_root: Path) -> dict[str, str]:
    """What a device tree calls a device → the name of its module, by depmod's modules.alias."""
    text = (modules_root / "modules.alias").read_text()
    return dict(re.findall(r"^alias of:N\*T\*C([^*\s]+?) (\S+)$", text, re.MULTILINE))


def _modules(nodes: Iterable[Node], known: Mapping[str, str]) -> Iterator[str]:
    for node in nodes:
        for compatible in node.strings("compatible"):
            if compatible in known:
                yield known[compatible]
                break


def _referred(node: Node, by_handle: Mapping[int, Node]) -> Iterator[Node]:
    for name in node.properties:
        cells = "#gpio-cells" if _GPIOS.search(name) else _REFERENCES.get(name)
        numbers = node.numbers(name)
        if cells is None and not _PLAIN.search(name):
            continue
        while numbers:
            target = by_handle.get(numbers.pop(0))
            if target is not None:
                yield target
                if cells:
                    del numbers[: (target.numbers(cells) or [0])[0]]
