"""Plays a plan: residents, volunteers, printer and network around the daemon."""

import asyncio
import contextlib

from kiosk.drivers.idcard.sim import SimCard
from kiosk.simulate.brokers import BrokerError, RunningBroker
from kiosk.simulate.evidence import Told, Traces
from kiosk.simulate.plan import Card, Happening, PowerCut, Step, Visit, Visitor, Way, with_wrong_digit
from kiosk.simulate.rig import WAITING, Rig
from kiosk.simulate.scene import Scene

PATIENCE_S = 30.0
PAUSE_S = 0.3
"""From one resident to the next, at speed 1."""
BETWEEN_S = 0.15
"""From card to code, or the other way round, at speed 1."""
PRESS_MS, LONG_PRESS_MS, ACK_MS = 350, 3050, 100

_SEEN = {
    "accepted": "走 GO",
    "flagged": "等 WAIT: registered, check the code",
    "repeat": "停 STOP flashes: was here before",
    "refused": "停 STOP",
    "retry": "停 STOP and 等 WAIT flash: once more",
}


class StoryError(Exception):
    """The site did not behave; the text says where the story ended."""


class Story:
    """``told``: every answer given, in order. ``restarts``: lit steps of the bar before and after each restart."""

    def __init__(self, rig: Rig, broker: RunningBroker, scene: Scene, speed: float, traces: Traces) -> None:
        self.told: list[Told] = []
        self.restarts: list[tuple[int, int]] = []
        self._rig = rig
        self._broker = broker
        self._scene = scene
        self._speed = speed
        self._traces = traces

    async def play(self, steps: tuple[Step, ...]) -> None:
        """Raises StoryError when the site does not answer."""
        for step in steps:
            where = _name(step)
            try:
                match step:
                    case Visit():
                        await self._visit(step)
                    case PowerCut():
                        await self._power_cut(step.visitor)
                    case Happening():
                        await self._happen(step)
            except BrokenPipeError:  # nobody reads our lines any more
                raise
            except (TimeoutError, ConnectionError) as error:
                alive = self._rig.kiosk is not None and self._rig.kiosk.poll() is None
                state = "does not answer" if alive else "is gone"
                raise StoryError(f"{where}: the kiosk {state} ({type(error).__name__})") from None
            self._scene.look()
            await self._pause(PAUSE_S)

    async def settle(self) -> None:
        """Waits until the command post has acknowledged everything. Raises StoryError."""
        self._scene.say("kiosk", "waiting until the command post has acknowledged everything")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while not self._scene.facts or self._scene.backlog:
                    await asyncio.sleep(0.05)
                    self._scene.look()
                return
        raise StoryError(f"{self._scene.backlog} facts are not acknowledged after {PATIENCE_S:g} s")

    # Residents ------------------------------------------------------------------------------------------------------

    async def _visit(self, visit: Visit) -> None:
        who = f"居民 resident {visit.visitor.number:02}"
        why = f" ({visit.why})" if visit.why else ""
        way, answer = await self._show(visit)
        self.told.append(Told(visit.visitor, way, answer, visit.answer, visit.reason))
        kind = "person" if visit.reason is None and not why else "mishap"
        self._scene.refused += visit.reason is not None
        self._scene.say(kind, f"{who}: {way}{why} → {_SEEN.get(answer, answer)}")

    async def _show(self, visit: Visit) -> tuple[Way, str]:
        """Card and code in the visitor's order; returns what was shown before the answer, and its tone."""
        panel, card = self._rig.panel, _card(visit)
        since, before = len(panel.history), panel.state.signal if panel.state else 0
        try:
            if visit.way in (Way.CARD, Way.CARD_CODE):
                self._rig.reader.place(card)
            else:
                await self._scan(visit.visitor.code)
            if visit.way in (Way.CARD_CODE, Way.CODE_CARD):
                first = await panel.wait_for(lambda now: now.signal != before, since=since, within=PATIENCE_S)
                if first.buzzer not in WAITING:  # answered before the other half could be shown
                    return (Way.CARD if visit.way is Way.CARD_CODE else Way.CODE), first.buzzer
                await self._pause(BETWEEN_S)
            if visit.way is Way.CARD_CODE:
                await self._scan(visit.visitor.code)
            elif visit.way is Way.CODE_CARD:
                self._rig.reader.place(card)
            answer = await panel.wait_for(
                lambda now: now.signal != before and now.buzzer not in WAITING, since=since, within=PATIENCE_S
            )
            return visit.way, answer.buzzer
        finally:
            self._rig.reader.remove()

    async def _scan(self, code: str) -> None:
        if self._rig.scanner is not None:
            await self._rig.scanner.scan(code)

    async def _power_cut(self, visitor: Visitor) -> None:
        panel = self._rig.panel
        bar = panel.state.bar if panel.state else 0
        self._rig.reader.place(visitor.person)
        await panel.wait_for(lambda now: now.buzzer == "held", within=PATIENCE_S)
        self._scene.running = False
        await self._rig.kill()
        self._traces.look_around(self._rig.folder, "after kill -9")
        self._rig.reader.remove()
        self._scene.say("mishap", f"kill -9 of the daemon, with the card of resident {visitor.number:02} on the reader")
        await self._pause(PAUSE_S)
        await self.start()
        self.restarts.append((bar, panel.state.bar if panel.state else 0))
        self._scene.say("mishap", f"the daemon is back: the bar stands at {self.restarts[-1][1]}/10 again")

    async def start(self) -> None:
        """Starts the daemon. Raises StartError, StoryError."""
        try:
            await self._rig.start(within=PATIENCE_S)
        except TimeoutError:
            raise StoryError(f"the kiosk is not ready {PATIENCE_S:g} s after its start") from None
        self._scene.running = True

    # Staff, printer, network ----------------------------------------------------------------------------------------

    async def _happen(self, what: Happening) -> None:
        scene, printer = self._scene, self._rig.printer
        match what:
            case Happening.RELEASE:
                await self._rig.panel.wait_for(lambda panel: panel.lamps["release"] == "blink", within=PATIENCE_S)
                scene.say("staff", "the lamp in the button flashes: the volunteer presses 放行 RELEASE")
                await self._rig.release(held_ms=PRESS_MS)
            case Happening.CLOSE_SHORT:
                scene.say("staff", "nobody else comes: the volunteer holds the button for 3 s")
                await self._press("release", LONG_PRESS_MS, "full")
            case Happening.ACKNOWLEDGE:
                await self._rig.panel.wait_for(lambda panel: panel.lamps["alarm"] == "blink", within=PATIENCE_S)
                await self._pause(4 * PAUSE_S)
                scene.say("staff", "the volunteer has seen the 请处置 ALARM and acknowledges it")
                await self._press("ack", ACK_MS, "acknowledged")
            case Happening.CUT_UPLINK:
                scene.broker_up = False
                await self._broker.stop()
                scene.say("mishap", "the uplink is cut: the broker is gone, nobody at the desk notices")
            case Happening.MEND_UPLINK:
                await self._mend()
                scene.broker_up = True
                scene.say("mishap", "the uplink is back: the backlog goes out")
            case Happening.ROLL_ENDS:
                printer.paper_left = 0
            case Happening.REFILL:
                printer.refill()
                scene.say("staff", "the volunteer puts a new roll into the printer")

    async def _mend(self) -> None:
        try:
            await self._broker.start()
        except (BrokerError, OSError) as error:
            raise StoryError(f"the broker cannot be started again on port {self._broker.port}: {error}") from None

    async def _press(self, button: str, held_ms: int, tone: str) -> None:
        panel = self._rig.panel
        since = len(panel.history)
        await panel.press("ack" if button == "ack" else "release", held_ms)
        await panel.wait_for(lambda now: now.buzzer == tone, since=since, within=PATIENCE_S)

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._speed)


def _card(visit: Visit) -> SimCard:
    person = visit.visitor.person
    if visit.card is Card.BAD_DIGIT:
        return SimCard(with_wrong_digit(person))
    return SimCard(person, unreadable=visit.card is Card.UNREADABLE)


def _name(step: Step) -> str:
    match step:
        case Visit():
            return f"resident {step.visitor.number:02}, {step.way}"
        case PowerCut():
            return f"kill -9 at resident {step.visitor.number:02}"
    return step.value
