"""The enrolment label: printed at the first start under an identity, and whenever somebody asks for it."""

import asyncio
import logging

from nacl.signing import SigningKey
from PIL import Image

from kiosk import __version__, enrolment
from kiosk.config import Config, Printer
from kiosk.devices import PrinterDriver
from kiosk.events import Event, PrintSucceeded
from kiosk.journal import StorageFault
from kiosk.journal_thread import JournalThread
from kiosk.notices import notice
from kiosk.seal import fingerprint

log = logging.getLogger(__name__)

JOB = "notice:enrolment"
_MARK = "enrolment label"


def label(config: Config, key: SigningKey) -> Image.Image:
    """As this kiosk prints it, without a printer 50x30 mm at 203 dpi."""
    printer = config.devices.printer
    label_mm, dpi = (printer.label_mm, printer.dpi) if isinstance(printer, Printer) else ((50, 30), 203)
    site, number = config.site, config.kiosk.number
    lines = (f"{site.code} {site.name}", f"{number} 号亭 kiosk {number}", fingerprint(key.verify_key), __version__)
    return notice("登记标签 Enrolment", lines, label_mm, dpi, code=enrolment.code(site.code, number, key))


class Introduction:
    """``run`` prints the label unless this identity has had one; what the printer says comes in by ``heard``."""

    def __init__(self, config: Config, key: SigningKey, journal: JournalThread, printer: PrinterDriver | None) -> None:
        self._config, self._key = config, key
        self._journal = journal
        self._printer = printer
        self._printed = asyncio.Event()

    async def run(self) -> None:
        """Once the kiosk is ready. A label that did not come out is printed at the next start."""
        config = self._config
        identity = enrolment.identity(config.site.code, config.kiosk.number, self._key.verify_key)
        try:
            if await self._journal.mark(_MARK) == identity or not config.kiosk.enrolment_label or not self.print():
                return
            await self._printed.wait()
            await self._journal.set_mark(_MARK, identity)
        except StorageFault as fault:
            log.warning("whether the enrolment label was printed cannot be kept: %s", fault)

    def print(self) -> bool:
        """Whether there is a printer for it."""
        if self._printer is None:
            return False
        self._printer.submit(JOB, 1, label(self._config, self._key))
        return True

    def heard(self, event: Event) -> None:
        if isinstance(event, PrintSucceeded) and event.tube == JOB:
            self._printed.set()
