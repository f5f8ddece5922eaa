"""A stick with an update or with commands on it, and what is left there for people to read."""

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from kiosk import commands, files
from kiosk.update.bundle import SUFFIX, BundleError

ERROR = "kiosk-update-error.txt"
_OPTIONS = "nosuid,nodev,noexec"

Run = Callable[[list[str]], None]


def run(command: list[str]) -> None:
    """Raises OSError with the program's own words."""
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        raise OSError(f"{command[0]}: {(done.stderr or done.stdout).strip() or f'status {done.returncode}'}")


class Stick:
    """``folder``: where its files are. A device is mounted there, read-only but for the moment a text is left; without
    one it is a plain folder."""

    def __init__(self, folder: Path, device: Path | None = None, run: Run = run) -> None:
        self.folder = folder
        self._device = device
        self._run = run

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Raises OSError."""
        if self._device is None:
            yield
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self._run(["mount", "-o", f"ro,{_OPTIONS}", str(self._device), str(self.folder)])
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # pulled out
                self._run(["umount", "--lazy", str(self.folder)])

    def bundle(self) -> Path | None:
        """The update on it, if there is one. Raises BundleError for more than one, OSError."""
        found = self._named(SUFFIX)
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            raise BundleError(f"found {names}, expected one file *{SUFFIX}: delete the others")
        return found[0] if found else None

    def commands(self) -> list[Path]:
        """The commands on it. Raises OSError."""
        return self._named(commands.SUFFIX)

    def _named(self, ending: str) -> list[Path]:
        """Without what a Mac leaves beside each file."""
        entries = sorted(self.folder.iterdir())
        return [path for path in entries if path.name.casefold().endswith(ending) and not path.name.startswith(".")]

    @property
    def told(self) -> bool:
        """Whether a text of ours lies on it."""
        return (self.folder / ERROR).is_file()

    def tell(self, text: str) -> None:
        """Leaves a text; "" takes it away. Never raises: a stick may be full, write-protected or gone."""
        if not text and not self.told:
            return
        with contextlib.suppress(OSError), self._writable():
            if text:
                files.put(self.folder / ERROR, text.replace("\n", "\r\n").encode("utf-8-sig"))
            else:
                files.remove(self.folder / ERROR)

    @contextlib.contextmanager
    def _writable(self) -> Iterator[None]:
        if self._device is None:
            yield
            return
        self._run(["mount", "-o", f"remount,rw,{_OPTIONS}", str(self.folder)])
        try:
            yield
        finally:
            self._run(["mount", "-o", f"remount,ro,{_OPTIONS}", str(self.folder)])
