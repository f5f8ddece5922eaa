"""The ID-card reader at work: wait for a card, read it, wait until it is gone.

find → select → read for every card, as the SDT protocol demands. Find decides whether there is a card; a failed select
decides nothing, as there are modules whose read works all the same.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from kiosk.config import SdtCard
from kiosk.domain import Person
from kiosk.drivers.base import DeviceLost, Post, keep_open
from kiosk.drivers.idcard import card
from kiosk.drivers.idcard.codec import Command, Decoder, Request, Response, Status, encode_request, sam_id
from kiosk.drivers.serial_port import SerialPort
from kiosk.events import CardFailed, CardRead

log = logging.getLogger(__name__)

TRIES = 3  # to read a card; the last one after a reset, for a chip that hangs while the field stays on
SILENCES = 3  # requests in a row without an answer: the reader is lost
REMOVED_AFTER = 2  # answers "no card" in a row: one alone may be a flicker of the field
WRITE_S = 1.0

_READ_BYTES = 1295
_ANSWER_BYTES = 81  # the longest other answer: the newest address


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the reader may think, in seconds; the time on the wire comes on top. Modules differ: some need 5 s after
    power-up, a read takes one or two."""

    wake_s: float = 8.0
    status_s: float = 0.5
    find_s: float = 1.0
    address_s: float = 1.5
    read_s: float = 3.0


PATIENCE = Patience()


def answer_within(command: Command, baud: int, patience: Patience) -> float:
    """Seconds to wait for the answer to ``command``: thinking plus twice its wire time at 10 bits a byte."""
    think = {
        Command.STATUS: patience.status_s,
        Command.SAM_ID: patience.status_s,
        Command.NEWEST_ADDRESS: patience.address_s,
        Command.READ: patience.read_s,
    }.get(command, patience.find_s)
    size = _READ_BYTES if command is Command.READ else _ANSWER_BYTES
    return think + 2 * size * 10 / baud


class SdtReader:
    """Posts CardRead for each card presented, CardFailed once for a card that cannot be read.

    A card left on the reader is posted once, however long it stays. One that was away is posted again, but not within
    ``same_card_s`` of its last post. Another card is read at once.
    """

    name = "card"

    def __init__(self, config: SdtCard, post: Post, patience: Patience = PATIENCE) -> None:
        self._config = config
        self._post = post
        self._patience = patience
        self._number = ""  # of the last card posted
        self._posted_at = 0.0
        self._removed = True  # since then the reader said for sure that it is empty, or was away itself
        self._failed = False  # CardFailed was posted for the card that lies there

    async def run(self) -> None:
        await keep_open(self.name, self._post, self._session)

    async def _session(self, online: Callable[[], None]) -> None:
        async with SerialPort(self._config.port, self._config.baud) as port:
            line = _Line(port, self._patience)
            await self._wake(line)
            online()
            self._removed, self._failed = True, False
            empty = 0
            while True:
                answer = await line.ask(Command.FIND)
                status = answer.status if answer else None
                empty = empty + 1 if status is Status.NOT_FOUND else 0
                if empty >= REMOVED_AFTER:
                    self._removed, self._failed = True, False
                if status is Status.FOUND and (person := await self._read(line)):
                    self._present(person)
                await asyncio.sleep(self._config.poll_s)

    async def _wake(self, line: "_Line") -> None:
        """Returns once the reader answers; it may still be starting up, and not every module knows the question how it
        is. Raises DeviceLost."""
        try:
            async with asyncio.timeout(self._patience.wake_s):
                while True:
                    if await line.exchange(Command.STATUS) or await line.exchange(Command.FIND):
                        break
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise DeviceLost("the reader does not answer") from None
        answer = await line.exchange(Command.SAM_ID)
        if answer is not None and len(answer.data) == 16:
            log.info("card: reader module %s", sam_id(answer.data))

    async def _read(self, line: "_Line") -> Person | None:
        """The card that was found, or None; then the desk has been told, once."""
        why = ""
        for attempt in range(1 if self._failed else TRIES):
            if attempt == TRIES - 1:
                await line.ask(Command.RESET)
            if attempt:
                answer = await line.ask(Command.FIND)
                if answer is not None and answer.status is Status.NOT_FOUND and not self._removed:
                    return None  # a card read before is being taken away
            await line.ask(Command.SELECT)
            try:
                person = card.decode_text(card.text_block(_data(await line.ask(Command.READ))))
            except card.CardError as error:
                why = str(error)
                log.debug("card: try %d: %s", attempt + 1, why)
                continue
            return await self._with_newest_address(line, person)
        if not self._failed:
            self._failed = True
            self._post(CardFailed(why))
        return None

    async def _with_newest_address(self, line: "_Line", person: Person) -> Person:
        if not self._config.newest_address:
            return person
        try:
            address = card.decode_address(_data(await line.ask(Command.NEWEST_ADDRESS)))
        except card.CardError as error:  # most cards have none
            log.debug("card: no newest address: %s", error)
            return person
        return msgspec.structs.replace(person, newest_address=address)

    def _present(self, person: Person) -> None:
        now = asyncio.get_running_loop().time()
        removed, self._failed = self._removed, False
        if person.number == self._number and (not removed or now - self._posted_at < self._config.same_card_s):
            return
        self._removed = False
        self._number, self._posted_at = person.number, now
        self._post(CardRead(person))


def _data(answer: Response | None) -> bytes:
    if answer is None:
        raise card.CardError("the reader did not answer")
    if answer.status is not Status.OK:
        raise card.CardError(answer.meaning)
    return answer.data


class _Line:
    """One request, one answer."""

    def __init__(self, port: SerialPort, patience: Patience) -> None:
        self._port = port
        self._patience = patience
        self._decoder = Decoder()
        self._silences = 0

    async def ask(self, command: Command) -> Response | None:
        """The answer, or None if none came in time. Raises DeviceLost when that happens too often in a row."""
        answer = await self.exchange(command)
        self._silences = 0 if answer else self._silences + 1
        if self._silences >= SILENCES:
            raise DeviceLost("the reader does not answer any more")
        return answer

    async def exchange(self, command: Command) -> Response | None:
        """As ``ask``, without counting. Raises DeviceLost if the reader says that it cannot work at all."""
        self._port.discard_input()
        self._decoder.reset()
        await self._port.write(encode_request(Request(command)), WRITE_S)
        try:
            async with asyncio.timeout(answer_within(command, self._port.baud, self._patience)):
                answer = await self._receive(command)
        except TimeoutError:
            return None
        if answer.status in (Status.SELF_CHECK_FAILED, Status.NOT_AUTHORISED):
            raise DeviceLost(answer.meaning)
        return answer

    async def _receive(self, command: Command) -> Response:
        success = (Status.OK, Status.FOUND)
        expected = Status.FOUND if command is Command.FIND else Status.OK
        while True:
            for answer in self._decoder.feed(await self._port.read()):
                if answer.status not in success or answer.status is expected:  # else: late, to an earlier request
                    return answer
