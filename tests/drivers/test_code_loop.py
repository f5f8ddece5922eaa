import asyncio

import pytest

from kiosk.drivers import zone_lines
from kiosk.drivers.base import DeviceLost
from kiosk.drivers.code_loop import read_codes
from kiosk.drivers.code_serial.codec import SerialCodec
from kiosk.drivers.zone_lines import HALF
from kiosk.events import CodeFailed, CodeScanned
from tests.support.inbox import Inbox


class LateSource:
    """Tells a story: what `read` gives, or None where the time is up before and `read_now` gives the next."""

    def __init__(self, *reads: bytes | None) -> None:
        self._reads = list(reads)

    async def read(self) -> bytes:
        if not self._reads:
            raise DeviceLost("end of the story")
        if (data := self._reads.pop(0)) is None:
            await asyncio.Event().wait()
        return data

    def read_now(self) -> bytes:
        return self._reads.pop(0)


@pytest.mark.parametrize(
    ("reads", "codes"),
    [
        ([b"HC1:0:fi", None, b"rst\r"], ["HC1:0:first"]),  # this process was late: the rest has come meanwhile
        ([b"HC1:0:a", None, b"", b"HC1:0:b\r"], ["HC1:0:a", "HC1:0:b"]),  # silence indeed
    ],
)
async def test_only_true_silence_ends_a_code(reads: list[bytes | None], codes: list[str]):
    inbox = Inbox()
    with pytest.raises(DeviceLost):
        await read_codes("code", LateSource(*reads), SerialCodec(), 0.01, inbox.post)
    assert inbox.events == [CodeScanned(code) for code in codes]


FIRST, SECOND = b"P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\r", b"L898902C36UTO7408122F1204159ZE184226B<<<<<10\r"


@pytest.mark.parametrize(
    ("reads", "events"),
    [
        ([FIRST, SECOND], [CodeScanned((FIRST + SECOND).replace(b"\r", b"").decode())]),
        ([FIRST, None, b""], [CodeFailed(HALF)]),
        ([FIRST + b"HC1:0:a\r", SECOND], [CodeFailed(HALF), CodeScanned("HC1:0:a"), CodeFailed(HALF)]),
        ([SECOND, FIRST, None, b""], [CodeFailed(HALF), CodeFailed(HALF)]),
    ],
)
async def test_the_lines_of_a_document_are_one_scan_and_half_of_one_is_told_and_not_logged(
    reads: list[bytes | None],
    events: list[CodeScanned | CodeFailed],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    if None in reads:
        monkeypatch.setattr(zone_lines, "PATIENCE_S", 0.01)
    caplog.set_level("DEBUG")
    inbox = Inbox()
    with pytest.raises(DeviceLost):
        await read_codes("code", LateSource(*reads), SerialCodec(), 0.01, inbox.post)
    assert inbox.events == events
    for told in ("ERIKSSON", "L898902", "740812"):
        assert told not in caplog.text
        assert all(told not in repr(event) for event in inbox.events)
