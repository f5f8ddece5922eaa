"""The code scanner on a serial line: a UART, or USB in its virtual COM port mode."""

from collections.abc import Callable

from kiosk.config import SerialCode
from kiosk.drivers.base import Post, keep_open
from kiosk.drivers.code_loop import read_codes
from kiosk.drivers.code_serial.codec import SerialCodec
from kiosk.drivers.serial_port import SerialPort


class SerialScanner:
    """Posts CodeScanned and CodeFailed. A text that was half received when the port was lost is thrown away."""

    name = "code"

    def __init__(self, config: SerialCode, post: Post) -> None:
        self._config = config
        self._post = post

    async def run(self) -> None:
        await keep_open(self.name, self._post, self._session)

    async def _session(self, online: Callable[[], None]) -> None:
        async with SerialPort(self._config.port, self._config.baud) as port:
            port.discard_input()
            online()
            await read_codes(self.name, port, SerialCodec(), self._config.idle_s, self._post)
