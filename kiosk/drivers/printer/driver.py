"""The label printer: jobs in order, each tried until the printer has taken it, under the same number every time."""

import asyncio
from collections import deque
from collections.abc import Callable

import msgspec
from PIL import Image

from kiosk.drivers.base import Post, keep_open
from kiosk.drivers.printer.conversation import Conversation
from kiosk.drivers.printer.languages import AnyPrinter, language_of
from kiosk.drivers.printer.transport import open_port
from kiosk.events import PrintFailed, PrintSucceeded


class _Job(msgspec.Struct):
    """``missing``: bytes the printer may still wait for after a try that failed; None before that."""

    tube: str
    attempt: int
    data: bytes
    missing: int | None = None


class LabelPrinter:
    """A label printer. One that cannot print (no paper, head open) is off line and says why; the jobs wait and come
    out in order. One that never answers a status query is printed on, and its labels are not confirmed.

    Raises ValueError when the settings do not go together.
    """

    name = "printer"

    def __init__(self, config: AnyPrinter, post: Post) -> None:
        self._config = config
        self._post = post
        self._language = language_of(config)
        self._jobs: deque[_Job] = deque()
        self._sending: _Job | None = None
        self._wake = asyncio.Event()

    def submit(self, tube: str, attempt: int, image: Image.Image) -> None:
        """Queues a label. A tube that already waits is not queued again; another picture of it takes the place of the
        one that waits, or follows the one being sent. Raises ValueError as the language does."""
        data = self._language.job(image)
        waiting = next((job for job in reversed(self._jobs) if job.tube == tube), None)
        if waiting is None or (waiting is self._sending and waiting.data != data):
            self._jobs.append(_Job(tube, attempt, data))
        elif waiting.data != data:
            waiting.data, waiting.attempt = data, attempt
        self._wake.set()

    async def run(self) -> None:
        """Works until cancelled. A try that failed is posted once; while the printer stays away, trying goes on."""
        await keep_open(self.name, self._post, self._session)

    async def _session(self, online: Callable[[], None]) -> None:
        up = False
        async with open_port(self._config.port, self._config.baud, self._config.timeout_s) as port:
            printer = Conversation(port, self._language, self._config.timeout_s)
            await printer.check()
            while True:
                failed_before = bool(self._jobs) and self._jobs[0].missing is not None
                if printer.answers or not failed_before:
                    online()
                    up = True
                if self._jobs:
                    await self._print(printer, self._jobs[0], report=up)
                else:
                    await self._wait_for_job(printer)

    async def _print(self, printer: Conversation, job: _Job, *, report: bool) -> None:
        again = b"" if job.missing is None else self._language.resync(job.missing)
        job.missing = len(job.data)
        self._sending = job
        try:
            await printer.send(again + job.data)
            job.missing = 0
            confirmed = await printer.settle()
        except OSError as error:
            if report:
                self._post(PrintFailed(job.tube, job.attempt, str(error)))
                job.attempt += 1
            self._give_way(job)
            raise
        finally:
            self._sending = None
        self._jobs.popleft()
        self._post(PrintSucceeded(job.tube, job.attempt, confirmed))

    def _give_way(self, failed: _Job) -> None:
        """A newer picture of the tube is printed in the place of one that failed."""
        newer = next((job for job in self._jobs if job is not failed and job.tube == failed.tube), None)
        if newer is not None:
            newer.missing = failed.missing
            self._jobs.remove(newer)
            self._jobs[0] = newer

    async def _wait_for_job(self, printer: Conversation) -> None:
        self._wake.clear()
        watch, wake = asyncio.create_task(printer.watch()), asyncio.create_task(self._wake.wait())
        try:
            await asyncio.wait((watch, wake), return_when=asyncio.FIRST_COMPLETED)
            if watch.done():
                watch.result()
        finally:
            watch.cancel()
            wake.cancel()
            await asyncio.gather(watch, wake, return_exceptions=True)
