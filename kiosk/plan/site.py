"""The policy of a site that is not there yet."""

from pathlib import Path
from typing import Any

import msgspec

from kiosk import config_file
from kiosk.config import Config
from kiosk.provision import merge
from kiosk.site import Setup


def setup(profile: str | None, config: Path | None) -> Setup:
    """From a profile's name, or a whole configuration file; nobody brings the digest key of a round that is not there
    yet. Raises ConfigError."""
    return msgspec.structs.replace(Setup.of(_config(profile, config)), key_from_badge=False)


def _config(profile: str | None, config: Path | None) -> Config:
    if config is not None:
        return config_file.load(config)
    name = profile or ""
    tables: dict[str, Any] = merge.profile(name, "kiosk plan", merge.PROFILES)
    tables |= {
        "site": {"code": "000000", "name": name},
        "kiosk": tables.get("kiosk", {}) | {"number": 1},
        "seal": tables.get("seal", {}) | {"public_key": ""},
    }
    return config_file.convert(tables, Config, name)
