"""Which Debian packages an image is made of: read from dpkg's and apt's own files, kept in ``packages.lock``.

The lock names no mirror: a package is known by its name, version, architecture and SHA-256. A mirror forgets old
versions, so a build takes what the mirror has and says what differs from the lock; ``--locked`` takes nothing else.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

HEADER = "# Debian packages of the last released image. Written by `make image-lock`; read by `make image`.\n"
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


def stanzas(text: str) -> Iterator[dict[str, str]]:
    """The paragraphs of dpkg's status file or an apt record (deb822); of a field of several lines the first one."""
    for block in re.split(r"\n\s*\n", text):
        if fields := dict(re.findall(r"^([A-Za-z0-9-]+):[ \t]*(.*)$", block, re.MULTILINE)):
            yield fields


def installed(status: str) -> list[tuple[str, str, str]]:
    """(name, version, architecture) of each package that dpkg's status file calls installed, sorted."""
    return sorted(
        (fields["Package"], fields["Version"], fields["Architecture"])
        for fields in stanzas(status)
        if fields.get("Status", "").endswith(" installed")
    )


def with_hashes(found: Iterable[tuple[str, str, str]], records: str) -> list[Package]:
    """``found`` with the SHA-256 that apt's records (``apt-cache show``) give. Raises LockError."""
    known = {(it["Package"], it["Version"], it["Architecture"]): it.get("SHA256", "") for it in stanzas(records)}
    packages = []
    for name, version, architecture in found:
        if not (sha256 := known.get((name, version, architecture))):
            raise LockError(f"{name} {version}: the mirror's lists no longer name it; build the root stage anew")
        packages.append(Package(name, version, architecture, sha256))
    return packages


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


def unavailable(locked: Iterable[Package], records: str) -> list[str]:
    """One line for each locked package that the mirror, by apt's ``records``, no longer has as it was."""
    offered: dict[str, list[str]] = {}
    hashes = set()
    for fields in stanzas(records):
        offered.setdefault(fields["Package"], []).append(fields["Version"])
        hashes.add(fields.get("SHA256", ""))
    lines = []
    for package in locked:
        if package.sha256 not in hashes:
            has = ", ".join(offered.get(package.name, [])) or "none"
            lines.append(f"{package.name}: locked {package.version}, the mirror has {has}")
    return lines


def preferences(locked: Iterable[Package]) -> str:
    """apt_preferences(5) that let apt choose the locked versions, older ones too."""
    return "".join(
        f"Package: {package.name}\nPin: version {package.version}\nPin-Priority: 1001\n\n" for package in locked
    )


def _key(package: Package) -> tuple[str, str]:
    return package.name, package.architecture


def _by_key(packages: Iterable[Package]) -> Mapping[tuple[str, str], Package]:
    return {_key(package): package for package in packages}
