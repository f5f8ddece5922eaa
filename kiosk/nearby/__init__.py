"""Kiosks of one site tell each other whom they have registered in this round, and under which numbers they work: over
any broker on the site's own network. Without it nothing waits, and the command post finds what is double.
"""

import asyncio
import contextlib
import logging
import random
import secrets
import time
from collections.abc import Callable, Sequence

from kiosk.config import Neighbours
from kiosk.facts import Fact, Registered, RoundStarted, StaffOrdered, TubeLost, Unbound, Withdrawn
from kiosk.frames import FrameError
from kiosk.nearby import talk
from kiosk.nearby.book import Others, Own
from kiosk.nearby.broker import Connected, LocalBroker, Said
from kiosk.nearby.talk import Here, Page
from kiosk.seal import NoKeyError, Sealer
from kiosk.site import Site

log = logging.getLogger(__name__)

HERE_S = 5.0
HOLD_S = 18.0
"""So long after its last word another kiosk is taken to be at work."""
_BATCH_S = 0.2
_CHANGES = (RoundStarted, StaffOrdered, TubeLost, Unbound, Withdrawn)
"""Facts after which somebody may count as registered no more."""
_AT_ONCE = 50


class Nearby:
    """``claimed`` is told when another kiosk is found under this one's number, and when it is gone; ``double``, with
    each word of it, the key of its device."""

    def __init__(
        self,
        config: Neighbours,
        site: str,
        number: int,
        key: bytes,
        sealer: Sealer,
        claimed: Callable[[bool], None],
        double: Callable[[bytes], None] = lambda _key: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._site, self._number, self._key = site, number, key
        self._who, self._token = talk.who(key), secrets.token_bytes(8)
        self._sealer, self._clock = sealer, clock
        self._claimed, self._double = claimed, double
        self._own, self._others = Own(), Others()
        self._day = 0
        self._key_name = b""
        self._doubles: dict[bytes, float] = {}  # token to when it was heard
        self._double_until = 0.0
        self._is_double = self._full = False
        self._here_due = 0.0
        self._wake = asyncio.Event()
        self._config = config

    # What this kiosk does ---------------------------------------------------------------------------------------------

    def learned(self, site: Site, facts: Sequence[Fact]) -> None:
        """The facts of a step, and the state after it; none at the start."""
        if facts and site.rounds.day == self._day and not any(isinstance(fact, _CHANGES) for fact in facts):
            for fact in facts:
                if isinstance(fact, Registered):
                    self._own.add(fact.subject.digest)
        else:
            seen = site.registration
            self._own.set([digest for digest, _ in seen.seen.items() if seen.person(digest)])
            self._day = site.rounds.day
        if self._own.changed:
            self._wake.set()

    def elsewhere(self, digest: bytes) -> int:
        """The number of the kiosk where this person was registered in this round; 0: none that is known."""
        return self._others.find(digest, self._day)

    # The broker -------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Works until cancelled, with or without a broker. Raises nothing else."""
        loop = asyncio.get_running_loop()

        def ping() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._wake.set)

        topics = [talk.page_topic(self._site, "+", "+"), talk.here_topic(self._site, "+")]
        broker = LocalBroker(self._config, f"kiosk-near-{self._who}-{self._token.hex()}", topics, ping)
        broker.open()
        try:
            while True:
                self._wake.clear()
                try:
                    self._work(broker)
                except Exception:  # a fault here never stops the kiosk
                    log.exception("neighbours: internal fault")
                await asyncio.sleep(_BATCH_S)
                if not broker.inbox:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(1.0):
                            await self._wake.wait()
        finally:
            broker.close()

    def _work(self, broker: LocalBroker) -> None:
        if self._sealer.key_name != self._key_name:
            self._key_name = self._sealer.key_name
            self._others.forget()
            self._own.tell_all()
            broker.ask_again()
        for _ in range(min(_AT_ONCE, len(broker.inbox))):
            match broker.inbox.popleft():
                case Connected():
                    log.info("neighbours: connected")
                    self._own.tell_all()
                    self._here_due = 0.0
                case Said(topic, data):
                    with contextlib.suppress(FrameError, NoKeyError):
                        self._hear(broker, topic, data)
        if broker.connected and self._key_name:
            self._tell(broker)
        self._look_for_double()

    def _tell(self, broker: LocalBroker) -> None:
        for number in sorted(self._own.changed):
            data = b""
            if number < len(self._own.pages):
                digests = self._own.pages[number]
                page = Page(
                    site=self._site, kiosk=self._number, key=self._key, day=self._day, page=number, digests=digests
                )
                data = talk.pack(page, self._sealer.mac)
            broker.publish(talk.page_topic(self._site, self._who, number), data, keep=True)
        self._own.changed.clear()
        if (now := self._clock()) >= self._here_due:
            self._here_due = now + HERE_S * random.uniform(0.8, 1.2)
            heard = tuple(token for token, at in self._doubles.items() if now < at + HOLD_S)[:8]
            here = Here(site=self._site, kiosk=self._number, key=self._key, token=self._token, heard=heard)
            broker.publish(talk.here_topic(self._site, self._who), talk.pack(here, self._sealer.mac), keep=False)

    def _hear(self, broker: LocalBroker, topic: str, data: bytes) -> None:
        kind, who, *rest = topic.split("/")[3:]
        if kind == "here":
            self._hear_here(talk.unpack(data, Here, self._sealer.mac))
        elif kind == "seen" and len(rest) == 1 and rest[0].isdecimal():
            number = int(rest[0])
            if who == self._who:
                if data and number >= len(self._own.pages):  # of a round before
                    broker.publish(topic, b"", keep=True)
            elif not data:
                self._others.drop(who, number)
            else:
                page = talk.unpack(data, Page, self._sealer.mac)
                if (page.site, talk.who(page.key), page.page) != (self._site, who, number):
                    raise FrameError("it names another kiosk than its topic")
                self._take(who, page)

    def _take(self, who: str, page: Page) -> None:
        full = not self._others.put(who, page, self._day)
        if full and not self._full:
            log.warning("neighbours: more than %d people at other kiosks: the rest is not remembered", talk.MOST)
        self._full = full

    # Numbers ----------------------------------------------------------------------------------------------------------

    def _hear_here(self, here: Here) -> None:
        if (here.site, here.kiosk) != (self._site, self._number) or here.token == self._token:
            return
        now = self._clock()
        if here.token not in self._doubles:
            self._here_due = 0.0  # it shall know at once
            self._doubles = {token: at for token, at in self._doubles.items() if now < at + HOLD_S}
        self._doubles[here.token] = now
        if self._token in here.heard:
            self._double_until = now + HOLD_S
            self._double(here.key)

    def _look_for_double(self) -> None:
        is_double = self._clock() < self._double_until
        if is_double is not self._is_double:
            self._is_double = is_double
            state = "taken twice: no tube is opened" if is_double else "this kiosk's alone"
            log.warning("neighbours: number %d is %s", self._number, state)
            self._claimed(is_double)
