"""Notices come out whatever is asked for, and their codes read back."""

import hashlib
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from kiosk.labels import SIZES_MM, in_dots
from kiosk.notices import QUIET, notice, printable, qr_code, read

every_size = pytest.mark.parametrize(("label_mm", "dpi"), list(itertools.product(SIZES_MM, (203, 300))))

ENROLMENT = "KE1:360481:3:" + "A2B3" * 13 + ":" + "C4D5E6F7" * 12 + "ABCDEFG"
LINES = ["360481 朝阳门社区 03号点", "3 号亭 kiosk 3", "5647 0d3c 9a1f 22b0", "0.1.0"]


@every_size
def test_a_notice_is_as_large_as_the_label_and_its_code_reads(label_mm, dpi):
    image = notice("登记标签 Enrolment", LINES, label_mm, dpi, code=ENROLMENT)
    assert (image.mode, image.size) == ("1", in_dots(label_mm, dpi))
    assert read(image) == [ENROLMENT]


@every_size
def test_the_code_has_whole_dots_and_a_quiet_zone(label_mm, dpi):
    image = notice("标题", [], label_mm, dpi, code="KE1:1")
    modules = qr_code("KE1:1", 1)
    left, top, right, bottom = right_half(image).point(lambda dot: 255 - dot).getbbox()
    module, rest = divmod(right - left, modules.width)
    assert (rest, right - left) == (0, bottom - top)
    assert module * 25.4 / dpi >= 0.24
    left, right = left + image.width // 2, right + image.width // 2
    small = image.crop((left, top, left + module * modules.width, bottom)).resize(
        modules.size, Image.Resampling.NEAREST
    )
    assert small.tobytes() == modules.tobytes()
    for quiet in ((left - QUIET * module, top, left, bottom), (left, top - QUIET * module, right, top)):
        assert image.crop(quiet).getextrema() == (255, 255)


def right_half(image: Image.Image) -> Image.Image:
    return image.crop((image.width // 2, 0, image.width, image.height))


@every_size
def test_nothing_is_printed_at_the_very_edge(label_mm, dpi):
    image = notice("故障 " * 9, ["很长的原因 a long reason " * 30], label_mm, dpi)
    left, top, right, bottom = image.point(lambda dot: 255 - dot).getbbox()
    least = 0.7 * dpi / 25.4
    assert min(left, top, image.width - right, image.height - bottom) >= least


def test_golden():
    """The exact picture of one notice: a change of it must be wanted."""
    image = notice(
        "未配置 Not provisioned", ["kiosk-provision.toml: site.code: missing"], (50, 30), 203, code="KP1:TEST"
    )
    assert read(image) == ["KP1:TEST"]
    assert hashlib.sha256(image.tobytes()).hexdigest() == GOLDEN


GOLDEN = "ce0d32bf336d60b20ae0ff31b1eb455ba1b138ac4f3a0ee1dfb80c58cb2d36f1"


def test_short_text_is_large_and_long_text_small():
    def ink(lines):
        return notice("标题", lines, (50, 30), 203).point(lambda dot: 255 - dot).getbbox()

    assert ink(["短"])[3] < ink(["很长 " * 60])[3] <= 240 - 8


def test_what_the_font_lacks_is_a_box():
    assert printable(" a\n\tb😀 \x07") == "a b□ □"


def test_a_code_that_no_label_holds_is_text():
    image = notice("标题", [], (50, 20), 203, code="X" * 5000)
    assert read(image) == []
    assert image.size == in_dots((50, 20), 203)


@settings(max_examples=60)
@given(
    title=st.text(max_size=60),
    lines=st.lists(st.text(max_size=200), max_size=12),
    label_mm=st.tuples(st.integers(1, 110), st.integers(1, 60)),
    dpi=st.sampled_from([203, 300, 152, 600]),
    code=st.text(max_size=300),
)
def test_a_notice_never_raises(title, lines, label_mm, dpi, code):
    image = notice(title, lines, label_mm, dpi, code=code)
    assert image.mode == "1"
