"""The label of a tube: a 1-bit picture in whole printer dots, decoded again before it is sent.

Code 128 set C after ISO/IEC 15417: 16 digits are 123 modules. A module is 2 dots at 203 dpi (0.250 mm) and 3 dots at
300 dpi (0.254 mm), the nominal X of ISBT 128; the quiet zones are at least 10 modules; the bars are at least 10 mm
high, 8 mm on a 20 mm label. Black is 0, white is 255.
"""

from datetime import UTC, datetime, timedelta, timezone
from typing import Literal

import msgspec
import zxingcpp
from PIL import Image, ImageDraw

from kiosk import typeface
from kiosk.config import Config, NoDevice
from kiosk.domain import Private, Stamp
from kiosk.tube import BadTubeNumber, TubeNumber

SIZES_MM = ((50, 30), (40, 30), (50, 20))
DOTS_PER_MM = {203: 8.0, 300: 300 / 25.4}  # the head called "203 dpi" has 8 dots in a millimetre
MODULE = {203: 2, 300: 3}  # dots
BLACK, WHITE = 0, 255

_CODE_128 = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.Code128)

_MARGIN_MM = 1.0
_BETWEEN_TEXTS_MM = 1.5
_BETWEEN_ROWS_MM = 0.5
_NAME_KEEPS = 4  # hanzi of a person's name that always have room


class LabelError(ValueError):
    """A label that cannot be printed as asked: the text says which field, how wide it is and how much there is.
    ``field``: that field, or ""."""

    def __init__(self, why: str, field: str = "") -> None:
        super().__init__(why)
        self.field = field


