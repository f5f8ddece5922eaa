"""A card driver at work on a simulated reader, and what it posted."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from kiosk.config import SdtCard
from kiosk.drivers.idcard.codec import Command
from kiosk.drivers.idcard.driver import PATIENCE, Patience, SdtReader
from kiosk.drivers.idcard.sim import SimReader
from kiosk.events import DeviceOnline, Event

SAFETY_S = 30.0
IMPATIENT = Patience(wake_s=0.5, status_s=0.1, find_s=0.1, address_s=0.1, read_s=0.1)  # where answers fail to come
ONLINE = DeviceOnline("card")


class Desk:
    """A running driver and what it posted."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._changed = asyncio.Event()

    def post(self, event: Event) -> None:
        self.events.append(event)
        self._changed.set()

    async def until(self, done: Callable[[list[Event]], bool]) -> None:
        async with asyncio.timeout(SAFETY_S):
            while not done(self.events):
                self._changed.clear()
                await self._changed.wait()

    async def see(self, count: int) -> list[Event]:
        await self.until(lambda events: len(events) >= count)
        return self.events


@asynccontextmanager
async def desk(path: Path, patience: Patience = PATIENCE, **settings) -> AsyncIterator[Desk]:
    config = SdtCard(port=str(path), **({"poll_s": 0.005, "same_card_s": 0.1} | settings))
    watched = Desk()
    task = asyncio.create_task(SdtReader(config, watched.post, patience).run())
    try:
        yield watched
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def asked(reader: SimReader, command: Command, more: int) -> None:
    """Waits until the driver has sent ``command`` so many times more: it is alive, and has had its chances."""
    goal = reader.requests[command] + more
    async with asyncio.timeout(SAFETY_S):
        while reader.requests[command] < goal:
            await asyncio.sleep(0.001)
