"""Logging to stderr, one line a record, and the one redaction step that all of it passes.

No code is trusted to leave personal data out: whatever looks like a name, a document number, a phone number, a birth
date or a health code is masked in the finished line, tracebacks included. A name in plain Latin letters looks like any
other word; `kiosk.domain.Private` keeps those out of every repr.
"""

import contextlib
import logging
import os
import re
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import TextIO

from kiosk.tube import BadTubeNumber, TubeNumber

MASK = "[withheld]"
MAX_LINE = 4000
"""Characters of one record; a longer one is cut."""

_ESCAPE = r"(?:\\x[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\U[0-9A-Fa-f]{8}|\\N\{[^}]*\})"
_PATTERN = re.compile(
    "|".join(
        (
            r"(?P<bytes>\b[bB]'(?:\\.|[^'\\])*(?:'|$)|\b[bB]\"(?:\\.|[^\"\\])*(?:\"|$))",
            r"(?P<url>\b[a-z]+://[^\s/'\"?#]+)[/?#][^\s'\"]*",
            r"(?P<path>(?<![\w/])/(?:dev|run|var|etc|sys|proc|usr|opt|lib|home|tmp)/[\w./@+-]*)",
            rf"(?P<escaped>{_ESCAPE}[^'\"\s]*)",
            r"(?P<percent>(?:%[0-9A-Fa-f]{2}){2,})",
            r"(?P<dump>\b[0-9A-Fa-f]{2}(?:[ :][0-9A-Fa-f]{2}){3,}\b|\b\d{1,3}(?:, ?\d{1,3}){7,})",
            r"(?P<code>\b\w+(?!://)(?::[\w+/=.-]+){2,})",
            r"(?P<spaced>(?<!\w)[\w:-](?: [\w:-]){5,})",
            r"(?P<tube>(?<!\w)\d{16}(?!\w))",
            r"(?P<token>(?<![\w+-])(?=[A-Za-z_+-]*\d)(?=[\d_+-]*[A-Za-z])[\w+-]{10,}={0,2})",
            r"(?P<number>[A-Za-z]{0,3}\d(?:[ -]?\d){7,}[Xx]?)",
            r"(?P<foreign>[^\x00-\x7f]+)",
        )
    ),
    re.ASCII,
)
_IN_PATHS = re.compile(r"[^\x00-\x7f]+|\d{8,}[Xx]?")


def redact(text: str) -> str:
    """One line of printable ASCII in which everything is masked that may be personal data. Valid tube numbers stay."""
    if len(text) > MAX_LINE:
        text = re.sub(r"\S*\Z", "[cut]", text[:MAX_LINE], count=1)
    lines = (re.sub(r"[\x00-\x1f\x7f]", " ", line).strip() for line in text.splitlines())
    return _PATTERN.sub(_masked, " | ".join(line for line in lines if line))[:MAX_LINE]


def _masked(match: re.Match[str]) -> str:
    kind, found = match.lastgroup, match[0]
    if kind == "url":
        return f"{redact(match['url'])}/{MASK}"
    if kind == "path":
        return _IN_PATHS.sub(MASK, found)
    if kind == "tube" and _is_tube(found):
        return found
    return MASK


def _is_tube(text: str) -> bool:
    try:
        TubeNumber.parse(text)
    except BadTubeNumber:
        return False
    return True


_SYSLOG = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


class Formatter(logging.Formatter):
    """One redacted line a record. ``journald``: with the level as ``<N>`` in front (sd-daemon(3)), without the time."""

    def __init__(self, *, journald: bool) -> None:
        super().__init__("%(name)s: %(message)s")
        self._journald = journald

    def format(self, record: logging.LogRecord) -> str:
        line = redact(super().format(record))
        if self._journald:
            return f"<{_SYSLOG.get(record.levelno, 5)}>{line}"
        return f"{self.formatTime(record)} {record.levelname} {line}"


class Handler(logging.StreamHandler[TextIO]):
    """A log call with wrong arguments is reported without its arguments, which the standard handler would print."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        kind = sys.exc_info()[0]
        if kind is None or issubclass(kind, OSError):  # stderr itself is gone
            return
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(f"logging fault ({kind.__name__}) at {Path(record.pathname).name}:{record.lineno}\n")


def setup(level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Sends everything that is said, warned about or raised anywhere in the process through the one handler."""
    stream = sys.stderr if stream is None else stream
    handler = Handler(stream)
    handler.setFormatter(Formatter(journald=_is_journal(stream)))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    sys.unraisablehook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)
    threading.excepthook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)


def _uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("kiosk").critical("uncaught exception", exc_info=(kind, error or kind(), trace))


def _is_journal(stream: TextIO) -> bool:
    """Whether the stream leads to journald: systemd tells its device and inode in JOURNAL_STREAM."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
