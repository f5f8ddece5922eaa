"""The three printer languages with their settings and the paper that judges each."""

from dataclasses import dataclass

from PIL import Image

from kiosk.config import EscposPrinter, TsplPrinter, ZplPrinter
from kiosk.drivers.printer.languages import AnyPrinter
from kiosk.drivers.printer.paper import EscposPaper, Paper, TsplPaper, ZplPaper
from kiosk.labels import DOTS_PER_MM

CONFIGS = {"tspl": TsplPrinter, "escpos": EscposPrinter, "zpl": ZplPrinter}


@dataclass(frozen=True)
class Kind:
    """One language."""

    name: str

    def config(self, **settings: object) -> AnyPrinter:
        if self.name == "escpos" and settings.get("dpi") == 300:
            settings = {"profile": "default"} | settings  # of no known width
        return CONFIGS[self.name](**{"port": "labels.bin"} | settings)

    def paper(self, config: AnyPrinter) -> Paper:
        if isinstance(config, TsplPrinter):
            return TsplPaper(DOTS_PER_MM[config.dpi], black_is_one=config.invert)
        return EscposPaper() if isinstance(config, EscposPrinter) else ZplPaper()


KINDS = [Kind(name) for name in CONFIGS]


def same(printed: Image.Image, image: Image.Image) -> bool:
    """Whether the picture came out dot for dot; a printer adds at most seven blank columns to fill up a byte."""
    rest = printed.crop((image.width, 0, printed.width, printed.height)).convert("L")
    dots = printed.crop((0, 0, *image.size)).convert("L")
    blank = printed.width == image.width or rest.getextrema() == (255, 255)
    return dots.tobytes() == image.convert("L").tobytes() and blank and printed.width - image.width < 8
