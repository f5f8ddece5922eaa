"""The label font: Noto Sans CJK SC Bold, a subset for the names of sites and people (see scripts/make_font.py)."""

from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

BASELINE = 0.88  # of the height of a hanzi, from its top
SUBSTITUTE = "□"
ELLIPSIS = "…"

_FILE = Path(__file__).parent / "fonts/NotoSansCJKsc-Bold-subset.otf"
_NO_CHARACTER = "\U0010fffd"
_PROBE_DOTS = 24


@lru_cache(maxsize=64)
def font(size: int) -> ImageFont.FreeTypeFont:
    """The font with hanzi ``size`` dots high."""
    return ImageFont.truetype(_FILE, size, layout_engine=ImageFont.Layout.BASIC)


def width(text: str, size: int) -> int:
    """Dots from the start of ``text`` to its end."""
    return round(font(size).getlength(text, mode="1"))


@lru_cache(maxsize=4096)
def has(character: str) -> bool:
    """Whether the font can draw it."""
    return character.isprintable() and _shape(character) != _shape(_NO_CHARACTER)


def cut(text: str, size: int, room: int) -> str:
    """The longest beginning of ``text`` that fits into ``room`` dots with "…" behind it."""
    for end in range(len(text) - 1, 0, -1):
        if width(shorter := text[:end].rstrip() + ELLIPSIS, size) <= room:
            return shorter
    return ELLIPSIS


def _shape(character: str) -> bytes:
    return bytes(font(_PROBE_DOTS).getmask(character, mode="1"))
