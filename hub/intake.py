"""What the receiver does with one message, inside a transaction of the store.

Nothing is refused because it is disliked: it already happened. What cannot be used is kept apart, and counted as
received where the kiosk that signed it is sure, so that one bad fact never blocks a kiosk.
"""

import logging
import time
from collections.abc import Callable

import apsw
import msgspec
from nacl.signing import VerifyKey

from hub import commands as outbox
from hub import ranges
from hub.enrol import proves
from hub.store import Store
from kiosk import commands, frames
from kiosk.facts import Entry, IncidentRaised
from kiosk.frames import Ack, Frame, FrameError, State
from kiosk.seal import fingerprint

log = logging.getLogger(__name__)

Place = tuple[str, int, bytes]
"""Site, kiosk number, journal epoch: whom an acknowledgement is owed."""


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


_INCIDENT = b"incident-raised"
"""In the body of every fact that is one; few others are decoded."""


class Intake:
    """Takes messages as they come from the broker or from files. Every method runs inside ``store.transaction()``.

    ``kid``: names our own key pair. ``present``: the kiosks that have said they are there, for the receiver to clear.
    ``proper``: what comes is of drills, and the kiosks are those that this store knows.
    """

    def __init__(
        self, store: Store, kid: bytes, now: Callable[[], int] = wall_ms, *, proper: Store | None = None
    ) -> None:
        self.store = store
        self._drill, self._keys = proper is not None, proper or store
        self._kid = kid
        self._now = now
        self.present: set[tuple[str, int]] = set()

    def take(self, topic: str, data: bytes) -> Place | None:
        """A message of that topic; the place to acknowledge, if any."""
        try:
            with self.store.attempt():
                if topic.endswith("/result"):
                    self.result(topic, data)
                    return None
                return self.state(topic, data) if topic.endswith("/state") else self.frame(topic, data)
        except apsw.Error:
            raise
        except Exception as error:  # a fault of ours never blocks the others, or this one for ever
            log.exception("%s: internal fault", topic)
            self._apart(topic, f"internal fault ({type(error).__name__})", data)
            return None

    def topic(self, site: str, kiosk: int | str, leaf: str) -> str:
        return frames.topic(site, kiosk, leaf, drill=self._drill)

    def frame(self, topic: str, data: bytes) -> Place | None:
        try:
            claim = frames.peek(data)
        except FrameError as error:
            self._apart(topic, str(error), data)
            return None
        if self.topic(claim.site, claim.kiosk, topic.rpartition("/")[2]) != topic:
            self._apart(topic, "it names another kiosk than its topic", data)
            return None
        key = self._keys.key(claim.site, claim.kiosk)
        if key is None:
            self._apart(topic, "the key of this kiosk is not known yet", data)
            return None
        try:
            frame = frames.unpack(data, VerifyKey(key), drill=self._drill)
        except FrameError as error:
            self._alarm(claim.site, claim.kiosk, "a frame is not signed by the key of this kiosk: forged, or enrol it")
            self._apart(topic, str(error), data)
            return None
        place = (frame.site, frame.kiosk, frame.epoch)
        if frame.kid != self._kid:
            self._alarm(frame.site, frame.kiosk, f"it seals to another key than ours: {frame.kid.hex()}")
        try:
            facts = frame.unfold()
        except FrameError as error:
            self._alarm(frame.site, frame.kiosk, f"facts {frame.first} to {frame.last} cannot be read: {error}")
            self._apart(topic, str(error), data, signed=True)
            self.store.received(frame)
            return place
        kept = self.store.keep(frame, facts, self._now())
        if kept.forked:
            what = (
                f"two histories of journal {frame.epoch.hex()} from {frame.first} on: the card was copied or restored"
            )
            self._alarm(frame.site, frame.kiosk, what)
        for seq, fact in enumerate(facts, frame.first):
            if _INCIDENT in fact.body:
                self._incident(frame, seq, fact.body)
        return place

    def state(self, topic: str, data: bytes) -> Place | None:
        try:
            state = frames.unpack_state(data, drill=self._drill)
        except FrameError as error:
            if data:  # an empty one clears the retained state
                self._apart(topic, str(error), data)
            return None
        if self.topic(state.site, state.kiosk, "state") != topic:
            self._apart(topic, "it names another kiosk than its topic", data)
            return None
        if not self._is_enrolled(state):
            return None
        self.store.set_state(state)
        if state.online:
            self.present.add((state.site, state.kiosk))
        return self._answer(state)

    def _is_enrolled(self, state: State) -> bool:
        """Whether this device is this kiosk: the one that proves to know the id it was sent out with; where none was
        sent out, the first that came; afterwards, whom a person enrolled."""
        store, key = self.store, self._keys.key(state.site, state.kiosk)
        if key == state.key or self._drill:
            return key == state.key
        who, expected = fingerprint(VerifyKey(state.key)), store.expected(state.site, state.kiosk)
        if proves(state, expected) if expected is not None else key is None:
            store.enrol(state.site, state.kiosk, state.key, self._now())
            how = "first seen" if expected is None else "it knows its one-time id"
            log.info("%s/%s: %s, fingerprint %s, key %s", state.site, state.kiosk, how, who, state.key.hex())
            return True
        store.rival(state.site, state.kiosk, state.key, self._now())
        what = "a second device claims this number" if key is not None else "a device without its one-time id claims it"
        what += f", fingerprint {who}, key {state.key.hex()}: kept apart until it is enrolled"
        self._alarm(state.site, state.kiosk, what)
        return False

    def result(self, topic: str, data: bytes) -> None:
        """What became of a command."""
        try:
            claim = commands.peek_result(data)
            key = self.store.key(claim.site, claim.kiosk)
            if key is None or frames.topic(claim.site, claim.kiosk, "result") != topic:
                raise FrameError("it names another kiosk than its topic, or one whose key is not known")
            result = commands.unpack_result(data, VerifyKey(key))
        except FrameError as error:
            self._apart(topic, str(error), data)
            return
        if outbox.keep(self.store, result, self._now()):
            whom = "all" if result.to == commands.EVERYBODY else "it"
            log.info("%s/%s: command %d to %s: %s %s", result.site, result.kiosk, result.n, whom, result.outcome,
                     result.text.partition("\n")[0])  # fmt: skip

    def _answer(self, state: State) -> Place | None:
        """A kiosk that goes by another mark than ours, or has facts to send, gets to know where we are."""
        journal = self.store.journal(state.site, state.kiosk, state.epoch)
        upto = ranges.upto(journal.ranges)
        if state.hub == self.store.epoch and state.acked > upto:
            self.store.renew_epoch()
            log.warning("%s/%s: has acknowledgements up to %d that this database does not know, only up to %d: "
                        "it was restored to an earlier state; the kiosks are asked again", state.site, state.kiosk,
                        state.acked, upto)  # fmt: skip
        if state.online and (state.hub != self.store.epoch or state.acked != upto or state.head > upto):
            return (state.site, state.kiosk, state.epoch)
        return None

    def ack(self, place: Place) -> Ack:
        """Where we are with this journal."""
        there = self.store.journal(*place).ranges
        return Ack(
            epoch=place[2],
            upto=ranges.upto(there),
            missing=tuple(ranges.missing(there)[: frames.MAX_HELD]),
            hub=self.store.epoch,
            now=self._now(),
        )

    def _incident(self, frame: Frame, seq: int, body: bytes) -> None:
        try:
            fact = msgspec.msgpack.decode(body, type=Entry).fact
        except msgspec.MsgspecError:
            return
        if isinstance(fact, IncidentRaised):
            self._alarm(frame.site, frame.kiosk, f"incident at {frame.epoch.hex()}/{seq}: {fact.kind}")

    def _apart(self, topic: str, why: str, data: bytes, *, signed: bool = False) -> None:
        if self.store.set_apart(topic, why, data, self._now(), signed=signed):
            log.warning("%s: %d bytes kept apart: %s", topic, len(data), why)

    def _alarm(self, site: str, kiosk: int, what: str) -> None:
        if self.store.alarm(site, kiosk, what, self._now()):
            log.error("%s %s/%s: %s", "DRILL" if self._drill else "ALARM", site, kiosk, what)
