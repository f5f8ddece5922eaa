"""The pictures: badges to cut out, the sheet of command codes, and each code as a label."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from PIL import Image, ImageDraw

from kiosk import typeface
from kiosk.labels import BLACK, WHITE
from kiosk.notices import QUIET, printable, qr_code
from kiosk.provision.sheet import A4, DPI
from kiosk.staff_sheet.catalogue import ROLES, Printed, Section
from kiosk.staff_sheet.rows import CHINA, Holder

_MM = DPI / 25.4
CODE_MM = 26
"""Of a code with its quiet zone; a badge of 57 modules then has modules of 0.4 mm."""
_MARGIN = round(15 * _MM)
_CARD = round(86 * _MM), round(54 * _MM)  # ISO/IEC 7810 ID-1, rounded up
_CELL = round(45 * _MM), round(41 * _MM)
_COLUMNS = (A4[0] - 2 * _MARGIN) // _CELL[0]


def code(text: str) -> Image.Image:
    """A code of at most CODE_MM with its quiet zone, in whole dots a module."""
    side = qr_code(text, 1).width + 2 * QUIET
    module = round(CODE_MM * _MM) // side
    image = Image.new("1", (side * module, side * module), WHITE)
    image.paste(qr_code(text, module), (QUIET * module, QUIET * module))
    return image


def badge_pages(site: str, badges: Sequence[tuple[Holder, str]]) -> Iterator[Image.Image]:
    """A4 at 300 dpi, ten badges of an identity card's size to cut out."""
    for start in range(0, len(badges), 10):
        page, draw = _page()
        for place, (holder, text) in enumerate(badges[start : start + 10]):
            left, top = _MARGIN + place % 2 * _CARD[0], round(12 * _MM) + place // 2 * _CARD[1]
            draw.rectangle((left, top, left + _CARD[0], top + _CARD[1]), outline=BLACK)
            _badge(page, draw, (left, top), site, holder, text)
        yield page


def _badge(
    page: Image.Image, draw: ImageDraw.ImageDraw, at: tuple[int, int], site: str, holder: Holder, text: str
) -> None:
    picture = code(text)
    left, top = at[0] + round(4 * _MM), at[1] + round(4 * _MM)
    room = _CARD[0] - picture.width - round(9 * _MM)
    page.paste(picture, (at[0] + _CARD[0] - picture.width - round(3 * _MM), at[1] + round(14 * _MM)))
    for line, height in badge_lines(site, holder):
        size = _fitting(line, round(height * _MM), room if top > at[1] + round(10 * _MM) else _CARD[0] - round(8 * _MM))
        draw.text((left, top), printable(line), BLACK, typeface.font(size), anchor="la")
        top += round(height * 1.35 * _MM)


def badge_lines(site: str, holder: Holder) -> Iterator[tuple[str, float]]:
    """What a badge says, with the height of a hanzi in mm."""
    zh, en = ROLES[holder.role]
    yield site, 4.5
    yield f"{holder.number} 号 {zh}", 7
    yield f"No. {holder.number} {en}", 4
    if holder.name:
        yield holder.name, 5
    yield f"{_clock(holder.since)} 起", 3
    yield f"{_clock(holder.until)} 止", 3
    yield "遗失立即报指挥部", 2.8
    yield "Lost: call at once", 2.8


def _clock(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, CHINA).strftime("%Y-%m-%d %H:%M")


def command_pages(site: str, codes: Sequence[tuple[Section, Sequence[tuple[Printed, str]]]]) -> Iterator[Image.Image]:
    """A4 at 300 dpi: a heading for each section, four codes a row."""
    page, draw, top = None, None, A4[1]
    for section, printed in codes:
        for start in range(0, len(printed), _COLUMNS):
            head = round(9 * _MM) if start == 0 else 0
            if top + head + _CELL[1] > A4[1] - _MARGIN or page is None or draw is None:
                if page is not None:
                    yield page
                page, draw = _page()
                top = _head(draw, site)
            if head:
                title = f"{section.zh}  {section.en}"
                draw.text((_MARGIN, top + round(2 * _MM)), title, BLACK, typeface.font(round(5.5 * _MM)), anchor="la")
                top += head
            for place, (each, text) in enumerate(printed[start : start + _COLUMNS]):
                _cell(page, draw, (_MARGIN + place * _CELL[0], top), each, text)
            top += _CELL[1]
    if page is not None:
        yield page


def _head(draw: ImageDraw.ImageDraw, site: str) -> int:
    top = _MARGIN
    for line, height in (
        (f"{site}  工作人员命令码  Command codes", 7.0),
        ("先扫胸牌，一分钟内再扫命令码。没有胸牌，命令码不起作用。", 4.0),
        ("Show your badge, then within a minute a code. Without a badge a code does nothing.", 3.5),
    ):
        size = _fitting(line, round(height * _MM), A4[0] - 2 * _MARGIN)
        draw.text((_MARGIN, top), printable(line), BLACK, typeface.font(size), anchor="la")
        top += round(height * 1.4 * _MM)
    return top


def _cell(page: Image.Image, draw: ImageDraw.ImageDraw, at: tuple[int, int], each: Printed, text: str) -> None:
    picture = code(text)
    page.paste(picture, (at[0] + (_CELL[0] - picture.width) // 2, at[1] + round(0.5 * _MM)))
    top, middle = at[1] + round(27 * _MM), at[0] + _CELL[0] // 2
    for line, height in lines(each):
        size = _fitting(line, round(height * _MM), _CELL[0] - round(2 * _MM))
        draw.text((middle, top), printable(line), BLACK, typeface.font(size), anchor="ma")
        top += round(height * 1.25 * _MM)


def lines(each: Printed) -> list[tuple[str, float]]:
    """What stands below a code, with the height of a hanzi in mm."""
    zh, en = each.then
    return [(f"{each.zh}，{zh}" if zh else each.zh, 4.2), (f"{each.en}, {en}" if en else each.en, 3.0)]


def _page() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("1", A4, WHITE)
    draw = ImageDraw.Draw(image)
    draw.fontmode = "1"
    return image, draw


def _fitting(line: str, size: int, room: int) -> int:
    """The largest size up to ``size`` at which the line has room; half of it at least."""
    least = size // 2
    return next((each for each in range(size, least, -1) if typeface.width(printable(line), each) <= room), least)
