"""Runs in the guest: the scanner's driver on keyboards that uinput makes. Prints what it made of each as JSON.

usage: keyboards.py TEXT...
"""

import asyncio
import json
import sys
from collections.abc import Sequence

from evdev import InputDevice, UInput, ecodes

from kiosk.config import HidCode
from kiosk.drivers.code_hid.driver import HidScanner
from kiosk.drivers.code_hid.sim import presses
from kiosk.events import CodeFailed, CodeScanned, DeviceOffline, DeviceOnline, Event

KEY_S = 0.002
GAP_S = 60.0
MORE_THAN_THE_KERNEL_KEEPS = "x" * 1000


class Scanner:
    """The driver on the keyboard that has just been made; ``said``: its events."""

    def __init__(self, path: str) -> None:
        self.said: list[Event] = []
        self._task = asyncio.create_task(HidScanner(HidCode(device=path, gap_s=GAP_S), self.said.append).run())

    async def says(self, kind: type[Event], times: int = 1) -> list[str]:
        """Waits for so many events of a kind; what each of them brings."""
        while len(found := [event for event in self.said if isinstance(event, kind)]) < times:
            await asyncio.sleep(0.01)
        return [getattr(event, "text", "") or getattr(event, "why", "") for event in found]

    def stop(self) -> None:
        self._task.cancel()


async def type_on(keyboard: UInput, text: str, pause_s: float = KEY_S) -> None:
    for key, value in presses(text):
        keyboard.write(ecodes.EV_KEY, key, value)
        keyboard.syn()
        if pause_s:
            await asyncio.sleep(pause_s)


async def main(texts: Sequence[str]) -> dict[str, object]:
    found: dict[str, object] = {}
    keyboard = UInput(name="Scanner")
    node = keyboard.device.path
    scanner = Scanner(node)
    await scanner.says(DeviceOnline)
    other = InputDevice(node)
    for text in texts:
        await type_on(keyboard, text)
    found["codes"] = await scanner.says(CodeScanned, len(texts))
    found["others read"] = other.read_one() is not None
    other.close()

    await type_on(keyboard, MORE_THAN_THE_KERNEL_KEEPS, pause_s=0)
    found["flood"] = await scanner.says(CodeFailed)
    await type_on(keyboard, "after the flood")
    found["after the flood"] = (await scanner.says(CodeScanned, len(texts) + 1))[-1]

    second = Scanner(node)
    found["held"] = await second.says(DeviceOffline)
    second.stop()

    keyboard.close()
    found["unplugged"] = await scanner.says(DeviceOffline)
    keyboard = UInput(name="Scanner")
    await scanner.says(DeviceOnline, 2)
    await type_on(keyboard, "plugged in again")
    found["plugged in again"] = (await scanner.says(CodeScanned, len(texts) + 2))[-1]
    scanner.stop()

    mouse = UInput({ecodes.EV_KEY: [ecodes.BTN_LEFT], ecodes.EV_REL: [ecodes.REL_X, ecodes.REL_Y]}, name="Mouse")
    clicker = Scanner(mouse.device.path)
    found["mouse"] = await clicker.says(DeviceOffline)
    clicker.stop()
    return found


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1:]))))
