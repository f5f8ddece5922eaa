"""Makes the label font: a subset of Noto Sans CJK SC Bold (SIL Open Font License 1.1).

    python scripts/make_font.py /usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc

The subset covers what may stand in a site's or a person's name: GB 2312, the 8,105 characters of the Table of General
Standard Chinese Characters of 2013 (the ones beyond GB 2312 lie in names.txt), the 5,401 common traditional
characters of Big5 level 1 (Hong Kong, Macao and Taiwan residents), and Latin letters with accents.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from fontTools import subset

HERE = Path(__file__).parent
TARGET = HERE.parent / "kiosk/fonts/NotoSansCJKsc-Bold-subset.otf"
SIMPLIFIED_CHINESE = 2  # index in the collection


def characters() -> Iterator[str]:
    yield from (chr(code) for code in (*range(0x20, 0x7F), *range(0xA0, 0x180), 0x2022, 0x2026, 0x2027, 0x25A1, 0x3007))
    for row in (1, 2, 3, *range(16, 88)):  # symbols, full-width ASCII, both levels of hanzi
        yield from (bytes((0xA0 + row, 0xA0 + cell)).decode("gb2312", "ignore") for cell in range(1, 95))
    for lead in range(0xA4, 0xC7):  # Big5 level 1 ends at C67E
        trails = (*range(0x40, 0x7F), *range(0xA1, 0xFF)) if lead < 0xC6 else range(0x40, 0x7F)
        yield from (bytes((lead, trail)).decode("big5", "ignore") for trail in trails)
    yield from (HERE / "names.txt").read_text(encoding="utf-8").replace("\n", "")


def main() -> None:
    options = subset.Options()
    options.font_number = SIMPLIFIED_CHINESE
    options.hinting = False
    options.desubroutinize = False
    options.layout_features = []
    options.notdef_outline = True
    options.drop_tables += ["vhea", "vmtx", "VORG", "BASE", "GDEF", "GPOS", "GSUB"]
    font = subset.load_font(sys.argv[1], options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(text="".join(characters()))
    subsetter.subset(font)
    subset.save_font(font, str(TARGET), options)
    print(f"{TARGET.name}: {len(font.getBestCmap())} characters, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
