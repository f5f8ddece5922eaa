import hashlib

import pytest

from kiosk.config import TsplPrinter
from kiosk.drivers.printer import Status
from kiosk.drivers.printer.paper import TsplPaper
from kiosk.drivers.tspl.codec import Tspl
from kiosk.labels import render
from tests.support.labels import label, number, pattern, read

HEAD = (
    b"SIZE 50 mm,30 mm\r\nGAP 2 mm,0 mm\r\nDIRECTION 1\r\nREFERENCE 0,0\r\nSPEED 4\r\nDENSITY 10\r\nCLS\r\n"
    b"BITMAP 0,0,50,240,0,"
)


def tspl(**settings) -> Tspl:
    return Tspl(TsplPrinter(port="labels.bin", **settings))


def test_golden_bytes():
    image = pattern()
    job = tspl().job(image)
    assert job.startswith(HEAD)
    assert job.endswith(b"\r\nPRINT 1,1\r\n")
    assert job[len(HEAD) : -len(b"\r\nPRINT 1,1\r\n")] == image.tobytes()
    assert len(job) == 12_120
    assert hashlib.sha256(job).hexdigest()[:16] == "1c38d825fa834934"


def test_settings_reach_the_printer():
    job = tspl(label_mm=(40, 30), gap_mm=2.5, density=7, speed=2, mode=1, copies=2).job(render(label(), (40, 30), 203))
    for part in (b"SIZE 40 mm,30 mm", b"GAP 2.5 mm,0 mm", b"DENSITY 7", b"SPEED 2", b"BITMAP 0,0,40,240,1,"):
        assert part in job
    assert job.endswith(b"PRINT 1,2\r\n")


def test_a_zero_bit_burns_unless_inverted():
    image = render(label(), (50, 30), 203)
    plain, inverted = tspl().job(image)[len(HEAD) :], tspl(invert=True).job(image)[len(HEAD) :]
    assert plain[0] == 0xFF
    assert inverted[0] == 0x00
    (printed,) = TsplPaper(black_is_one=True).feed(tspl(invert=True).job(image))
    assert read(printed) == [number(234)]


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (0x00, Status(paper_out=False, head_open=False)),
        (0x01, Status(paper_out=False, head_open=True)),
        (0x04, Status(paper_out=True, head_open=False)),
        (0x05, Status(paper_out=True, head_open=True)),
        (0x0D, Status(paper_out=True, head_open=True, fault="ribbon out")),
        (0x20, Status(paper_out=False, head_open=False, busy=True)),
        (0x07, Status(fault="fault 0x07")),  # seen with nothing but the lid open: no bit mask
        (0x80, Status(fault="fault 0x80")),
    ],
)
def test_status(answer, status):
    assert tspl().status((bytes((answer,)),)) == status


def test_trouble_in_words():
    assert tspl().status((b"\x05",)).trouble == "out of paper, head open"
    assert tspl().status((b"\x02",)).trouble == "paper jam"
    assert not tspl().status((b"\x20",)).trouble
