"""`kiosk export-stick`: a stick named KIOSK-EXPORT is plugged in, and takes all records to the command post.

The signed frames of every journal on this card, the roster, a support bundle, and a receipt, which is also printed if
the daemon runs and has a printer. It may be repeated at will. The journals are only read: whether the daemon runs is
all the same.
"""

import contextlib
import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import FrameType
from typing import NamedTuple, NoReturn

from kiosk import config_file, control, data_folder, files, issue_folder, seal, support
from kiosk.clock import SystemClock
from kiosk.config import ConfigError, Kiosk, Seal, Site
from kiosk.domain import Stamp, Trust
from kiosk.export import ExportError, advice, export
from kiosk.journal import Journal, JournalTooNewError, StorageFault
from kiosk.roster import shelf
from kiosk.safe import rest_of

FOLDER, RECEIPT, ERROR = "kiosk-export", "kiosk-export-receipt.txt", "kiosk-export-error.txt"
MOUNTED = Path("/run/kiosk-stick")
ISSUE = "export-failed"
ISSUE_S = 600.0
"""So long the fault lamp says that an export failed; whoever waits for it stands there."""

FAULTS = (ConfigError, ExportError, OSError, ValueError)
"""What may keep an export from being complete; each has a text for people."""

Run = Callable[[list[str]], None]


class Who(NamedTuple):
    """What an export needs of the configuration, also of one that cannot be used as a whole."""

    site: Site
    kiosk: Kiosk
    kid: bytes


class Part(NamedTuple):
    """Facts 1 to ``last`` of one journal are on the stick; ``sha256``: of its frame files, one behind the other."""

    epoch: bytes
    last: int
    sha256: str


class Receipt(NamedTuple):
    """``parts``: the journal of now first. ``left``: journals that could not be read."""

    who: Who
    at: Stamp
    parts: tuple[Part, ...]
    left: tuple[str, ...]

    @property
    def time(self) -> str:
        zone = timezone(timedelta(seconds=self.at.zone))
        local = datetime.fromtimestamp(self.at.wall / 1000, UTC).astimezone(zone)
        return f"{local:%Y-%m-%d %H:%M}" + ("" if self.at.trust >= Trust.RTC else " (时钟未校准 clock not set)")

    def lines(self) -> list[str]:
        """For a label: short, the most important first."""
        now, older = self.parts[0], sum(part.last for part in self.parts[1:])
        lines = [
            f"{self.who.site.code} {self.who.site.name}, {self.who.kiosk.number} 号亭 kiosk {self.who.kiosk.number}",
            f"记录 records 1–{now.last}: {now.last}" + (f" + {older} (旧 earlier)" if older else ""),
            self.time,
            f"sha256 {now.sha256[:16]}",
            "可以拔出 The stick may be removed",
        ]
        return lines + [f"读不出 not readable: {name}" for name in self.left]

    def text(self) -> str:
        """For the stick: all of it."""
        site = f"{self.who.site.code} {self.who.site.name}"
        lines = ["导出收据 Export receipt", f"site {site}, kiosk {self.who.kiosk.number}", self.time]
        for part in self.parts:
            name = f"journal {part.epoch.hex()}"
            lines.append(f"{name}: records 1 to {part.last} ({part.last}), sha256 of its frames {part.sha256}")
        lines += [f"not readable, still on the kiosk's card: {name}" for name in self.left]
        return "\n".join(lines) + "\n"


def who(config_path: Path) -> Who:
    """Raises ConfigError when one of the three tables cannot be used."""
    tables = config_file.read(config_path)
    site = config_file.convert(tables.get("site", {}), Site, f"{config_path}: site")
    kiosk = config_file.convert(tables.get("kiosk", {}), Kiosk, f"{config_path}: kiosk")
    try:
        sealing = config_file.convert(tables.get("seal", {}), Seal, f"{config_path}: seal")
        key = seal.PublicKeys.parse(sealing.public_key)
    except seal.SealError as error:
        raise ConfigError(f"{config_path}: seal.public_key: {error}") from None
    return Who(site, kiosk, key.kid)


