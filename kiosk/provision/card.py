"""The FAT partition a technician's laptop shows: the file that is looked for there, under the names people give it, and
what is left there for people to read.

A file that was taken is renamed first and its bytes are then replaced where they lie, so that a half replaced one is
never taken for a new one. What a laptop's editor left of an older version in free clusters, and what a flash card keeps
of replaced sectors in its spare blocks, is out of reach from here.
"""

import contextlib
import re
from pathlib import Path
from typing import Any

from kiosk import files
from kiosk.config import ConfigError
from kiosk.provision import toml
from kiosk.provision.schema import NAME, withheld

DONE = "kiosk-provision.done.toml"
ERROR = "kiosk-provision-error.txt"
EXAMPLE = "kiosk-provision.example.toml"
NAMES = (NAME, f"{NAME}.txt", "kiosk-provision.txt")
"""Editors add an ending, and hide it."""
MAX_BYTES = 64 * 1024

_OURS = frozenset({DONE, ERROR, EXAMPLE, ERROR + files.NEW})
_BACKUP = re.compile(r"[.~_#]*kiosk-provision\.(?:toml|txt).*(?:~|#|\.bak|\.swp|\.save|\.tmp)")
_TEXTS = frozenset({"", ".toml", ".txt", ".rtf", ".doc", ".docx"})
_BOM = "\ufeff"
_FILLED_IN = re.compile(rb'^\s*public_key\s*=\s*"kp1_', re.MULTILINE)


def find(boot: Path) -> Path | None:
    """The provisioning file, if there is one. Raises ConfigError for two that differ, and for a file whose name is
    nearly right; OSError when the partition cannot be read."""
    if not boot.is_dir():
        return None
    entries = sorted(boot.iterdir())
    found = [path for path in entries if path.name.casefold() in NAMES]
    if not found:
        _near_misses(entries)
        return None
    first, *others = sorted(found, key=lambda path: NAMES.index(path.name.casefold()))
    if not first.is_file():
        raise ConfigError(f"{first.name}: found a folder, expected a file")
    for other in others:
        if not other.is_file() or other.read_bytes() != first.read_bytes():
            raise ConfigError(f"{first.name}: found {other.name} beside it, with other content: delete one of them")
    return first


def _near_misses(entries: list[Path]) -> None:
    for path in entries:
        name = path.name.casefold()
        if name == EXAMPLE and path.is_file() and _FILLED_IN.search(path.read_bytes()[:MAX_BYTES]):
            raise ConfigError(f"{EXAMPLE}: it is filled in, but only {NAME} is read: rename it")
        hidden = name[0] in ".~_#" or _BACKUP.fullmatch(name)
        if "provision" in name and name not in _OURS and path.suffix.casefold() in _TEXTS and not hidden:
            raise ConfigError(f"{path.name}: found this name, expected {NAME}: rename it")


def read(path: Path) -> str:
    """Raises ConfigError, OSError."""
    if (size := path.stat().st_size) > MAX_BYTES:
        raise ConfigError(f"{path.name}: found {size} bytes, expected at most {MAX_BYTES}")
    return decode(path.read_bytes(), path.name)


def decode(raw: bytes, name: str) -> str:
    """The text, in whatever encoding an editor saves: UTF-8, UTF-16, GB18030. Raises ConfigError."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encodings: tuple[str, ...] = ("utf-16",)
    elif raw[1:2] == b"\0" != raw[:1]:
        encodings = ("utf-16-le",)
    elif raw[:1] == b"\0" != raw[1:2]:
        encodings = ("utf-16-be",)
    else:
        encodings = ("utf-8-sig", "gb18030")
    for encoding in encodings:
        with contextlib.suppress(UnicodeDecodeError):
            return raw.decode(encoding).removeprefix(_BOM)
    raise ConfigError(f"{name}: neither UTF-8 nor UTF-16 nor GB18030: save the file as UTF-8")


def put_away(path: Path, data: dict[str, Any]) -> None:
    """The file that was taken becomes DONE, without its secrets; copies of it go. Raises OSError."""
    for other in sorted(path.parent.iterdir()):
        name = other.name.casefold()
        if other != path and other.is_file() and (name in NAMES or _BACKUP.fullmatch(name)):
            files.overwrite(other, b"")
            files.remove(other)
    tidy(files.rename(path, DONE).parent, data)


def tidy(boot: Path, data: dict[str, Any]) -> None:
    """Finishes what a power cut may have cut short: DONE holds no secret. ``data``: what the kiosk was told last.
    Raises OSError."""
    done = boot / DONE
    if done.is_file() and done.read_bytes() != (wanted := _done(data, done.stat().st_size)):
        files.overwrite(done, wanted)


def _done(data: dict[str, Any], size: int) -> bytes:
    """As many bytes as the file has."""
    text = _BOM + _DONE + toml.dumps(withheld(data))
    whole = text.replace("\n", "\r\n").encode()[:size].decode(errors="ignore").encode()
    return whole.ljust(size, b"\n")


def tell(boot: Path, why: str) -> None:
    """Leaves the reason of a refusal beside the file. Raises OSError."""
    files.put(boot / ERROR, (_BOM + _REFUSED.format(why, NAME)).replace("\n", "\r\n").encode())


def clear(boot: Path) -> None:
    """The reason has gone. Raises OSError."""
    files.remove(boot / ERROR)
    files.remove(boot / (ERROR + files.NEW))


_DONE = """\
# 采样亭已读取本文件，密码已清除。如需修改，请另写 kiosk-provision.toml。
# This kiosk has taken this file; passwords are wiped. For a change write a new kiosk-provision.toml.

"""
_REFUSED = """\
采样亭不能使用这里的配置，正在等待正确的文件。
原因（请原样告诉技术支持）：

    {0}

怎么办：在电脑上改正 {1}，保存为 UTF-8，安全弹出，把卡插回采样亭，重新上电。
本文件由采样亭写入；配置正确后会自动删除。


The kiosk cannot use what it found here and waits for a better file. The reason:

    {0}

What to do: correct {1} on a computer, save it as UTF-8, eject the card, put it back into the kiosk and switch on
again. The kiosk wrote this file and removes it once all is well.
"""