class TubeLabel(Private, msgspec.Struct, frozen=True, kw_only=True):
    """What a label says. ``name``: of the one person of a single tube, else "". ``household`` and ``isolation`` (the
    lane of that name) stand beside what the tube is, ``reprint`` adds the mark 补;
    in a ``drill`` 演练 stands in the specimen's place."""

    site: str
    tube: str  # 16 digits
    members: int
    size: int
    at: Stamp
    specimen: str
    name: str = ""
    reprint: bool = False
    household: bool = False
    isolation: bool = False
    drill: bool = False

    __repr__ = Private.__repr__
    __str__ = Private.__repr__

    @property
    def short(self) -> bool:
        return self.members < self.size

    @property
    def count(self) -> str:
        if self.size == 1:
            return "隔离单采" if self.isolation else "单采"
        return f"{self.members}/{self.size} 不足" if self.short else f"{self.size}合1"

    @property
    def when(self) -> str:
        zone = timezone(timedelta(seconds=self.at.zone))
        return datetime.fromtimestamp(self.at.wall // 1000, UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M")


class _Item(msgspec.Struct, frozen=True):
    """One text in a row. It may shrink from ``size`` to ``least``, both in mm of a hanzi's height."""

    field: str
    text: str
    size: float
    least: float = 2.25
    align: Literal["left", "centre", "right"] = "left"
    inverse: bool = False  # white on black


_Row = tuple[_Item, ...]

NASAL = "鼻咽拭子"
"""As it stands on the label of a nasopharyngeal specimen (rule G12)."""


def render(label: TubeLabel, label_mm: tuple[int, int], dpi: int) -> Image.Image:
    """The picture of ``label``: mode "1", `in_dots` large.

    Raises LabelError for a size that is not supported, a wrong tube number, and a text that does not fit or needs a
    character the font does not have. A person's name never raises: what does not fit ends in "…", a character the font
    lacks becomes "□".
    """
    if tuple(label_mm) not in SIZES_MM:
        known = ", ".join(f"{width}x{height}" for width, height in SIZES_MM)
        raise LabelError(f"label size {label_mm[0]}x{label_mm[1]} mm is not supported, expected one of {known}")
    if label.name and label.size != 1:
        raise LabelError("a person's name is printed on a single tube only")
    scale = DOTS_PER_MM[dpi]
    width, height = in_dots(label_mm, dpi)
    margin, gap = round(_MARGIN_MM * scale), round(_BETWEEN_ROWS_MM * scale)
    image = Image.new("1", (width, height), WHITE)
    draw = ImageDraw.Draw(image)
    draw.fontmode = "1"

    above, below = _rows(label, flat=label_mm[1] <= 20)
    top, bottom = margin, height - margin
    for row in above:
        _draw_row(draw, row, top, margin, width - margin, scale)
        top += _height(row, scale) + gap
    for row in reversed(below):
        bottom -= _height(row, scale)
        _draw_row(draw, row, bottom, margin, width - margin, scale)
        bottom -= gap
    bars = _bars(label.tube, MODULE[dpi], bottom - top)
    image.paste(bars, ((width - bars.width) // 2, top))
    return image


def in_dots(label_mm: tuple[int, int], dpi: int) -> tuple[int, int]:
    """Width and height of a label in dots of the head, rounded down to whole ones."""
    return int(label_mm[0] * DOTS_PER_MM[dpi]), int(label_mm[1] * DOTS_PER_MM[dpi])


def verify(image: Image.Image, tube: str) -> None:
    """Reads the picture as a scanner does. Raises LabelError unless it holds this number and no other."""
    found = zxingcpp.read_barcodes(image, _CODE_128, try_rotate=False, try_downscale=False, try_invert=False)
    if [code.text for code in found] != [tube]:
        raise LabelError(f"the picture of the label does not read as {tube}")


def check_layout(site: str, specimen: str, label_mm: tuple[int, int], dpi: int) -> None:
    """Lays out the widest labels there can be. Raises LabelError as `render` does."""
    tube = str(TubeNumber("888888", 88, 888, 8888))
    pool = TubeLabel(site=site, tube=tube, members=20, size=20, at=Stamp(0, 0), specimen=specimen, reprint=True)
    short = msgspec.structs.replace(pool, members=19)
    single = msgspec.structs.replace(pool, members=1, size=1, name="国" * _NAME_KEEPS)
    for label in (
        pool,
        short,
        msgspec.structs.replace(short, household=True),
        single,
        msgspec.structs.replace(single, isolation=True, specimen=NASAL),
        msgspec.structs.replace(short, drill=True),
        msgspec.structs.replace(single, drill=True),
    ):
        verify(render(label, label_mm, dpi), tube)


def sample_label(config: Config) -> Image.Image:
    """A label as this kiosk prints it, without a printer 50x30 mm at 203 dpi. Raises LabelError as `render` does."""
    printer = config.devices.printer
    label_mm, dpi = ((50, 30), 203) if isinstance(printer, NoDevice) else (printer.label_mm, printer.dpi)
    size = config.policy.pool_size
    label = TubeLabel(
        site=config.site.name,
        tube=str(TubeNumber(config.site.code, config.kiosk.number, 75, 1)),
        members=size,
        size=size,
        at=Stamp(wall=1_647_410_700_000, mono=0),
        specimen=config.policy.specimen,
        name="张三" if size == 1 else "",
    )
    image = render(label, label_mm, dpi)
    verify(image, label.tube)
    return image


def _rows(label: TubeLabel, *, flat: bool) -> tuple[tuple[_Row, ...], tuple[_Row, ...]]:
    """What stands above and below the bars; on a flat label the same in one row less each."""
    try:
        grouped = TubeNumber.parse(label.tube).grouped()
    except BadTubeNumber as error:
        raise LabelError(f"tube number: {error}") from None
    small = 2.5 if flat else 3.0
    kind = " 一户" if label.household else "" if flat or label.size == 1 else " 混采"
    site = _Item("site name", label.site, 3.0)
    mark = (_Item("reprint mark", "补", 3.0, align="right", inverse=True),) if label.reprint else ()
    marked = label.short or label.isolation
    count = _Item("count", label.count, 3.0 if flat else 4.0, 2.25 if flat else 3.0, "right", marked)
    number = _Item("number", grouped, 2.75, align="left" if flat and label.name else "centre")
    when = _Item("time", label.when, small)
    what = ("drill mark", "演练") if label.drill else ("specimen", label.specimen + kind)
    specimen = _Item(*what, small, align="right" if flat or label.name else "left", inverse=label.drill)
    name = _Item("name", _printable(label.name), small, align="right" if flat else "left")
    if flat:
        below = ((number, specimen), (when, name)) if label.name else ((number,), (when, specimen))
        return ((site, *mark, count),), below
    return ((site, *mark),), ((number,), (when, count), (name, specimen) if label.name else (specimen,))


def _printable(name: str) -> str:
    return "".join(c if typeface.has(c) else typeface.SUBSTITUTE for c in " ".join(name.split()))


def _height(row: _Row, scale: float) -> int:
    return round(max(item.size for item in row) * scale)


def _width(item: _Item, size: int) -> int:
    return typeface.width(item.text, size) + (2 * _padding(size) if item.inverse else 0)


def _padding(size: int) -> int:
    return size // 8


def _fit(row: _Row, room: int, scale: float) -> list[tuple[_Item, int]]:
    """Each text with its size in dots: the largest at which the row fits ``room`` dots; all shrink together."""
    for item in row:
        if missing := "".join(c for c in item.text if not typeface.has(c)):
            raise LabelError(f"{item.field}: the label font has no {missing!r}", item.field)
    room -= round(_BETWEEN_TEXTS_MM * scale) * (len(row) - 1)
    for step in range(8, -1, -1):
        sizes = [int((item.least + (item.size - item.least) * step / 8) * scale) for item in row]
        spare = room - sum(map(_width, row, sizes))
        if spare >= 0:
            return list(zip(row, sizes, strict=True))
    fitted = []
    for item, size in zip(row, sizes, strict=True):
        available = _width(item, size) + spare
        if item.field == "name" and available >= _NAME_KEEPS * size:
            item = msgspec.structs.replace(item, text=typeface.cut(item.text, size, available))
            spare = 0
        fitted.append((item, size))
    if spare < 0:
        item, size = max(fitted, key=lambda pair: pair[0].field in ("site name", "specimen"))
        needed = _width(item, size)
        raise LabelError(
            f"{item.field} {item.text!r} is at least {needed / scale:.1f} mm wide,"
            f" {(needed + spare) / scale:.1f} mm are available",
            item.field,
        )
    return fitted


def _draw_row(draw: ImageDraw.ImageDraw, row: _Row, top: int, left: int, right: int, scale: float) -> None:
    baseline = top + round(typeface.BASELINE * _height(row, scale))
    fitted = _fit(row, right - left, scale)
    for item, size in reversed(fitted):
        width = _width(item, size)
        if item.align == "right":
            right -= width
            x, right = right, right - round(_BETWEEN_TEXTS_MM * scale)
        else:
            x = left if item.align == "left" else (left + right - width) // 2
        if item.inverse:
            head = baseline - round(typeface.BASELINE * size)
            draw.rectangle((x, head - 1, x + width - 1, head + size), fill=BLACK)
            x += _padding(size)
        ink = WHITE if item.inverse else BLACK
        draw.text((x, baseline), item.text, ink, typeface.font(size), anchor="ls")


def _bars(tube: str, module: int, height: int) -> Image.Image:
    code = zxingcpp.create_barcode(tube, zxingcpp.BarcodeFormat.Code128)
    drawn = Image.fromarray(zxingcpp.write_barcode_to_image(code, add_quiet_zones=False))
    line = drawn.crop((0, 0, drawn.width, 1)).resize((drawn.width * module, height), Image.Resampling.NEAREST)
    return line.convert("1", dither=Image.Dither.NONE)
