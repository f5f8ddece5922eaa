"""Every label in every language, taken apart by an interpreter of that language and read by a barcode reader."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kiosk.drivers.printer import UNKNOWN, Status
from kiosk.drivers.printer.languages import language_of
from kiosk.labels import SIZES_MM, render
from tests.support.labels import label, number, read
from tests.support.printing import KINDS, Kind, same

every_language = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
FORMS = [{}, {"members": 7, "reprint": True}, {"members": 1, "size": 1, "name": "张三"}]


@every_language
@pytest.mark.parametrize(("label_mm", "dpi"), list(itertools.product(SIZES_MM, (203, 300))))
@pytest.mark.parametrize("form", FORMS, ids=["pool", "short", "single"])
def test_the_paper_shows_the_label_dot_for_dot(kind, label_mm, dpi, form):
    config = kind.config(label_mm=label_mm, dpi=dpi)
    image = render(label(**form), label_mm, dpi)
    (printed,) = kind.paper(config).feed(language_of(config).job(image))
    assert same(printed, image)
    assert read(printed) == [number(234)]


@every_language
@pytest.mark.parametrize("copies", [2, 3])
def test_copies(kind, copies):
    config = kind.config(copies=copies)
    image = render(label(), (50, 30), 203)
    printed = kind.paper(config).feed(language_of(config).job(image))
    assert len(printed) == copies
    assert all(same(each, image) for each in printed)


@every_language
@given(cuts=st.lists(st.integers(0, 12_000), max_size=6))
def test_the_paper_does_not_depend_on_how_the_bytes_come(kind, cuts):
    config = kind.config()
    image = render(label(), (50, 30), 203)
    data = language_of(config).job(image)
    paper, printed = kind.paper(config), []
    for start, end in itertools.pairwise([0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]):
        printed += paper.feed(data[start:end])
    assert len(printed) == 1
    assert same(printed[0], image)


@every_language
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_label_cut_off_anywhere_prints_nothing_wrong_and_the_next_one_is_right(kind, share):
    config = kind.config()
    language = language_of(config)
    first, second = (render(label(serial), (50, 30), 203) for serial in (1, 2))
    job = language.job(first)
    cut = job[: int(len(job) * share)]
    printed = kind.paper(config).feed(cut + language.resync(len(job)) + language.job(second))
    assert same(_last_label(printed[-1], second), second)
    assert all(set(read(each)) <= {number(1), number(2)} for each in printed)


def _last_label(printed: Image.Image, image: Image.Image) -> Image.Image:
    """The end of a roll: on ESC/POS a label that was cut off stands above it, filled up with white."""
    return printed.crop((0, printed.height - image.height, printed.width, printed.height))


@every_language
@pytest.mark.parametrize(
    "status",
    [
        Status(paper_out=False, head_open=False),
        Status(paper_out=True, head_open=False),
        Status(paper_out=False, head_open=True),
        Status(paper_out=True, head_open=True),
    ],
)
def test_the_status_a_printer_sends_is_the_one_that_is_read(kind: Kind, status):
    language = language_of(kind.config())
    answers = tuple(language.replies(status)[query] for query in language.queries)
    assert all(map(language.complete, answers))
    assert language.status(answers) == status


@every_language
def test_no_answer_is_neither_good_nor_bad(kind):
    language = language_of(kind.config())
    assert language.status(()) == UNKNOWN
    assert not UNKNOWN.answered
    assert not UNKNOWN.trouble
    assert not language.complete(b"")


@every_language
def test_queries_are_heard_between_labels(kind):
    config = kind.config()
    language = language_of(config)
    job = language.job(render(label(), (50, 30), 203))
    stream = b"".join(language.queries) + job + b"".join(language.queries)
    deeds = kind.paper(config).feed(stream)
    assert [deed for deed in deeds if isinstance(deed, bytes)] == list(language.queries) * 2


@every_language
@given(noise=st.binary(max_size=300))
def test_noise_for_an_answer_is_no_crash(kind, noise):
    language = language_of(kind.config())
    if language.complete(noise):
        language.status((noise,) * len(language.queries))


@every_language
@given(noise=st.binary(max_size=300))
def test_noise_on_the_line_does_not_hurt_the_paper(kind, noise):
    kind.paper(kind.config()).feed(noise)
