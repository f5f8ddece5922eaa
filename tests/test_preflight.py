"""The pre-flight at simulated far sides: a technician who does what the console asks for, and devices that fail."""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zxingcpp

from kiosk import data_folder
from kiosk.domain import Do
from kiosk.drivers.keypad.sim import KeypadSim
from kiosk.facts import Preflight
from kiosk.journal import Journal
from kiosk.panel import LAMPS
from kiosk.people import person
from kiosk.preflight.steps import KEYS, Limits
from kiosk.preflight.walk import Outcome, preflight, summary
from kiosk.records import AlreadyRunningError
from kiosk.simulate.rig import Rig
from kiosk.tube import TubeNumber
from tests.support.desk_story import Story
from tests.support.mosquitto import Mosquitto, free_port, mosquitto
from tests.support.site_day import open_site
from tests.support.speaker import NAME, Loudspeaker, needs_aplay

DEVICES = ("button release", "button ack", *(f"lamp {lamp}" for lamp in LAMPS), "bar", "buzzer")
LIMITS = Limits(answer=2.0, press=2.0, fetch=3.0)
PATIENT = Limits(answer=60.0, press=60.0, fetch=60.0)
NOTHING = {f"devices.{name}": {"driver": "none"} for name in ("card", "code", "printer", "panel")}


class Technician:
    """Reads what the console says and does it. ``blind_to``: lamps that are broken; ``scans`` makes of the number on
    the label what the scanner sends."""

    def __init__(self, rig: Rig, *, blind_to: str = "", scans: Callable[[str], str] = lambda number: number) -> None:
        self.rig = rig
        self.said: list[str] = []
        self.keypad: KeypadSim | None = None
        self._blind_to, self._scans = blind_to, scans
        self._hands: set[asyncio.Task[None]] = set()

    def hears(self, text: str) -> None:
        self.said.append(text)
        for part, does in self._knows.items():
            if part in text:
                task = asyncio.create_task(self._after_a_moment(does))
                self._hands.add(task)
                task.add_done_callback(self._hands.discard)

    @property
    def _knows(self) -> dict[str, Callable[[], Awaitable[Any]]]:
        answer = "release" if self._blind_to and self._blind_to in self.said[-1] else "ack"
        return {
            "Press the RELEASE button": lambda: self.rig.panel.press("release", 60),
            "Press the ACK button": lambda: self.rig.panel.press("ack", 60),
            "press ACK": lambda: self.rig.panel.press(answer, 60),
            "Put an ID card": self._puts_a_card,
            "Scan the label": self._scans_the_label,
            "on the keypad": self._types,
        }

    async def _after_a_moment(self, does: Callable[[], Awaitable[Any]]) -> None:
        await self.rig.panel.wait_online()
        await asyncio.sleep(0.1)
        with contextlib.suppress(ConnectionError):
            await does()

    async def _puts_a_card(self) -> None:
        self.rig.reader.place(person(1))

    async def _types(self) -> None:
        if self.keypad is not None:
            await self.keypad.type(KEYS)

    async def _scans_the_label(self) -> None:
        (code,) = zxingcpp.read_barcodes(self.rig.labels[-1])
        await self.rig.scanner.scan(self._scans(code.text))


async def walk(rig: Rig, technician: Technician, limits: Limits = LIMITS) -> Outcome:
    return await preflight(rig.config, technician.hears, limits)


def written(rig: Rig) -> list[Preflight]:
    return [entry.fact for entry in rig.entries() if isinstance(entry.fact, Preflight)]


