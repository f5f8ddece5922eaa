"""A simulated ID-card reader: the far side of the SDT protocol on a pseudo-terminal, behind the unmodified driver."""

import asyncio
import contextlib
import os
import tty
from collections import Counter, defaultdict, deque
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from kiosk.domain import Person
from kiosk.drivers.idcard import card
from kiosk.drivers.idcard.codec import Command, Request, RequestDecoder, Response, Status, encode_response

SAM_ID = bytes.fromhex("05000300d5af34013930000015cd5b07")
PHOTO = (bytes.fromhex("574c66007e00320000ff85") + bytes(range(256)) * 4)[: card.PHOTO_BYTES]
_QUEUE_BYTES = 65536  # noise beyond this is lost, as in a UART


@dataclass(slots=True)
class SimCard:
    """A card that can lie on the reader. ``text`` replaces what the person's text block would be."""

    person: Person
    photo: bytes = PHOTO
    text: bytes | None = None
    unreadable: bool = False
    hung: bool = False  # unreadable until the reader is reset

    def payload(self) -> bytes:
        return card.encode_payload(card.encode_text(self.person) if self.text is None else self.text, self.photo)


class SimReader:
    """An async context manager; inside it the reader answers at ``path``, a symbolic link to the pseudo-terminal.

    ``power_up_s``: deaf for so long after being plugged in; ``refind``: a card that stays is found again and again, as
    some modules do, others not before it was lifted; ``chunk`` and ``chunk_s``: answers leave in pieces of so many
    bytes, so far apart (0: at once and whole). ``mute`` can be set at any time. ``requests`` counts what was asked.
    """

    def __init__(
        self, path: Path, *, power_up_s: float = 0, refind: bool = True, chunk: int = 0, chunk_s: float = 0
    ) -> None:
        self.path = path
        self.mute = False
        self.requests: Counter[int] = Counter()
        self._power_up_s = power_up_s
        self._refind = refind
        self._chunk = chunk
        self._chunk_s = chunk_s
        self._fds: tuple[int, int] | None = None  # ours and the driver's end; holding both survives a reopening
        self._deaf_until = 0.0
        self._decoder = RequestDecoder()
        self._out = bytearray()
        self._pump: asyncio.TimerHandle | None = None
        self._card: SimCard | None = None
        self._found = False
        self._active = False
        self._read = asyncio.Event()
        self._forced: defaultdict[int, deque[Status]] = defaultdict(deque)
        self._damaged = 0

    async def __aenter__(self) -> Self:
        self.plug()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.unplug()

    def plug(self) -> None:
        """The reader appears, powered up afresh."""
        ours, theirs = os.openpty()
        tty.setraw(theirs)
        os.set_blocking(ours, False)
        self._fds = ours, theirs
        self._decoder = RequestDecoder()
        self._out.clear()
        self._found = self._active = False
        loop = asyncio.get_running_loop()
        self._deaf_until = loop.time() + self._power_up_s
        loop.add_reader(ours, self._receive, ours)
        self.path.unlink(missing_ok=True)
        self.path.symlink_to(os.ttyname(theirs))

    def unplug(self) -> None:
        """The reader is gone, and its device node with it. A card on it stays."""
        if self._fds is None:
            return
        if self._pump:
            self._pump.cancel()
            self._pump = None
        self.path.unlink(missing_ok=True)
        asyncio.get_running_loop().remove_reader(self._fds[0])
        for fd in self._fds:
            os.close(fd)
        self._fds = None

    def place(self, item: Person | SimCard) -> None:
        """A card is laid on the reader, in place of any other."""
        self._card = item if isinstance(item, SimCard) else SimCard(item)
        self._found = self._active = False
        self._read.clear()

    def remove(self) -> None:
        self._card = None
        self._found = self._active = False

    async def read_once(self) -> None:
        """Returns when the card placed last has been read as a whole, with its newest address if it has one."""
        await self._read.wait()

    def force(self, command: Command, *statuses: Status) -> None:
        """The next answers to ``command`` say this and carry no data."""
        self._forced[command].extend(statuses)

    def damage(self, answers: int = 1) -> None:
        """In each of the next so many answers one bit flips."""
        self._damaged += answers

    def noise(self, data: bytes) -> None:
        """Bytes on the line that nobody asked for."""
        if self._fds is not None and len(self._out) < _QUEUE_BYTES:
            self._send(data)

    def _receive(self, fd: int) -> None:
        with contextlib.suppress(BlockingIOError):
            for request in self._decoder.feed(os.read(fd, 4096)):
                self.requests[request.command] += 1
                if not self.mute and asyncio.get_running_loop().time() >= self._deaf_until:
                    self._reply(request)

    def _reply(self, request: Request) -> None:
        answer = self._answer(request.command)
        if self._forced[request.command]:
            answer = Response(self._forced[request.command].popleft())
        frame = bytearray(encode_response(answer))
        if self._damaged:
            self._damaged -= 1
            frame[-2] ^= 0x10
        elif self._card and answer.status is Status.OK:
            whole = Command.NEWEST_ADDRESS if self._card.person.newest_address else Command.READ
            if request.command == whole:
                self._read.set()
        self._send(bytes(frame))

    def _answer(self, command: int) -> Response:
        match command:
            case Command.RESET:
                self._found = self._active = False
                if self._card:
                    self._card.hung = False
                return Response(Status.OK)
            case Command.STATUS:
                return Response(Status.OK)
            case Command.SAM_ID:
                return Response(Status.OK, SAM_ID)
            case Command.FIND:
                lies_found, self._active = self._found and not self._refind, False
                self._found = self._card is not None
                return Response(Status.FOUND, bytes(4)) if self._card and not lies_found else Response(Status.NOT_FOUND)
            case Command.SELECT:
                self._active = self._found
                return Response(Status.OK, bytes(8)) if self._active else Response(Status.SELECT_FAILED)
            case Command.READ | Command.NEWEST_ADDRESS:
                return self._read_card(command)
        return Response(Status.BAD_COMMAND)

    def _read_card(self, command: int) -> Response:
        if not self._card or not self._active or self._card.unreadable or self._card.hung:
            return Response(Status.READ_FAILED)
        if command == Command.READ:
            return Response(Status.OK, self._card.payload())
        address = self._card.person.newest_address
        return Response(Status.OK, card.encode_address(address)) if address else Response(Status.NO_SUCH_ITEM)

    def _send(self, data: bytes) -> None:
        self._out += data
        if self._pump is None:
            self._write()

    def _write(self) -> None:
        """Hands over a piece, and comes back for the rest."""
        self._pump = None
        if self._fds is None:
            return
        pause = self._chunk_s
        try:
            del self._out[: os.write(self._fds[0], self._out[: self._chunk or None])]
        except BlockingIOError:  # the driver does not read just now
            pause = 0.001
        if self._out:
            self._pump = asyncio.get_running_loop().call_later(pause, self._write)
