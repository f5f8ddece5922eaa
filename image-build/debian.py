"""Packages of any Debian suite and architecture, without touching the build host's own apt: a private apt root.

The mirror is the one the build host's own apt is configured with, or ``--mirror``. What was fetched stays in the cache,
so that a second call needs no network.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import packages
from packages import Package

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SUITE, BACKPORTS = "trixie", "trixie-backports"
COMPONENTS = "main non-free-firmware"
_PRINT = ("--print-uris", "--yes", "-o", "Acquire::ForceHash=SHA256")


class FetchError(Exception):
    """Packages cannot be had; the text says what to do."""


def cache_folder() -> Path:
    """Where everything that is slow to make is kept: ``$KIOSK_CACHE``, else the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("KIOSK_CACHE") or Path(home) / "sampling-kiosk")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def host_mirror() -> str:
    """The Debian mirror of this machine's own apt configuration, without a slash at its end. Raises FetchError."""
    found = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN) $(CREATED_BY)", "Created-By: Packages"],
        capture_output=True,
        text=True,
    )
    for line in found.stdout.splitlines():
        uri, _, rest = line.partition(" ")
        if "Debian" in rest.split() and "security" not in uri:
            return uri.rstrip("/")
    for path in (Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))):
        if not path.is_file():
            continue
        for uri in re.findall(r"\b\w+://[^\s\]]+/debian/?(?=\s|$)", _active(path.read_text("utf-8", "replace"))):
            return str(uri).rstrip("/")
    raise FetchError("this machine's apt names no Debian mirror: give one with --mirror URL")


def _active(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))


def sources(mirror: str) -> list[str]:
    """The lines of a sources.list for the suites an image is made of."""
    signed = f"[signed-by={KEYRING}]"
    security = re.sub(r"/debian$", "/debian-security", mirror)
    return [
        f"deb {signed} {mirror} {SUITE} {COMPONENTS}",
        f"deb {signed} {mirror} {BACKPORTS} {COMPONENTS}",
        f"deb {signed} {security} {SUITE}-security {COMPONENTS}",
    ]


def native() -> str:
    """Debian's name of this machine's architecture."""
    return subprocess.run(["dpkg", "--print-architecture"], check=True, capture_output=True, text=True).stdout.strip()


