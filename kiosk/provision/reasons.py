"""Why a provisioning was refused, on a label: once for each reason, however often a program starts again."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from kiosk import files, issue_folder
from kiosk.config import Devices, Printer
from kiosk.devices import PrinterDriver
from kiosk.notices import notice
from kiosk.provision.apply import REFUSED

SAID = "provision.said"
"""In the daemon's runtime folder: digests of the labels that were printed since the machine came up."""

TITLE = "配置有误 Provisioning refused"
AGAIN = ("改正后重新上电，或出示正确的配置码", "Correct it and switch on again, or show the right codes")


def refusal(run: Path) -> str:
    """What `apply` could not use, in /run; "" when it could use everything."""
    return issue_folder.read(run / issue_folder.NAME).get(REFUSED, "")


def print_once(
    runtime: Path, printer: PrinterDriver | None, hardware: Devices, title: str, lines: Sequence[str]
) -> None:
    """A printer that is not there yet prints it when it comes. Raises OSError."""
    digest = hashlib.sha256("\n".join((title, *lines)).encode()).hexdigest()[:16]
    said = runtime / SAID
    before = said.read_text("ascii").split() if said.is_file() else []
    if printer is None or not isinstance(hardware.printer, Printer) or digest in before:
        return
    printer.submit(f"notice:{digest}", 1, notice(title, lines, hardware.printer.label_mm, hardware.printer.dpi))
    files.put(said, "".join(f"{each}\n" for each in (*before, digest)).encode(), 0o600)
