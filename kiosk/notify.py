"""What systemd is told: readiness, status, a heartbeat that proves something. sd_notify(3), sd_watchdog_enabled(3)."""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Mapping

log = logging.getLogger(__name__)


class Notifier:
    """Talks to the service manager; without one every method does nothing.

    ``watchdog_s``: seconds within which the manager wants a heartbeat, or None.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_s = _watchdog_s(environ)

    def ready(self, status: str = "") -> None:
        self._send("READY=1", f"STATUS={status}")

    def status(self, text: str) -> None:
        self._send(f"STATUS={text}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    async def heartbeat(self, answer: Callable[[], Awaitable[object]]) -> None:
        """Works until cancelled: three times within the watchdog's time asks ``answer``, which must go through runner
        and journal, and passes a heartbeat when it returned. As long as it raises or never returns, none passes and the
        manager restarts the daemon."""
        if self.watchdog_s is None:
            return
        while True:
            try:
                await answer()
            except Exception:
                log.exception("no heartbeat: runner or journal did not answer")
            else:
                self._send("WATCHDOG=1")
            await asyncio.sleep(self.watchdog_s / 3)

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        text = "\n".join(line.replace("\n", " ") for line in lines)
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.connect(self._address)
            sender.send(text.encode())


def _watchdog_s(environ: Mapping[str, str]) -> float | None:
    try:
        micros, pid = int(environ["WATCHDOG_USEC"]), int(environ.get("WATCHDOG_PID", os.getpid()))
    except (KeyError, ValueError):
        return None
    return micros / 1_000_000 if micros > 0 and pid == os.getpid() else None
