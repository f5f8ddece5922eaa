"""`kiosk staff-sheet`: what is on paper is read back by a barcode reader, and is what the kiosk knows."""

from pathlib import Path

import pytest
import zxingcpp
from PIL import Image

from kiosk import badges, commands, seal
from kiosk.badges import Badge, CommandCode
from kiosk.cli import main
from kiosk.domain import Category, Do, Role
from kiosk.notices import printable
from kiosk.recognise import STAFF_PREFIX
from kiosk.staff_sheet import catalogue, pages, rows
from kiosk.staff_sheet.rows import SheetError

SITE = "360481"
QR = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
LIST = """number,role,name,since,until,drills
7,registrar,张三,2022-03-16 08:00,2022-03-16 12:00,3
12,sampler,欧阳建国,2022-03-16 08:00,2022-03-16 12:00,
"""
MORNING = 1_647_388_800_000


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    seal.write_pair(folder)
    return folder


def sheet(keys: Path, out: Path, *more: str) -> int:
    private = ["--private-key", str(keys / "private.key")]
    return main(["staff-sheet", *private, "--site", SITE, "--name", "朝阳门社区 03号点", *more, str(out)])


def codes(picture: Path, keys: Path) -> list[Badge | CommandCode]:
    """What a scanner reads off it, and this site's kiosk knows."""
    verify = seal.PublicKeys.parse((keys / "public.key").read_text()).verify
    with Image.open(picture) as opened:
        found = zxingcpp.read_barcodes(opened, QR)
    said = [commands.from_payload(code.text.removeprefix(STAFF_PREFIX)) for code in found]
    return [badges.unpack(kind, data, SITE, verify) for kind, data in said]


def listed(tmp_path: Path, text: str = LIST) -> Path:
    (tmp_path / "badges.csv").write_text(text, "utf-8")
    return tmp_path / "badges.csv"


def test_badges_of_a_list_are_read_off_the_page_and_off_the_label(keys: Path, tmp_path: Path) -> None:
    out, key = tmp_path / "out", tmp_path / "round.key"
    assert sheet(keys, out, "--csv", str(listed(tmp_path)), "--key", str(key)) == 0
    noon = MORNING + 4 * 3_600_000
    digest_key = seal.kept_digest_key(key)
    assert digest_key is not None
    wanted = [
        Badge(site=SITE, badge=7, role=Role.REGISTRAR, since=MORNING, until=noon, drills=3, key=digest_key),
        Badge(site=SITE, badge=12, role=Role.SAMPLER, since=MORNING, until=noon, key=digest_key),
    ]
    assert sorted(codes(out / "badges-1.png", keys), key=lambda each: each.badge) == wanted
    assert [codes(out / f"labels/badge-{number}.png", keys) for number in (7, 12)] == [[each] for each in wanted]
    assert (out / "badges.pdf").read_bytes().startswith(b"%PDF")


