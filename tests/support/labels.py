"""Labels of invented tubes, and the barcode reader that judges them."""

import zxingcpp
from PIL import Image

from kiosk.domain import Stamp
from kiosk.labels import TubeLabel
from kiosk.tube import TubeNumber

AT = Stamp(wall=1_647_410_700_000, mono=0)  # 2022-03-16 14:05 in China


def number(serial: int) -> str:
    return str(TubeNumber("360481", 1, 75, serial))


def label(serial: int = 234, **changes: object) -> TubeLabel:
    fields = {
        "site": "朝阳门社区 03号点",
        "tube": number(serial),
        "members": 10,
        "size": 10,
        "at": AT,
        "specimen": "咽拭子",
    }
    return TubeLabel(**fields | changes)


def read(image: Image.Image) -> list[str]:
    """What a scanner makes of the picture."""
    return [code.text for code in zxingcpp.read_barcodes(image)]


def pattern() -> Image.Image:
    """A picture of 50x30 mm at 203 dpi that depends on no font."""
    return Image.frombytes("1", (400, 240), bytes(i * i % 251 for i in range(12_000)))
