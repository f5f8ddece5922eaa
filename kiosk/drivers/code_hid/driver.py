"""The code scanner that types like a keyboard. It is grabbed, so that what it types reaches nobody else: not a log-in
prompt and not a shell."""

from collections.abc import Callable

from kiosk.config import HidCode
from kiosk.drivers.base import Post, keep_open
from kiosk.drivers.code_hid.codec import HidCodec
from kiosk.drivers.code_loop import read_codes
from kiosk.drivers.input_device import InputDevice

SILENCE_S = 1.0
"""Beyond a gap: how long a code may lie without its Enter before that is told. Time stamps end it sooner."""


class HidScanner:
    """Posts CodeScanned and CodeFailed. A code that was half typed when the device was lost is thrown away."""

    name = "code"

    def __init__(self, config: HidCode, post: Post) -> None:
        self._config = config
        self._post = post

    async def run(self) -> None:
        await keep_open(self.name, self._post, self._session)

    async def _session(self, online: Callable[[], None]) -> None:
        async with InputDevice(self._config.device) as device:
            online()
            codec = HidCodec(self._config.gap_s)
            await read_codes(self.name, device, codec, self._config.gap_s + SILENCE_S, self._post)
