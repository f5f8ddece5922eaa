import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kiosk import typeface
from kiosk.config import Config, Devices, Kiosk, Policy, Seal, Site, TsplPrinter
from kiosk.domain import Stamp
from kiosk.labels import (
    MODULE,
    NASAL,
    SIZES_MM,
    LabelError,
    TubeLabel,
    check_layout,
    in_dots,
    render,
    sample_label,
    verify,
)
from tests.support.labels import label, number, read

FORMS = {
    "ten": {},
    "short": {"members": 7},
    "twenty, short, reprint": {"members": 19, "size": 20, "reprint": True},
    "five": {"members": 5, "size": 5},
    "household": {"members": 3, "household": True, "reprint": True},
    "isolation": {"members": 1, "size": 1, "name": "张三", "specimen": NASAL, "isolation": True, "reprint": True},
    "single": {"members": 1, "size": 1, "name": "张三"},
    "single, long name": {"members": 1, "size": 1, "name": "阿卜杜热合曼·买买提艾力示例样本", "reprint": True},
}
every_size = pytest.mark.parametrize(("label_mm", "dpi"), list(itertools.product(SIZES_MM, (203, 300))))


@every_size
@pytest.mark.parametrize("form", FORMS)
def test_every_label_reads_back_as_its_number_and_has_whole_modules(form, label_mm, dpi):
    image = render(label(**FORMS[form]), label_mm, dpi)
    assert read(image) == [number(234)]
    verify(image, number(234))
    assert (image.mode, image.size) == ("1", in_dots(label_mm, dpi))

    module, dots_per_mm = MODULE[dpi], image.width / label_mm[0]
    left, right, top, bottom = bars(image)
    assert right - left == 123 * module
    runs = [len(list(run)) for _, run in itertools.groupby(dots(image.crop((left, top, right, top + 1))))]
    assert not any(run % module for run in runs)
    quiet = 10 * module
    assert left >= quiet
    assert image.width - right >= quiet
    for box in ((left - quiet, top, left, bottom), (right, top, right + quiet, bottom)):
        assert image.crop(box).getextrema() == (255, 255)
    assert (bottom - top) / dots_per_mm >= (8 if label_mm[1] == 20 else 10)


@every_size
@pytest.mark.parametrize("form", FORMS)
def test_nothing_is_printed_within_three_quarters_of_a_millimetre_of_the_edge(form, label_mm, dpi):
    image = render(label(**FORMS[form]), label_mm, dpi)
    left, top, right, bottom = image.point(lambda dot: 255 - dot).getbbox()
    margin = 0.75 * image.width / label_mm[0]
    assert min(left, top, image.width - right, image.height - bottom) >= margin


def dots(image: Image.Image) -> bytes:
    return image.convert("L").tobytes()


def bars(image: Image.Image) -> tuple[int, int, int, int]:
    """Left, right, top and bottom of the bars: of the row that occurs most often and is not blank."""
    rows = [dots(image.crop((0, y, image.width, y + 1))) for y in range(image.height)]
    ((commonest, count),) = Counter(row for row in rows if 0 in row).most_common(1)
    top = rows.index(commonest)
    assert rows[top : top + count] == [commonest] * count
    return commonest.index(0), commonest.rindex(0) + 1, top, top + count


def test_size_in_dots_is_that_of_the_head():
    assert in_dots((50, 30), 203) == (400, 240)
    assert in_dots((50, 30), 300) == (590, 354)
    assert in_dots((40, 30), 300) == (472, 354)
    assert in_dots((50, 20), 203) == (400, 160)


@pytest.mark.parametrize(
    ("members", "size", "text"),
    [(10, 10, "10合1"), (20, 20, "20合1"), (7, 10, "7/10 不足"), (19, 20, "19/20 不足"), (1, 1, "单采")],
)
def test_count(members, size, text):
    assert label(members=members, size=size).count == text


def test_time_is_local_to_the_stamp():
    assert label().when == "2022-03-16 14:05"
    assert label(at=Stamp(wall=1_647_410_700_000, mono=0, zone=0)).when == "2022-03-16 06:05"


@every_size
def test_the_ordinary_layout_passes(label_mm, dpi):
    check_layout("朝阳门社区 03号点", "咽拭子", label_mm, dpi)


@every_size
def test_a_site_name_too_long_is_named_with_its_width_and_the_room(label_mm, dpi):
    with pytest.raises(LabelError, match=r"site name '示例.+' is at least \d+\.\d mm wide, \d+\.\d mm are available"):
        check_layout("示例市样本区" * 6, "咽拭子", label_mm, dpi)


def test_the_site_name_that_just_fits_is_found_by_the_check():
    fits = [n for n in range(1, 41) if _fits("国" * n, (40, 30))]
    assert fits == list(range(1, len(fits) + 1))
    assert 12 <= len(fits) <= 20


