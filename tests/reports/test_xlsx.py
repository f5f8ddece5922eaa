"""The workbook, read again by the roster's reader, which knows nothing of the writer."""

import io
import zipfile
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.reports.xlsx import workbook
from kiosk.roster.xlsx import read

PLAIN = st.text(st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="￾￿"), min_size=1, max_size=30)


def test_text_and_numbers_come_back() -> None:
    data = workbook({"日报": [("登记人数", 1234), ("等候", 12.5), ("", "=1+1")], "more": [("x",)]})
    rows = read(data)
    assert rows == {1: ["登记人数", "1234"], 2: ["等候", "12.5"], 3: ["", "=1+1"]}


def test_each_sheet_is_there_and_whole() -> None:
    data = workbook({"a": [(1,)], "b [1/2]": [(2,)], "c" * 40: []})
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        assert book.testzip() is None
        for name in book.namelist():
            ElementTree.fromstring(book.read(name))
        names = [node.get("name") or "" for node in ElementTree.fromstring(book.read("xl/workbook.xml")).iter()]
    assert [name for name in names if name] == ["a", "b  1 2 ", "c" * 31]


def test_what_a_cell_says_is_no_formula_and_no_markup() -> None:
    data = workbook({"a": [("<is>&\"'", "\x00\x1b"), ("=HYPERLINK(1)", 3)]})
    assert read(data)[1] == ["<is>&\"'", "��"]
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        assert b"<f>" not in book.read("xl/worksheets/sheet1.xml")


def test_columns_beyond_z() -> None:
    assert read(workbook({"a": [tuple(range(60))]}))[1] == [str(n) for n in range(60)]


def test_the_same_sheets_are_the_same_bytes() -> None:
    assert workbook({"a": [(1, "b")]}) == workbook({"a": [(1, "b")]})


@settings(max_examples=100, derandomize=True, deadline=None)
@given(rows=st.lists(st.lists(PLAIN | st.integers(-(10**9), 10**9), min_size=1, max_size=5), min_size=1, max_size=5))
def test_any_text_comes_back(rows: list[list[str | int]]) -> None:
    assert read(workbook({"a": rows})) == {n: [str(cell) for cell in row] for n, row in enumerate(rows, 1)}


@pytest.mark.parametrize("value", [0, -7, 10**12, 0.1])
def test_numbers_stay_numbers(value: float) -> None:
    data = workbook({"a": [(value,)]})
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        assert f"<v>{value!r}</v>".encode() in book.read("xl/worksheets/sheet1.xml")
