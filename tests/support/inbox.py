"""The runner's end of a driver, in tests: keeps what was posted and lets a test wait for more."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from kiosk.drivers.base import Driver
from kiosk.events import Event

SAFETY_S = 30


class Inbox:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self._more = asyncio.Event()

    def post(self, event: Event) -> None:
        self.events.append(event)
        self._more.set()

    async def until(self, enough: Callable[[list[Event]], bool]) -> list[Event]:
        """Waits until ``enough`` of all events so far, and returns and forgets them."""
        async with asyncio.timeout(SAFETY_S):
            while not enough(self.events):
                self._more.clear()
                await self._more.wait()
        events, self.events = self.events, []
        return events

    async def take(self, count: int = 1) -> list[Event]:
        """The next ``count`` events; none may have come in excess."""
        events = await self.until(lambda events: len(events) >= count)
        assert len(events) == count, events
        return events


@contextlib.asynccontextmanager
async def running(driver: Driver) -> AsyncIterator[None]:
    """The driver at work; it must still be at work at the end, and stop when it is cancelled."""
    task = asyncio.create_task(driver.run())
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
