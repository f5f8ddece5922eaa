"""What is tried, in this order: each step says what to do, and raises Failed with the reason and often the cure."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple, Protocol

from PIL import Image

from kiosk import labels
from kiosk.config import Config, Printer
from kiosk.domain import Stamp, Trust
from kiosk.events import CardFailed, CardRead, CodeFailed, CodeScanned, Event, NumberTyped, PrintFailed, PrintSucceeded
from kiosk.flows.stock import Stock
from kiosk.health import DISK_LOW
from kiosk.labels import TubeLabel
from kiosk.panel import BAR_STEPS, LAMPS
from kiosk.preflight.workbench import DARK, Failed, Workbench
from kiosk.tube import DAYS, DRILL, LAST_SERIAL, TubeNumber
from kiosk.voice import LANGUAGES, Clip, Prompt

TEST = Prompt("preflight", tuple(Clip(language, "drill") for language in LANGUAGES), 30_000, newest=True)


class Line(Protocol):
    """The part of the uplink that is looked at."""

    @property
    def acked(self) -> int: ...
    @property
    def connected(self) -> bool: ...
    @property
    def issue(self) -> str | None: ...
    @property
    def refusal(self) -> str | None: ...


class Limits(NamedTuple):
    """Seconds: for a device to answer, for a person to press, and for a person to fetch something."""

    answer: float = 8.0
    press: float = 12.0
    fetch: float = 25.0


class Step(NamedTuple):
    """``ask``: what the technician is to do, Chinese and English, or ""; ``fitted``: the kiosk has it."""

    name: str
    ask: str
    attempt: Callable[[], Awaitable[None]]
    fitted: bool = True


KEYS = "1234567890"
_LAMPS = {
    "stop": "停 STOP",
    "wait": "等 WAIT",
    "go": "行 GO",
    "release": "放行 RELEASE (in the button)",
    "alarm": "警 ALARM",
    "fault": "障 FAULT",
    "door": "门 DOOR",
}
_CONFIRM = "亮按“确认”，不亮按“放行”。 Lit: press ACK. Not lit: press RELEASE."
_CARD = "请把身份证放在读卡器上。 Put an ID card on the reader."
_KEYS = f"请在键盘上输入 {KEYS} 再按回车。 Type {KEYS} and Enter on the keypad."
_BUTTONS = {"release": "放行", "ack": "确认"}


class Walk:
    """The steps for one kiosk. ``disk_free``: bytes, None where unknown; ``line``: the uplink, at work, or None;
    ``head``: facts in the journal it sends; ``stock``: as far as staff have counted it."""

    def __init__(
        self,
        config: Config,
        bench: Workbench,
        at: Stamp,
        disk_free: int | None,
        line: Line | None,
        head: int,
        stock: Stock,
        limits: Limits,
    ) -> None:
        self._config, self._bench, self._at = config, bench, at
        self._disk_free, self._line, self._head, self._limits = disk_free, line, head, limits
        self._counted = stock
        self._printed = False
        serial = random.randint(1, LAST_SERIAL)
        self._number = str(TubeNumber(config.site.code, DRILL, at.day % DAYS, serial))

    def steps(self) -> list[Step]:
        bench = self._bench
        panel, buttons = bench.panel is not None, []
        for name, chinese in _BUTTONS.items():
            ask = f"请按一下“{chinese}”按钮。 Press the {name.upper()} button."
            buttons.append(Step(f"button {name}", ask, partial(self._button, name), panel))
        lamps = [
            Step(f"lamp {lamp}", f"{_LAMPS.get(lamp, lamp)}: {_CONFIRM}", partial(self._lamp, lamp), panel)
            for lamp in LAMPS
            if getattr(self._config.devices.panel, lamp, 0) is not None
        ]
        return [
            Step("disk", "", self._disk),
            Step("clock", "", self._clock),
            Step("uplink", "", self._uplink, self._line is not None),
            *buttons,
            *lamps,
            Step("bar", f"十格全亮? All ten steps of the bar? {_CONFIRM}", self._bar, panel),
            Step("buzzer", f"听到声音? A tone? {_CONFIRM}", self._buzzer, panel),
            Step("speaker", f"听到“演练”? A voice? {_CONFIRM}", self._speaker, panel and bench.speaker is not None),
            Step("keypad", _KEYS, self._keypad, bench.keypad is not None),
            Step("stock", "", self._stock, bool(self._counted.left)),
            Step("card reader", _CARD, self._card, bench.card is not None),
            Step("printer", "", self._printer, bench.printer is not None),
            Step("scanner", self._what_to_scan(), self._scanner, bench.code is not None),
        ]

    # What needs nobody -----------------------------------------------------------------------------------------------

    async def _disk(self) -> None:
        if self._disk_free is None:
            raise Failed("how much is free cannot be told")
        if self._disk_free < DISK_LOW:
            raise Failed(f"{self._disk_free >> 20} MB free, expected {DISK_LOW >> 20}: export, change the card")

    async def _clock(self) -> None:
        if self._at.trust < Trust.RTC:
            raise Failed(f"{self._at.trust.name.lower()}: no clock chip and no time server: fit one, or set the time")

    async def _uplink(self) -> None:
        line, limits = self._line, self._limits
        if line is None:
            return
        before, head = line.acked, self._head
        if not await _until(lambda: line.connected, limits.answer):
            raise Failed(line.issue or "no answer")

        def answered() -> bool:
            return line.acked > before or line.acked >= head

        await _until(lambda: answered() or line.refusal is not None, limits.fetch)
        if line.refusal:
            raise Failed(line.refusal)
        if not answered():
            raise Failed("the broker answers, the command post does not acknowledge: does its receiver run?")

    async def _stock(self) -> None:
        if low := self._counted.low(self._at, self._config.stock.warn_min):
            what = ", ".join(f"{item} {left}" for item, left in low.items())
            raise Failed(f'left by the count: {what}; refill, then badge and the code "stock"')

    # Lamps, buttons, tones -------------------------------------------------------------------------------------------

    async def _button(self, name: str) -> None:
        await self._bench.online("panel", self._limits.answer)
        pressed = await self._bench.pressed(self._limits.press)
        if pressed is None:
            raise Failed(f"no press in {self._limits.press:g} s: wire, pin, or a button that is stuck")
        if pressed != name:
            raise Failed(f"it was the {pressed} button that spoke: the wires are exchanged")

    async def _lamp(self, lamp: str) -> None:
        await self._seen(lamps=DARK.lamps | {lamp: "on"})

    async def _bar(self) -> None:
        await self._seen(bar=BAR_STEPS)

    async def _buzzer(self) -> None:
        await self._seen(buzzer="accepted")

    async def _speaker(self) -> None:
        await self._bench.online("speaker", self._limits.answer)
        if self._bench.speaker is not None:
            self._bench.speaker.say(TEST)
        await self._seen()

    async def _seen(self, **shown: object) -> None:
        """Shows it, and waits for somebody to say whether it is there."""
        await self._bench.online("panel", self._limits.answer)
        self._bench.show(**shown)
        try:
            pressed = await self._bench.pressed(self._limits.press)
        finally:
            self._bench.show()
        if pressed is None:
            raise Failed(f"nobody said in {self._limits.press:g} s whether it is there")
        if pressed != "ack":
            raise Failed("it is not there: lamp, wire, driver chip, or the pin in [devices.panel]")

    # Card, label, code -----------------------------------------------------------------------------------------------

    async def _keypad(self) -> None:
        await self._bench.online("keypad", self._limits.answer)
        typed = await self._bench.heard(_typed, self._limits.fetch)
        if typed is None:
            raise Failed(f"nothing typed in {self._limits.fetch:g} s")
        if typed != KEYS:
            raise Failed(f"{len(typed)} characters that are not those asked for: Num Lock, or a key that is stuck")

    async def _card(self) -> None:
        await self._bench.online("card", self._limits.answer)
        read = await self._bench.heard(lambda event: event if isinstance(event, _CARDS) else None, self._limits.fetch)
        if read is None:
            raise Failed(f"no card in {self._limits.fetch:g} s")
        if isinstance(read, CardFailed):
            raise Failed(f"a card lies there and cannot be read: {read.why}")

    async def _printer(self) -> None:
        config, printer = self._config.devices.printer, self._bench.printer
        if printer is None or not isinstance(config, Printer):
            return
        await self._bench.online("printer", self._limits.answer)
        printer.submit("preflight", 1, self._label(config))
        done = await self._bench.heard(lambda event: event if isinstance(event, _PRINTS) else None, self._limits.fetch)
        if done is None:
            raise Failed(f"the label was not taken in {self._limits.fetch:g} s")
        if isinstance(done, PrintFailed):
            raise Failed(done.why)
        self._printed = True

    def _label(self, config: Printer) -> Image.Image:
        label = TubeLabel(
            site=self._config.site.name,
            tube=self._number,
            members=10,
            size=10,
            at=self._at,
            specimen=self._config.policy.specimen,
            drill=True,
        )
        return labels.render(label, config.label_mm, config.dpi)

    async def _scanner(self) -> None:
        await self._bench.online("code", self._limits.answer)
        read = await self._bench.heard(lambda event: event if isinstance(event, _CODES) else None, self._limits.fetch)
        if read is None:
            raise Failed(f"no code in {self._limits.fetch:g} s")
        if isinstance(read, CodeFailed):
            raise Failed(read.why)
        if isinstance(read, CodeScanned) and self._printed and read.text != self._number:
            raise Failed(_difference(read.text, self._number))

    def _what_to_scan(self) -> str:
        if self._bench.printer is None:
            return "请扫任意条码。 Scan any code."
        return "请扫刚打印的标签。 Scan the label that has just come out."


_CARDS = (CardRead, CardFailed)
_PRINTS = (PrintSucceeded, PrintFailed)
_CODES = (CodeScanned, CodeFailed)


def _typed(event: Event) -> str | None:
    return event.text if isinstance(event, NumberTyped) else None


def _difference(scanned: str, printed: str) -> str:
    if printed in scanned:
        return "the scanner adds characters: switch its prefix, suffix and code identifier off"
    if scanned in printed:
        return "the scanner drops characters: in keyboard mode, a slower pace; else its settings for Code 128"
    return f"scanned {len(scanned)} characters that are not those on the label: was it the label of just now?"


async def _until(so: Callable[[], bool], within: float) -> bool:
    end = time.monotonic() + within
    while not so() and time.monotonic() < end:  # noqa: ASYNC110  -- what it looks at tells nobody
        await asyncio.sleep(0.05)
    return so()
