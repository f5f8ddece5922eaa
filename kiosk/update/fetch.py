"""A bundle from the network onto the data partition: slowly, so that records go first, and going on where it stopped,
over days if need be. Size and hash come from the signed command, so the way it took does not matter."""

import contextlib
import hashlib
import http.client
import os
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NamedTuple

RATE = 256 * 1024
"""Bytes a second."""
RESERVE = 300 * 1024 * 1024
"""Bytes of the data partition that stay free for records."""
GIVE_UP_S = 3 * 86_400.0
_BLOCK = 64 * 1024
_SYNC_EVERY = 1 << 20
_TIMEOUT_S = 60.0
_WAIT_S = (10.0, 900.0)
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_RANGE = re.compile(r"bytes ([0-9]+)-[0-9]+/([0-9]+|\*)")


class FetchError(OSError):
    """It will not come; the text says why."""


class _AgainError(OSError):
    """It may come later."""


class Times(NamedTuple):
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


_REAL = Times()


def fetch(
    url: str, size: int, sha256: bytes, folder: Path, *, rate: int = RATE, reserve: int = RESERVE, times: Times = _REAL
) -> Path:
    """The whole file, verified. What an earlier one left in ``folder`` goes; what is there of this one is gone on with.
    Raises FetchError, OSError when it cannot be written."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{sha256.hex()}.kiosk"
    part = path.with_suffix(".part")
    for old in folder.iterdir():
        if old not in (path, part):
            old.unlink()
    if path.exists():
        return path
    _room(folder, size - _size(part), reserve)
    give_up, failures = times.now() + GIVE_UP_S, 0
    while (have := _size(part)) < size:
        try:
            _more(url, size, part, rate, times)
            failures = 0
        except _AgainError as error:
            failures = 0 if _size(part) > have else failures + 1
            if times.now() >= give_up:
                raise FetchError(f"{url}: {error}; {_size(part)} of {size} bytes came") from None
            first, longest = _WAIT_S
            times.sleep(min(longest, first * 2 ** min(failures, 10)))
    with part.open("rb") as file:
        if _size(part) != size or hashlib.file_digest(file, "sha256").digest() != sha256:
            part.unlink()
            raise FetchError(f"{url}: other bytes than the command names: make the command for the file that is there")
    part.rename(path)
    return path


def _room(folder: Path, needed: int, reserve: int) -> None:
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    if free < needed + reserve:
        raise FetchError(
            f"{free >> 20} MB are free on the data partition, the update needs {needed >> 20} and records "
            f"{reserve >> 20}: bring the update on a stick"
        )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _more(url: str, size: int, part: Path, rate: int, times: Times) -> None:
    """Fetches what is missing, until the line breaks. Raises _AgainError, FetchError, OSError."""
    have = _size(part)
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})  # noqa: S310
    with contextlib.ExitStack() as stack:
        answer = stack.enter_context(_ask(request))
        start = _start(answer, have, size, url)
        file = stack.enter_context(part.open("r+b" if have else "wb"))
        file.truncate(start)
        file.seek(start)
        _copy(answer, file, size - start, rate, times)


def _start(answer: Any, have: int, size: int, url: str) -> int:
    """From which byte on the server sends. Raises FetchError."""
    if answer.status != 206:
        return 0
    found = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    if found is None or int(found[1]) != have or found[2] not in ("*", str(size)):
        raise FetchError(f"{url}: another size than the command names, {size}")
    return have


def _copy(answer: Any, file: IO[bytes], left: int, rate: int, times: Times) -> None:
    began, got, unsynced = times.now(), 0, 0
    while left:
        try:
            block = answer.read(min(_BLOCK, left))
        except (OSError, http.client.HTTPException) as error:
            raise _AgainError(str(error) or type(error).__name__) from None
        if not block:
            raise _AgainError("the server stopped sending")
        file.write(block)
        left, got, unsynced = left - len(block), got + len(block), unsynced + len(block)
        if unsynced >= _SYNC_EVERY or not left:
            file.flush()
            os.fsync(file.fileno())
            unsynced = 0
        times.sleep(max(0.0, began + got / rate - times.now()))


def _ask(request: urllib.request.Request) -> Any:
    """Only http and https, also after a redirection."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    try:
        return opener.open(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code in _PASSING:
            raise _AgainError(f"the server says {error.code}") from None
        raise FetchError(f"{request.full_url}: the server says {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise _AgainError(f"{error.reason}; is the clock right?") from None
        raise _AgainError(str(error.reason)) from None
    except (OSError, http.client.HTTPException) as error:
        raise _AgainError(str(error) or type(error).__name__) from None
