"""The journal's way to the command post: frames up, signed acknowledgements down, over MQTT 5.

The broker is a pipe that may forget everything. Only the command post's acknowledgement moves the mark; the broker's
says no more than that the line works.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable
from typing import Any

from nacl.signing import SigningKey

from kiosk import frames
from kiosk.clock import Clock, SystemClock
from kiosk.config import Mqtt
from kiosk.domain import Subject
from kiosk.frames import FrameError
from kiosk.seal import PublicKeys
from kiosk.uplink.account import Account
from kiosk.uplink.link import Happening, Heard, Link, Lost, Ready, Taken
from kiosk.uplink.memory import MARK as MARK
from kiosk.uplink.memory import Memory
from kiosk.uplink.packing import AsyncJournal, Packing
from kiosk.uplink.questions import Questions
from kiosk.uplink.troubles import Troubles
from kiosk.uplink.urgent import Urgent
from kiosk.uplink.window import Window
from kiosk.verdicts import Verdict

log = logging.getLogger(__name__)

_CONNECT_S = 15.0
_RECONNECT_S = (2.0, 120.0)
_STEADY_S = 30.0  # a connection that lived so long was no failure
_AGAIN_S = 1.0
_FAILURE, _NO_SUBSCRIBER = 0x80, 0x10  # reason codes of MQTT 5


class _RefusedError(OSError):
    """The broker is there and does not want this kiosk."""


class Uplink:
    """Ships the facts when it can.

    ``describe``: what the state message tells beside the journal, any of trust (0-4), version, issues (codes), proof
    and roster. ``command`` is called with each command as it came; `tell` takes the result of one, signed. ``double``
    is called with the key of another device that has told its state under this kiosk's number, ``verdict``
    with the digest of a code that was asked about and what the command post says of it, ``roster`` with each piece of
    one as it came. ``drill``: it is the journal of one, and goes to topics of its own.

    ``acked``: the command post has all facts to here; ``connected``: to the broker; ``issue``: what is wrong, or None.
    """

    def __init__(
        self,
        config: Mqtt,
        site: str,
        number: int,
        journal: AsyncJournal,
        device_key: SigningKey,
        public: PublicKeys,
        describe: Callable[[], dict[str, Any]],
        clock: Clock | None = None,
        command: Callable[[bytes], None] = lambda _envelope: None,
        double: Callable[[bytes], None] = lambda _key: None,
        verdict: Callable[[bytes, Verdict], None] = lambda _code, _verdict: None,
        roster: Callable[[bytes], None] = lambda _piece: None,
        *,
        drill: bool = False,
    ) -> None:
        self.connected = False
        self._config = config
        self._site, self._number = site, number
        self._journal = journal
        self._public = public
        self._packing = Packing(site, number, journal, device_key, public.kid, drill=drill)
        self._account = Account(site, number, journal, device_key, describe, clock or SystemClock(), drill=drill)
        self._memory = Memory(journal)
        self._command, self._double, self._verdict, self._roster = command, double, verdict, roster
        self._drill = drill
        self._urgent = Urgent(Questions(site, number, device_key, public), self._packing, self._topic)
        self._window = Window()
        self._troubles = Troubles()
        self._note = self._troubles.note
        self._wake = asyncio.Event()
        self._failures = 0

    @property
    def acked(self) -> int:
        return self._window.mark

    @property
    def issue(self) -> str | None:
        return self._troubles.first

    @property
    def refusal(self) -> str | None:
        return self._troubles.refusal

    @property
    def answers(self) -> bool:
        """The command post can be asked now: the line is up, and the receiver has not fallen silent."""
        return self.connected and "receiver" not in self._troubles and "answer" not in self._troubles

    def wake(self, incident: int | None = None) -> None:
        """New facts are in the journal; the one with sequence ``incident`` goes ahead of all others, and again and
        again until the receiver has acknowledged it."""
        if incident is not None:
            self._urgent.incidents.add(incident)
        self._wake.set()

    def ask(self, code: Subject) -> None:
        """Asks the command post about a code, until it answers."""
        self._urgent.questions.ask(code)
        self._wake.set()

    def tell(self, result: bytes) -> None:
        """Sends the result of a command, once. The receiver asks again for one that got lost: by the same command."""
        self._urgent.results.append(result)
        self._wake.set()

    async def oldest_ms(self) -> int:
        """Age of the oldest fact the command post has not acknowledged; 0 when it has all."""
        return await self._account.oldest_ms(self._window.mark)

    async def run(self) -> None:
        """Works until cancelled. Raises nothing else."""
        self._window = await self._memory.window()
        async for incident in self._memory.incidents(self._window.mark):
            self._urgent.incidents.add(incident)
        try:
            while True:
                try:
                    await self._session()
                except OSError as error:
                    self._note("refused" if isinstance(error, _RefusedError) else "link", str(error))
                except Exception as error:  # a fault here never stops the kiosk
                    log.exception("uplink: internal fault")
                    self._note("link", f"internal fault ({type(error).__name__})")
                self.connected = False
                first, longest = _RECONNECT_S
                await asyncio.sleep(random.uniform(0.25, 1) * min(longest, first * 2**self._failures))
                self._failures = min(self._failures + 1, 10)
        finally:
            self.connected = False
            await self._memory.remember(self._window)

    # One connection -------------------------------------------------------------------------------------------------

    async def _session(self) -> None:
        loop = asyncio.get_running_loop()

        def ping() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._wake.set)

        name = f"kiosk-{self._site}-{self._number}{'-drill' if self._drill else ''}"
        link = Link(self._config, name, self._topic, ping)
        began = time.monotonic()
        try:
            link.open(self._topic("state"), await self._account.will(self._window))
            async with asyncio.timeout(_CONNECT_S):
                while not link.inbox:
                    self._wake.clear()
                    await self._wake.wait()
            await self._ship(link)
        except TimeoutError:
            raise OSError(f"{self._config.host}:{self._config.port} accepts, but does not answer as a broker") from None
        finally:
            link.close()
            if time.monotonic() - began > _STEADY_S:
                self._failures = 0

    async def _ship(self, link: Link) -> None:
        window = self._window
        window.restart()
        self._urgent.renew()
        while True:
            self._wake.clear()
            now = time.monotonic()
            while link.inbox:
                self._handle(link, link.inbox.popleft(), now)
            self._look_for_stall(link, now)
            if now >= link.state_due:
                await self._account.tell(link, window, now)
            if now >= link.hold:
                await self._send(link)
            if now >= self._memory.due:
                await self._memory.remember(self._window)
            times = (
                *(link.state_due, link.hold, window.not_before, window.stalls_at, link.silent_at(window.patience)),
                *self._urgent.next_at,
            )
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(t for t in times if t is not None and t > now) - time.monotonic()):
                    await self._wake.wait()

    def _handle(self, link: Link, item: Happening, now: float) -> None:
        match item:
            case Lost(why, refused):
                raise _RefusedError(why) if refused else OSError(why)
            case Ready(deaf):
                self.connected = True
                self._troubles.connected(deaf)
            case Heard("command", payload):
                self._command(payload)
            case Heard("roster", payload):
                self._roster(payload)
            case Heard("answer", payload):
                if (heard := self._urgent.hear(payload)) is not None:
                    self._verdict(*heard)
            case Heard("state", payload):
                if (other := self._account.other(payload)) is not None:
                    self._double(other)
            case Heard(_, payload):
                link.hold = now
                self._hear(link, payload, now)
            case Taken(mid, code, text):
                leaf = link.taken(mid)
                if leaf == "state":
                    link.hold = now  # a retained acknowledgement would have come before the answer to our first message
                lost = code >= _FAILURE or (code == _NO_SUBSCRIBER and leaf != "state")
                kind = "receiver" if code == _NO_SUBSCRIBER else f"broker-{leaf}"
                self._note(kind, f"the broker did not pass on {leaf}: {text}" if lost else "")
                if lost and leaf == "facts" and self._window.flights:
                    self._window.stall(now, random.uniform(0.5, 1))

    def _hear(self, link: Link, payload: bytes, now: float) -> None:
        window, head = self._window, self._journal.head
        try:
            ack = frames.unpack_ack(payload, self._public.verify)
        except FrameError as error:
            self._note("ack", f"an acknowledgement cannot be used: {error}")
            return
        if ack.epoch != self._journal.epoch:
            return  # of the journal this kiosk had before
        if ack.upto > head:
            self._note("ack", f"the command post has {ack.upto} facts, this card {head}: was it copied or restored?")
            return
        self._note("ack", "")
        self._note("receiver", "")
        self._failures = 0
        if ack.hub == window.hub and ack.upto < window.mark:
            link.told = None  # an old acknowledgement, or a restored receiver that does not know it: tell our mark
            link.state_due = max(now, link.told_at + _AGAIN_S)
            return
        for flight in window.heard(ack, now):
            link.publish(self._topic("facts"), flight.data, now)

    def _look_for_stall(self, link: Link, now: float) -> None:
        window = self._window
        silent_at, stalls_at = link.silent_at(window.patience), window.stalls_at
        if silent_at is not None and now >= silent_at:
            window.stall(now, 1)
            raise OSError("connection lost: the broker is silent")
        if stalls_at is not None and now >= stalls_at:
            self._note("receiver", "the command post does not acknowledge")
            window.stall(now, random.uniform(0.5, 1))

    async def _send(self, link: Link) -> None:
        window, journal = self._window, self._journal
        await self._urgent.send(link, window.mark)
        while window.cursor < journal.head and window.room(time.monotonic()):
            flight = await self._packing.next(window.cursor)
            flight.sent = time.monotonic()
            link.publish(self._topic("facts"), flight.data, flight.sent)
            window.sent(flight)
            await asyncio.sleep(0)  # a backlog must not keep the desk waiting
        while not link.inbox:
            if not await self._packing.ahead(window.cursor):
                break
            await asyncio.sleep(0)

    def _topic(self, leaf: str) -> str:
        return frames.topic(self._site, self._number, leaf, drill=self._drill)
