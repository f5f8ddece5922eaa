import base64
import binascii
import re
import zlib

import pytest

from kiosk.config import ZplPrinter
from kiosk.drivers.printer import UNKNOWN, Status
from kiosk.drivers.printer.paper import ZplPaper
from kiosk.drivers.zpl.codec import Zpl
from kiosk.labels import render
from tests.support.labels import label

WELL = b"\x02030,0,0,0240,000,0,0,0,000,0,0,0\x03\r\n\x02000,0,0,0,0,2,4,0,00000000,1,000\x03\r\n\x021234,0\x03\r\n"


def zpl(**settings) -> Zpl:
    return Zpl(ZplPrinter(port="labels.bin", **settings))


def test_golden_bytes():
    image = render(label(), (50, 30), 203)
    job = zpl().job(image)
    assert job.startswith(b"~SD15^XA^PW400^LL240^LH0,0^FO0,0^GFA,12000,12000,50,:Z64:eJ")
    assert job.endswith(b"^FS^PQ1^XZ\r\n")
    packed, check = re.search(rb":Z64:(.+):(.{4})\^FS", job).groups()
    assert binascii.crc_hqx(packed, 0) == int(check, 16)
    assert zlib.decompress(base64.b64decode(packed)) == bytes(255 - byte for byte in image.tobytes())
    assert len(job) < 3_500


def test_darkness_and_copies():
    job = zpl(darkness=5, copies=2).job(render(label(), (50, 30), 203))
    assert job.startswith(b"~SD05")
    assert b"^PQ2^XZ" in job


def test_a_wrong_check_sum_prints_nothing():
    job = zpl().job(render(label(), (50, 30), 203))
    assert ZplPaper().feed(job)
    assert not ZplPaper().feed(re.sub(rb":(.{4})\^FS", b":0000^FS", job))


def changed(line: int, field: int, value: str) -> bytes:
    lines = WELL.decode().split("\r\n")
    fields = lines[line].strip("\x02\x03").split(",")
    fields[field] = value
    lines[line] = f"\x02{','.join(fields)}\x03"
    return "\r\n".join(lines).encode()


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (WELL, Status(paper_out=False, head_open=False)),
        (changed(0, 1, "1"), Status(paper_out=True, head_open=False)),
        (changed(1, 2, "1"), Status(paper_out=False, head_open=True)),
        (changed(0, 2, "1"), Status(paper_out=False, head_open=False, fault="paused")),
        (changed(1, 3, "1"), Status(paper_out=False, head_open=False, fault="ribbon out")),
        (changed(0, 11, "1"), Status(paper_out=False, head_open=False, fault="head too hot")),
        (changed(0, 4, "002"), Status(paper_out=False, head_open=False, busy=True)),
        (changed(1, 8, "00000003"), Status(paper_out=False, head_open=False, busy=True)),
        (changed(0, 1, "x"), UNKNOWN),
        (b"\x02\x03\x02\x03\x02\x03", UNKNOWN),
    ],
)
def test_status(answer, status):
    assert zpl().complete(answer)
    assert zpl().status((answer,)) == status


def test_paper_out_pauses_a_printer_and_is_not_called_a_pause():
    out = WELL.replace(b"030,0,0", b"030,1,1")
    assert zpl().status((out,)).trouble == "out of paper"


@pytest.mark.parametrize("end", range(0, len(WELL), 7))
def test_half_an_answer_is_none(end):
    assert not zpl().complete(WELL[: min(end, len(WELL) - 4)])
