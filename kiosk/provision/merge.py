"""A profile and a provisioning make a whole configuration: kiosk.toml and the files beside it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from kiosk import config_file
from kiosk.config import Config, ConfigError
from kiosk.provision import toml
from kiosk.provision.schema import Provision, Uplink

PROFILES = (Path("/usr/share/kiosk/profiles"), Path(__file__).parents[2] / "config" / "profiles")
"""Where profiles are looked for: as installed, and in a checkout."""

CA = Path("/etc/kiosk/ca.pem")

_HEADER = """\
# Made by `kiosk provision` from the profile "{}" and what this kiosk was told. It is written anew at each start:
# to change it, put another kiosk-provision.toml on the card's KIOSK partition, or show the kiosk another code.

"""


class Made(msgspec.Struct, frozen=True):
    """``kiosk_toml``: the text of a checked configuration."""

    config: Config
    kiosk_toml: str


def make(provision: Provision, name: Path | str, profiles: Sequence[Path] = PROFILES) -> Made:
    """The configuration of this kiosk. Raises ConfigError, in the name of the provisioning file ``name``."""
    data = profile(provision.profile, name, profiles)
    data["site"] = {"code": provision.site.code, "name": provision.site.name}
    data["kiosk"] = data.get("kiosk", {}) | {"number": provision.kiosk.number}
    data["seal"] = data.get("seal", {}) | {"public_key": provision.seal.public_key}
    if provision.id:
        data["seal"]["token"] = provision.id
    data["policy"] = data.get("policy", {}) | provision.policy
    devices = data.setdefault("devices", {})
    for device, values in provision.devices.items():
        before = devices.get(device, {})
        same = values.get("driver", before.get("driver")) == before.get("driver")
        devices[device] = (before if same else {}) | values
    if provision.health_code_formats is not None:
        data["health_code_formats"] = msgspec.to_builtins(provision.health_code_formats)
    data.pop("mqtt", None)
    if provision.uplink is not None:
        data["mqtt"] = _mqtt(provision.uplink)
    config = config_file.check(data, name)
    return Made(config, _HEADER.format(provision.profile) + toml.dumps(data))


def profile(wanted: str, name: Path | str, profiles: Sequence[Path]) -> dict[str, Any]:
    """The tables of a profile. Raises ConfigError."""
    for folder in profiles:
        if (path := folder / f"{wanted}.toml").is_file():
            return config_file.read(path)
    known = sorted({path.stem for folder in profiles if folder.is_dir() for path in folder.glob("*.toml")})
    raise ConfigError(f'{name}: profile: found "{wanted}", expected one of: {", ".join(known) or "none is installed"}')


def _mqtt(uplink: Uplink) -> dict[str, Any]:
    table: dict[str, Any] = {"host": uplink.host, "port": uplink.port, "tls": uplink.tls}
    if uplink.ca:
        table["ca"] = str(CA)
    if uplink.username:
        table["username"] = uplink.username
    return table
