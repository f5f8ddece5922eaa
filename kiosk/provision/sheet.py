"""The sheet a technician takes to the site: the codes of one kiosk, and in plain text whose they are."""

from collections.abc import Iterator, Sequence

from PIL import Image, ImageDraw

from kiosk import typeface
from kiosk.labels import BLACK, WHITE
from kiosk.notices import QUIET, printable, qr_code
from kiosk.provision.schema import Provision

DPI = 300
A4 = (2480, 3508)
_MARGIN = 180  # dots
_COLUMNS, _ROWS = 2, 3
_HEAD = 520
_TITLE, _TEXT = 110, 56
_MODULE = 12  # dots at most: one millimetre


def code_picture(code: str) -> Image.Image:
    """One code with its quiet zone, 8 dots a module."""
    drawn = qr_code(code, 8)
    image = Image.new("1", (drawn.width + 16 * QUIET, drawn.height + 16 * QUIET), WHITE)
    image.paste(drawn, (8 * QUIET, 8 * QUIET))
    return image


def pages(provision: Provision, codes: Sequence[str]) -> Iterator[Image.Image]:
    """A4 at 300 dpi, six codes a page."""
    per_page = _COLUMNS * _ROWS
    for start in range(0, len(codes), per_page):
        yield _page(provision, codes[start : start + per_page], start + 1, len(codes))


def _page(provision: Provision, codes: Sequence[str], first: int, total: int) -> Image.Image:
    image = Image.new("1", A4, WHITE)
    draw = ImageDraw.Draw(image)
    draw.fontmode = "1"
    site = provision.site
    title = f"{site.code}  {site.name}   {provision.kiosk.number} 号亭"
    room = A4[0] - 2 * _MARGIN
    size = next((each for each in range(_TITLE, _TEXT, -2) if typeface.width(printable(title), each) <= room), _TEXT)
    texts = (
        (size, title),
        (_TEXT, f"把下面 {total} 个码逐个对准采样亭的扫码器，顺序不限。每个码一声短响。只能用一次，用后销毁。"),
        (_TEXT, f"Show these {total} codes to the kiosk's scanner, in any order: a tick for each."),
        (_TEXT, "They serve once. Destroy this sheet afterwards: it holds passwords."),
    )
    top = _MARGIN
    for height, text in texts:
        draw.text((_MARGIN, top), printable(text), BLACK, typeface.font(height), anchor="la")
        top += round(height * 1.4)
    cell = room // _COLUMNS, (A4[1] - _HEAD - 2 * _MARGIN) // _ROWS
    for place, code in enumerate(codes):
        left = _MARGIN + place % _COLUMNS * cell[0]
        top = _MARGIN + _HEAD + place // _COLUMNS * cell[1]
        module = min(_MODULE, min(cell[0], cell[1] - 2 * _TEXT) // (qr_code(code, 1).width + 2 * QUIET))
        drawn = qr_code(code, module)
        image.paste(drawn, (left + (cell[0] - drawn.width) // 2, top + _TEXT + QUIET * module))
        label = f"{first + place} / {total}"
        draw.text((left + cell[0] // 2, top), label, BLACK, typeface.font(_TEXT), anchor="ma")
    return image
