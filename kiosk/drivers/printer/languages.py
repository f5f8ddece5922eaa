"""From a printer's configuration to its language."""

from PIL import Image

from kiosk.config import EscposPrinter, TsplPrinter, ZplPrinter
from kiosk.drivers.escpos.codec import Escpos
from kiosk.drivers.printer import Language
from kiosk.drivers.tspl.codec import Tspl
from kiosk.drivers.zpl.codec import Zpl
from kiosk.labels import in_dots

AnyPrinter = TsplPrinter | EscposPrinter | ZplPrinter


def language_of(config: AnyPrinter) -> Language:
    """The codec for these settings, tried out on a blank label. Raises ValueError for settings it cannot use."""
    language: Language
    match config:
        case TsplPrinter():
            language = Tspl(config)
        case EscposPrinter():
            language = Escpos(config)
        case ZplPrinter():
            language = Zpl(config)
    language.job(Image.new("1", in_dots(config.label_mm, config.dpi), 255))
    return language
