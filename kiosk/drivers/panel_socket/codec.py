"""JSON lines of the panel socket (docs/panel.md). Pure."""

from typing import Literal, TypeVar

import msgspec

from kiosk.panel import Panel

MAX_LINE = 4096
"""Bytes, without the line feed."""


class CodecError(ValueError):
    """A peer does not speak this protocol; the text never quotes what it sent."""


class Edge(msgspec.Struct, frozen=True):
    """A button went down or up."""

    button: Literal["release", "ack"]
    edge: Literal["down", "up"]


class Lines:
    """Cuts a stream into lines. Empty lines are skipped, a carriage return before the line feed is dropped."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are complete now. Raises CodecError on a line of more than MAX_LINE bytes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if max(len(line) for line in (*lines, self._rest)) > MAX_LINE:
            self._rest = b""
            raise CodecError(f"line longer than {MAX_LINE} bytes")
        return [line for line in (line.rstrip(b"\r") for line in lines) if line]


def encode(message: Panel | Edge) -> bytes:
    return msgspec.json.encode(message) + b"\n"


def decode_edge(line: bytes) -> Edge:
    """Raises CodecError."""
    return _decode(line, Edge)


def decode_panel(line: bytes) -> Panel:
    """Raises CodecError."""
    return _decode(line, Panel)


_Message = TypeVar("_Message")


def _decode(line: bytes, kind: type[_Message]) -> _Message:
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise CodecError(f"not a JSON line of the kind {kind.__name__}") from None
