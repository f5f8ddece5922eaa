"""From a TOML file to a Config, or to one line that tells a technician what to change."""

import os
import re
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import inspect

from kiosk import control
from kiosk.config import Config, ConfigError, GpioPanel, NoDevice, Printer, SocketPanel


def load(path: Path) -> Config:
    """Reads and checks a configuration file. Raises ConfigError."""
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: byte {error.start} is not UTF-8: save the file as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    return check(data, path)


def check(data: dict[str, Any], path: Path) -> Config:
    """The configuration in ``data``, of the file ``path``. Raises ConfigError."""
    try:
        config = msgspec.convert(data, Config, dec_hook=_hook)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {_explain(data, str(error))}") from None
    try:
        _agree(config)
    except DisagreementError as fault:
        raise ConfigError(f"{path}: {fault}") from None
    return config


class DisagreementError(Exception):
    """Two values, each right by itself, do not go together."""

    def __init__(self, key: str, found: object, expected: str) -> None:
        super().__init__(f"{key}: found {_show(found)}, expected {expected}")


def _hook(wanted: type, value: Any) -> Any:
    if wanted is Path and isinstance(value, str) and value:
        return Path(value)
    raise ValueError("Expected a path")


def _agree(config: Config) -> None:
    from kiosk.drivers.printer.languages import language_of
    from kiosk.labels import LabelError, check_layout
    from kiosk.recognise import compile_formats
    from kiosk.seal import PublicKeys

    policy = config.policy
    if policy.group_size % policy.pool_size:
        expected = f"a multiple of policy.pool_size = {policy.pool_size}: a tube never belongs to two groups"
        raise DisagreementError("policy.group_size", policy.group_size, expected)
    for index, each in enumerate(config.health_code_formats):
        try:
            compile_formats([each])
        except ValueError as error:
            raise DisagreementError(f"health_code_formats[{index}].pattern", each.pattern, str(error)) from None
    try:
        PublicKeys.parse(config.seal.public_key)
    except ValueError as error:
        why = f"the line in the command post's public.key: {error}"
        raise DisagreementError("seal.public_key", config.seal.public_key[:12], why) from None
    printer = config.devices.printer
    if isinstance(printer, Printer):
        try:
            check_layout(config.site.name, policy.specimen, printer.label_mm, printer.dpi)
        except LabelError as error:
            keys = {"site name": ("site.name", config.site.name), "specimen": ("policy.specimen", policy.specimen)}
            key, found = keys.get(error.field, ("devices.printer.label_mm", list(printer.label_mm)))
            raise DisagreementError(key, found, f"a label that fits: {error}") from None
        if not _is_port(printer.port):
            raise DisagreementError("devices.printer.port", printer.port, 'a path or "tcp://host:port"')
        try:
            language_of(printer)
        except ValueError as error:
            raise DisagreementError("devices.printer", type(printer).__struct_config__.tag, str(error)) from None
    _agree_on_panel(config)
    if (mqtt := config.mqtt) is not None and (mqtt.cert is None) != (mqtt.key is None):
        raise DisagreementError("mqtt.cert", str(mqtt.cert), "both mqtt.cert and mqtt.key, or neither")


def _agree_on_panel(config: Config) -> None:
    sockets = {"kiosk.runtime_dir": config.kiosk.runtime_dir / control.NAME}
    if isinstance(config.devices.panel, SocketPanel):
        sockets["devices.panel.path"] = Path(config.devices.panel.path)
    for name, where in sockets.items():
        if (length := len(os.fsencode(where))) > _SOCKET_PATH:
            raise DisagreementError(name, str(where), f"a socket path of at most {_SOCKET_PATH} bytes, not {length}")
    if isinstance(config.devices.panel, GpioPanel):
        pins = msgspec.structs.asdict(config.devices.panel)
        del pins["factory"], pins["chip"]
        taken: dict[int, str] = {}
        for name, value in pins.items():
            for pin in value if isinstance(value, tuple) else (value,):
                if (other := taken.setdefault(pin, name)) != name or list(pins["bar"]).count(pin) > 1:
                    raise DisagreementError(f"devices.panel.{name}", pin, f"a pin of its own: {other} has it")


_SOCKET_PATH = 107  # unix(7)


def _is_port(port: str) -> bool:
    if "://" not in port:
        return True
    try:
        where = urlsplit(port)
        return where.scheme == "tcp" and bool(where.hostname) and where.port != 0 and not where.path.strip("/")
    except ValueError:
        return False


def warnings(config: Config) -> list[str]:
    """What works, but should not stay so."""
    said = []
    if config.seal.digest_key == "file":
        said.append(
            'seal.digest_key = "file": whoever takes the card can test whether an ID number was here; for demos only'
        )
    if config.mqtt is not None and not config.mqtt.tls and config.mqtt.host not in ("127.0.0.1", "localhost", "::1"):
        said.append("mqtt.tls = false: tube numbers and counts cross the network in clear (personal data stays sealed)")
    if config.mqtt is None:
        said.append("no [mqtt]: facts leave this kiosk only by `kiosk export`")
    if not config.health_code_formats and config.policy.health_code != "off":
        said.append("no [[health_code_formats]]: every health code counts as unknown")
    if isinstance(config.devices.printer, NoDevice):
        said.append('devices.printer.driver = "none": tube numbers must be written on the tubes by hand')
    devices, needed = config.devices, config.policy.health_code
    for name, device, used in (
        ("card", devices.card, needed != "optional"),
        ("code", devices.code, needed == "required"),
    ):
        if used and isinstance(device, NoDevice):
            said.append(
                f'devices.{name}.driver = "none" with policy.health_code = "{needed}": nobody can be registered'
            )
    for key in ("ca", "cert", "key", "password_file"):
        path = getattr(config.mqtt, key, None)
        if path is not None and not path.is_file():
            said.append(f"mqtt.{key}: {path} is not there: the uplink cannot work")
    return said


# The message of a refusal ---------------------------------------------------------------------------------------


def _explain(data: dict[str, Any], message: str) -> str:
    """One line from msgspec's message: exact key, what was found, what was expected."""
    text, _, where = message.partition(" - at `$")
    keys = [
        int(number) if number else name
        for name, number in re.findall(r"\.(\w+)|\[(\d+|\.\.\.)\]", where)
        if name or number != "..."
    ]
    kind, found = _walk(data, keys)
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
    return f"{name}: found {_show(found)}, expected {expected}"


def _walk(data: Any, keys: list[str | int]) -> tuple[Any, Any]:
    kind: Any = inspect.type_info(Config)
    for key in keys:
        kind = _member(_choose(kind, data), key)
        data = data.get(key) if isinstance(data, dict) else data[int(key)] if isinstance(data, list) else None
    return _choose(kind, data), data


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


def _show(found: object) -> str:
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
            return "one of: " + ", ".join(map(_show, kind.values))
        case inspect.EnumType():
            return "one of: " + ", ".join(_show(each.value) for each in kind.cls)
        case inspect.UnionType() if any(getattr(each, "tag", None) for each in kind.types):
            return _DRIVER + "one of: " + ", ".join(_show(each.tag) for each in kind.types if hasattr(each, "tag"))
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
