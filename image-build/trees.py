"""The two Debian trees: ``builder``, every tool of this build in one known version, and ``root``, what a kiosk runs.

The builder has the architecture of this machine and is used by chroot(8), so that the host's own tools do not show in
the image. The root is arm64; its packages configure themselves under qemu-user.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import debian

KERNEL = "7.3.4+deb13"
"""The version in the names of the kernel packages of trixie-backports; it knows the Pi 5's RP1, and gpio-sim."""
BUILDER = (
    *("squashfs-tools", "mtools", "dosfstools", "e2fsprogs", "fdisk", "zstd", "xz-utils", "kmod", "systemd", "swig"),
    *("python3", "make", "gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross", "device-tree-compiler"),
)
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


def bootstrap(tree: Path, architecture: str, packages: Sequence[str], mirror: str, epoch: int) -> None:
    """A Debian tree with these packages. Raises CalledProcessError with the end of the log in the error."""
    options = [f"--dpkgopt=path-exclude={pattern}" for pattern in _LEAN]
    command = [
        *("mmdebstrap", "--variant=minbase", "--mode=root", f"--architectures={architecture}"),
        *("--skip=check/qemu,check/empty", "--aptopt=APT::Install-Recommends false", "--dpkgopt=force-confold"),
        *options,
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        f"--include={','.join(packages)}",
        *(debian.SUITE, str(tree), "-"),
    ]
    log = tree.parent / "log"
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


def builder(into: Path, mirror: str, epoch: int) -> None:
    """The tree of tools, with the headers of kernel and Python for arm64."""
    native = debian.native()
    bootstrap(into / "tree", native, BUILDER, mirror, epoch)
    cache = debian.cache_folder()
    foreign = debian.AptRoot(cache / "apt-arm64", "arm64", mirror)
    own = debian.AptRoot(cache / f"apt-{native}", native, mirror)
    debs = into / "debs"
    headers = [f"linux-headers-{KERNEL}-arm64", f"linux-headers-{KERNEL}-common"]
    found = foreign.download([f"{name}/{debian.BACKPORTS}" for name in headers], debs)
    found += foreign.download([f"libpython3.13-dev/{debian.SUITE}"], debs)
    found += own.download([f"linux-kbuild-{KERNEL}/{debian.BACKPORTS}"], debs)
    debian.unpack(found, into / "tree")


def root(into: Path, packages: Sequence[str], mirror: str, epoch: int) -> None:
    emulate_arm64()
    bootstrap(into / "tree", "arm64", packages, mirror, epoch)


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
