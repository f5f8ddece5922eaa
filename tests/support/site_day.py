"""A sampling site in the words of those who work there. The kiosk is the real daemon; its devices are simulated, and
the answers are read off the lamp box, the labels and, at the end, the journal."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import zxingcpp

from hub.cli import main as hub_command
from hub.report import JournalReport, report
from hub.store import Store
from kiosk.cli import main as kiosk_command
from kiosk.domain import Person
from kiosk.drivers.idcard.codec import Command
from kiosk.drivers.idcard.sim import SimCard
from kiosk.facts import Bound, Fact, GroupReleased, IncidentRaised, Refused, Registered, TubeClosed, Unbound
from kiosk.panel import Panel
from kiosk.people import person
from kiosk.simulate.brokers import open_broker
from kiosk.simulate.rig import Rig

SAFETY_S = 30
F = TypeVar("F", bound=Fact)


@contextlib.asynccontextmanager
async def open_site(
    folder: Path,
    devices: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    line: bool = False,
    env: Mapping[str, str] | None = None,
    command: tuple[str, ...] = ("-m", "kiosk"),
    **policy: object,
) -> AsyncIterator["SiteDay"]:
    """The site opens in the morning. ``line``: with a broker and the command post; ``policy``: as in [policy]."""
    tables = {"policy": {"card_alone_after_s": 0.3} | policy, "devices.card": {"same_card_s": 0.1}, **(devices or {})}
    async with contextlib.AsyncExitStack() as stack:
        broker = await stack.enter_async_context(open_broker()) if line else None
        rig = await stack.enter_async_context(
            Rig(folder, tables, mqtt_port=broker.port if broker else None, env=env, command=command)
        )
        if line:
            await rig.start_hub()
        await rig.start()
        yield SiteDay(rig)


class SiteDay:
    """Residents are numbers; the same number is the same invented person all day."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self._shown = 0
        self._last: object = None

    # Residents -----------------------------------------------------------------------------------------------------

    async def resident(self, who: int | Person | SimCard, code: str | None = "green") -> str:
        """Somebody shows their card and, unless ``code`` is None, the code on their phone; returns the answer."""
        return await self._answer(card_of(who), code)

    async def only_a_code(self, code: str = "green") -> str:
        return await self._answer(None, code)

    async def residents(self, *people: int) -> None:
        """They come one after the other and all of them see green."""
        for who in people:
            answer = await self.resident(who)
            assert answer == "accepted", f"resident {who} was told {answer}"

    async def _answer(self, card: Person | SimCard | None, code: str | None) -> str:
        if card is not None and card == self._last:
            await self._taken_away()
        self._last = card
        panel = await self.rig.visit(card, self.phone(code), within=SAFETY_S)
        assert panel.lamps["go"] == ("on" if panel.buzzer == "accepted" else "off"), "green is for the accepted alone"
        return panel.buzzer

    async def _taken_away(self) -> None:
        """The same card is another presentation only after the reader has seen that it was gone."""
        asked = self.rig.reader.requests[Command.FIND]
        await until(lambda: self.rig.reader.requests[Command.FIND] >= asked + 4, "the reader is empty")

    def phone(self, code: str | None) -> str | None:
        """What a phone shows: a code of this colour that nobody else has, or the very text that is asked for."""
        self._shown += 1
        colours = {"green": "0", "yellow": "1", "red": "2"}
        if code in colours:
            return f"HC1:{colours[code]}:phone-{self._shown:04}"
        return f"https://elsewhere.invalid/{self._shown}" if code == "foreign" else code

    # Volunteers ----------------------------------------------------------------------------------------------------

    async def release_the_group(self) -> None:
        """Waits for the lamp in the button, and presses."""
        await self.rig.release()

    async def close_a_short_group(self) -> None:
        """The long press."""
        since = len(self.rig.panel.history)
        await self.rig.panel.press("release", 3100)
        await self.rig.panel.wait_for(lambda panel: panel.buzzer == "full", since=since)

    async def acknowledge(self) -> None:
        since = len(self.rig.panel.history)
        await self.rig.panel.press("ack", 100)
        await self.rig.panel.wait_for(lambda panel: panel.buzzer == "acknowledged", since=since)

    async def lamp(self, name: str, state: str) -> Panel:
        """Waits until a lamp is "on", "off" or "blink"."""
        return await self.rig.panel.wait_for(lambda panel: panel.lamps[name] == state, within=SAFETY_S)

    async def scan_the_label(self, tube: str) -> str:
        return await self.only_a_code(tube)

    async def technician(self, *command: str) -> int:
        """`kiosk ...` at the console; returns its exit status."""
        return await asyncio.to_thread(kiosk_command, [*command, "--config", str(self.rig.config_path)])

    # What lies on the table ----------------------------------------------------------------------------------------

    async def labels(self, count: int) -> list[str]:
        """Waits for so many labels in all, and reads each with a barcode reader."""
        await until(lambda: len(self.rig.labels) >= count, f"{count} labels, there are {len(self.rig.labels)}")
        return [read_barcode(label) for label in self.rig.labels]

    # What is in the journal ----------------------------------------------------------------------------------------

    def told(self, kind: type[F]) -> list[F]:
        return [entry.fact for entry in self.rig.entries() if isinstance(entry.fact, kind)]

    @property
    def people(self) -> int:
        return len(self.told(Registered))

    @property
    def refused(self) -> list[str]:
        return [fact.reason.value for fact in self.told(Refused)]

    @property
    def incidents(self) -> list[str]:
        return [fact.kind.value for fact in self.told(IncidentRaised)]

    @property
    def tubes(self) -> list[TubeClosed]:
        return self.told(TubeClosed)

    @property
    def released(self) -> list[int]:
        """Members of each group, in the order they went."""
        return [fact.members for fact in self.told(GroupReleased)]

    @property
    def places(self) -> dict[int, tuple[str, int]]:
        """Person to tube and position, as it is now. Nobody has two, and no place holds two people."""
        places: dict[int, tuple[str, int]] = {}
        for entry in self.rig.entries():
            match entry.fact:
                case Bound(tube, who, position):
                    assert who not in places
                    places[who] = (tube, position)
                case Unbound(person=who):
                    del places[who]
        assert len(set(places.values())) == len(places)
        return places

    # The command post ----------------------------------------------------------------------------------------------

    async def all_is_at_the_command_post(self) -> JournalReport:
        """Waits until everything is acknowledged; returns what the post then knows of this kiosk."""

        def acknowledged() -> bool:
            journal = self.rig.status()["journal"]
            return bool(journal["seq"] == journal["acked"] == len(self.rig.entries()))

        await until(acknowledged, "all facts acknowledged")
        return told_by(self.rig.hub_db)

    async def carry_to_the_command_post(self, stick: Path, db: Path) -> JournalReport:
        """`kiosk export` to a stick, and `kiosk-hub import` from it into another database."""
        assert await self.technician("export", str(stick)) == 0
        private = str(self.rig.keys / "private.key")
        assert hub_command(["import", "--db", str(db), "--private-key", private, str(stick)]) == 0
        return told_by(db)


def card_of(who: int | Person | SimCard) -> Person | SimCard:
    return person(who) if isinstance(who, int) else who


def told_by(db: Path) -> JournalReport:
    store = Store(db)
    try:
        (journal,) = report(store).journals
    finally:
        store.close()
    assert journal.sound
    assert not journal.unknown
    return journal


def kept_by(db: Path) -> list[tuple[object, ...]]:
    """Every fact in a command post's database, with its number, identity, chain and content."""
    store = Store(db)
    try:
        return store.rows("SELECT seq, id, chain, body FROM fact ORDER BY seq").fetchall()
    finally:
        store.close()


def read_barcode(label: Any) -> str:
    (code,) = zxingcpp.read_barcodes(label)
    return code.text


async def until(condition: Callable[[], object], what: str, within: float = SAFETY_S) -> None:
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, f"in vain: {what}"
        await asyncio.sleep(0.01)
