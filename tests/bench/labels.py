"""(b) A label from its data to the printer's bytes, against what the common libraries do."""

import contextlib
import io
from collections.abc import Callable
from functools import partial
from pathlib import Path

import barcode
import zxingcpp
from barcode.writer import ImageWriter
from escpos.printer import Dummy
from PIL import Image

from kiosk.config import EscposPrinter, TsplPrinter, ZplPrinter
from kiosk.drivers.printer.languages import language_of
from kiosk.drivers.printer.paper import EscposPaper
from kiosk.labels import render, verify
from tests.bench.measure import MS, Samples, Section, Target, interleave, times
from tests.support.labels import label, number

DPI = 203.2
MODULE_MM = 0.25  # 2 dots

ABOUT = """\
The product's own path, per printer language: the whole label of 50 × 30 mm (four rows of text, Code 128) drawn, decoded
again by a barcode reader and encoded as the printer's bytes; another tube number each time. Peers, of the same number,
with the bars alone and no read-back in the time: python-escpos' own software path (`barcode` with `force_software`:
python-barcode's picture, sent as a raster) for the TM-L90 with modules of 2 dots, and python-barcode's `ImageWriter`
with modules of 0.25 mm, at the true 203.2 dpi of a head of 8 dots/mm and, as a control, at the 203 dpi it is called by.
What a peer drew is given to the same barcode reader, untimed; "reads" counts the numbers that came back right."""

PRINTERS = {"tspl": TsplPrinter(port="-"), "escpos": EscposPrinter(port="-"), "zpl": ZplPrinter(port="-")}


def _decoded(image: Image.Image) -> list[str]:
    """With quiet zones added, so that nothing but the bars can be at fault."""
    roomy = Image.new("L", (image.width + 80, image.height + 80), 255)
    roomy.paste(image.convert("L"), (40, 40))
    return [code.text for code in zxingcpp.read_barcodes(roomy)]


def _own(language: str) -> Callable[[int], bool]:
    codec = language_of(PRINTERS[language])

    def work(serial: int) -> bool:
        made = label(serial)
        image = render(made, (50, 30), 203)
        verify(image, made.tube)
        codec.job(image)
        return True

    return work


def _escpos(serial: int) -> Image.Image:
    printer = Dummy(profile="TM-L90")
    with contextlib.redirect_stdout(io.StringIO()):
        printer.barcode(number(serial), "CODE128", height=80, width=2, align_ct=False, force_software="bitImageRaster")
    return next(deed for deed in EscposPaper().feed(printer.output + b"\x1d\x0c") if isinstance(deed, Image.Image))


def _barcode(serial: int, dpi: float) -> Image.Image:
    code = barcode.get("code128", number(serial), writer=ImageWriter(mode="1"))
    options = {"dpi": dpi, "module_width": MODULE_MM, "module_height": 10, "quiet_zone": 2.5, "write_text": False}
    drawn: Image.Image = code.render(options)
    return drawn


def run(_folder: Path, scale: float) -> Section:
    count = max(20, round(200 * scale))
    own = {language: Samples(language) for language in PRINTERS}
    peers: dict[str, tuple[Samples, Callable[[int], Image.Image]]] = {
        "python-escpos barcode": (Samples("python-escpos"), _escpos),
        "python-barcode at 203.2 dpi": (Samples("python-barcode"), partial(_barcode, dpi=DPI)),
        "python-barcode at 203 dpi": (Samples("python-barcode"), partial(_barcode, dpi=203)),
    }
    serial = iter(range(1, 10_000))
    works: list[tuple[Samples, Callable[[], object]]] = []
    drawn: dict[str, list[tuple[str, Image.Image]]] = {name: [] for name in peers}

    def of_peer(name: str, draw: Callable[[int], Image.Image]) -> Callable[[], object]:
        def work() -> None:
            at = next(serial)
            drawn[name].append((number(at), draw(at)))

        return work

    def of_ours(make: Callable[[int], bool]) -> Callable[[], object]:
        return lambda: make(next(serial))

    works += [(own[language], of_ours(_own(language))) for language in PRINTERS]
    works += [(samples, of_peer(name, draw)) for name, (samples, draw) in peers.items()]
    interleave(count, *works)
    rows = [
        (f"{language}: label, text, read-back, bytes", str(count), *times(samples), f"{count} of {count}")
        for language, samples in own.items()
    ]
    for name, (samples, _) in peers.items():
        good = sum(_decoded(image) == [text] for text, image in drawn[name])
        verdict = f"{good} of {count}" + ("" if good == count else " **unreadable**" if not good else " **unreliable**")
        rows.append((f"{name}: bars alone", str(count), *times(samples, own["tspl"]), verdict))
    targets = [Target(f"{language}, median", samples.median * MS, 5, " ms") for language, samples in own.items()]
    return Section("(b) Label", ABOUT, ("path", "n", "median ms", "p99 ms", "ratio to tspl", "reads"), rows, targets)
