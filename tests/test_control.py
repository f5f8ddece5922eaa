"""The socket of the command line: an answer for a request, and for everything else."""

import asyncio
import json
import socket
import stat
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kiosk import control
from tests.support.site_day import until


async def answer(request: str, args: dict[str, Any]) -> dict[str, Any]:
    if request == "print-notice":
        return msgspec.to_builtins(msgspec.convert(args, control.Notice))
    if request != "round-new":
        raise KeyError(request)
    return {"round": 7}


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[Path]:
    path = tmp_path / control.NAME
    path.touch()  # what a killed daemon leaves behind
    task = asyncio.create_task(control.serve(path, answer))
    await until(path.is_socket, "it listens")
    yield path
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not path.exists()


async def test_a_request_and_its_answer(path: Path) -> None:
    assert await asyncio.to_thread(control.ask, path, "round-new") == {"round": 7}


async def test_arguments_travel_with_a_request(path: Path) -> None:
    wanted = {"kind": "export", "title": "导出完成 Export done", "lines": ["线" * 500, "two"], "code": "K1"}
    assert await asyncio.to_thread(control.ask, path, "print-notice", wanted) == wanted


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ({"kind": "export"}, "missing required field `title`"),
        ({"kind": "Export 1", "title": ""}, "kind"),
        ({"kind": "export", "title": 7}, "title"),
        ({"kind": "export", "title": "", "lines": "one"}, "lines"),
        ({"kind": "export", "title": "", "tube": "7"}, "unknown field `tube`"),
    ],
)
async def test_wrong_arguments_are_named(path: Path, args: dict[str, object], why: str) -> None:
    reply = await asyncio.to_thread(control.ask, path, "print-notice", args)
    assert reply["error"].startswith("args: ")
    assert why in reply["error"]


async def test_only_user_and_group_may_ask(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b"7",
        b"[]",
        b"round-new",
        b'{"do": "open the seals"}',
        b'{"do": {}}',
        b'{"do": "round-new", "args": 7}',
        b"\xff\xfe",
        b"[" * 4000,
        b"",
    ],
)
async def test_what_is_no_request(path: Path, line: bytes) -> None:
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(line + b"\n")
    assert json.loads(await reader.readline()) == {"error": "not a request this kiosk knows"}
    assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize("data", [b"x" * 100_000, b'{"do": "round-n'])
async def test_too_much_or_too_little(path: Path, data: bytes) -> None:
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(data)
    if len(data) < 100:
        writer.write_eof()
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    writer.transport.abort()
    assert await asyncio.to_thread(control.ask, path, "round-new") == {"round": 7}


async def test_silence_is_not_waited_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "WAIT_S", 0.05)
    reader, writer = await asyncio.open_unix_connection(str(path))
    assert await reader.read() == b""
    writer.close()


def test_nobody_there(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(control.NotRunningError, match="no kiosk answers on"):
            control.ask(path, "round-new")


def test_somebody_else_there(tmp_path: Path) -> None:
    path = tmp_path / "sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def hang_up() -> None:
            peer, _ = listener.accept()
            peer.recv(100)
            peer.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(control.NotRunningError):
            control.ask(path, "round-new")
        thread.join()
