"""(c) Each codec against the speed of its wire."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from nacl.signing import SigningKey

from kiosk import frames
from kiosk.config import EscposPrinter, TsplPrinter, ZplPrinter
from kiosk.domain import Signal
from kiosk.drivers.code_hid.codec import RECORD, HidCodec
from kiosk.drivers.code_hid.sim import presses, records
from kiosk.drivers.code_serial.codec import SerialCodec
from kiosk.drivers.idcard import card
from kiosk.drivers.idcard.codec import Decoder
from kiosk.drivers.panel_socket import codec as panel_codec
from kiosk.drivers.printer.languages import language_of
from kiosk.journal import Journal
from kiosk.panel import View, show
from tests.bench import history
from tests.bench.measure import Samples, Section, Target, number
from tests.bench.scan import frame
from tests.support.labels import label

UART_115200 = 11_520.0
UART_9600 = 960.0
REPORTS = 1_000.0
PANEL_LINES = 10.0
UPLINK = 125_000.0
ROUNDS = 15
PIECE = 64

ABOUT = """\
One thread, bytes in pieces of 64 as a UART hands them over. The wires: 115,200 baud = 11,520 bytes/s; the scanner's
9,600 baud = 960 bytes/s; 1,000 reports/s of a full-speed USB keyboard; ten changes of the panel a second; and for the
uplink's frames a mobile line of 1 Mbit/s. Of a printer's codec the bytes of a label of 50 × 30 mm count that it puts on
a line of 115,200 baud, of a status its queries and answers. ZPL compresses to a fifth and is measured by the bytes of
the picture, which the line would otherwise carry."""


def _pieces(data: bytes) -> list[bytes]:
    return [data[at : at + PIECE] for at in range(0, len(data), PIECE)]


def _idcard() -> tuple[Callable[[], object], float]:
    stream = _pieces(b"".join(frame(n) for n in range(20)))

    def work() -> None:
        decoder = Decoder()
        found = [answer for piece in stream for answer in decoder.feed(piece)]
        assert len({card.decode_text(card.text_block(answer.data)).number for answer in found}) == 20

    return work, sum(map(len, stream))


def _serial() -> tuple[Callable[[], object], float]:
    stream = _pieces("".join(f"HC1:0:token-{n:08}-健康码\r\n" for n in range(200)).encode())

    def work() -> None:
        codec = SerialCodec()
        assert sum(len(codec.feed(piece)) for piece in stream) == 200

    return work, sum(map(len, stream))


def _hid() -> tuple[Callable[[], object], float]:
    stream = b"".join(records(presses(f"HC1:0:token-{n:08}"), start_us=1_000_000 * (n + 1)) for n in range(100))
    pieces = [stream[at : at + 4 * RECORD.size] for at in range(0, len(stream), 4 * RECORD.size)]

    def work() -> None:
        codec = HidCodec(0.15)
        assert sum(len(codec.feed(piece)) for piece in pieces) == 100

    return work, len(stream) / RECORD.size / 2  # a report is a key and its SYN


def _printer(config: TsplPrinter | EscposPrinter | ZplPrinter) -> tuple[Callable[[], object], float]:
    from kiosk.labels import render

    image, codec = render(label(), (50, 30), 203), language_of(config)
    size = len(codec.job(image)) if not isinstance(config, ZplPrinter) else image.width // 8 * image.height
    return lambda: codec.job(image), float(size)


def _status(config: TsplPrinter | EscposPrinter | ZplPrinter) -> tuple[Callable[[], object], float]:
    from kiosk.drivers.printer import Status

    codec = language_of(config)
    replies = codec.replies(Status(paper_out=False, head_open=False))
    answers = tuple(replies[query] for query in codec.queries)

    def work() -> None:
        for _ in range(100):
            assert not codec.status(answers).trouble

    return work, 100.0 * sum(map(len, (*codec.queries, *answers)))


def _panel() -> tuple[Callable[[], object], float]:
    views = [View(signal=Signal.ACCEPTED, signal_count=n, members=n % 10, ready=True) for n in range(100)]

    def work() -> None:
        for seen in views:
            lines = panel_codec.Lines().feed(panel_codec.encode(show(seen, 0)))
            panel_codec.decode_panel(lines[0])

    return work, 100.0


def _frames(folder: Path) -> dict[str, tuple[Callable[[], object], float]]:
    history.build(folder / "journal.db", 400, snapshot=False)
    with Journal.open_readonly(folder / "journal.db") as journal:
        rows, epoch = journal.read(100, frames.MAX_FACTS, frames.MAX_BODIES), journal.epoch
        prev = journal.read(99, 1, frames.MAX_BODIES)[0].chain
    key = SigningKey(os.urandom(32))

    def pack() -> bytes:
        return frames.pack(rows, site="360481", kiosk=1, epoch=epoch, prev=prev, kid=bytes(8), key=key)

    packed = pack()
    return {
        "frames, pack and sign": (pack, len(packed)),
        "frames, verify and unfold": (lambda: frames.unpack(packed, key.verify_key).unfold(), len(packed)),
    }


def run(folder: Path, scale: float) -> Section:
    tspl, escpos, zpl = TsplPrinter(port="-"), EscposPrinter(port="-"), ZplPrinter(port="-")
    works: dict[str, tuple[tuple[Callable[[], object], float], float, str]] = {
        "idcard, decode": (_idcard(), UART_115200, "bytes"),
        "code_serial, decode": (_serial(), UART_9600, "bytes"),
        "code_hid, decode": (_hid(), REPORTS, "reports"),
        "tspl, label": (_printer(tspl), UART_115200, "bytes"),
        "escpos, label": (_printer(escpos), UART_115200, "bytes"),
        "zpl, label": (_printer(zpl), UART_115200, "bytes"),
        "tspl, status": (_status(tspl), UART_115200, "bytes"),
        "escpos, status": (_status(escpos), UART_115200, "bytes"),
        "zpl, status": (_status(zpl), UART_115200, "bytes"),
        "panel_socket, both ways": (_panel(), PANEL_LINES, "lines"),
    } | {name: (work, UPLINK, "bytes") for name, work in _frames(folder).items()}
    samples = {name: Samples(name) for name in works}
    for _ in range(max(3, round(ROUNDS * scale))):
        for name, ((work, _), _, _) in works.items():
            samples[name].add(_per_run(work))
    rows, targets = [], []
    for name, ((_, amount), wire, unit) in works.items():
        speed = amount / samples[name].median
        rows.append((name, f"{number(speed)} {unit}/s", f"{number(wire)} {unit}/s", f"{number(speed / wire)}×"))
        targets.append(Target(f"{name}: times its wire", speed / wire, 100, "×", least=True))
    return Section("(c) Codecs", ABOUT, ("codec", "median speed", "wire", "ratio"), rows, targets)


def _per_run(work: Callable[[], object], at_least_s: float = 0.02) -> float:
    runs, began = 0, time.perf_counter()
    while (took := time.perf_counter() - began) < at_least_s:
        work()
        runs += 1
    return took / runs
