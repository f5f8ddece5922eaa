"""The journal's way to the command post: frames up, signed acknowledgements down, over MQTT 5.

The broker is a pipe that may forget everything. Only the command post's acknowledgement moves the mark; the broker's
says no more than that the line works.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec
from nacl.signing import SigningKey

from kiosk import frames
from kiosk.clock import Clock, SystemClock
from kiosk.config import Mqtt
from kiosk.domain import Subject
from kiosk.facts import Entry
from kiosk.frames import FrameError, Row, State
from kiosk.seal import PublicKeys
from kiosk.uplink.link import Happening, Heard, Link, Lost, Ready, Taken
from kiosk.uplink.questions import Questions
from kiosk.uplink.repeats import Repeats
from kiosk.uplink.window import FRAMES, Flight, Window
from kiosk.verdicts import Verdict

log = logging.getLogger(__name__)

MARK = "uplink"
"""The journal's mark that remembers the watermark: msgpack [upto, receiver's epoch]."""

_CONNECT_S = 15.0
_STATE_S = (5.0, 60.0)  # a changed state is told at most, an unchanged one at least this often
_REMEMBER_S = 30.0  # the mark costs one fsync and is only a cache
_RECONNECT_S = (2.0, 120.0)
_STEADY_S = 30.0  # a connection that lived so long was no failure
_AGAIN_S = 1.0
_FAILURE, _NO_SUBSCRIBER = 0x80, 0x10  # reason codes of MQTT 5
_INCIDENT = b"incident-raised"
"""In the body of every fact that is one."""
_SEARCH = 1000  # facts looked through at once


class AsyncJournal(Protocol):
    """The part of the journal that the uplink reads."""

    @property
    def epoch(self) -> bytes: ...
    @property
    def head(self) -> int: ...
    async def read(self, after: int, _limit: int, _max_bytes: int, /) -> Sequence[Row]: ...
    async def mark(self, name: str) -> bytes | None: ...
    async def set_mark(self, name: str, value: bytes) -> None: ...


class _RefusedError(OSError):
    """The broker is there and does not want this kiosk."""


class Uplink:
    """Ships the facts when it can.

    ``describe``: what the state message tells beside the journal, any of trust (0-4), version, issues (codes), proof
    and roster. ``command`` is called with each command as it came; `tell` takes the result of one, signed. ``double``
    is called with the key of another device that has told its state under this kiosk's number, ``verdict``
    with the digest of a code that was asked about and what the command post says of it, ``roster`` with each piece of
    one as it came. ``drill``: it is the
    journal of one, and goes to topics of its own.

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
        self._key, self._public = device_key, public
        self._describe = describe
        self._clock = clock or SystemClock()
        self._command, self._double, self._verdict, self._roster = command, double, verdict, roster
        self._questions = Questions(site, number, device_key, public)
        self._drill = drill
        self._results: deque[bytes] = deque(maxlen=16)
        self._window = Window()
        self._issues: dict[str, str] = {}
        self._incidents: Repeats[int] = Repeats()
        self._wake = asyncio.Event()
        self._failures = 0
        self._tip = (0, b"")  # sequence and chain of the fact sent last
        self._ahead: Sequence[Row] = ()  # read and not packed
        self._packed: deque[Flight] = deque()  # a backlog's next frames, made while the line is full
        self._remembered = (0, b"")
        self._remember_at = 0.0

    @property
    def acked(self) -> int:
        return self._window.mark

    @property
    def issue(self) -> str | None:
        return next(iter(self._issues.values()), None)

    @property
    def refusal(self) -> str | None:
        """What the broker or the command post refuses. A line that is down, or a receiver that is, refuses nothing."""
        tolerable = ("link", "receiver", "command", "answer", "roster")
        return next((text for kind, text in self._issues.items() if kind not in tolerable), None)

    @property
    def answers(self) -> bool:
        """The command post can be asked now: the line is up, and the receiver has not fallen silent."""
        return self.connected and "receiver" not in self._issues and "answer" not in self._issues

    def wake(self, incident: int | None = None) -> None:
        """New facts are in the journal; the one with sequence ``incident`` goes ahead of all others, and again and
        again until the receiver has acknowledged it."""
        if incident is not None:
            self._incidents.add(incident)
        self._wake.set()

    def ask(self, code: Subject) -> None:
        """Asks the command post about a code, until it answers."""
        self._questions.ask(code)
        self._wake.set()

    def tell(self, result: bytes) -> None:
        """Sends the result of a command, once. The receiver asks again for one that got lost: by the same command."""
        self._results.append(result)
        self._wake.set()

    async def run(self) -> None:
        """Works until cancelled. Raises nothing else."""
        await self._recall()
        await self._find_incidents()
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
            await self._remember()

    # One connection -------------------------------------------------------------------------------------------------

    async def _session(self) -> None:
        loop = asyncio.get_running_loop()

        def ping() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._wake.set)

        name = f"kiosk-{self._site}-{self._number}{'-drill' if self._drill else ''}"
        ack, command, answer, roster, state = map(self._topic, ("ack", "command", "answer", "roster", "state"))
        link = Link(self._config, name, ack, command, answer, roster, state, ping)
        began = time.monotonic()
        try:
            link.open(self._topic("state"), self._signed(await self._state(online=False)))
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
        self._incidents.renew()
        self._questions.repeats.renew()
        while True:
            self._wake.clear()
            now = time.monotonic()
            while link.inbox:
                self._handle(link, link.inbox.popleft(), now)
            self._look_for_stall(link, now)
            if now >= link.state_due:
                await self._tell_state(link, now)
            if now >= link.hold:
                await self._send(link)
            if now >= self._remember_at:
                await self._remember()
            times = (
                *(link.state_due, link.hold, window.not_before, window.stalls_at, link.silent_at(window.patience)),
                *(self._incidents.next_at, self._questions.repeats.next_at),
            )
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(t for t in times if t is not None and t > now) - time.monotonic()):
                    await self._wake.wait()

    def _handle(self, link: Link, item: Happening, now: float) -> None:
        match item:
            case Lost(why, refused):
                raise _RefusedError(why) if refused else OSError(why)
            case Ready(refused, deaf, unanswered, unlisted):
                self.connected = True
                self._note("link", "")
                self._note("refused", "")
                self._note("ack", refused and f"the broker lets this kiosk hear no acknowledgements: {refused}")
                self._note("command", deaf and f"the broker lets this kiosk hear no commands: {deaf}")
                self._note("answer", unanswered and f"the broker lets this kiosk hear no answers: {unanswered}")
                self._note("roster", unlisted and f"the broker lets this kiosk hear no rosters: {unlisted}")
            case Heard("command", payload):
                self._command(payload)
            case Heard("roster", payload):
                self._roster(payload)
            case Heard("answer", payload):
                self._hear_answer(payload)
            case Heard("state", payload):
                self._hear_state(payload)
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

    def _hear_state(self, payload: bytes) -> None:
        """What the broker kept of the last device under this number: this one, before, or another one."""
        with contextlib.suppress(FrameError):
            state = frames.unpack_state(payload, drill=self._drill)
            if state.key != bytes(self._key.verify_key):
                self._double(state.key)

    def _hear_answer(self, payload: bytes) -> None:
        try:
            heard = self._questions.hear(payload)
        except FrameError as error:
            log.warning("uplink: an answer cannot be used: %s", error)
            return
        if heard is not None:
            self._verdict(*heard)

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
        while self._results:
            link.publish(self._topic("result"), self._results[0], time.monotonic())
            self._results.popleft()
        self._incidents.keep(lambda seq: seq > window.mark)
        for seq in self._incidents.due(time.monotonic()):
            rows = await journal.read(seq - 1, 1, frames.MAX_BODIES)
            link.publish(self._topic("incident"), await self._pack(rows), time.monotonic())
        for correlation, question in self._questions.due(time.monotonic()):
            answer = (self._topic("answer"), correlation)
            link.publish(self._topic("ask"), question, time.monotonic(), answer=answer)
        while window.cursor < journal.head and window.room(time.monotonic()):
            if not self._packed or self._packed[0].first != window.cursor + 1:
                self._packed.clear()
                await self._pack_next(window.cursor)
            flight = self._packed.popleft()
            flight.sent = time.monotonic()
            link.publish(self._topic("facts"), flight.data, flight.sent)
            window.sent(flight)
            await asyncio.sleep(0)  # a backlog must not keep the desk waiting
        while len(self._packed) < FRAMES and not link.inbox:
            after = self._packed[-1].last if self._packed else window.cursor
            if journal.head - after < frames.MAX_FACTS:
                break
            await self._pack_next(after)
            await asyncio.sleep(0)

    async def _pack_next(self, after: int) -> None:
        rows = await self._next(after)
        self._packed.append(Flight(rows[0].seq, rows[-1].seq, await self._pack(rows), 0.0))
        self._tip = (rows[-1].seq, rows[-1].chain)

    async def _next(self, after: int) -> Sequence[Row]:
        """The rows of the frame after ``after``, several frames read at once: the way to the journal's thread and back
        costs as much as a frame."""
        if not self._ahead or self._ahead[0].seq != after + 1:
            self._ahead = await self._journal.read(after, FRAMES * frames.MAX_FACTS, FRAMES * frames.MAX_BODIES)
        count = frames.fitting(self._ahead)
        rows, self._ahead = self._ahead[:count], self._ahead[count:]
        return rows

    async def _pack(self, rows: Sequence[Row]) -> bytes:
        before, journal = rows[0].seq - 1, self._journal
        if before == 0:
            prev = frames.genesis(journal.epoch)
        elif self._tip[0] == before:
            prev = self._tip[1]
        else:
            prev = (await journal.read(before - 1, 1, frames.MAX_BODIES))[0].chain
        return frames.pack(
            rows,
            site=self._site,
            kiosk=self._number,
            epoch=journal.epoch,
            prev=prev,
            kid=self._public.kid,
            key=self._key,
            drill=self._drill,
        )

    # What the kiosk says of itself ----------------------------------------------------------------------------------

    async def _tell_state(self, link: Link, now: float) -> None:
        often, seldom = _STATE_S
        state = await self._state(online=True)
        news = (state.trust, state.version, state.issues, state.hub, state.roster)
        if news != link.told or now >= link.told_at + seldom:
            link.publish(self._topic("state"), self._signed(state), now, retain=True)
            link.told, link.told_at = news, now
        link.state_due = now + often

    def _signed(self, state: State) -> bytes:
        return frames.pack_state(state, self._key, drill=self._drill)

    async def _state(self, *, online: bool) -> State:
        journal, mark = self._journal, self._window.mark
        described = self._describe()
        return State(
            site=self._site,
            kiosk=self._number,
            online=online,
            epoch=journal.epoch,
            head=journal.head,
            depth=journal.head - mark,
            acked=mark,
            hub=self._window.hub,
            oldest_unsent_ms=await self.oldest_ms(),
            trust=described.get("trust", 0),
            version=described.get("version", ""),
            issues=tuple(described.get("issues", ())),
            proof=described.get("proof") or msgspec.UNSET,
            roster=described.get("roster") or msgspec.UNSET,
            key=bytes(self._key.verify_key),
        )

    async def oldest_ms(self) -> int:
        """Age of the oldest fact the command post has not acknowledged; 0 when it has all."""
        if self._window.mark >= self._journal.head:
            return 0
        rows = await self._journal.read(self._window.mark, 1, frames.MAX_BODIES)
        try:
            at = msgspec.msgpack.decode(rows[0].body, type=Entry).at
        except msgspec.MsgspecError:
            return 0
        return self._clock.now().since(at)

    async def _recall(self) -> None:
        try:
            value = await self._journal.mark(MARK)
            mark, hub = msgspec.msgpack.decode(value or b"\x92\x00\xc4\x00", type=tuple[int, bytes])
        except Exception as error:  # it is only a cache: the retained acknowledgement tells
            log.warning("uplink: the remembered mark cannot be used: %s", error)
            return
        if 0 <= mark <= self._journal.head:
            self._window = Window(mark=mark, hub=hub, cursor=mark)
            self._remembered = (mark, hub)

    async def _find_incidents(self) -> None:
        """Those of a time before this start that the command post has not acknowledged."""
        after = self._window.mark
        try:
            while rows := await self._journal.read(after, _SEARCH, frames.MAX_PLAIN):
                for row in rows:
                    if _INCIDENT in row.body:
                        self._incidents.add(row.seq)
                after = rows[-1].seq
        except OSError as error:
            log.warning("uplink: older incidents cannot be looked for: %s", error)

    async def _remember(self) -> None:
        self._remember_at = time.monotonic() + _REMEMBER_S
        current = (self._window.mark, self._window.hub)
        if current == self._remembered:
            return
        try:
            await self._journal.set_mark(MARK, msgspec.msgpack.encode(current))
            self._remembered = current
        except Exception as error:
            log.warning("uplink: the mark cannot be remembered: %s", error)

    def _note(self, kind: str, text: str) -> None:
        """An issue of this kind stands, or is over when there is no text. Logged at each change."""
        if text == self._issues.get(kind, ""):
            return
        if text:
            self._issues[kind] = text
            log.warning("uplink: %s", text)
        else:
            log.info("uplink: over: %s", self._issues.pop(kind))

    def _topic(self, leaf: str) -> str:
        return frames.topic(self._site, self._number, leaf, drill=self._drill)
