"""A card on the technician's desk and a kiosk's data partition, as folders; and `kiosk provision apply` in a process
that is forked for each case, for faults of the disk:

    python -m tests.support.provisioning FOLDER

waits for lines; each lets it run once and is answered with ``end STATUS``.
"""

import os
import sys
import tomllib
from pathlib import Path
from typing import Any

from kiosk.provision import toml
from kiosk.provision.apply import Places, apply
from kiosk.provision.card import NAME
from kiosk.seal import PrivateKeys

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "config" / "kiosk-provision.example.toml").read_text("utf-8")
WIFI_PASSWORD, BROKER_PASSWORD = "wifi-secret-31415926", "broker-secret-27182818"
SECRETS = (WIFI_PASSWORD.encode(), BROKER_PASSWORD.encode())
POST = PrivateKeys.generate()
ID = "ABCDEFGHIJKLMNOP"


def tables(**changes: Any) -> dict[str, Any]:
    """A provisioning with every secret there is. ``changes``: whole tables."""
    data = tomllib.loads(EXAMPLE)
    data["seal"]["public_key"] = POST.public.line()
    data["network"] = {"wifi": {"ssid": "采样点", "password": WIFI_PASSWORD}}
    data["uplink"] = {"host": "broker.example.org", "username": "kiosk-360481-01", "password": BROKER_PASSWORD}
    return data | changes


def text(**changes: Any) -> str:
    return toml.dumps(tables(**changes))


def places(folder: Path) -> Places:
    """Of a kiosk in ``folder``, which is made."""
    at = Places(boot=folder / "boot", etc=folder / "etc" / "kiosk", run=folder / "run")
    for path in (at.boot, at.etc, at.run):
        path.mkdir(parents=True, exist_ok=True)
    return at


def put(at: Places, content: str | bytes, name: str = NAME) -> Path:
    path = at.boot / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def main() -> None:
    at = places(Path(sys.argv[1]))
    for _ in sys.stdin:
        child = os.fork()
        if not child:
            os._exit(0 if apply(at).provisioned else 1)
        _, status = os.waitpid(child, 0)
        print("end", os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
