"""Checks requirements.lock without any network: names, versions and hashes only, and fresh.

Fresh means: it satisfies what pyproject.toml asks for and what the locked packages ask for among themselves, and
this environment holds what it names. Prints one line for each fault and exits 1 when there is any.

usage: check_lock.py [PYPROJECT LOCK]
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

KIOSK_LOCK = "requirements-kiosk.lock"
"""What a kiosk installs: a part of the whole."""
GUEST_LOCK = "requirements-guest.lock"
"""What the guest of tests/guest needs beside the whole."""

_PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)(?P<marker> ; [^\\]+)? \\")
_HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}(?P<more> \\)?")


def read_lock(text: str) -> tuple[dict[str, Requirement], list[str]]:
    """The pins by canonical name, and what is wrong with single lines."""
    pins: dict[str, Requirement] = {}
    faults = []
    expects_hash = False
    for number, line in enumerate(text.splitlines(), 1):
        pin, digest = _PIN.fullmatch(line), _HASH.fullmatch(line)
        if expects_hash and digest is None:
            faults.append(f"line {number}: a hash was expected")
        elif not expects_hash and pin is None:
            faults.append(f"line {number}: neither a pinned name nor a hash: {line[:60]!r}")
        if pin is not None:
            name = canonicalize_name(pin["name"])
            if name in pins:
                faults.append(f"line {number}: {name} is pinned twice")
            pins[name] = Requirement(line.removesuffix("\\").strip())
        expects_hash = pin is not None or (digest is not None and digest["more"] is not None)
    if expects_hash:
        faults.append("the last hash is missing")
    return pins, faults


def asked_for(project: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Who asks, and the requirement: all that `make lock` resolves."""
    yield from (("the project", text) for text in project["project"]["dependencies"])
    yield from (("the build", text) for text in project["build-system"]["requires"])
    yield from (("the group dev", text) for text in project["dependency-groups"]["dev"])


def unsatisfied(pins: dict[str, Requirement], asker: str, text: str) -> str | None:
    wanted = Requirement(text)
    if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
        return None
    pin = pins.get(canonicalize_name(wanted.name))
    if pin is None:
        return f"{asker} asks for {wanted.name}, which is not locked"
    version = next(iter(pin.specifier)).version
    if not wanted.specifier.contains(version, prereleases=True):
        return f"{asker} asks for {wanted.name}{wanted.specifier}, locked is {version}"
    return None


def installed(pins: dict[str, Requirement]) -> Iterator[tuple[str, str]]:
    """What each locked package asks for; or, as a requirement of this environment, the package itself."""
    for name, pin in pins.items():
        if pin.marker is not None and not pin.marker.evaluate():
            continue
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        yield "this environment", f"{name}=={found.version}"
        yield from ((name, text) for text in found.requires or [])


def main(pyproject: str = "pyproject.toml", lock: str = "requirements.lock") -> int:
    pins, faults = read_lock(Path(lock).read_text(encoding="utf-8"))
    project = tomllib.loads(Path(pyproject).read_text(encoding="utf-8"))
    wanted = [*asked_for(project), *installed(pins)]
    faults += [fault for asker, text in wanted if (fault := unsatisfied(pins, asker, text)) is not None]
    if lock == "requirements.lock":
        kiosk, more = read_lock(Path(KIOSK_LOCK).read_text(encoding="utf-8"))
        faults += more
        faults += [f"{KIOSK_LOCK}: {name} differs" for name, pin in kiosk.items() if str(pins.get(name)) != str(pin)]
        guest, more = read_lock(Path(GUEST_LOCK).read_text(encoding="utf-8"))
        asked = [("the group guest", text) for text in project["dependency-groups"]["guest"]]
        faults += more + [fault for each in asked if (fault := unsatisfied(guest, *each)) is not None]
    for fault in faults:
        print(f"{lock}: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