async def test_every_device_is_tried_and_the_label_is_read_back(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        outcome = await walk(rig, technician := Technician(rig))
        assert set(outcome.passed) >= {*DEVICES, "card reader", "printer", "scanner", "disk"}
        assert set(outcome.failed) <= {"clock"}
        assert outcome.absent == ("uplink", "speaker", "keypad", "stock")
        (label,) = rig.labels
        (code,) = zxingcpp.read_barcodes(label)
        assert TubeNumber.parse(code.text).drill
        assert written(rig) == [Preflight(outcome.passed, tuple(outcome.failed), outcome.seconds)]
        assert person(1).name not in "".join(technician.said)
        shown = [[one for one, state in panel.lamps.items() if state == "on"] for panel in rig.panel.history]
        assert all([lamp] in shown for lamp in LAMPS)


@needs_aplay
async def test_a_speaker_is_heard_and_a_keypad_types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loudspeaker = Loudspeaker(tmp_path)
    for name, value in loudspeaker.env.items():
        monkeypatch.setenv(name, value)
    tables = {
        "devices.speaker": {"driver": "alsa", "device": NAME},
        "devices.keypad": {"driver": "hid", "device": str(tmp_path / "keypad")},
    }
    async with Rig(tmp_path, tables) as rig:
        technician = Technician(rig)
        technician.keypad = KeypadSim(tmp_path / "keypad")
        outcome = await walk(rig, technician)
        technician.keypad.unplug()
        assert {"speaker", "keypad"} <= set(outcome.passed)
        assert any(loudspeaker.heard)


@pytest.mark.parametrize(
    ("sends", "why"),
    [
        (lambda number: f"]C1{number}", "the scanner adds characters"),
        (lambda number: number[:-1], "the scanner drops characters"),
        (lambda number: "HC1:0:phone", "not those on the label"),
    ],
)
async def test_a_scanner_that_changes_what_it_reads_fails_and_is_told_how(
    tmp_path: Path, sends: Callable[[str], str], why: str
) -> None:
    async with Rig(tmp_path) as rig:
        outcome = await walk(rig, Technician(rig, scans=sends))
        assert why in outcome.failed["scanner"]
        assert "scanner" in written(rig)[0].failed


async def test_each_failing_device_is_named_and_the_others_are_tried_all_the_same(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        rig.reader.unplug()
        rig.printer.paper_out = True
        outcome = await walk(rig, Technician(rig, blind_to="WAIT"))
        assert set(outcome.failed) - {"clock"} == {"lamp wait", "card reader", "printer", "scanner"}
        assert "paper" in outcome.failed["printer"]
        assert outcome.failed["lamp wait"].startswith("it is not there")
        assert "FAIL printer" in summary(outcome)


async def test_nobody_at_the_console_fails_every_step_in_bounded_time(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        outcome = await preflight(rig.config, lambda _text: None, Limits(0.5, 0.05, 0.1))
        assert {"card reader", "scanner"} <= set(outcome.failed)


def test_all_limits_together_stay_below_five_minutes() -> None:
    limits = Limits()
    steps = (len(DEVICES) + 1) * limits.press + 4 * limits.fetch + limits.answer + limits.fetch
    assert steps < 300


async def test_it_never_runs_beside_the_kiosk(tmp_path: Path) -> None:
    async with open_site(tmp_path) as day:
        with pytest.raises(AlreadyRunningError, match="stop it first"):
            await walk(day.rig, Technician(day.rig))


def with_records(rig: Rig, *stock: str) -> None:
    """A kiosk that has been at work just now, after staff had counted this stock."""
    story = Story(pool_size=5, group_size=5, start=time.time())
    for text in stock:
        story.ordered(Do.STOCK, text=text)
    story.crowd(*range(5))
    story.printed()
    path = data_folder.journal(rig.config.kiosk.data_dir)
    path.parent.mkdir(parents=True, exist_ok=True)
    with Journal.open(path) as journal:
        journal.append([(seq.to_bytes(16), msgspec.msgpack.encode(entry)) for seq, entry in story.entries()])


async def test_an_uplink_works_when_the_command_post_has_acknowledged(tmp_path: Path, broker: Mosquitto) -> None:
    async with Rig(tmp_path, NOTHING, mqtt_port=broker.port) as rig:
        with_records(rig)
        await rig.start_hub()
        assert "uplink" in (await walk(rig, Technician(rig), PATIENT)).passed


async def test_a_broker_behind_which_nobody_receives_is_told_apart(tmp_path: Path, broker: Mosquitto) -> None:
    async with Rig(tmp_path, NOTHING, mqtt_port=broker.port) as rig:
        with_records(rig)
        outcome = await walk(rig, Technician(rig), PATIENT._replace(fetch=0.2))
        assert "does its receiver run?" in outcome.failed["uplink"]
        assert "uplink" in written(rig)[0].failed


async def test_a_broker_that_refuses_the_records_is_told_with_its_reason(tmp_path: Path) -> None:
    with mosquitto(tmp_path, "topic readwrite kiosk/v1/360481/1/state\n") as broker:
        async with Rig(tmp_path, NOTHING, mqtt_port=broker.port) as rig:
            with_records(rig)
            assert "Not authorized" in (await walk(rig, Technician(rig), PATIENT)).failed["uplink"]


async def test_a_broker_that_is_not_there_is_told(tmp_path: Path) -> None:
    async with Rig(tmp_path, NOTHING, mqtt_port=free_port()) as rig:
        outcome = await walk(rig, Technician(rig))
        assert "refused" in outcome.failed["uplink"]


@pytest.mark.parametrize(
    ("counted", "low"),
    [(("5 1000", "labels 1000"), ""), (("5 3", "labels 1000"), "5 2;"), (("labels 1000", "20 0"), "20 0;")],
)
async def test_stock_that_will_not_do_is_told(tmp_path: Path, counted: tuple[str, ...], low: str) -> None:
    async with Rig(tmp_path, NOTHING) as rig:
        with_records(rig, *counted)
        outcome = await walk(rig, Technician(rig))
        assert ("stock" in outcome.passed) == (not low)
        assert low in outcome.failed.get("stock", "")


async def test_for_programs_there_is_one_line_of_json_and_an_exit_status(tmp_path: Path) -> None:
    async with Rig(tmp_path, NOTHING) as rig:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "kiosk", "preflight", "--json", "--config", str(rig.config_path),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, told = await process.communicate()
        result = json.loads(out)
        assert "disk" in result["passed"]
        assert process.returncode == (1 if result["failed"] else 0)
        assert {"printer", "scanner", "card reader"} <= set(result["absent"])
        assert "[1/" in told.decode()
