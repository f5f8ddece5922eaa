"""What people keep as a roster, and what is told of every cell that cannot be used."""

import io
import zipfile
from pathlib import Path

import pytest

from kiosk.domain import Category
from kiosk.people import person
from kiosk.roster import xlsx as reader
from kiosk.roster.cells import HEADINGS as KNOWN
from kiosk.roster.entry import Entry, RosterError
from kiosk.roster.table import Table, read
from tests.roster.tables import HEADINGS, csv, row_of, xlsx
from tests.support.people import EVERYBODY

DAY = 19_067  # 2022-03-16, days since 1970


def of(tmp_path: Path, rows: list[list[object]], headings: tuple[str, ...] = HEADINGS) -> Table:
    return read(csv(tmp_path / "list.csv", rows, headings))


FULL = row_of(1, "3栋", "重点人群", "5", "2022-03-14", "外出", "08:00-09:00")
WANTED = Entry(
    row=2,
    name=person(1).name,
    number=person(1).number,
    phone="13800000001",
    place="3栋",
    category=Category.KEY,
    every=5,
    last=DAY - 2,
    away=True,
    start=480,
    end=540,
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_csv_in_whatever_encoding_excel_saves(tmp_path: Path, encoding: str) -> None:
    assert read(csv(tmp_path / "list.csv", [FULL], encoding=encoding)) == Table([WANTED], [], [])


def test_a_workbook_is_read_like_its_csv(tmp_path: Path) -> None:
    path = tmp_path / "list.xlsx"
    phone, every, day = 13800000001, 5, 44634  # numbers as Excel keeps them; the day is a serial one
    path.write_bytes(xlsx([HEADINGS, [FULL[0], FULL[1], phone, "3栋", "重点人群", every, day, "外出", "08:00-09:00"]]))
    assert read(path) == Table([WANTED], [], [])


def test_headings_in_english_in_another_order_and_with_a_title_above(tmp_path: Path) -> None:
    path = csv(tmp_path / "l.csv", [[person(1).number, "x", person(1).name]], ["Number", "remarks", " NAME "])
    path.write_bytes(b"Roster of March 2022,,\r\n" + path.read_bytes())
    table = read(path)
    assert (table.entries[0].name, table.entries[0].row, table.passed_over) == (person(1).name, 3, ["remarks"])


def test_every_document_of_the_country_is_taken(tmp_path: Path) -> None:
    table = of(tmp_path, [[f'"{who.name}"', who.number] for who in EVERYBODY])
    assert [entry.number for entry in table.entries] == [who.number for who in EVERYBODY]
    assert table.faults == []


def test_all_faults_are_told_with_file_row_and_column_and_no_number_is_repeated(tmp_path: Path) -> None:
    wrong = person(2).number[:-1] + ("0" if person(2).number[-1] != "0" else "1")
    rows = [
        row_of(1),
        ["李", wrong, "138", "1栋"],
        ["", person(3).number, "", "1栋", "vip", "often", "2022-13-01", "gone", "09:00-08:00"],
        ["赵", person(1).number],
        ["钱", "1.10105E+17"],
        ["孙", "12345"],
    ]
    table = of(tmp_path, rows)
    assert [entry.row for entry in table.entries] == [2]
    assert [fault.split(": ")[0] + " " + fault.split(": ")[1] for fault in table.faults] == [
        "list.csv:3:2 证件号码",
        "list.csv:3:3 电话",
        "list.csv:4:1 姓名",
        "list.csv:4:5 类别",
        "list.csv:4:6 频次",
        "list.csv:4:7 上次采样",
        "list.csv:4:8 状态",
        "list.csv:4:9 时段",
        "list.csv:5:2 证件号码",
        "list.csv:6:2 证件号码",
        "list.csv:7:2 证件号码",
    ]
    assert table.faults[0].endswith("found a wrong check digit, expected the 18 characters of the card: compare them")
    assert "found the number of row 2 again" in table.faults[8]
    assert "rounded" in table.faults[9]
    assert all("found" in fault and "expected" in fault for fault in table.faults)
    told = "\n".join(table.faults)
    assert not any(word in told for word in (wrong, person(1).number, person(1).name, "12345", "赵"))


@pytest.mark.parametrize(
    ("cell", "minutes"), [("8:00-9:00", (480, 540)), ("08：00～09：30", (480, 570)), ("23:00至24:00", (1380, 1440))]
)
def test_hours_as_people_write_them(tmp_path: Path, cell: str, minutes: tuple[int, int]) -> None:
    entry = of(tmp_path, [["李", person(1).number, cell]], ("姓名", "证件号码", "时段")).entries[0]
    assert (entry.start, entry.end) == minutes


@pytest.mark.parametrize("cell", ["2022-03-16", "2022/3/16", "2022.03.16", "20220316", "2022年3月16日", "44636"])
def test_days_as_people_write_them(tmp_path: Path, cell: str) -> None:
    assert of(tmp_path, [["李", person(1).number, cell]], ("姓名", "身份证号", "上次采样日期")).entries[0].last == DAY


DRIVER = ("姓名", "证件号码", "车牌", "始发地", "到达", "7日核酸")


@pytest.mark.parametrize(
    ("arrival", "report", "minute", "fresh"),
    [
        ("2022-03-16 08:30", "有", DAY * 1440 + 510, True),
        ("2022-03-16 08:30", "无", DAY * 1440 + 510, False),
        ("2022-03-16 08:30", "", DAY * 1440 + 510, False),
        ("2022-03-16 08:30", "2022-03-09", DAY * 1440 + 510, True),
        ("2022-03-16 08:30", "2022-03-08", DAY * 1440 + 510, False),
        ("44636.5", "2022-03-17", DAY * 1440 + 720, False),
        ("2022-03-16", "", DAY * 1440, False),
    ],
)
def test_a_driver_with_vehicle_origin_arrival_and_report(
    tmp_path: Path, arrival: str, report: str, minute: int, fresh: bool
) -> None:
    [entry] = of(tmp_path, [["李", person(1).number, "赣G12345", "杭州", arrival, report]], DRIVER).entries
    assert (entry.vehicle, entry.origin, entry.arrival, entry.report) == ("赣G12345", "杭州", minute, fresh)
    assert entry.driver


def test_a_school_list_is_a_roster_whose_places_are_classes(tmp_path: Path) -> None:
    table = of(tmp_path, [["李", person(1).number, "三年级2班", "学生"]], ("姓名", "证件号码", "班级", "类别"))
    assert [(entry.place, entry.category) for entry in table.entries] == [("三年级2班", Category.GENERAL)]


def test_a_merged_cell_stands_in_all_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "list.xlsx"
    rows = [["楼栋", "姓名", "证件号码"], *[["5栋" if n == 1 else "", "李", person(n).number] for n in range(1, 4)]]
    path.write_bytes(xlsx(rows, more='<mergeCells count="1"><mergeCell ref="A2:A3"/></mergeCells>'))
    assert [entry.place for entry in read(path).entries] == ["5栋", "5栋", ""]


def test_a_number_that_excel_has_rounded_is_never_taken(tmp_path: Path) -> None:
    path = tmp_path / "list.xlsx"
    path.write_bytes(xlsx([["姓名", "证件号码"], ["李", 110105194912310028]]))
    [fault] = read(path).faults
    assert "rounded" in fault


def a_zip(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as book:
        for name in names:
            book.writestr(name, b"x")
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"\xff\xd8\xff\xe0 photo", "found a photograph (JPEG), expected a table"),
        (b"\x00\x00\x00\x18ftypheic", "found a photograph (HEIC), expected a table"),
        (b"\x89PNG\r\n\x1a\n", "found a picture (PNG)"),
        (b"%PDF-1.7", "found a PDF"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old workbook (.xls), or one with a password"),
        (a_zip("IMG_1.JPG", "IMG_2.JPG"), "found a ZIP of pictures"),
        (a_zip("word/document.xml"), "found a Word document"),
        (a_zip("readme"), "found a ZIP without a workbook"),
        (xlsx([], extra={"xl/media/image1.jpeg": b"x"}), "found a sheet of pictures, expected cells with text"),
        (xlsx([["姓名"]])[:-40], "the workbook is damaged"),
        (b"\xff\xff\xff\xff", "neither UTF-8 nor"),
        ("姓名,电话\n李,1\n".encode() * 20, "found no column 证件号码 (number)"),
        ("电话,证件号码\n1,1\n".encode(), "found no column 姓名 (name), expected one"),
        ("姓名,证件号码,身份证号\n李,1,1\n".encode(), "found 2 columns for one thing"),
        ("姓名,证件号码\n".encode(), "found no people"),
        (b"", "found no line of headings"),
    ],
)
def test_what_is_no_roster_is_told_apart(tmp_path: Path, data: bytes, told: str) -> None:
    path = tmp_path / "upload"
    path.write_bytes(data)
    with pytest.raises(RosterError, match=r"^upload") as caught:
        read(path)
    assert told in str(caught.value)


BOMB = '<!DOCTYPE sst [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


def test_entities_are_not_even_declared() -> None:
    with pytest.raises(RosterError, match=r"sharedStrings.xml declares a document type"):
        reader.read(xlsx([["姓名"]], prolog=BOMB))


def test_a_part_that_unfolds_without_end_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_PART", 100_000)
    with pytest.raises(RosterError, match="unfolds to more than"):
        reader.read(xlsx([["姓名"] * 9] * 20_000))


def test_no_heading_means_two_things() -> None:
    words = [word for words in KNOWN.values() for word in words.split()]
    assert len(words) == len(set(words))