def _fits(site: str, label_mm: tuple[int, int]) -> bool:
    try:
        check_layout(site, "咽拭子", label_mm, 203)
    except LabelError:
        return False
    return True


def test_a_specimen_too_long_is_named():
    with pytest.raises(LabelError, match=r"specimen '.+' is at least"):
        check_layout("示例社区", "鼻咽拭子与口咽拭子双份保存", (40, 30), 203)


@pytest.mark.parametrize("text", ["示例😀社区", "示例\n社区", "示例ก社区"])
def test_a_character_the_font_lacks_is_named_by_the_check(text):
    with pytest.raises(LabelError, match="site name: the label font has no"):
        check_layout(text, "咽拭子", (50, 30), 203)


def test_another_size_lists_the_ones_there_are():
    with pytest.raises(LabelError, match="label size 25x15 mm is not supported, expected one of 50x30, 40x30, 50x20"):
        check_layout("示例社区", "咽拭子", (25, 15), 203)


@pytest.mark.parametrize("tube", ["", "3604", "36048101075023 6", number(1)[:-1] + "x", "3604810107502347"])
def test_a_wrong_tube_number_is_refused(tube):
    with pytest.raises(LabelError, match="tube number"):
        render(label(tube=tube), (50, 30), 203)


def test_a_pool_carries_no_name():
    with pytest.raises(LabelError, match="single tube only"):
        render(label(name="张三"), (50, 30), 203)


def test_a_label_shows_no_name_in_text():
    single = label(members=1, size=1, name="张三")
    assert "张三" not in f"{single} {single!r}"


@pytest.mark.parametrize(
    "name",
    [
        "MUSTERMANN, MAXIMILIAN ALEXANDER SEBASTIAN JOHANNES",
        "国" * 60,
        "  SAMPLE,   NURLAN ",
        "黃小虛",
        "𠮷😀",
        "\ue000\n\x00",
        "Ωmega\u200b",
    ],
)
@every_size
def test_no_name_blocks_its_label(name, label_mm, dpi):
    verify(render(label(members=1, size=1, name=name), label_mm, dpi), number(234))


@given(st.text(max_size=80))
def test_no_name_at_all_blocks_its_label(name):
    verify(render(label(members=1, size=1, name=name, reprint=True), (50, 20), 203), number(234))


def test_a_long_name_ends_in_an_ellipsis_and_never_within_a_character():
    text = typeface.cut("国家示例样本", 24, 100)
    assert text == "国家示…"
    assert typeface.width(text, 24) <= 100


def test_a_name_with_a_rare_character_looks_like_one_with_a_box():
    tofu, box = (render(label(members=1, size=1, name=name), (50, 30), 203) for name in ("张\ue000", "张□"))
    assert tofu.tobytes() == box.tobytes()


def test_the_font_has_the_characters_of_names():
    assert all(map(typeface.has, "张三堃喆犇淼昇祎旻赟鑫垚燚镕翀䶮𬭚〇·黃虛樣範龍陳Äé□…补"))
    assert not any(map(typeface.has, "😀ก\ue000\u200b\n"))


def test_verify_refuses_another_number_a_blank_and_two_codes():
    image = render(label(), (50, 30), 203)
    two = Image.new("1", (400, 480), 1)
    two.paste(image)
    two.paste(render(label(235), (50, 30), 203), (0, 240))
    for picture, tube in ((image, number(235)), (Image.new("1", (400, 240), 1), number(234)), (two, number(234))):
        with pytest.raises(LabelError, match="does not read as"):
            verify(picture, tube)


def test_verify_catches_a_picture_that_was_scaled():
    image = render(label(), (50, 30), 203)
    blurred = image.convert("L").resize((160, 96)).resize((400, 240)).convert("1")
    with pytest.raises(LabelError):
        verify(blurred, number(234))


@pytest.mark.parametrize("pool_size", [1, 5, 10, 20])
def test_sample_label_is_that_of_the_configured_printer(pool_size):
    config = Config(
        site=Site(code="360481", name="朝阳门社区 03号点"),
        kiosk=Kiosk(number=3),
        seal=Seal(public_key=""),
        policy=Policy(pool_size=pool_size),
        devices=Devices(printer=TsplPrinter(port="labels.bin", label_mm=(40, 30), dpi=300)),
    )
    image = sample_label(config)
    assert image.size == (472, 354)
    assert read(image)[0].startswith("36048103")


def test_fields_of_the_label_are_what_the_runner_knows():
    assert set(TubeLabel.__struct_fields__) == {
        "site", "tube", "members", "size", "at", "specimen", "name", "reprint", "household", "isolation", "drill",
    }  # fmt: skip
