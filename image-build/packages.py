"""Which Debian packages an image is made of: as apt and dpkg name them, kept in ``packages.lock``.

The lock names no mirror: a package is known by its name, version, architecture and SHA-256. A mirror forgets old
versions, so a build takes what the mirror has and says what differs from the lock; ``--locked`` takes nothing else.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import unquote

HEADER = "# Debian packages an image is made of. Written by `make image-lock`, read by `make image`.\n"
_LINE = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9+.-]+) (?P<version>\S+) (?P<architecture>[a-z0-9]+) (?P<sha256>[0-9a-f]{64})"
)


class Package(NamedTuple):
    """One file of a Debian archive. ``sha256``: of the .deb, in hexadecimal."""

    name: str
    version: str
    architecture: str
    sha256: str


class LockError(ValueError):
    """The lock cannot be read or cannot be kept. The text says what differs and what to do."""


def installed(status: str) -> list[tuple[str, str, str]]:
    """(name, version, architecture) of each package that dpkg's status file calls installed, sorted."""
    found = []
    for block in re.split(r"\n\s*\n", status):
        fields = dict(re.findall(r"^([A-Za-z0-9-]+):[ \t]*(.*)$", block, re.MULTILINE))
        if fields.get("Status", "").endswith(" installed"):
            found.append((fields["Package"], fields["Version"], fields["Architecture"]))
    return sorted(found)


def offered(uris: str) -> list[Package]:
    """The packages of ``apt-get --print-uris``: lines of 'URI' FILE SIZE SHA256:HASH. Raises LockError."""
    found = []
    for line in uris.splitlines():
        words = line.split()
        if len(words) != 4 or not words[3].startswith("SHA256:"):
            raise LockError(f"apt names no SHA-256: {line}")
        found.append(named(words[1], words[3].removeprefix("SHA256:")))
    return found


def named(file: str, sha256: str) -> Package:
    """A package by its file's name, NAME_VERSION_ARCHITECTURE.deb, in which apt writes a colon as %3a."""
    name, version, architecture = file.removesuffix(".deb").split("_")
    return Package(name, unquote(version), architecture, sha256)


def parse(text: str, where: str) -> list[Package]:
    """The packages of a lock file. Raises LockError with the line that is wrong."""
    packages: dict[tuple[str, str], Package] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        if not (match := _LINE.fullmatch(line)):
            raise LockError(f"{where}, line {number}: expected NAME VERSION ARCHITECTURE SHA256, found {line[:60]!r}")
        package = Package(**match.groupdict())
        if (key := _key(package)) in packages:
            raise LockError(f"{where}, line {number}: {package.name} is named twice for {package.architecture}")
        packages[key] = package
    return list(packages.values())


def lock_text(packages: Iterable[Package]) -> str:
    """What ``parse`` reads: sorted, so that a change shows as the lines that changed."""
    return HEADER + "".join(" ".join(package) + "\n" for package in sorted(set(packages)))


def differences(locked: Iterable[Package], found: Iterable[Package]) -> list[str]:
    """One line for each package that is not as locked, sorted by name."""
    want, have = _by_key(locked), _by_key(found)
    lines = []
    for key in sorted(want.keys() | have.keys()):
        old, new = want.get(key), have.get(key)
        name = ":".join(key)
        if new is None and old is not None:
            lines.append(f"{name}: locked {old.version}, not in this image")
        elif old is None and new is not None:
            lines.append(f"{name}: {new.version}, not locked")
        elif old is not None and new is not None and old.version != new.version:
            lines.append(f"{name}: locked {old.version}, found {new.version}")
        elif old is not None and new is not None and old.sha256 != new.sha256:
            lines.append(f"{name}: {new.version} has another content: sha256 {new.sha256}, locked {old.sha256}")
    return lines


def _key(package: Package) -> tuple[str, str]:
    return package.name, package.architecture


def _by_key(packages: Iterable[Package]) -> Mapping[tuple[str, str], Package]:
    return {_key(package): package for package in packages}
