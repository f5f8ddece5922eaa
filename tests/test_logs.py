"""Nothing that names a person leaves through the log, whichever way it is put in."""

import asyncio
import io
import logging
import os
import sys
import threading
import warnings

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk import events, facts, logs
from kiosk.domain import DocumentKind, Person, Stamp, Subject
from kiosk.events import Event
from kiosk.facts import Entry, Fact, Note, Order
from kiosk.tube import check_digit

NAME, ADDRESS = "欧阳示例", "江西省九江市示例路8号"
NUMBER, BIRTH, PHONE = "36049919900307001X", "19900307", "13800138000"
LATIN, PERMIT = "OUYANG SHILI", "H12345678"
TOKEN = "tok-Zk9_qLp"
CODE = f"HC1:2:{TOKEN}"
FOREIGNER_15, FOREIGNER_18 = "USA110090030712", "911190199003070010"
CANARIES = (NAME, ADDRESS, NUMBER, BIRTH, PHONE, TOKEN, CODE, FOREIGNER_15, FOREIGNER_18, PERMIT)

PERSON = Person(
    document=DocumentKind.RESIDENT,
    number=NUMBER,
    name=NAME,
    birth=BIRTH,
    address=ADDRESS,
    newest_address=ADDRESS,
    latin_name=LATIN,
    permit_number=PERMIT,
)
TUBE = "360481010123001"
TUBE += check_digit(TUBE)


def forms(text: str) -> list[bytes]:
    """What a text may look like in a log: in each encoding, as bytes, hex, escapes."""
    found = [text, ascii(text)[1:-1]]
    for encoding in ("utf-8", "utf-16-le", "utf-16-be", "gbk"):
        raw = text.encode(encoding)
        found += [
            raw.hex(),
            raw.hex(" "),
            repr(raw)[2:-1],
            raw.decode("latin-1"),
            "".join(f"%{byte:02X}" for byte in raw),
        ]
    return [form.encode() for form in found] + [text.encode("gbk"), text.encode("utf-16-le")]


def assert_clean(output: str, canaries: tuple[str, ...] = CANARIES) -> None:
    raw = output.encode(errors="surrogateescape")
    assert output.isascii()
    for canary in canaries:
        for form in forms(canary):
            assert form not in raw, (canary, form)


class Log:
    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()


@pytest.fixture
def log():
    root = logging.getLogger()
    before = root.handlers[:], root.level, sys.excepthook, sys.unraisablehook, threading.excepthook
    for handler in root.handlers[:]:  # else they would be closed
        root.removeHandler(handler)
    out = Log()
    logs.setup(logging.DEBUG, out.stream)
    yield out
    logging.captureWarnings(False)
    root.handlers[:], root.level, sys.excepthook, sys.unraisablehook, threading.excepthook = before


def fill(kind: type, depth: int = 0) -> object:
    """An instance of a struct with canaries in every field that takes text or bytes."""
    if kind is Person:
        return PERSON
    values = {}
    for field in msgspec.structs.fields(kind):
        values[field.name] = value_of(field.type, field.name)
    return kind(**values)


def value_of(wanted: object, name: str) -> object:
    if name in ("tube", "tubes"):
        return TUBE
    if isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
        return fill(wanted)
    samples = (f"{NAME} {NUMBER} {CODE}", f"{NAME}{NUMBER}".encode(), 7, True)
    for sample in samples:
        try:
            return msgspec.convert(sample, wanted)
        except msgspec.ValidationError:
            continue
    for part in getattr(wanted, "__args__", ()):
        if part is not type(None):
            return value_of(part, name)
    return f"{NAME} {NUMBER}"


def family(base: type) -> list[type]:
    return [each for kind in base.__subclasses__() for each in (kind, *family(kind))]


KINDS = [*family(Event), *family(Fact), *family(Note), *family(Order), Person, Subject]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_event_fact_note_and_order_in_every_usual_way(log, kind):
    thing = fill(kind)
    logger = logging.getLogger("kiosk.test")
    logger.info("seen %s", thing)
    logger.info("seen %r", thing)
    logger.info(f"seen {thing} {thing!r} {thing!a}")
    logger.info("seen %(thing)s", {"thing": thing})
    logger.info("seen %s", [thing, {"key": thing}])
    logger.info(thing)
    try:
        raise ValueError(f"cannot handle {thing}", thing)
    except ValueError as error:
        logger.exception("failed on %s: %s", thing, error)
        logger.error("failed: %r %s", error, error.args)
    assert len(log.lines) == 8
    assert_clean(log.text, (*CANARIES, LATIN, "OUYANG"))


def test_there_are_kinds_to_test():
    assert {events.CardRead, events.CodeScanned, facts.Registered, facts.IncidentRaised, facts.PrintLabel} <= set(KINDS)


@pytest.mark.parametrize("canary", CANARIES)
def test_every_canary_in_every_form(log, canary):
    logger = logging.getLogger("kiosk.test")
    for encoding in ("utf-8", "utf-16", "utf-16-le", "gbk"):
        raw = canary.encode(encoding)
        for shape in (raw, raw.hex(), raw.hex(" "), raw.hex(":"), bytearray(raw), raw.decode("latin-1"), list(raw)):
            logger.warning("got %s", shape)
            logger.warning("got %r", shape)
            logger.warning(f"got<{shape}>")
    logger.warning("got %s and %r and %a", canary, canary, canary)
    logger.warning("https://h5.example/health?code=%s", canary)
    logger.warning("id=%s,name:%s;x%sy", canary, canary, canary)
    assert_clean(log.text, (canary,))