class AptRoot:
    """A private apt for one architecture. ``folder`` holds its lists and packages."""

    def __init__(self, folder: Path, architecture: str, mirror: str) -> None:
        self.folder, self.architecture = folder, architecture
        self._config = folder / "apt.conf"
        for name in ("lists/partial", "archives/partial", "empty"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()
        (folder / "sources.list").write_text("\n".join(sources(mirror)) + "\n")
        self._config.write_text(
            f'APT::Architecture "{architecture}"; APT::Architectures {{ "{architecture}"; }};\n'
            f'APT::Sandbox::User "root"; APT::Install-Recommends "false"; Acquire::Languages "none";\n'
            f'Acquire::Retries "2"; Dir::Etc::SourceList "{folder}/sources.list"; Dir::Etc::SourceParts "/dev/null";\n'
            f'Dir::Etc::Preferences "/dev/null"; Dir::Etc::PreferencesParts "{folder}/empty";\n'
            f'Dir::State "{folder}"; Dir::State::lists "{folder}/lists"; Dir::State::status "{folder}/status";\n'
            f'Dir::Cache "{folder}"; Dir::Cache::archives "{folder}/archives";\n'
        )

    def _apt(self, program: str, *arguments: str, cwd: Path | None = None) -> str:
        done = subprocess.run(
            [program, "-qq", "-c", str(self._config), *arguments],
            capture_output=True,
            text=True,
            cwd=cwd,
            env=os.environ | {"APT_CONFIG": str(self._config)},
        )
        if done.returncode:
            raise FetchError(
                f"{program} {' '.join(arguments)[:80]}: {done.stderr.strip().splitlines()[-1:] or 'failed'}"
            )
        return done.stdout

    def update(self) -> None:
        """Reads the mirror's lists anew. Raises FetchError."""
        self._apt("apt-get", "update")

    def download(self, names: Sequence[str], into: Path) -> list[Path]:
        """The package files of ``names`` ("name" or "name/suite"), without what they depend on. Raises FetchError."""
        into.mkdir(parents=True, exist_ok=True)
        if not any((self.folder / "lists").glob("*Packages*")):
            self.update()
        before = set(into.glob("*.deb"))
        try:
            self._apt("apt-get", "download", *names, cwd=into)
        except FetchError:
            self.update()  # the mirror has moved on
            self._apt("apt-get", "download", *names, cwd=into)
        return sorted(set(into.glob("*.deb")) - before)

    def depends(self, name: str, suite: str) -> list[str]:
        """The names of the packages that ``name``, as ``suite`` has it, depends on directly."""
        release = f"APT::Default-Release={suite}"
        text = self._apt("apt-cache", "-o", release, "depends", "--no-recommends", "--no-suggests", name)
        return re.findall(r"^\s+\|?Depends: (\S+)", text, re.MULTILINE)

    def resolve(self, names: Sequence[str]) -> list[Package]:
        """What would be installed for ``names`` (apt's patterns too) on an empty system. Raises FetchError."""
        return packages.offered(self._apt("apt-get", *_PRINT, "install", *names))

    def offer(self, names: Sequence[str]) -> list[Package]:
        """What ``download`` would fetch. Raises FetchError."""
        return packages.offered(self._apt("apt-get", *_PRINT, "download", *names))


def apt_root(architecture: str, mirror: str | None = None) -> AptRoot:
    """The private apt of an architecture in the cache. Raises FetchError where no mirror is known."""
    return AptRoot(cache_folder() / f"apt-{architecture}", architecture, mirror or host_mirror())


def unpack(debs: Iterable[Path], into: Path) -> None:
    """What the packages hold, laid into a folder; nothing is configured or run."""
    into.mkdir(parents=True, exist_ok=True)
    for deb in debs:
        subprocess.run(["dpkg-deb", "-x", str(deb), str(into)], check=True)


def record(debs: Iterable[Path]) -> list[Package]:
    """Which packages these files are."""
    return [packages.named(deb.name, hashlib.sha256(deb.read_bytes()).hexdigest()) for deb in debs]


def modules_root(kernel_root: Path) -> Path:
    """…/usr/lib/modules/VERSION of an unpacked kernel, with ``vmlinuz``, ``config`` and depmod's files in it."""
    return next((kernel_root / "usr/lib/modules").iterdir())


def kernel_parts(apt: AptRoot) -> list[str]:
    """The packages, "name/suite", that hold the backports kernel of an architecture. Raises FetchError."""
    needed = apt.depends(f"linux-image-{apt.architecture}", BACKPORTS)
    image = next(name for name in needed if name.startswith("linux-image-"))
    release = image.removeprefix("linux-image-")
    parts = [name for name in apt.depends(image, BACKPORTS) if name.startswith("linux-") and name.endswith(release)]
    return [f"{name}/{BACKPORTS}" for name in (image, *parts)]


def unpack_kernel(into: Path, apt: AptRoot) -> None:
    """The backports kernel: ``usr/lib/modules`` with depmod's files, and which packages it is from in ``packages``.
    Raises FetchError."""
    apt.update()
    found = apt.download(kernel_parts(apt), into / "debs")
    unpack(found, into)
    (into / "packages").write_text(packages.lock_text(record(found)))
    shutil.rmtree(into / "debs")
    (into / "lib").symlink_to("usr/lib")  # where depmod looks
    subprocess.run(["depmod", "-b", str(into), modules_root(into).name], check=True)


def kernel(architecture: str, mirror: str | None = None) -> Path:
    """The backports kernel of an architecture, unpacked once. Raises FetchError."""
    root = cache_folder() / f"kernel-{architecture}"
    if not (root / "complete").exists():
        print(f"kernel: fetching that of {architecture}, some 100 MB, once", file=sys.stderr)
        shutil.rmtree(root, ignore_errors=True)
        unpack_kernel(root, apt_root(architecture, mirror))
        (root / "complete").touch()
    return root


def main() -> int:
    parser = argparse.ArgumentParser("debian.py", description=__doc__)
    parser.add_argument("architecture", choices=["amd64", "arm64"])
    parser.add_argument("--mirror", help="default: that of this machine's own apt")
    options = parser.parse_args()
    try:
        print(kernel(options.architecture, options.mirror))
    except FetchError as error:
        print(f"debian.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