def carry(whose: Who, stick: Path, at: Stamp, bundle: Callable[[], bytes]) -> Receipt:
    """All that an export leaves in the folder ``stick``. Raises ExportError, StorageFault, OSError, SealError."""
    data_dir, site, number = whose.kiosk.data_dir, whose.site.code, whose.kiosk.number
    with contextlib.ExitStack() as closing:
        journals, left = _readable(data_dir, closing)
        key_file = data_dir / "device.key"
        if not journals or not key_file.exists():
            raise ExportError("this kiosk has no journal that can be read: " + (", ".join(left) or "it never started"))
        key = seal.device_key(key_file)
        parts = []
        for journal in journals:
            done = export(journal, key, site, number, whose.kid, stick / FOLDER)
            parts.append(
                Part(journal.epoch, done.last, _digest(stick / FOLDER, f"{site}-{number}-{journal.epoch.hex()}"))
            )
    receipt = Receipt(whose, at, tuple(parts), tuple(left))
    files.put(stick / FOLDER / f"support-{site}-{number}.tar.gz", bundle())
    if (roster := data_dir / shelf.NAME).exists():  # its names are sealed, like the records
        files.put(stick / FOLDER / f"roster-{site}-{number}.roster", roster.read_bytes())
    files.put(stick / RECEIPT, _for_windows(receipt.text()))
    (stick / ERROR).unlink(missing_ok=True)
    return receipt


def _readable(data_dir: Path, closing: contextlib.ExitStack) -> tuple[list[Journal], list[str]]:
    """One journal for each epoch on this card, the one of now first, of copies the longest; and what cannot be read."""
    opened, left = [], []
    now = data_folder.journal(data_dir)
    for path in data_folder.journals(data_dir):
        try:
            opened.append((path != now, closing.enter_context(Journal.open_readonly(path))))
        except (StorageFault, JournalTooNewError):
            left.append(str(path.relative_to(data_dir)))
    found: dict[bytes, Journal] = {}
    for _, journal in sorted(opened, key=lambda each: (each[0], -each[1].head)):
        found.setdefault(journal.epoch, journal)
    return list(found.values()), left


def _digest(folder: Path, stem: str) -> str:
    """SHA-256 of the frames as the stick gives them back: ``cat STEM-*.frame | sha256sum``."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob(f"{stem}-*.frame")):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            digest.update(file.read())
    return digest.hexdigest()


def _for_windows(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode("utf-8-sig")


# The stick ------------------------------------------------------------------------------------------------------------


def run(command: list[str]) -> None:
    """Raises OSError with the program's own words."""
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        raise OSError(f"{command[0]}: {(done.stderr or done.stdout).strip() or f'status {done.returncode}'}")


@contextlib.contextmanager
def mounted(device: Path, folder: Path, run: Run) -> Iterator[Path]:
    """The stick as a folder; everything is on it when this is left without an error. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    options = "nosuid,nodev,noexec,noatime"
    run(["mount", "-t", "vfat,exfat,ext4", "-o", options, str(device), str(folder)])
    try:
        yield folder
    except BaseException:
        with contextlib.suppress(OSError):
            run(["umount", "--lazy", str(folder)])
        raise
    run(["umount", str(folder)])


def main(
    config_path: Path,
    device: Path,
    *,
    folder: Path = MOUNTED,
    run: Run = run,
    bundle: Callable[[Path], bytes] = support.bundle,
) -> int:
    """The command. Exit status: 0 all is on the stick, 1 it is not."""
    runtime_dir = rest_of(config_path).runtime_dir
    issues = runtime_dir.parent / issue_folder.NAME
    issue_folder.take_back(issues, ISSUE)
    try:
        with mounted(device, folder, run) as stick, _explained(stick):
            receipt = carry(who(config_path), stick, SystemClock().now(), lambda: bundle(config_path))
    except FAULTS as error:
        why = _reason(error)
        print(f"kiosk export-stick: {why}")
        with contextlib.suppress(OSError):
            issue_folder.tell(issues, ISSUE, f"the export onto a stick failed: {why}", for_s=ISSUE_S)
        _print(runtime_dir, "导出失败 Export failed", [why])
        return 1
    print(receipt.text(), end="")
    _print(runtime_dir, "导出完成 Export done", receipt.lines())
    return 0


@contextlib.contextmanager
def _explained(stick: Path) -> Iterator[None]:
    """A fault is written down where the stick will be looked at."""
    try:
        yield
    except FAULTS as error:
        with contextlib.suppress(OSError):
            files.put(stick / ERROR, _for_windows(f"{_reason(error)}\n"))
        raise


def _reason(error: Exception) -> str:
    return advice(error) if isinstance(error, OSError) and error.errno else str(error)


def pulled_out(_number: int, _frame: FrameType | None) -> NoReturn:
    """The signal handler: systemd ends the unit when its device goes."""
    raise OSError("the stick was pulled out before all was on it: plug it in once more")


def _print(runtime_dir: Path, title: str, lines: list[str]) -> None:
    notice = {"kind": "export", "title": title, "lines": lines}
    try:
        answer = control.ask(runtime_dir / control.NAME, "print-notice", notice)
    except control.NotRunningError:
        answer = {"error": "the daemon does not run"}
    if "ok" not in answer:
        print(f"no receipt label: {answer.get('error')}")