@pytest.mark.parametrize("number", ["360499 19900307 001X", "3604-9919-9003-0700-1X", "138 0013 8000", "1990-03-07"])
def test_numbers_written_in_groups(number):
    assert logs.redact(f"seen {number}.") == "seen [withheld]."


def test_exceptions_with_all_that_hangs_on_them(log):
    def inner() -> None:
        raise KeyError(NAME)

    try:
        try:
            inner()
        except KeyError as error:
            error.add_note(f"while reading {NUMBER}")
            raise ExceptionGroup(f"two of {CODE}", [error, ValueError(PHONE, NAME.encode("gbk"))]) from error
    except ExceptionGroup:
        logging.getLogger("kiosk").exception("reader: %s", ADDRESS)
    assert len(log.lines) == 1
    assert "KeyError" in log.text
    assert "inner" in log.text
    assert_clean(log.text)


def test_wrong_arguments_of_a_log_call_are_not_printed(log, capsys):
    root = logging.getLogger()
    for handler in [each for each in root.handlers if not isinstance(each, logs.Handler)]:
        root.removeHandler(handler)  # pytest's own raises
    logging.getLogger("kiosk").info("%d people", NAME)
    logging.getLogger("kiosk").info("%s", NAME, NUMBER)  # noqa: PLE1205 - that is the mistake
    assert log.text.count("logging fault (TypeError) at test_logs.py") == 2
    printed = capsys.readouterr()
    assert_clean(log.text + printed.err + printed.out)


def test_uncaught_exceptions_of_any_kind(log, capsys):
    try:
        raise ValueError(f"{NAME} {NUMBER}")
    except ValueError:
        sys.excepthook(*sys.exc_info())

    thread = threading.Thread(target=lambda: int(f"{NAME}{CODE}"))
    thread.start()
    thread.join()

    class Sloppy:
        def __del__(self) -> None:
            raise ValueError(PHONE)

    del (sloppy := [Sloppy()])[:]
    assert sloppy == []
    assert log.text.count("uncaught exception") == 3
    printed = capsys.readouterr()
    assert_clean(log.text + printed.err + printed.out)


async def test_what_asyncio_complains_about(log):
    async def fail(text: str) -> None:
        raise ValueError(text)

    loop = asyncio.get_running_loop()
    task = loop.create_task(fail(f"{NAME} {CODE}"), name=NAME)
    await asyncio.wait([task])
    loop.call_exception_handler({"message": "lost", "exception": task.exception(), "task": task, "text": NUMBER})
    assert "ValueError" in log.text
    assert_clean(log.text)


def test_warnings_go_the_same_way(log):
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        logging.captureWarnings(True)
        warnings.warn(f"odd card of {NAME} {NUMBER}", stacklevel=1)
    assert "odd card of" in log.text
    assert_clean(log.text)


# What is left over --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "printer: offline: /dev/kiosk-printer: No such file or directory",
        "code: online",
        "panel: /dev/serial/by-id/usb-1a86_USB2.0-Serial-if00-port0: hung up",
        "tcp://127.0.0.1:9100: took 512 of 4096 bytes in 10.0 s",
        f"tube {TUBE} printed at attempt 2, then {TUBE}",
        "issue raised: uplink-lag: records wait for 3 h",
        "ButtonPressed(button='release', held_ms=500)",
    ],
)
def test_what_a_technician_needs_stays(line):
    assert logs.redact(line) == line


def test_only_valid_tube_numbers_stay():
    wrong = TUBE[:-1] + str((int(TUBE[-1]) + 1) % 10)
    assert logs.redact(f"{wrong} {TUBE}") == f"[withheld] {TUBE}"
    assert logs.redact(f"{TUBE}12") == "[withheld]"


def test_one_line_whatever_is_in_it(log):
    logging.getLogger("kiosk").info("first\r\n<0>kernel: forged\x1b[31m\u2028more\x00\n\n")
    (line,) = log.lines
    assert line.endswith("kiosk: first | <0>kernel: forged [31m | more")


def test_a_huge_text_gives_a_short_line(log):
    logging.getLogger("kiosk").info("code: %s", "7" * 10_000_000)
    logging.getLogger("kiosk").info("code: %s", f"{NAME} " * 1_000_000)
    assert all(len(line) < logs.MAX_LINE + 100 for line in log.lines)
    assert "code: [cut]" in log.lines[0]
    assert_clean(log.text)


@given(st.text(max_size=200))
def test_any_text_gives_one_printable_ascii_line(text):
    line = logs.redact(text)
    assert line.isascii()
    assert line.isprintable()


@given(st.text("0123456789abcX:-_'\"\\%/ .张", max_size=120))
def test_no_long_run_of_digits_is_left(text):
    run = 0
    for character in logs.redact(text).replace(TUBE, ""):
        run = run + 1 if character.isdigit() else 0
        assert run < 8 or run == 16


def test_levels_for_journald(tmp_path, monkeypatch):
    with (tmp_path / "stderr").open("w+") as stream:
        status = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        assert logs._is_journal(stream)
        monkeypatch.setenv("JOURNAL_STREAM", "1:2")
        assert not logs._is_journal(stream)
    record = logging.LogRecord("kiosk", logging.WARNING, "x.py", 1, "panel: %s", ("offline",), None)
    assert logs.Formatter(journald=True).format(record) == "<4>kiosk: panel: offline"
    assert logs.Formatter(journald=False).format(record).endswith(" WARNING kiosk: panel: offline")


def test_entries_of_the_journal(log):
    for kind in family(Fact):
        logging.getLogger("kiosk").info("%r", Entry(1, Stamp(1_660_000_000_000, 5), fill(kind)))
    assert_clean(log.text)
