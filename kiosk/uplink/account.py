"""What the kiosk says of itself: its state."""

import contextlib
from collections.abc import Callable
from typing import Any

import msgspec
from nacl.signing import SigningKey

from kiosk import frames
from kiosk.clock import Clock
from kiosk.facts import Entry
from kiosk.frames import FrameError, State
from kiosk.uplink.link import Link
from kiosk.uplink.packing import AsyncJournal
from kiosk.uplink.window import Window

_STATE_S = (5.0, 60.0)  # a changed state is told at most, an unchanged one at least this often


class Account:
    """``describe``: what the state tells beside the journal, any of trust (0-4), version, issues (codes), proof and
    roster."""

    def __init__(
        self,
        site: str,
        number: int,
        journal: AsyncJournal,
        device_key: SigningKey,
        describe: Callable[[], dict[str, Any]],
        clock: Clock,
        *,
        drill: bool,
    ) -> None:
        self._site, self._number = site, number
        self._journal = journal
        self._key = device_key
        self._describe = describe
        self._clock = clock
        self._drill = drill

    async def will(self, window: Window) -> bytes:
        """What the broker is to say when this kiosk falls silent."""
        return self._signed(await self._state(window, online=False))

    async def tell(self, link: Link, window: Window, now: float) -> None:
        often, seldom = _STATE_S
        state = await self._state(window, online=True)
        news = (state.trust, state.version, state.issues, state.hub, state.roster)
        if news != link.told or now >= link.told_at + seldom:
            topic = frames.topic(self._site, self._number, "state", drill=self._drill)
            link.publish(topic, self._signed(state), now, retain=True)
            link.told, link.told_at = news, now
        link.state_due = now + often

    def other(self, payload: bytes) -> bytes | None:
        """The key of another device, where this is what the broker kept of the last one under this number: that may
        be this one, before."""
        with contextlib.suppress(FrameError):
            key = frames.unpack_state(payload, drill=self._drill).key
            return key if key != bytes(self._key.verify_key) else None
        return None

    def _signed(self, state: State) -> bytes:
        return frames.pack_state(state, self._key, drill=self._drill)

    async def _state(self, window: Window, *, online: bool) -> State:
        journal, mark = self._journal, window.mark
        described = self._describe()
        return State(
            site=self._site,
            kiosk=self._number,
            online=online,
            epoch=journal.epoch,
            head=journal.head,
            depth=journal.head - mark,
            acked=mark,
            hub=window.hub,
            oldest_unsent_ms=await self.oldest_ms(mark),
            trust=described.get("trust", 0),
            version=described.get("version", ""),
            issues=tuple(described.get("issues", ())),
            proof=described.get("proof") or msgspec.UNSET,
            roster=described.get("roster") or msgspec.UNSET,
            key=bytes(self._key.verify_key),
        )

    async def oldest_ms(self, mark: int) -> int:
        """Age of the fact after ``mark``; 0 when there is none."""
        if mark >= self._journal.head:
            return 0
        rows = await self._journal.read(mark, 1, frames.MAX_BODIES)
        try:
            at = msgspec.msgpack.decode(rows[0].body, type=Entry).at
        except msgspec.MsgspecError:
            return 0
        return self._clock.now().since(at)
