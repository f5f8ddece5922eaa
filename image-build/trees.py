"""The two Debian trees: ``builder``, every tool of this build in one known version, and ``root``, what a kiosk runs.

The builder has the architecture of this machine and is used by chroot(8), so that the host's own tools do not show in
the image. The root is arm64; its packages configure themselves under qemu-user.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import debian
import packages
from packages import Package

KERNEL = "7.3.4+deb13"
"""The version in the names of the kernel packages of trixie-backports; it knows the Pi 5's RP1, and gpio-sim."""
BUILDER = (
    *("squashfs-tools", "mtools", "dosfstools", "e2fsprogs", "fdisk", "zstd", "xz-utils", "kmod", "systemd", "swig"),
    *("python3", "make", "gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross", "device-tree-compiler"),
)
KEPT_FOR_BUILDING = (
    *(f"linux-headers-{KERNEL}-arm64/{debian.BACKPORTS}", f"linux-headers-{KERNEL}-common/{debian.BACKPORTS}"),
    f"libpython3.13-dev/{debian.SUITE}",
)
"""Of arm64, unpacked into the builder. kbuild is a program: of the builder's own architecture."""
KBUILD = (f"linux-kbuild-{KERNEL}/{debian.BACKPORTS}",)
FIRMWARE = (f"raspi-firmware/{debian.SUITE}",)
BASE = ("?essential", "?priority(required)", "apt")
"""What mmdebstrap's variant minbase installs before anything else."""
BINFMT = Path("/proc/sys/fs/binfmt_misc")
_MAGIC = (
    r":qemu-aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
    r":\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:"
    "/usr/bin/qemu-aarch64-static:OCF"
)
_LEAN = ("/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*", "/usr/share/info/*", "/usr/share/lintian/*")


def emulate_arm64() -> None:
    """Makes this machine run arm64 programs, also in a chroot. Raises OSError where that is not allowed."""
    if os.uname().machine == "aarch64" or (BINFMT / "qemu-aarch64").exists():
        return
    if not (BINFMT / "register").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", str(BINFMT)], check=True)
    (BINFMT / "register").write_bytes(_MAGIC.encode())


def bootstrap(into: Path, apt: debian.AptRoot, names: Sequence[str], mirror: str, epoch: int) -> list[Package]:
    """A Debian tree, ``into/tree``, with these packages; returns all it is made of. Raises OSError with the end of the
    log, FetchError."""
    apt.update()
    planned = apt.resolve([*BASE, *names])
    options = [f"--dpkgopt=path-exclude={pattern}" for pattern in _LEAN]
    command = [
        *("mmdebstrap", "--variant=minbase", "--mode=root", f"--architectures={apt.architecture}"),
        *("--skip=check/qemu,check/empty", "--aptopt=APT::Install-Recommends false", "--dpkgopt=force-confold"),
        *options,
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        f"--include={','.join(names)}",
        *(debian.SUITE, str(into / "tree"), "-"),
    ]
    log = into / "log"
    with log.open("wb") as output:
        done = subprocess.run(
            command,
            input="\n".join(debian.sources(mirror)).encode(),
            stdout=output,
            stderr=output,
            env=os.environ | {"SOURCE_DATE_EPOCH": str(epoch)},
        )
    if done.returncode:
        last = "\n".join(log.read_text("utf-8", "replace").splitlines()[-12:])
        raise OSError(f"mmdebstrap ended with {done.returncode}:\n{last}")
    found = packages.installed((into / "tree/var/lib/dpkg/status").read_text("utf-8"))
    if odd := set(found) ^ {package[:3] for package in planned}:
        raise OSError(f"the mirror changed while it was read, try again: {sorted(odd)[:3]}")
    return planned


def builder(into: Path, mirror: str, epoch: int) -> None:
    """The tree of tools, with the headers of kernel and Python for arm64."""
    own, foreign = debian.apt_root(debian.native(), mirror), debian.apt_root("arm64", mirror)
    planned = bootstrap(into, own, BUILDER, mirror, epoch)
    debs = foreign.download(KEPT_FOR_BUILDING, into / "debs") + own.download(KBUILD, into / "debs")
    debian.unpack(debs, into / "tree")
    (into / "packages").write_text(packages.lock_text([*planned, *debian.record(debs)]))


def root(into: Path, names: Sequence[str], mirror: str, epoch: int) -> None:
    """The tree of a kiosk, without kernel and program."""
    emulate_arm64()
    planned = bootstrap(into, debian.apt_root("arm64", mirror), names, mirror, epoch)
    (into / "packages").write_text(packages.lock_text(planned))


def firmware(into: Path, mirror: str) -> None:
    """The files the Raspberry Pi's own processor starts with."""
    debs = debian.apt_root("arm64", mirror).download(FIRMWARE, into / "debs")
    debian.unpack(debs, into / "tree")
    (into / "packages").write_text(packages.lock_text(debian.record(debs)))


def planned(names: Sequence[str], mirror: str) -> list[Package]:
    """All packages an image would be made of today, with the root's ``names``; nothing is built. Raises FetchError."""
    own, foreign = debian.apt_root(debian.native(), mirror), debian.apt_root("arm64", mirror)
    own.update()
    foreign.update()
    found = [*own.resolve([*BASE, *BUILDER]), *own.offer(KBUILD), *foreign.resolve([*BASE, *names])]
    found += foreign.offer([*KEPT_FOR_BUILDING, *debian.kernel_parts(foreign), *FIRMWARE])
    return sorted(set(found))


def run_in(builder_tree: Path, script: str, *arguments: str, epoch: int) -> None:
    """Runs a shell script in the builder. Raises OSError with what it said."""
    done = subprocess.run(
        ["chroot", str(builder_tree), "/bin/sh", "-euc", script, "sh", *arguments],
        capture_output=True,
        text=True,
        env={
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "SOURCE_DATE_EPOCH": str(epoch),
            "TZ": "UTC",
            "LC_ALL": "C.UTF-8",
            "MTOOLS_SKIP_CHECK": "1",
        },
    )
    if done.returncode:
        raise OSError(f"ended with {done.returncode}: {(done.stdout + done.stderr).strip()[-1500:]}")
