"""Talking with one printer over one open port: labels out, status in, a deadline on everything."""

import asyncio

from kiosk.drivers.base import DeviceLost
from kiosk.drivers.printer import UNKNOWN, Language, Status
from kiosk.drivers.printer.transport import FilePort, Port

ANSWER_S = 1.0  # what has not answered after this does not answer
LOOK_EVERY_S = 1.0  # how often an idle printer is asked
BUSY_S = 0.05  # how often a busy one is
MUTE_AFTER = 3  # unanswered questions in a row after a label
_ANSWER_LIMIT = 1024  # bytes; on a line full of noise only the newest count


class Conversation:
    """``answers``: whether the printer answered the last question. Every method raises OSError when it is lost."""

    def __init__(self, port: Port, language: Language, timeout_s: float) -> None:
        self._port = port
        self._language = language
        self._timeout_s = timeout_s
        self.answers = False

    async def send(self, data: bytes) -> None:
        await self._port.write(data, self._timeout_s)

    async def check(self) -> Status:
        """Asks for the status. Raises DeviceLost, with the reason, when the printer says that it cannot print."""
        status = await self._ask()
        self.answers = status.answered
        if status.trouble:
            raise DeviceLost(status.trouble)
        return status

    async def watch(self) -> None:
        """Checks now and then, until it raises."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self.check()

    async def settle(self) -> bool:
        """Waits until the printer says that it is done, which is True; False when it does not answer. Raises
        DeviceLost when it cannot print or is busy for too long."""
        end = asyncio.get_running_loop().time() + self._timeout_s
        unanswered = 0 if self.answers else MUTE_AFTER
        while unanswered < MUTE_AFTER:
            status = await self.check()
            if status.answered and not status.busy:
                return True
            unanswered = 0 if status.answered else unanswered + 1
            if status.busy and asyncio.get_running_loop().time() > end:
                raise DeviceLost(f"busy for more than {self._timeout_s:g} s")
            await asyncio.sleep(BUSY_S)
        return False

    async def _ask(self) -> Status:
        if isinstance(self._port, FilePort):
            return UNKNOWN
        self._port.discard_input()
        answers: list[bytes] = []
        for query in self._language.queries:
            await self._port.write(query, self._timeout_s)
            answer = b""
            try:
                async with asyncio.timeout(ANSWER_S):
                    while not self._language.complete(answer):
                        answer = (answer + await self._port.read())[-_ANSWER_LIMIT:]
            except TimeoutError:
                break
            answers.append(answer)
        return self._language.status(tuple(answers))
