"""Tables of invented people, as a village would keep them."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from kiosk.people import person

HEADINGS = ("姓名", "证件号码", "电话", "楼栋/村", "类别", "频次", "上次采样", "状态", "时段")
Rows = Sequence[Sequence[object]]


def row_of(n: int, place: str = "1栋", *more: object) -> list[object]:
    """The ``n``-th invented person of a place, and what else stands in the row."""
    who = person(n)
    return [who.name, who.number, f"138{n:08}", place, *more]


def csv(path: Path, rows: Rows, headings: Sequence[str] = HEADINGS, *, encoding: str = "utf-8") -> Path:
    lines = [headings, *rows]
    path.write_bytes("".join(",".join(map(str, line)) + "\r\n" for line in lines).encode(encoding))
    return path


_NAMES = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def xlsx(rows: Rows, *, more: str = "", extra: dict[str, bytes] | None = None, prolog: str = "") -> bytes:
    """A workbook as Excel writes it: texts shared, numbers as numbers, empty cells left out."""
    texts: list[str] = []
    sheet = []
    for number, cells in enumerate(rows, 1):
        line = []
        for column, cell in enumerate(cells):
            where = f"{chr(65 + column)}{number}"
            if isinstance(cell, int | float):
                line.append(f'<c r="{where}"><v>{cell}</v></c>')
            elif cell:
                line.append(f'<c r="{where}" t="s"><v>{len(texts)}</v></c>')
                texts.append(str(cell))
        sheet.append(f'<row r="{number}">{"".join(line)}</row>')
    strings = "".join(f"<si><t>{escape(text)}</t><rPh sb='0' eb='1'><t>x</t></rPh></si>" for text in texts)
    parts = {
        "xl/workbook.xml": f'<workbook {_NAMES} xmlns:r="{_RELATIONS}"><sheets>'
        '<sheet name="花名册" sheetId="1" r:id="rId3"/><sheet name="2" sheetId="2" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relation'
        'ships"><Relationship Id="rId1" Target="worksheets/sheet2.xml"/>'
        '<Relationship Id="rId3" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/sharedStrings.xml": f"{prolog}<sst {_NAMES}>{strings}</sst>",
        "xl/worksheets/sheet1.xml": f"<worksheet {_NAMES}><sheetData>{''.join(sheet)}</sheetData>{more}</worksheet>",
        "xl/worksheets/sheet2.xml": f"<worksheet {_NAMES}><sheetData/></worksheet>",
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as book:
        for name, text in parts.items():
            book.writestr(name, text)
        for name, data in (extra or {}).items():
            book.writestr(name, data)
    return file.getvalue()
