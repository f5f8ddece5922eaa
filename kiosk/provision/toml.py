"""Tables as TOML text: the way back of tomllib, for what a configuration holds (https://toml.io/en/v1.0.0)."""

import json
import re
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_LINES = re.compile(r"[\t -&(-~]*\n[\n\t -&(-~]*")


def dumps(tables: dict[str, Any]) -> str:
    """TOML that `tomllib.loads` reads back as ``tables``: texts, numbers, truth values, lists and tables. Raises
    TypeError for anything else."""
    return "\n".join(_table(tables, ())).strip() + "\n"


def _table(table: dict[str, Any], path: tuple[str, ...]) -> list[str]:
    """A table's own values first, then the tables below it: what follows a heading belongs to that heading."""
    below = {key: value for key, value in table.items() if isinstance(value, dict) or _is_tables(value)}
    lines = [f"{_key(key)} = {_value(value)}" for key, value in table.items() if key not in below]
    if path and (lines or not below):
        lines = ["", f"[{'.'.join(map(_key, path))}]", *lines]
    for key, value in below.items():
        where = (*path, key)
        if isinstance(value, dict):
            lines += _table(value, where)
            continue
        for each in value:
            inside = [f"{_key(name)} = {_value(one)}" for name, one in each.items()]
            lines += ["", f"[[{'.'.join(map(_key, where))}]]", *inside]
    return lines


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) for each in value)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _quoted(key)


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return repr(value)
        case str():
            return _text(value)
        case list() | tuple():
            return f"[{', '.join(map(_value, value))}]"
        case dict():
            return "{" + ", ".join(f"{_key(key)} = {_value(each)}" for key, each in value.items()) + "}"
    raise TypeError(f"{type(value).__name__} has no form in a configuration")


def _text(text: str) -> str:
    """Text of several lines as it is, for people to read; all other on one line."""
    if _LINES.fullmatch(text):
        return f"'''\n{text}'''"
    return _quoted(text)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
