"""What root's own programs tell the daemon is wrong with the machine: one JSON file an issue, named after its code.

``{"hint": "what to do"}``, and ``"until"`` where it goes away by itself: seconds of the monotonic clock. The folder is
in RAM, root alone writes there.
"""

import contextlib
import json
import re
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from kiosk import files

NAME = "kiosk-issues"
"""Of the folder, beside the daemon's runtime folder."""

OF_THE_CARD = "data-repaired"
"""The issue that stays with its card."""

_CODE = re.compile(r"[a-z][a-z-]{0,39}")
_MAX_FILE = 4096
_MAX_ISSUES = 32


class _Told(msgspec.Struct, frozen=True):
    hint: str
    until: float | None = None


def read(folder: Path, now: float | None = None) -> dict[str, str]:
    """Code to hint, in the order of their codes. What is no issue is passed over. Never raises."""
    now = time.monotonic() if now is None else now
    found = {}
    for path in sorted(folder.glob("*.json"))[:_MAX_ISSUES]:
        with contextlib.suppress(OSError, msgspec.MsgspecError, UnicodeDecodeError):
            told = msgspec.json.decode(path.read_bytes()[:_MAX_FILE], type=_Told)
            if _CODE.fullmatch(path.stem) and (told.until is None or now < told.until):
                found[path.stem] = " ".join(told.hint.split())
    return found


def tell(folder: Path, code: str, hint: str, for_s: float | None = None) -> None:
    """Raises an issue, or says it anew; ``for_s``: it ends by itself after so many seconds. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    ends = {} if for_s is None else {"until": time.monotonic() + for_s}
    new = folder / f"{code}.new"
    new.write_text(json.dumps({"hint": hint} | ends, ensure_ascii=False), "utf-8")
    new.replace(folder / f"{code}.json")


def remembered(told: Mapping[str, str], data_dir: Path) -> dict[str, str]:
    """``told``, and what an earlier start has told of this card: one that lost data once is to be changed, not trusted.
    Never raises."""
    kept = data_dir / OF_THE_CARD
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if OF_THE_CARD in told:
            files.put(kept, told[OF_THE_CARD].encode(), 0o600)
        else:
            return dict(told) | {OF_THE_CARD: kept.read_text("utf-8")}
    return dict(told)


def take_back(folder: Path, code: str) -> None:
    """Never raises."""
    with contextlib.suppress(OSError):
        (folder / f"{code}.json").unlink()
