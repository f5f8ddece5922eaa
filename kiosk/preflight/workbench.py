"""The kiosk's own drivers, without the kiosk behind them."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import msgspec

from kiosk import devices
from kiosk.config import Config
from kiosk.drivers.base import Driver
from kiosk.events import ButtonPressed, DeviceOffline, DeviceOnline, Event
from kiosk.panel import LAMPS, Panel

T = TypeVar("T")

DARK = Panel(dict.fromkeys(LAMPS, "off"), 0, "off", 0)
_SHOW_S = 0.05
_KEPT = 100


class Failed(Exception):
    """This step did not work; the text says why, without personal data."""


class Workbench:
    """``code``, ``card`` and so on: the drivers, or None. What they post waits for `heard`."""

    def __init__(self, config: Config) -> None:
        self.card = devices.card(config.devices.card, self._post)
        self.code = devices.code(config.devices.code, self._post)
        self.printer = devices.printer(config.devices.printer, self._post)
        self.panel = devices.panel(config.devices.panel, self._post)
        self.keypad = devices.keypad(config.devices.keypad, self._post)
        self.speaker = devices.speaker(config.devices.speaker, config.voice, self._post)
        self.picture = DARK
        self._events: asyncio.Queue[Event] = asyncio.Queue(_KEPT)
        self._states: dict[str, str] = {}
        self._changed = asyncio.Event()

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        drivers: tuple[Driver | None, ...] = (
            *(self.card, self.code, self.printer, self.panel),
            *(self.keypad, self.speaker),
        )
        tasks = [asyncio.create_task(driver.run()) for driver in drivers if driver is not None]
        tasks.append(asyncio.create_task(self._light()))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def online(self, name: str, within: float) -> None:
        """Waits until this device is there. Raises Failed."""
        try:
            async with asyncio.timeout(within):
                while self._states.get(name) != "":
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise Failed(self._states.get(name) or "no answer") from None

    async def heard(self, understand: Callable[[Event], T | None], within: float) -> T | None:
        """What ``understand`` makes of the first event it makes something of; None when none comes in time. What was
        posted before is forgotten."""
        while not self._events.empty():
            self._events.get_nowait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                while True:
                    if (found := understand(await self._events.get())) is not None:
                        return found
        return None

    async def pressed(self, within: float) -> str | None:
        """The button that is pressed next."""
        return await self.heard(lambda event: event.button if isinstance(event, ButtonPressed) else None, within)

    def show(self, **changes: object) -> None:
        """The panel, dark but for ``changes``; a tone that was there begins again."""
        self.picture = msgspec.structs.replace(DARK, signal=self.picture.signal + 1, **changes)

    async def _light(self) -> None:
        while self.panel is not None:
            self.panel.show(self.picture, time.monotonic_ns() // 1_000_000)
            await asyncio.sleep(_SHOW_S)

    def _post(self, event: Event) -> None:
        match event:
            case DeviceOnline() | DeviceOffline():
                self._states[event.device] = event.why if isinstance(event, DeviceOffline) else ""
                self._changed.set()
            case _:
                with contextlib.suppress(asyncio.QueueFull):
                    self._events.put_nowait(event)
