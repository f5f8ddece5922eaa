"""Labels that are no tube labels: enrolment, receipts, reasons why something was refused.

A title, lines of text in Chinese and English, and where wanted a QR code in whole dots, read back before it is used.
Unlike the label of a tube a notice always comes out: text wraps, shrinks and at last is cut, a character the font lacks
becomes "□", and a code that does not fit or does not read is printed as text.
"""

import re
from collections.abc import Iterator, Sequence

import zxingcpp
from PIL import Image, ImageDraw

from kiosk import typeface
from kiosk.labels import BLACK, DOTS_PER_MM, WHITE

QUIET = 4
"""Modules of white around a QR code (ISO/IEC 18004)."""

_MARGIN_MM = 1.0
_LEADING = 1.15  # from line to line, in heights of a hanzi
_SIZES_MM = (3.5, 3.25, 3.0, 2.75, 2.5, 2.25, 2.0, 1.75)
_TITLE = 1.25  # times the height of the text
_LEAST_MODULE_MM = 0.24
_MOST_MODULE_MM = 0.55
_CODE_SHARE = 0.5  # of the width, at most, while a smaller module will do
_QR = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
_WORD = re.compile(r"[!-~]+\s?|\s|.")


def notice(title: str, lines: Sequence[str], label_mm: tuple[int, int], dpi: int, *, code: str = "") -> Image.Image:
    """The picture of a notice: mode "1", as many whole dots as the label has. ``code``: the text of a QR code at the
    right, or none. Never raises."""
    scale = DOTS_PER_MM.get(dpi, dpi / 25.4)
    size = max(1, int(label_mm[0] * scale)), max(1, int(label_mm[1] * scale))
    if code:
        for module in _modules(code, size, scale):
            picture = _compose(title, lines, size, scale, qr_code(code, module), QUIET * module)
            if code in read(picture):
                return picture
        lines = [*lines, code]
    return _compose(title, lines, size, scale, None, 0)


def qr_code(text: str, module: int) -> Image.Image:
    """The code without a quiet zone, ``module`` dots a module. Raises ValueError when no QR code holds so much."""
    drawn = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode, ec_level="M")
    image = Image.fromarray(zxingcpp.write_barcode_to_image(drawn, add_quiet_zones=False))
    larger = image.resize((image.width * module, image.height * module), Image.Resampling.NEAREST)
    return larger.convert("1", dither=Image.Dither.NONE)


def read(picture: Image.Image) -> list[str]:
    """The texts of the QR codes in a picture, as a scanner reads them."""
    return [found.text for found in zxingcpp.read_barcodes(picture, _QR)]


def printable(text: str) -> str:
    """One line the label font can draw: white space becomes single blanks, what it lacks becomes "□"."""
    return "".join(c if typeface.has(c) else typeface.SUBSTITUTE for c in " ".join(text.split()))


def _modules(code: str, size: tuple[int, int], scale: float) -> Iterator[int]:
    """Sizes of a module in dots that fit: the large ones that leave room for text, then those that leave less."""
    try:
        side = qr_code(code, 1).width
    except ValueError:
        return
    least, most = max(1, round(_LEAST_MODULE_MM * scale)), max(1, int(_MOST_MODULE_MM * scale))
    fitting = [module for module in range(most, least - 1, -1) if (side + 2 * QUIET) * module <= min(size)]
    roomy = [module for module in fitting if (side + 2 * QUIET) * module <= _CODE_SHARE * size[0]]
    yield from roomy
    yield from (module for module in reversed(fitting) if module not in roomy)


def _compose(
    title: str, lines: Sequence[str], size: tuple[int, int], scale: float, code: Image.Image | None, quiet: int
) -> Image.Image:
    image = Image.new("1", size, WHITE)
    draw = ImageDraw.Draw(image)
    draw.fontmode = "1"
    margin = round(_MARGIN_MM * scale)
    room = size[0] - 2 * margin
    if code is not None:
        left = size[0] - max(margin, quiet) - code.width
        image.paste(code, (left, (size[1] - code.height) // 2))
        room = left - quiet - margin
    top = margin
    for text, height in _fit(printable(title), [printable(line) for line in lines], room, size[1] - 2 * margin, scale):
        draw.text((margin, top + round(typeface.BASELINE * height)), text, BLACK, typeface.font(height), anchor="ls")
        top += round(_LEADING * height)
    return image


def _fit(title: str, lines: list[str], room: int, height: int, scale: float) -> list[tuple[str, int]]:
    """Rows of text with their size in dots: the largest at which all of it fits, else the smallest, cut short."""
    rows: list[tuple[str, int]] = []
    for size in (max(1, int(each * scale)) for each in _SIZES_MM):
        head = round(size * _TITLE)
        rows = [(row, head) for row in _wrapped(title, head, room)]
        rows += [(row, size) for line in lines for row in _wrapped(line, size, room)]
        if _height(rows) <= height:
            return rows
    while rows and _height(rows) > height:
        rows.pop()
        if rows:
            text, size = rows[-1]
            rows[-1] = typeface.cut(text + typeface.ELLIPSIS, size, room), size
    return rows


def _height(rows: list[tuple[str, int]]) -> int:
    return sum(round(_LEADING * size) for _, size in rows)


def _wrapped(text: str, size: int, room: int) -> Iterator[str]:
    """``text`` in rows of ``room`` dots: broken between words, between hanzi, and inside a word that is too long."""
    row = ""
    for word in _WORD.findall(text):
        if typeface.width((row + word).rstrip(), size) > room:
            if row:
                yield row.rstrip()
            row = ""
            while len(word) > 1 and typeface.width(word.rstrip(), size) > room:
                end = _longest(word, size, room)
                yield word[:end]
                word = word[end:]
        row = (row + word).lstrip()
    if row.strip():
        yield row.rstrip()


def _longest(word: str, size: int, room: int) -> int:
    """How many characters of a word fit; at least one."""
    end = 1
    while end < len(word) and typeface.width(word[: end + 1], size) <= room:
        end += 1
    return end
