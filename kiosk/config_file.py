"""From a TOML file to a Config, or to one line that tells a technician what to change."""

import os
import tomllib
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from kiosk import control
from kiosk.config import Config, ConfigError, GpioPanel, NoDevice, Policy, Printer, SocketPanel
from kiosk.explain import DisagreementError, explain

T = TypeVar("T")


def load(path: Path) -> Config:
    """Reads and checks a configuration file. Raises ConfigError."""
    return check(read(path), path)


def read(path: Path) -> dict[str, Any]:
    """The tables of a TOML file. Raises ConfigError."""
    try:
        return parse(path.read_text("utf-8"), path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: byte {error.start} is not UTF-8: save the file as UTF-8") from None


def parse(text: str, name: Path | str) -> dict[str, Any]:
    """The tables of a TOML text that comes from ``name``. Raises ConfigError."""
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{name}: not valid TOML: {error}") from None


def convert(data: dict[str, Any], root: type[T], name: Path | str) -> T:
    """``data`` as a ``root``, each value by itself checked. Raises ConfigError."""
    try:
        return msgspec.convert(data, root, dec_hook=_hook)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{name}: {explain(root, data, str(error))}") from None


def check(data: dict[str, Any], name: Path | str) -> Config:
    """The configuration in ``data``, of the file ``name``. Raises ConfigError."""
    config = convert(data, Config, name)
    try:
        _agree(config)
    except DisagreementError as fault:
        raise ConfigError(f"{name}: {fault}") from None
    return config


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
    if 0 < config.queue.waiting_cap < policy.group_size:
        expected = f"0, or at least policy.group_size = {policy.group_size}: else no group ever fills"
        raise DisagreementError("queue.waiting_cap", config.queue.waiting_cap, expected)
    _agree_on_tubes(policy)
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
    if (rules := config.custody) is not None and rules.warn_min >= rules.limit_min:
        expected = f"less than custody.limit_min = {rules.limit_min}"
        raise DisagreementError("custody.warn_min", rules.warn_min, expected)
    _agree_on_panel(config)
    if (mqtt := config.mqtt) is not None and (mqtt.cert is None) != (mqtt.key is None):
        raise DisagreementError("mqtt.cert", str(mqtt.cert), "both mqtt.cert and mqtt.key, or neither")


def _agree_on_tubes(policy: Policy) -> None:
    from kiosk.own_tubes import OwnTubes

    if policy.tube_source == "preprinted":
        try:
            OwnTubes(policy.tube_pattern)
        except ValueError as error:
            raise DisagreementError("policy.tube_pattern", policy.tube_pattern, str(error)) from None
    elif policy.tube_pattern:
        raise DisagreementError("policy.tube_pattern", policy.tube_pattern, 'policy.tube_source = "preprinted" with it')


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
            if value is None:
                continue
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
    if config.neighbours is not None and config.seal.digest_key == "ram":
        said.append('[neighbours] is not used: with seal.digest_key = "ram" no two kiosks share a key; take "badge"')
    if config.mqtt is None:
        said.append("no [mqtt]: facts leave this kiosk only by `kiosk export`")
    if not config.health_code_formats and config.policy.health_code != "off":
        said.append("no [[health_code_formats]]: every health code counts as unknown")
    if isinstance(config.devices.printer, NoDevice):
        said.append('devices.printer.driver = "none": tube numbers must be written on the tubes by hand')
    said += _of_the_voice(config)
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


def _of_the_voice(config: Config) -> list[str]:
    from kiosk.drivers.speaker.clips import load

    if isinstance(config.devices.speaker, NoDevice):
        return []
    clips, folder = load(config.voice.folder), config.voice.folder
    said = [f"voice.folder: not used: {fault}" for fault in clips.faults]
    if folder is not None and not folder.is_dir():
        said.append(f"voice.folder: {folder} is not there: the kiosk speaks with its own clips")
    for language in config.voice.languages:
        if missing := [clip.name for clip in clips.missing if clip.language == language]:
            named = ", ".join(missing[:3]) + ", …" * (len(missing) > 3)
            said.append(
                f"voice: silent in {language!r} where a clip is missing: {named}; scripts/make_clips.py makes them"
            )
    if not config.voice.volume or not config.voice.languages:
        said.append("voice: silent: voice.volume is 0, or voice.languages is empty")
    return said
