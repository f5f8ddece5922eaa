"""As much of udev(7) as the kiosk's rules use: what a list of rules makes of one device."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

_WORD = re.compile(r'([A-Z_]+)(?:\{([^}]+)\})?(==|!=|\+=|-=|=)"([^"]*)"')
_MATCHED = {"ACTION", "SUBSYSTEM", "SUBSYSTEMS", "KERNEL", "ENV", "ATTRS", "TEST"}
_SET = {"SYMLINK", "ENV", "TAG", "GROUP", "MODE", "OPTIONS", "ATTR", "GOTO", "LABEL", "IMPORT"}


@dataclass
class Device:
    """``above``: (subsystem, attributes) of itself and each device it hangs on."""

    subsystem: str
    kernel: str
    env: dict[str, str] = field(default_factory=dict)
    above: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    action: str = "add"
    links: set[str] = field(default_factory=set)
    tags: set[str] = field(default_factory=set)
    options: list[str] = field(default_factory=list)
    group: str = ""
    mode: str = ""


class Token(tuple[str, str, str, str]):
    """Key, attribute, operator, value."""

    __slots__ = ()


def parse(text: str) -> list[list[Token]]:
    """The rules, each a list of tokens. Raises ValueError for what udev would refuse."""
    rules = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        tokens = [Token(match.groups(default="")) for match in _WORD.finditer(line)]
        if ", ".join(_written(token) for token in tokens) != line:
            raise ValueError(f"line {number}: {line}")
        for key, _, operator, _value in tokens:
            if key not in (_MATCHED if operator in ("==", "!=") else _SET):
                raise ValueError(f"line {number}: {key}{operator}")
        rules.append(tokens)
    labels = {token[3] for rule in rules for token in rule if token[0] == "LABEL"}
    for rule in rules:
        for key, _, _, value in rule:
            if key == "GOTO" and value not in labels:
                raise ValueError(f"GOTO {value} leads nowhere")
    return rules


def _written(token: Token) -> str:
    key, attribute, operator, value = token
    return f'{key}{{{attribute}}}{operator}"{value}"' if attribute else f'{key}{operator}"{value}"'


def apply(rules: Sequence[Sequence[Token]], device: Device) -> Device:
    """Changes the device as udev would, and returns it."""
    skip_to = ""
    for rule in rules:
        if skip_to:
            if not any(token[0] == "LABEL" and token[3] == skip_to for token in rule):
                continue
            skip_to = ""
        if all(_matches(token, rule, device) for token in rule if token[2] in ("==", "!=")):
            for token in rule:
                if token[2] not in ("==", "!="):
                    skip_to = _do(token, device) or skip_to
    return device


def _matches(token: Token, rule: Sequence[Token], device: Device) -> bool:
    key, attribute, operator, pattern = token
    if key in ("SUBSYSTEMS", "ATTRS"):  # all of these in a rule hold for one and the same device
        return any(
            all(_like(t[3], kind if t[0] == "SUBSYSTEMS" else attributes.get(t[1], ""))
                for t in rule if t[0] in ("SUBSYSTEMS", "ATTRS"))
            for kind, attributes in device.above
        )  # fmt: skip
    found = {
        "ACTION": device.action,
        "SUBSYSTEM": device.subsystem,
        "KERNEL": device.kernel,
        "ENV": device.env.get(attribute, ""),
        "TEST": pattern,
    }[key]
    return _like(pattern, found) == (operator == "==")


def _like(pattern: str, found: str) -> bool:
    return any(fnmatchcase(found, each) for each in pattern.split("|"))


def _do(token: Token, device: Device) -> str:
    """Returns the label to go on at, or ""."""
    key, attribute, operator, value = token
    value = value.replace("%k", device.kernel)
    match key:
        case "SYMLINK":
            device.links.add(value)
        case "TAG":
            (device.tags.add if operator == "+=" else device.tags.discard)(value)
        case "ENV":
            before = device.env.get(attribute, "")
            device.env[attribute] = f"{before} {value}".strip() if operator == "+=" else value
        case "OPTIONS":
            device.options.append(value)
        case "GROUP":
            device.group = value
        case "MODE":
            device.mode = value
        case "ATTR":
            device.above[0][1][attribute] = value
        case "GOTO":
            return value
    return ""
