"""Serial code scanners: bytes in, codes out. One text ends with CR, LF, CR LF or ETX, or with silence.

What scan engines mix into the stream is taken out: the acknowledgement of the Grow GM65 family, `02 00 00 01 00 33 31`,
sent before the text it triggered (33 31 is its CRC); ACK and NAK of Honeywell and DE2120 engines; STX, NUL and other
control characters. No control character can be a part of another character in UTF-8 or GB18030, so that this is done on
bytes. Text is UTF-8 or, failing that, GB18030: a DE2120 sends GBK until it is told otherwise.
"""

import re

from kiosk.drivers.codes import TOO_LONG, CodeEvent, as_code
from kiosk.events import CodeFailed
from kiosk.recognise import MAX_TEXT

GM65_ACK = bytes.fromhex("02 00 00 01 00 33 31")
MAX_BYTES = 4 * MAX_TEXT  # a character is at most four bytes in either encoding

_END = re.compile(rb"[\r\n\x03]")
_DROPPED = bytes({*range(0x20), 0x7F} - {0x09, 0x1C, 0x1D, 0x1E, 0x1F})


class SerialCodec:
    """Incremental: however a stream is split, the same codes come out."""

    def __init__(self) -> None:
        self._line = b""
        self._refused = False  # the rest of this text is thrown away

    @property
    def pending(self) -> bool:
        """Whether a text has begun: `idle` is due after a silence."""
        return self._refused or not GM65_ACK.startswith(self._line)

    def feed(self, data: bytes) -> list[CodeEvent]:
        *lines, rest = _END.split(data)
        events: list[CodeEvent] = []
        for line in lines:
            events += self._add(line)
            events += self._end()
        return events + self._add(rest)

    def idle(self) -> list[CodeEvent]:
        """The line fell silent: what came so far is a whole text. A begun acknowledgement waits for its rest."""
        return self._end() if self.pending else []

    def _add(self, piece: bytes) -> list[CodeEvent]:
        if self._refused:
            return []
        self._line += piece
        if len(self._line) <= MAX_BYTES:
            return []
        begun = next((n for n in range(len(GM65_ACK) - 1, 0, -1) if self._line.endswith(GM65_ACK[:n])), 0)
        whole = len(self._line) - begun
        self._line = _clean(self._line[:whole]) + self._line[whole:]
        if len(self._line) - begun <= MAX_BYTES:
            return []
        self._line = b""
        self._refused = True
        return [CodeFailed(TOO_LONG)]

    def _end(self) -> list[CodeEvent]:
        line, self._line = _clean(self._line), b""
        if self._refused:
            self._refused = False
            return []
        for encoding in ("utf-8", "gb18030"):
            try:
                event = as_code(line.decode(encoding))
            except UnicodeDecodeError:
                continue
            return [event] if event else []
        return [CodeFailed("neither UTF-8 nor GB18030")]


def _clean(raw: bytes) -> bytes:
    return raw.replace(GM65_ACK, b"").translate(None, _DROPPED)
