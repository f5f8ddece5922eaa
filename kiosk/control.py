"""The socket through which other programs of this kiosk ask the running daemon for something. One JSON line each way:
``{"do": name, "args": {…}}``, where ``args`` may be left out, and the reply."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

NAME = "control.sock"
_LINE = 16384
WAIT_S = 5.0
"""A peer that connects and says nothing is dropped."""

Answer = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]
"""From the name of a request and its arguments to the reply. Raises KeyError for a name and msgspec.ValidationError for
arguments that it does not know."""


class Notice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of "print-notice": a label for whoever stands at the kiosk, as `kiosk.notices.notice` draws it. Of one
    ``kind`` at most one waits for the printer."""

    kind: Annotated[str, Meta(pattern="^[a-z-]{1,32}$")]
    title: str
    lines: tuple[str, ...] = ()
    code: str = ""


class SignedCommand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of "command": an order of the command post as it came, in base64."""

    envelope: bytes


class NotRunningError(Exception):
    """No daemon answers on this socket."""


async def serve(path: Path, answer: Answer) -> None:
    """Answers requests until cancelled. Only the daemon's own user and group may ask."""

    peers: set[asyncio.StreamWriter] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peers.add(writer)
        try:
            async with asyncio.timeout(WAIT_S):
                line = await reader.readuntil(b"\n")
            reply = await _reply(line, answer)
            writer.write(json.dumps(reply).encode() + b"\n")
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.transport.abort()
        finally:
            peers.discard(writer)
            writer.close()

    path.unlink(missing_ok=True)  # noqa: ASYNC240
    server = await asyncio.start_unix_server(talk, path, limit=_LINE)
    path.chmod(0o660)  # noqa: ASYNC240
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        server.close()
        for peer in peers:
            peer.transport.abort()
        path.unlink(missing_ok=True)  # noqa: ASYNC240


async def _reply(line: bytes, answer: Answer) -> dict[str, Any]:
    try:
        request = json.loads(line)
        return await answer(request["do"], dict(request.get("args", {})))
    except msgspec.ValidationError as error:
        return {"error": f"args: {error}"}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {"error": "not a request this kiosk knows"}


def ask(path: Path, request: str, args: Mapping[str, object] | None = None) -> dict[str, Any]:
    """Sends one request and returns the reply. Raises NotRunningError."""
    try:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(10)
            peer.connect(str(path))
            peer.sendall(json.dumps({"do": request, "args": dict(args or {})}).encode() + b"\n")
            reply: dict[str, Any] = json.loads(peer.makefile().readline())
    except (OSError, ValueError) as error:
        raise NotRunningError(f"no kiosk answers on {path}: {error}") from None
    return reply