def test_every_command_has_a_code_on_the_sheet_and_as_a_label(keys: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert sheet(keys, out, "--lab", "市疾控中心", "--vehicle", "赣A准0031") == 0
    on_paper = [each for page in sorted(out.glob("commands-*.png")) for each in codes(page, keys)]
    labels = [each for label in sorted((out / "labels").glob("*.png")) for each in codes(label, keys)]
    told = {(each.do, each.text) for each in on_paper}
    assert told == {(each.do, each.text) for each in labels}
    assert len(on_paper) == len(labels) == len(told)
    assert {do for do, _ in told} == set(Do)
    assert {text for do, text in told if do is Do.POOL} == {"1", "5", "10", "20"}
    assert {text for do, text in told if do is Do.CATEGORY_NEXT} == set(Category) - {Category.GENERAL}
    assert {(Do.LAB, "市疾控中心"), (Do.VEHICLE, "赣A准0031")} <= told
    assert not list(out.glob("badges*"))


def test_a_label_of_the_kiosk_holds_the_code_in_whole_dots(keys: Path, tmp_path: Path) -> None:
    one = ["--badge", "7", "--role", "technician", "--since", "2022-03-16 08:00", "--until", "2022-03-16 20:00"]
    for size, dpi, dots in (("50x30", 203, (400, 240)), ("40x30", 203, (320, 240)), ("40x30", 300, (472, 354))):
        out = tmp_path / f"{size}-{dpi}"
        key = str(tmp_path / "round.key")
        assert sheet(keys, out, *one, "--key", key, "--label-mm", size, "--dpi", str(dpi)) == 0
        with Image.open(out / "labels/badge-7.png") as label:
            assert label.size == dots
        assert len(codes(out / "labels/badge-7.png", keys)) == 1


def test_a_badge_names_nobody_in_its_code_and_its_holder_on_paper(keys: Path, tmp_path: Path) -> None:
    holder = rows.read(listed(tmp_path))[0]
    assert any("张三" in line for line, _ in pages.badge_lines("点", holder))
    assert "张三" not in repr(holder)
    text = badges.pack(
        Badge(site=SITE, badge=7, role=holder.role, since=holder.since, until=holder.until),
        seal.PrivateKeys.parse((keys / "private.key").read_text()).sign,
    )
    assert "张三".encode() not in commands.from_payload(text.removeprefix(STAFF_PREFIX))[1]


def test_everything_printed_is_in_the_font_and_chinese_first() -> None:
    for section in catalogue.SECTIONS:
        for each in section.codes:
            for line, _ in pages.lines(each):
                assert printable(line) == line
            assert not pages.lines(each)[0][0].isascii()
    assert all(printable(zh) == zh for zh, _ in catalogue.ROLES.values())


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("0,sampler,,2022-03-16 08:00,2022-03-16 12:00", 'number: found "0", expected a number from 1 to 9999'),
        ("7,chief,,2022-03-16 08:00,2022-03-16 12:00", 'role: found "chief", expected one of registrar, sampler'),
        ("7,sampler,,today,2022-03-16 12:00", 'since: found "today", expected a time such as 2022-03-16 08:00'),
        ("7,sampler,,2022-03-16 12:00,2022-03-16 08:00", "until: found 2022-03-16 08:00, expected a time within 72 h"),
        ("7,sampler,,2022-03-16 12:00,2022-03-26 08:00", "until: found 2022-03-26 08:00, expected a time within 72 h"),
        ("7,sampler,,2022-03-16 08:00,2022-03-16 12:00,few", 'drills: found "few", expected a number from 0 to 999'),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_written(keys: Path, tmp_path: Path, line: str, fault: str) -> None:
    path = listed(tmp_path, LIST.replace("7,registrar", "1,registrar") + line + "\n")
    with pytest.raises(SheetError) as error:
        rows.read(path)
    first, last = str(error.value).splitlines()
    assert first.startswith(f"badges.csv:4: {fault}")
    assert last == "badges.csv: 1 lines are wrong, nothing is written"
    assert sheet(keys, tmp_path / "out", "--csv", str(path)) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "badges.csv:1: columns: found nothing"),
        ("number,name\n7,x\n", "badges.csv:1: columns: found number, name, expected number, role, since, until"),
        ("number,role,since,until\n", "found no badge"),
        (LIST + '8,"sampler\n', "not valid CSV"),
        (LIST + "7,sampler,,2022-03-16 08:00,2022-03-16 12:00,\n", "number: found 7 again"),
    ],
)
def test_a_list_that_is_none_is_named(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(SheetError) as error:
        rows.read(listed(tmp_path, text))
    assert fault in str(error.value)


def test_a_list_from_a_spreadsheet_in_china_is_read(tmp_path: Path) -> None:
    (tmp_path / "badges.csv").write_bytes(LIST.replace(",", ";").encode("gb18030"))
    assert [each.number for each in rows.read(tmp_path / "badges.csv")] == [7, 12]


def test_what_is_there_is_not_overwritten(keys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sheet(keys, tmp_path) == 1
    assert "it is there and is not overwritten" in capsys.readouterr().err


def test_only_the_command_post_can_read_the_files(keys: Path, tmp_path: Path) -> None:
    assert sheet(keys, tmp_path / "out", "--csv", str(listed(tmp_path))) == 0
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "out").rglob("*") if path.is_file()} == {0o600}
