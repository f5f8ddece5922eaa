"""The policy of a site that is not there yet."""

from pathlib import Path
from typing import Any

from kiosk import config_file
from kiosk.config import Config
from kiosk.provision import merge
from kiosk.site import Setup


def setup(profile: str | None, config: Path | None) -> Setup:
    """From a profile's name, or a whole configuration file. Raises ConfigError."""
    if config is not None:
        return Setup.of(config_file.load(config))
    name = profile or ""
    tables: dict[str, Any] = merge.profile(name, "kiosk plan", merge.PROFILES)
    tables |= {
        "site": {"code": "000000", "name": name},
        "kiosk": tables.get("kiosk", {}) | {"number": 1},
        "seal": tables.get("seal", {}) | {"public_key": ""},
    }
    return Setup.of(config_file.convert(tables, Config, name))
