"""The socket through which the command line asks the running daemon for something. One JSON line each way."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

NAME = "control.sock"
_LINE = 4096
WAIT_S = 5.0
"""A peer that connects and says nothing is dropped."""

Answer = Callable[[str], Awaitable[dict[str, Any]]]
"""From the name of a request to the reply; raises KeyError for one it does not know."""


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
        return await answer(json.loads(line)["do"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return {"error": "not a request this kiosk knows"}


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
