"""A system started by this machine's own systemd, in namespaces of its own, with the units of a kiosk in it.

What runs there is the unmodified unit and the unmodified program; only the place of Python and of this tree differs.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.units import UNITS

ROOT = Path(__file__).parents[2]
WITHIN_S = 120.0
THEIRS = (
    *("basic.target", "sysinit.target", "local-fs.target", "paths.target", "sockets.target", "timers.target"),
    *("shutdown.target", "umount.target", "final.target", "network-pre.target", "slices.target", "multi-user.target"),
    *("systemd-journald.service", "systemd-journald.socket", "systemd-journald-dev-log.socket", "exit.target"),
)
"""Units of the distribution that ours need."""
OURS = (
    *("kiosk.service", "kiosk-safe.service", "kiosk-provision.service", "kiosk-provision-wait.service"),
    *("kiosk-folders.service", "kiosk-request@.path", "kiosk-request@.service"),
)
_TARGET = "[Unit]\nRequires=basic.target\nAfter=basic.target\nWants=systemd-journald.service\nAllowIsolate=yes\n"
_NOTHING = "[Service]\nType=oneshot\nExecStart=/bin/true\n"
_LAUNCHER = """#!/usr/bin/env -S LD_LIBRARY_PATH=/opt/kiosk/python/lib /opt/kiosk/python/bin/python{0}.{1} -sP
import sys

sys.path[:0] = ["/opt/kiosk/project", "/opt/kiosk/packages"]
from kiosk.cli import main

sys.exit(main())
"""
_APART = (
    *("unshare", "--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup", "--fork"),
    *("--propagation", "private", "--kill-child"),
)
_PROBE = 'mount -t tmpfs probe "$1" && mount -t cgroup2 probe "$1"'
_CGROUPS = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")


class NoSystemError(Exception):
    """This machine lets nobody make one; the text says why."""


class System:
    """A context manager; inside it the system runs. ``root``: its files, as this machine sees them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._pid = 0
        self._group: Path | None = None

    @property
    def root(self) -> Path:
        return Path(f"/proc/{self._pid}/root")

    def __enter__(self) -> Self:
        if os.geteuid() != 0:
            raise NoSystemError("only root makes namespaces")
        self._group = _new_group()
        self._prepare()
        probe = subprocess.run([*_APART, "sh", "-c", _PROBE, "sh", str(self._folder)], capture_output=True, text=True)
        if probe.returncode:
            raise NoSystemError(probe.stderr.strip())
        packages = next(path for path in sys.path if path.endswith("site-packages"))
        script = ["sh", str(Path(__file__).with_name("system.sh")), str(self._folder), str(ROOT), packages]
        with (self._folder / "console").open("wb") as console:
            self._process = subprocess.Popen(
                [*_APART, *script, sys.base_prefix],
                stdout=console,
                stderr=console,
                preexec_fn=self._join,  # noqa: PLW1509
            )
        try:
            self.until(self._is_up, "the system is up")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        assert self._group is not None
        for group in sorted(self._group.rglob("*/"), reverse=True):
            _remove(group)
        _remove(self._group)

    def run(self, *command: str) -> str:
        """What a command in there says, whatever its status."""
        inside = ["nsenter", f"--target={self._pid}", "--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup"]
        clean = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TERM=dumb", "SYSTEMD_COLORS=0"]
        return subprocess.run([*inside, *clean, *command], capture_output=True, text=True).stdout.strip()

    def show(self, unit: str, *keys: str) -> dict[str, str]:
        said = self.run("systemctl", "show", unit, *(f"--property={key}" for key in keys))
        return dict(line.split("=", 1) for line in said.splitlines())

    def is_active(self, unit: str) -> bool:
        return self.show(unit, "ActiveState")["ActiveState"] == "active"

    def log(self, unit: str) -> str:
        return self.run("journalctl", "--no-pager", "--output=cat", f"--unit={unit}")

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Waits until it holds. Raises AssertionError with what the system said."""
        assert self._process is not None
        end = time.monotonic() + WITHIN_S
        while not condition():
            if self._process.poll() is not None or time.monotonic() > end:
                console = (self._folder / "console").read_text("utf-8", "replace")[-3000:]
                raise AssertionError(f"the system ended, or not within {WITHIN_S} s: {what}\n{console}")
            time.sleep(0.05)

    def _prepare(self) -> None:
        units = self._folder / "units"
        units.mkdir(parents=True)
        for name in THEIRS:
            if (path := Path("/usr/lib/systemd/system") / name).exists():
                shutil.copyfile(path, units / name)
        for name in OURS:
            shutil.copyfile(UNITS / name, units / name)
        (units / "test.target").write_text(_TARGET)
        for name in ("modprobe@.service", "systemd-udevd.service", "systemd-networkd.service"):
            (units / name).write_text(_NOTHING)
        (self._folder / "kiosk").write_text(_LAUNCHER.format(*sys.version_info[:2]))

    def _join(self) -> None:
        assert self._group is not None
        (self._group / "cgroup.procs").write_text(str(os.getpid()))

    def _is_up(self) -> bool:
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        if not children:
            return False
        self._pid = int(children[0])
        return "active" in self.run("systemctl", "is-active", "test.target").split()


def _new_group() -> Path:
    """A control group of its own, in the second version's tree. Raises NoSystemError."""
    for tree in map(Path, _CGROUPS):
        if (tree / "cgroup.procs").exists():
            group = tree / f"kiosk-test-{os.getpid()}"
            try:
                group.mkdir(exist_ok=True)
            except OSError as error:
                raise NoSystemError(f"{tree}: {error.strerror}") from None
            return group
    raise NoSystemError("no control groups of version 2")


def _remove(group: Path) -> None:
    end = time.monotonic() + 10
    while group.exists() and time.monotonic() < end:
        try:
            group.rmdir()
        except OSError:
            time.sleep(0.05)
