"""A kiosk nobody has told who it is, on simulated devices: lamps, label, scanner."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image

from kiosk.config import Devices, HidCode, SerialCode, SocketPanel, TsplPrinter
from kiosk.drivers.code_hid.sim import HidScannerSim
from kiosk.drivers.code_serial.sim import SerialScannerSim
from kiosk.drivers.panel_socket.sim import SimPanel
from kiosk.drivers.printer.sim import SimPrinter
from kiosk.notices import notice
from kiosk.panel import LAMPS, Panel
from kiosk.provision import codes, lamps
from kiosk.provision.apply import Outcome, Places, apply
from kiosk.provision.lamps import Setup
from kiosk.provision.reasons import AGAIN, refusal
from kiosk.provision.wait import UNTOLD, Waiting, standard_devices
from kiosk.seal import PrivateKeys
from tests.support.provisioning import ID, POST, places, text


class Kiosk:
    """The program and what is plugged in."""

    def __init__(self, folder: Path) -> None:
        self.at = places(folder)
        (self.at.run / "kiosk").mkdir(exist_ok=True)
        self.printer_config = TsplPrinter(port=str(folder / "printer"))
        self.hardware = Devices(printer=self.printer_config, panel=SocketPanel(path=str(folder / "panel.sock")))
        self.serial = SerialScannerSim(folder / "code")
        self.hid = HidScannerSim(folder / "hid")
        self.printer = SimPrinter(self.printer_config)
        self.panel = SimPanel(folder / "panel.sock")
        self._scanners = (SerialCode(port=str(folder / "code")), HidCode(device=str(folder / "hid")))

    @contextlib.asynccontextmanager
    async def waiting(self) -> AsyncIterator["asyncio.Task[None]"]:
        task = asyncio.create_task(Waiting(self.at, self.hardware, self._scanners).run())
        try:
            async with self.panel:
                await self.panel.wait_for(lambda panel: panel.lamps["fault"] == "blink")
                await asyncio.sleep(0)
                yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def show(self, code: str, tone: str, *, hid: bool = False) -> Panel:
        """Shows a code and waits for this answer to it."""
        since, before = len(self.panel.history), self.panel.history[-1].signal
        await (self.hid if hid else self.serial).scan(code)
        return await self.panel.wait_for(lambda p: p.signal > before and p.buzzer == tone, since=since)

    async def label(self, number: int) -> Image.Image:
        async with asyncio.timeout(30):
            while len(self.printer.labels) <= number:
                await asyncio.sleep(0.01)
        return self.printer.labels[number]

    def notice(self, title: str, lines: tuple[str, ...]) -> Image.Image:
        return notice(title, lines, (50, 30), 203)


@pytest.fixture
async def kiosk(tmp_path: Path) -> AsyncIterator[Kiosk]:
    kiosk = Kiosk(tmp_path)
    kiosk.printer.plug(tmp_path / "printer")
    yield kiosk
    kiosk.printer.unplug()
    kiosk.serial.unplug()
    kiosk.hid.unplug()


def shown(key: PrivateKeys = POST, **changes: object) -> list[str]:
    content = text(id=ID, **changes)
    return codes.split(codes.seal(content, key.sign), ID)


def same(label: Image.Image, wanted: Image.Image) -> bool:
    return label.convert("1").tobytes() == wanted.tobytes()


async def test_codes_from_either_scanner_provision_the_kiosk(kiosk: Kiosk) -> None:
    async with kiosk.waiting() as task:
        assert same(await kiosk.label(0), kiosk.notice("未配置 Not provisioned", UNTOLD))
        first, *others, last = shown()
        panel = await kiosk.show(last, "held", hid=True)
        assert panel.bar == 10 // (len(others) + 2)
        assert (panel.lamps["stop"], panel.lamps["go"]) == ("on", "off")
        for code in others:
            await kiosk.show(code, "held")
        panel = await kiosk.show(first, "full")
        assert panel.bar == 10
        await asyncio.wait_for(task, 30)
    request = kiosk.at.run / "kiosk" / "provision.kp1"
    assert request.stat().st_mode & 0o777 == 0o600
    assert apply(kiosk.at) == Outcome(True, ())


async def test_what_is_wrong_with_a_code_is_shown(kiosk: Kiosk) -> None:
    async with kiosk.waiting():
        one = shown()[0]
        panel = await kiosk.show(one[:-20] + "A" * 20, "retry")
        assert (panel.lamps["stop"], panel.lamps["wait"], panel.bar) == ("blink", "blink", 0)
        panel = await kiosk.show("HC1:0:abcdef", "refused")
        assert (panel.lamps["stop"], panel.lamps["wait"]) == ("on", "off")
        assert (await kiosk.show(one, "held")).bar > 0
        assert (await kiosk.show(one, "held")).bar == kiosk.panel.history[-1].bar
        other = codes.split(codes.seal(text(), POST.sign), "P" * 16)
        assert (await kiosk.show(other[0], "acknowledged")).bar > 0
        assert len(kiosk.printer.labels) <= 1, "no label is spent on a wrong scan"


async def test_a_whole_but_wrong_provisioning_is_told_on_a_label(kiosk: Kiosk) -> None:
    async with kiosk.waiting() as task:
        *before, last = shown(kiosk={"number": 0})
        for code in before:
            await kiosk.show(code, "held")
        panel = await kiosk.show(last, "refused")
        assert panel.bar == 0
        why = "code: kiosk.number: found 0, expected a whole number ≥ 1 ≤ 99"
        assert same(await kiosk.label(1), kiosk.notice("配置码有误 Code refused", (why, *AGAIN)))
        assert not task.done()
        for code in shown()[:-1]:
            await kiosk.show(code, "held")
        await kiosk.show(shown()[-1], "full")


async def test_a_strangers_codes_are_refused(kiosk: Kiosk) -> None:
    async with kiosk.waiting():
        *before, last = shown(key=PrivateKeys.generate())
        for code in before:
            await kiosk.show(code, "held")
        await kiosk.show(last, "refused")


async def test_the_reason_of_a_refused_file_is_printed_once(kiosk: Kiosk) -> None:
    issue = kiosk.at.run / "kiosk-issues" / "provision-refused.json"
    issue.parent.mkdir()
    issue.write_text(json.dumps({"hint": "kiosk-provision.toml: site.code: missing"}), "utf-8")
    async with kiosk.waiting():
        why = "kiosk-provision.toml: site.code: missing"
        assert same(await kiosk.label(0), kiosk.notice("配置有误 Provisioning refused", (why, *AGAIN)))
    async with kiosk.waiting():
        issue.write_text(json.dumps({"hint": "another"}), "utf-8")
    async with kiosk.waiting():
        await kiosk.label(1)
    assert len(kiosk.printer.labels) == 2
    issue.write_text("damaged")
    assert refusal(kiosk.at.run) == ""


async def test_a_printer_that_comes_later_prints(kiosk: Kiosk, tmp_path: Path) -> None:
    kiosk.printer.unplug()
    async with kiosk.waiting():
        kiosk.printer.plug()
        await kiosk.label(0)


def test_the_standard_profile_has_the_devices() -> None:
    devices = standard_devices(Places())
    assert devices.panel.__struct_config__.tag == "gpio"
    assert devices.printer.__struct_config__.tag == "tspl"


def test_lamps_of_a_kiosk_that_was_not_told() -> None:
    steady = lamps.show(Setup(), 10_000)
    assert steady == Panel(dict.fromkeys(LAMPS, "off") | {"stop": "on", "wait": "blink", "fault": "blink"}, 0, "off", 0)
    for answer in ("none", "taken", "anew", "damaged", "refused", "complete"):
        for age in range(0, 5000, 100):
            panel = lamps.show(Setup(have=1, total=3, answer=answer, answer_at=1000, answers=1), 1000 + age)
            assert panel.lamps["go"] == panel.lamps["release"] == panel.lamps["alarm"] == "off"
            assert panel.lamps["fault"] == "blink"
            assert panel.bar == 3
        assert (panel.lamps, panel.buzzer) == (steady.lamps, "off")
