"""A roster file on its way over the broker: pieces that fit a packet, put together again (docs/protocol.md). Pure.

A piece is msgpack [made, number, of, bytes]: which roster, the number of the piece from 0, how many there are. It is
not signed; the file that they make is.
"""

from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

from kiosk.roster.entry import RosterError

SIZE = 48 * 1024
"""Bytes of the file in one piece."""
MOST = 340
"""Pieces: 16 MB, a roster of 400,000 people. A larger one is carried."""


class _Piece(msgspec.Struct, frozen=True, array_like=True):
    made: int
    number: Annotated[int, Meta(ge=0)]
    of: Annotated[int, Meta(ge=1, le=MOST)]
    data: Annotated[bytes, Meta(max_length=SIZE)]


def cut(made: int, data: bytes) -> Iterator[bytes]:
    """Raises RosterError for a file that is too large."""
    of = -(-len(data) // SIZE)
    if of > MOST:
        raise RosterError(f"found {len(data) >> 20} MB, expected at most {MOST * SIZE >> 20}: carry the file there")
    for number in range(of):
        piece = _Piece(made, number, of, data[number * SIZE : (number + 1) * SIZE])
        yield msgspec.msgpack.encode(piece)


class Pieces:
    """Those that have come of one roster. Another one begins anew."""

    def __init__(self) -> None:
        self._there: dict[int, bytes] = {}
        self._which = (0, 0)

    def hear(self, payload: bytes) -> bytes | None:
        """The whole file, once every piece is there. Raises RosterError."""
        try:
            piece = msgspec.msgpack.decode(payload, type=_Piece)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise RosterError(f"no piece of a roster: {error}") from None
        if piece.number >= piece.of:
            raise RosterError(f"no piece of a roster: found number {piece.number} of {piece.of}")
        if (piece.made, piece.of) != self._which:
            self._there, self._which = {}, (piece.made, piece.of)
        self._there[piece.number] = piece.data
        if len(self._there) < piece.of:
            return None
        whole = b"".join(self._there[number] for number in range(piece.of))
        self._there = {}
        return whole
