"""The socket through which the command line asks the running daemon for something. One JSON line each way."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

NAME = "control.sock"
_LINE = 4096

Answer = Callable[[str], Awaitable[dict[str, Any]]]
"""From the name of a request to the reply; raises KeyError for one it does not know."""


class NotRunningError(Exception):
    """No daemon answers on this socket."""


async def serve(path: Path, answer: Answer) -> None:
    """Answers requests until cancelled. Only the daemon's own user and group may ask."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = json.loads(await reader.readuntil(b"\n"))
            reply = await answer(request["do"])
        except (OSError, ValueError, KeyError, TypeError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            reply = {"error": "not a request this kiosk knows"}
        try:
            writer.write(json.dumps(reply).encode() + b"\n")
            await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    path.unlink(missing_ok=True)  # noqa: ASYNC240
    server = await asyncio.start_unix_server(talk, path, limit=_LINE)
    path.chmod(0o660)  # noqa: ASYNC240
    async with server:
        await server.serve_forever()


def ask(path: Path, request: str) -> dict[str, Any]:
    """Sends one request and returns the reply. Raises NotRunningError."""
    try:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(10)
            peer.connect(str(path))
            peer.sendall(json.dumps({"do": request}).encode() + b"\n")
            reply: dict[str, Any] = json.loads(peer.makefile().readline())
    except (OSError, ValueError) as error:
        raise NotRunningError(f"no kiosk answers on {path}: {error}") from None
    return reply
