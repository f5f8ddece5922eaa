"""Unit files, read as systemd.syntax(7) says: a key may come several times, and comments explain."""

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parents[2] / "systemd"
UNITS = FOLDER / "system"


class Setting(NamedTuple):
    """``why``: the comment lines right above it, as one text."""

    section: str
    key: str
    value: str
    why: str


class Unit(NamedTuple):
    path: Path
    settings: tuple[Setting, ...]

    @property
    def name(self) -> str:
        return self.path.name

    def all(self, key: str) -> list[str]:
        """Every value of a key, in order."""
        return [setting.value for setting in self.settings if setting.key == key]

    def words(self, *keys: str) -> list[str]:
        return [word for key in keys for value in self.all(key) for word in value.split()]

    def has(self, section: str) -> bool:
        return any(setting.section == section for setting in self.settings)

    def comments(self) -> str:
        return " ".join(line[1:].strip() for line in self.path.read_text().splitlines() if line.startswith("#"))


def read(path: Path) -> Unit:
    """Raises ValueError for a line that is none of a unit's."""
    section, why, settings = "", "", []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line:
            why = ""
        elif line.startswith("#"):
            why = f"{why} {line[1:].strip()}".strip()
        elif match := re.fullmatch(r"\[([A-Z]\w+)\]", line):
            section = match[1]
        elif (match := re.fullmatch(r"(\w+)=(.*)", line)) and section and line == line.rstrip():
            settings.append(Setting(section, match[1], match[2], why))
            why = ""
        else:
            raise ValueError(f"{path.name}:{number}: {line!r}")
    return Unit(path, tuple(settings))


def units() -> list[Unit]:
    """All units of a kiosk."""
    return [read(path) for path in sorted(UNITS.iterdir())]


def systemd_version() -> int:
    said = subprocess.run(["systemd-analyze", "--version"], capture_output=True, text=True, check=True).stdout
    return int(re.search(r"systemd (\d+)", said)[1])  # type: ignore[index]
