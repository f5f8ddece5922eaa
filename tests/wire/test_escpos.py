import hashlib
import logging
import subprocess
import sys

import pytest
from escpos.printer import Dummy

from kiosk.config import EscposPrinter
from kiosk.drivers.escpos.codec import Escpos
from kiosk.drivers.printer import UNKNOWN, Status
from kiosk.labels import render
from tests.support.labels import label, pattern


def escpos(**settings) -> Escpos:
    return Escpos(EscposPrinter(port="labels.bin", **settings))


def test_golden_bytes():
    job = escpos().job(pattern())
    assert job.startswith(b"\x1b@\x1dv0\x00\x32\x00\xf0\x00")
    assert job.endswith(b"\x1d\x0c")
    assert len(job) == 12_012
    assert hashlib.sha256(job).hexdigest()[:16] == "629c114e9b53c14e"


def test_the_picture_is_the_one_python_escpos_makes():
    image = render(label(), (50, 30), 203)
    printer = Dummy(profile="TM-L90")
    printer.image(image, impl="bitImageRaster")
    assert escpos().job(image) == b"\x1b@" + printer.output + b"\x1d\x0c"


def test_the_end_of_a_label_is_configured_and_copies_are_sent_again():
    image = render(label(), (50, 30), 203)
    once = escpos(end_of_label="1c284c02004332").job(image)
    assert once.endswith(bytes.fromhex("1c284c02004332"))
    assert escpos(copies=2).job(image) == escpos().job(image) * 2


@pytest.mark.parametrize(
    ("settings", "why"),
    [({"profile": "no-such-printer"}, "no profile 'no-such-printer'"), ({"end_of_label": "xy"}, "hexadecimal")],
)
def test_wrong_settings(settings, why):
    with pytest.raises(ValueError, match=why):
        escpos(**settings)


def test_a_label_wider_than_the_head():
    with pytest.raises(ValueError, match=r"'POS-5890' cannot print 400 dots: .*384"):
        escpos(profile="POS-5890").job(render(label(), (50, 30), 203))


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        ([0x12, 0x12, 0x12, 0x12], Status(paper_out=False, head_open=False)),
        ([0x1E, 0x12, 0x12, 0x12], Status(paper_out=False, head_open=False)),  # near the end is not the end
        ([0x72, 0x32, 0x12, 0x1A], Status(paper_out=True, head_open=False)),
        ([0x12, 0x16, 0x12, 0x1A], Status(paper_out=False, head_open=True)),
        ([0x12, 0x12, 0x1A, 0x1A], Status(paper_out=False, head_open=False, fault="cutter error")),
        ([0x12, 0x12, 0x32, 0x1A], Status(paper_out=False, head_open=False, fault="printer error")),
        ([0x12, 0x12, 0x12, 0x1A], Status(paper_out=False, head_open=False, fault="off line")),
        ([0x12], Status(paper_out=False)),
        ([], UNKNOWN),
    ],
)
def test_status(answers, status):
    assert escpos().status(tuple(bytes((each,)) for each in answers)) == status


@pytest.mark.parametrize("byte", [0x00, 0x02, 0x10, 0x13, 0x92, 0xFF])
def test_a_byte_without_the_fixed_bits_is_no_answer(byte):
    assert not escpos().complete(bytes((byte,)))


def test_the_import_leaves_no_trace(tmp_path):
    program = (
        "import logging, os; from kiosk.drivers.escpos.codec import Escpos; from kiosk.config import EscposPrinter;"
        "import tempfile; before = sorted(os.listdir(tempfile.gettempdir()));"
        "Escpos(EscposPrinter(port='labels.bin', profile='default'));"
        "assert sorted(os.listdir(tempfile.gettempdir())) == before, os.listdir(tempfile.gettempdir());"
        "assert not logging.getLogger().handlers; assert 'ESCPOS_CAPABILITIES_PICKLE_DIR' not in os.environ"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env={"TMPDIR": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not list(tmp_path.iterdir())


def test_a_profile_without_a_width_prints_no_remark(capsys):
    escpos(profile="default").job(render(label(), (50, 30), 203))
    assert capsys.readouterr().out == ""
    assert logging.getLogger("escpos").level == logging.NOTSET
