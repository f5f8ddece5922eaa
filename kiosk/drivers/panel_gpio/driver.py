"""The panel on GPIO lines. Outputs are active high, with a transistor behind each pin; buttons close to ground.

The pin factory is the one the configuration names: gpiozero is never allowed to fall back to another one.
"""

import asyncio
import contextlib
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

from kiosk.config import GpioPanel as Config
from kiosk.drivers.base import DeviceLost, Post, keep_open
from kiosk.drivers.buttons import Button
from kiosk.events import ButtonPressed
from kiosk.panel import LAMPS, STARTING, Panel, Physical

log = logging.getLogger(__name__)

TICK_S = 0.025
EDGES_KEPT = 64
CHIP_LABELS = ("pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1")
"""Of the chip behind the 40-pin header: Raspberry Pi 3 and older, 4, 5 (drivers/pinctrl of the kernel)."""


def _now() -> int:
    return time.monotonic_ns() // 1_000_000


class GpioPanel:
    """Shows the latest panel and posts ButtonPressed. ``fault`` names a jammed button, or is ""."""

    name = "panel"

    def __init__(self, config: Config, post: Post) -> None:
        self._config = config
        self._post = post
        self._panel = STARTING
        self.factory: Any = None
        self.fault = ""

    def show(self, panel: Panel, _now_mono: int) -> None:
        """Lit within TICK_S. Never raises."""
        self._panel = panel

    async def run(self) -> None:
        await keep_open(self.name, self._post, self._session)

    async def _session(self, online: Callable[[], None]) -> None:
        self.factory = open_factory(self._config)
        try:
            with _Lines(self._config, self.factory) as lines:
                online()
                while True:
                    now = _now()
                    lines.drive(self._panel, now)
                    for press in lines.presses():
                        self._post(press)
                    self._report(lines.stuck(_now()))
                    await asyncio.sleep(TICK_S)
        finally:
            self.fault = ""
            with contextlib.suppress(Exception):
                self.factory.close()

    def _report(self, fault: str) -> None:
        if fault and fault != self.fault:
            log.warning("panel: %s", fault)
        self.fault = fault


def open_factory(config: Config) -> Any:
    """The pin factory of the configuration. Raises DeviceLost that says what is missing.

    lgpio makes a FIFO in the working directory when it is imported and cannot work without it. Its environment variable
    LG_WD is no way out: it moves the whole process there.
    """
    if config.factory == "mock":
        from gpiozero.pins.mock import MockFactory

        return MockFactory()
    if not os.access(".", os.W_OK):
        raise DeviceLost("lgpio needs a writable working directory: set WorkingDirectory=/run/kiosk in the unit")
    try:
        from gpiozero.pins.lgpio import LGPIOFactory
    except (ImportError, AttributeError) as error:  # old "versions" of lgpio are an empty stub
        raise DeviceLost(f"lgpio is missing or a stub ({error}): install python3-lgpio") from None
    chip = find_chip() if config.chip is None else config.chip
    try:
        factory = LGPIOFactory(chip=chip)
    except Exception as error:  # lgpio.error derives from Exception only
        raise DeviceLost(f"/dev/gpiochip{chip}: {error}") from None
    factory.pin_class = _forgiving(factory.pin_class)
    return factory


def _forgiving(pin_class: type[Any]) -> type[Any]:
    """The same pins, for a chip that may go away. gpiozero gives each line back to the chip before it forgets it, and
    keeps those that the chip refuses, with their dead handle, for the next factory."""

    class Pin(pin_class):  # type: ignore[misc]
        def close(self) -> None:
            with contextlib.suppress(Exception):  # lgpio.error derives from Exception only
                super().close()

    return Pin


def find_chip(dev: Path = Path("/dev")) -> int:
    """N of the /dev/gpiochipN that has one of CHIP_LABELS. Raises DeviceLost that says what was found instead."""
    import lgpio

    found = []
    for node in sorted(dev.glob("gpiochip[0-9]*")):
        number = int(node.name.removeprefix("gpiochip"))
        try:
            handle = lgpio.gpiochip_open(number)
            *_, label = lgpio.gpio_get_chip_info(handle)
            lgpio.gpiochip_close(handle)
        except Exception as error:  # lgpio.error derives from Exception only
            label = str(error)
        if label in CHIP_LABELS:
            return number
        found.append(f"{node}: {label}")
    raise DeviceLost(f"no GPIO chip of a Raspberry Pi: {', '.join(found) or f'{dev} has no gpiochip at all'}")


class _Lines:
    """All lines of the panel, open. Every line is off after opening and before closing. Raises DeviceLost."""

    def __init__(self, config: Config, factory: Any) -> None:
        self._config = config
        self._factory = factory
        self._physical = Physical()
        self._outputs: dict[str, Any] = {}
        self._inputs: dict[str, Any] = {}
        self._buttons: dict[str, Button] = {}
        self._edges: deque[tuple[str, bool, int]] = deque(maxlen=EDGES_KEPT)

    def __enter__(self) -> Self:
        try:
            with _as_lost():
                self._open()
        except DeviceLost:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for line in self._outputs.values():
            with contextlib.suppress(Exception):
                line.off()
        for line in (*self._inputs.values(), *self._outputs.values()):
            with contextlib.suppress(Exception):
                line.close()

    def _open(self) -> None:
        from gpiozero import DigitalInputDevice, DigitalOutputDevice

        config = self._config
        lamps = {lamp: getattr(config, lamp) for lamp in LAMPS}
        pins = {lamp: pin for lamp, pin in lamps.items() if pin is not None} | {"buzzer": config.buzzer}
        pins |= {f"bar {number}": pin for number, pin in enumerate(config.bar)}
        for name, pin in pins.items():
            self._outputs[name] = DigitalOutputDevice(pin, initial_value=False, pin_factory=self._factory)
        for name, pin in {"release": config.release_button, "ack": config.ack_button}.items():
            line = DigitalInputDevice(pin, pull_up=True, pin_factory=self._factory)
            self._inputs[name] = line
            self._buttons[name] = Button(name)
            self._buttons[name].start(line.is_active, _now())
            line.when_activated = self._edge(name, down=True)
            line.when_deactivated = self._edge(name, down=False)

    def _edge(self, name: str, *, down: bool) -> Callable[[], None]:
        def callback() -> None:
            # Runs in lgpio's only event thread, which dies of an exception and is held up by anything slow.
            self._edges.append((name, down, _now()))

        return callback

    def drive(self, panel: Panel, now: int) -> None:
        """Writes the lines that change."""
        out = self._physical.step(panel, now)
        wanted = out.lamps | {"buzzer": out.buzzer} | {f"bar {number}": on for number, on in enumerate(out.bar)}
        with _as_lost():
            for name, line in self._outputs.items():
                if bool(line.value) != wanted[name]:
                    line.value = wanted[name]

    def presses(self) -> Iterator[ButtonPressed]:
        """What the edges since the last call, and the levels now, make of the buttons."""
        seen: list[tuple[str, bool, int]] = []
        while self._edges:
            seen.append(self._edges.popleft())
        with _as_lost():
            seen += [(name, bool(line.is_active), _now()) for name, line in self._inputs.items()]
        for name, down, at in seen:
            if (press := self._buttons[name].feed(down, at)) is not None:
                yield press

    def stuck(self, now: int) -> str:
        names = [name for name, button in self._buttons.items() if button.stuck(now)]
        return f"button stuck: {', '.join(names)}" if names else ""


@contextlib.contextmanager
def _as_lost() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # gpiozero's and lgpio's errors share no base but this one
        raise DeviceLost(f"GPIO: {error}") from None
