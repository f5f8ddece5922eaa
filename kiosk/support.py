"""The support bundle: what somebody far away needs to know of this kiosk, and nothing about people, no secret.

What each part may hold is listed, not what it must not: of the configuration the values of known keys, of the journal
counts, of the logs what passes `kiosk.logs.redact`. A part that cannot be had says why, and the bundle is made.
"""

import gzip
import io
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from kiosk import __version__, config, config_file, data_folder, health, issue_folder
from kiosk.journal import Journal, JournalTooNewError, StorageFault, sqlite_version
from kiosk.logs import redact
from kiosk.provision import toml
from kiosk.safe import Rest, rest_of
from kiosk.uplink import MARK

MAX_PART = 512 * 1024
"""Characters of a part; of a longer one its end."""
WITHHELD = "[withheld]"
SECRET_KEYS = frozenset({"token", "username"})

Run = Callable[..., str]

_LINE = re.compile(r"(\S+ \S+ [\w@.-]+(?:\[\d+\])?: )(.*)")
"""Of journalctl's short-iso: time, host, program; and what was said."""


def run(*command: str) -> str:
    """What a program says. Raises OSError, SubprocessError."""
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60, check=False)
    return done.stdout + done.stderr


def bundle(config_path: Path, root: Path = Path("/"), run: Run = run) -> bytes:
    """A .tar.gz that is the same for the same findings. ``root``: of the file system. Never raises."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
        for name, text in sorted(parts(config_path, root, run).items()):
            data = text.encode("utf-8", "replace")
            entry = tarfile.TarInfo(f"kiosk-support/{name}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def write(config_path: Path, target: Path) -> Path:
    """The bundle as this file, or in this folder. Returns its path. Raises OSError."""
    path = target / "kiosk-support.tar.gz" if target.is_dir() else target
    path.write_bytes(bundle(config_path))
    return path


def summary(config_path: Path, limit: int, root: Path = Path("/"), run: Run = run) -> str:
    """What fits into so many characters: the answer to the command post's command. Never raises."""
    found = parts(config_path, root, run)
    told = [found["status.txt"].partition("\n\n{")[0], found["issues.txt"], found["about.txt"], found["units.txt"]]
    head = "\n".join(told)[: limit * 2 // 3]
    return f"{head}\n{found['log.txt'][-(limit - len(head) - 1) :]}"


def parts(config_path: Path, root: Path = Path("/"), run: Run = run) -> dict[str, str]:
    """File name to content. Never raises."""
    rest = rest_of(config_path)
    makers: dict[str, Callable[[], str]] = {
        "about.txt": lambda: _about(root),
        "config.toml": lambda: _config(config_path),
        "devices.txt": lambda: _devices(root),
        "issues.txt": lambda: _issues(rest),
        "journal.json": lambda: _journals(rest.data_dir),
        "kernel.txt": lambda: _said(run, "--dmesg", "--priority=warning", "--lines=1000"),
        "log.txt": lambda: _said(run, "--unit=kiosk*", "--lines=5000"),
        "status.txt": lambda: _status(rest),
        "storage.txt": lambda: _storage(root, rest.data_dir),
        "units.txt": lambda: run("systemctl", "list-units", "--failed", "--no-pager", "--plain"),
    }
    return {name: _made(make) for name, make in makers.items()}


def _made(make: Callable[[], str]) -> str:
    try:
        text = make()
    except Exception as error:  # whatever is broken here is what the bundle is wanted for
        text = f"not to be had: {type(error).__name__}: {redact(str(error))}"
    return text[-MAX_PART:].rstrip("\n") + "\n"


def _about(root: Path) -> str:
    boot = root / "proc/device-tree/chosen/bootloader"
    slot = re.search(r"kiosk\.slot=(\w)", _text(root / "proc/cmdline"))
    release = re.search(r'PRETTY_NAME="(.*)"', _text(root / "etc/os-release"))
    lines = {
        "kiosk": __version__,
        "python": platform.python_version(),
        "sqlite": sqlite_version(),
        "kernel": f"{platform.release()} {platform.machine()}",
        "system": release[1] if release else "?",
        "board": _text(root / "proc/device-tree/model") or "?",
        "slot": slot[1] if slot else "none",
        "slot of": ", ".join(f"{key} {value}" for key, value in _slots(root)) or "no image",
        "started by": ", ".join(f"{name} {_u32(boot / name)}" for name in ("partition", "tryboot")),
        "up": f"{_text(root / 'proc/uptime').partition(' ')[0] or '?'} s",
    }
    return "".join(f"{name:12}{text}\n" for name, text in lines.items())


def _slots(root: Path) -> Iterator[tuple[str, str]]:
    for path in sorted((root / "boot").glob("*/slot.json")):
        yield path.parent.name, str(json.loads(path.read_text("utf-8")).get("version", "?"))


def _config(path: Path) -> str:
    return toml.dumps(_blanked(config_file.read(path)))


def _blanked(table: dict[str, Any]) -> dict[str, Any]:
    """Only what a configuration can hold and nobody needs to hide; texts under other keys might be anything."""
    return {key: _shown(key, value) for key, value in table.items()}


def _shown(key: str, value: Any) -> Any:
    if key == "colours" and isinstance(value, dict):
        return value
    if isinstance(value, dict):
        return _blanked(value)
    if isinstance(value, list):
        return [_shown(key, each) for each in value]
    return value if key in _known_keys() - SECRET_KEYS else WITHHELD


def _known_keys() -> frozenset[str]:
    kinds = [config.Table]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return frozenset({"driver"}.union(*(kind.__struct_fields__ for kind in kinds)))


def _devices(root: Path) -> str:
    lines = []
    for path in sorted((root / "sys/bus/usb/devices").glob("*/idVendor")):
        names = [_text(path.with_name(name)) for name in ("idVendor", "idProduct", "manufacturer", "product")]
        lines.append(f"{path.parent.name:12}{' '.join(names)}")
    for pattern in ("kiosk*", "serial/by-id/*", "serial/by-path/*", "input/by-id/*", "usb/lp*", "gpiochip*"):
        found = sorted((root / "dev").glob(pattern))
        lines += [f"/{path.relative_to(root)}" + _target(path) for path in found]
    return "\n".join(lines)


def _target(path: Path) -> str:
    return f" -> {path.readlink()}" if path.is_symlink() else ""


def _issues(rest: Rest) -> str:
    found = issue_folder.read(rest.runtime_dir.parent / issue_folder.NAME)
    return "".join(f"{code}: {hint}\n" for code, hint in found.items()) or "none was told\n"


def _status(rest: Rest) -> str:
    status = health.read_status(rest.runtime_dir / health.STATUS_NAME)
    return f"{health.format_status(status)}\n\n{json.dumps(status, ensure_ascii=False, indent=1)}"


def _storage(root: Path, data_dir: Path) -> str:
    lines = []
    for line in _text(root / "proc/self/mounts").splitlines():
        device, at, kind, options = line.split()[:4]
        if device.startswith("/dev/") or kind in ("tmpfs", "overlay", "squashfs"):
            lines.append(f"{device} {at} {kind} {options.partition('lowerdir=')[0]}")
    for path in dict.fromkeys((data_dir, Path("/var/log/journal"), Path("/run"), Path("/"))):
        if path.exists():
            used = shutil.disk_usage(path)
            lines.append(f"{path}: {used.used >> 20} of {used.total >> 20} MB used")
    health_files = ("block/*/stat", "block/*/device/life_time", "block/*/device/pre_eol_info", "fs/ext4/*/errors_count")
    for pattern in (*health_files, "kernel/debug/mmc*/err_stats"):
        found = sorted((root / "sys").glob(pattern))
        lines += [f"/{path.relative_to(root)}: {' '.join(_text(path).split())}" for path in found]
    return "\n".join(lines)


def _journals(data_dir: Path) -> str:
    """Counts of each journal on the card: no fact, no digest, no box."""
    found = {str(path.relative_to(data_dir)): _journal(path) for path in data_folder.journals(data_dir)}
    return json.dumps(found, indent=1)


def _journal(path: Path) -> dict[str, Any]:
    wal = path.with_name(path.name + "-wal")
    about: dict[str, Any] = {"bytes": path.stat().st_size, "wal": wal.stat().st_size if wal.exists() else 0}
    counts: Counter[str] = Counter()
    try:
        with Journal.open_readonly(path) as journal:
            mark = journal.mark(MARK)
            about |= {"epoch": journal.epoch.hex(), "head": journal.head, "kept": journal.kept}
            about["acked"] = msgspec.msgpack.decode(mark)[0] if mark else 0
            for _, entry in journal.entries():
                counts[str(type(entry.fact).__struct_config__.tag)] += 1
    except (StorageFault, JournalTooNewError) as fault:
        about["fault"] = redact(str(fault))
    return about | {"facts": dict(sorted(counts.items()))}


def _said(run: Run, *which: str) -> str:
    """Lines of the log, each without whatever may be personal; units and the kernel do not write by our rules."""
    said = run("journalctl", "--no-pager", "--quiet", "--output=short-iso", *which)
    return "\n".join(map(_redacted, said.splitlines()))


def _redacted(line: str) -> str:
    head = _LINE.fullmatch(line)
    return head[1] + redact(head[2]) if head else redact(line)


def _u32(path: Path) -> str:
    """A cell of the device tree, big-endian."""
    try:
        return str(int.from_bytes(path.read_bytes(), "big"))
    except OSError:
        return "?"


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip("\0\n ")
    except OSError:
        return ""


def main(config_path: Path, target: Path) -> int:
    """The command ``kiosk support-bundle``. Raises OSError."""
    if os.geteuid():
        print("not run as root: the kernel's log and other users' logs will be missing", file=sys.stderr)
    print(write(config_path, target))
    return 0
