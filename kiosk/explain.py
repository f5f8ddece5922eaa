"""The message of a refusal: from msgspec's words to one line with the exact key, what was found, what was expected.

It works for any Struct a TOML file is converted to.
"""

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import inspect


class DisagreementError(Exception):
    """A value that is right by its form and wrong for what it means, or beside another one."""

    def __init__(self, key: str, found: object, expected: str) -> None:
        super().__init__(f"{key}: found {show(found)}, expected {expected}")


def explain(root: type, data: dict[str, Any], message: str) -> str:
    """One line from msgspec's ``message`` about ``data``, which was to become a ``root``."""
    text, _, where = message.partition(" - at `$")
    keys = [
        int(number) if number else name
        for name, number in re.findall(r"\.(\w+)|\[(\d+|\.\.\.)\]", where)
        if name or number != "..."
    ]
    kind, found = _walk(root, data, keys)
    name = _dotted(keys)
    if unknown := re.search(r"unknown field `(.+)`", text):
        return f"{_dotted([*keys, unknown[1]])}: unknown key, expected one of: {', '.join(_fields(kind))}"
    if missing := re.search(r"missing required field `(.+)`", text):
        key = missing[1]
        wanted = next((each.type for each in getattr(kind, "fields", ()) if each.encode_name == key), kind)
        return f"{_dotted([*keys, key])}: missing, expected {_expected(wanted).removeprefix(_DRIVER)}"
    expected = _expected(kind) if kind else text
    if keys and keys[-1] == "driver":
        expected = expected.removeprefix(_DRIVER)
    secret = bool(keys) and keys[-1] == "password"
    return f"{name}: found {'(withheld)' if secret else show(found)}, expected {expected}"


def _walk(root: type, data: Any, keys: list[str | int]) -> tuple[Any, Any]:
    kind: Any = inspect.type_info(root)
    for key in keys:
        kind = _member(_choose(kind, data), key)
        data = data.get(key) if isinstance(data, dict) else data[int(key)] if isinstance(data, list) else None
    return _choose(kind, data), data


def kind_of(root: type, keys: Sequence[str]) -> Any:
    """What a ``root`` wants at this key, in the words of `msgspec.inspect`; None for a key that it does not know."""
    kind: Any = inspect.type_info(root)
    for key in keys:
        members = getattr(kind, "types", (kind,))
        fields = (field for member in members for field in getattr(member, "fields", ()))
        kind = next((field.type for field in fields if field.encode_name == key), None)
    return kind


def _choose(kind: Any, data: Any) -> Any:
    """Of a union, the member that the data means."""
    if not isinstance(kind, inspect.UnionType):
        return kind
    real = [each for each in kind.types if not isinstance(each, inspect.NoneType)]
    if len(real) == 1:
        return real[0]
    tag = data.get("driver") if isinstance(data, dict) else None
    return next((each for each in real if getattr(each, "tag", None) == tag), kind)


def _member(kind: Any, key: str | int) -> Any:
    if isinstance(kind, inspect.UnionType):
        return kind
    if isinstance(key, int):
        return getattr(kind, "item_type", None) or kind.item_types[min(key, len(kind.item_types) - 1)]
    return next(
        (each.type for each in getattr(kind, "fields", ()) if each.encode_name == key),
        getattr(kind, "value_type", None),
    )


def _fields(kind: Any) -> list[str]:
    tag = [kind.tag_field] if getattr(kind, "tag_field", None) else []
    return sorted([*tag, *(each.encode_name for each in getattr(kind, "fields", ()))])


def _dotted(keys: list[str | int]) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).lstrip(".") or "the file"


def show(found: object) -> str:
    """A value as a message quotes it, cut where it is long."""
    text = msgspec.json.encode(found, enc_hook=str).decode()
    return text if len(text) <= 60 else text[:57] + "…"


def _range(kind: Any) -> str:
    low = f" ≥ {kind.ge}" if kind.ge is not None else f" > {kind.gt}" if kind.gt is not None else ""
    high = f" ≤ {kind.le}" if kind.le is not None else f" < {kind.lt}" if kind.lt is not None else ""
    return low + high


_DRIVER = "a table with driver = "


def _expected(kind: Any) -> str:
    match kind:
        case inspect.LiteralType():
            return "one of: " + ", ".join(map(show, kind.values))
        case inspect.EnumType():
            return "one of: " + ", ".join(show(each.value) for each in kind.cls)
        case inspect.UnionType() if any(getattr(each, "tag", None) for each in kind.types):
            return _DRIVER + "one of: " + ", ".join(show(each.tag) for each in kind.types if hasattr(each, "tag"))
        case inspect.UnionType():
            return " or ".join(_expected(each) for each in kind.types if not isinstance(each, inspect.NoneType))
        case inspect.IntType():
            return "a whole number" + _range(kind)
        case inspect.FloatType():
            return "a number" + _range(kind)
        case inspect.BoolType():
            return "true or false"
        case inspect.StrType(pattern=str()):
            return "six digits in quotes" if kind.pattern == "^[0-9]{6}$" else f"text matching {kind.pattern}"
        case inspect.StrType():
            least, most = kind.min_length or 0, kind.max_length
            return (
                f"text of {least} to {most} characters in quotes" if most else "text in quotes" + ", not empty" * least
            )
        case inspect.CustomType():
            return "a path in quotes"
        case inspect.TupleType():
            return f"a list of {len(kind.item_types)} values, each {_expected(kind.item_types[0])}"
        case inspect.VarTupleType(min_length=int()):
            return f"a list of {kind.min_length} values, each {_expected(kind.item_type)}"
        case inspect.VarTupleType():
            return f"a list, each {_expected(kind.item_type)}"
        case inspect.DictType():
            return f"a table, each value {_expected(kind.value_type)}"
    return "a table"
