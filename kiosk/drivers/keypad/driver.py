"""The numeric keypad, grabbed like a scanner, so that what is typed on it reaches nobody else."""

from collections.abc import Callable

from kiosk.config import HidKeypad
from kiosk.drivers.base import Post, keep_open
from kiosk.drivers.code_loop import read_codes
from kiosk.drivers.input_device import DIGITS, InputDevice
from kiosk.drivers.keypad.codec import KeypadCodec


class Keypad:
    """Posts NumberTyped and CodeFailed. A number that was half typed when the keypad was lost is thrown away."""

    name = "keypad"

    def __init__(self, config: HidKeypad, post: Post) -> None:
        self._config = config
        self._post = post

    async def run(self) -> None:
        await keep_open(self.name, self._post, self._session)

    async def _session(self, online: Callable[[], None]) -> None:
        async with InputDevice(self._config.device, DIGITS) as device:
            online()
            await read_codes(self.name, device, KeypadCodec(self._config.pause_s), self._config.pause_s, self._post)
