"""QEMU for tests, on asyncio: its monitor, the byte streams into a guest, a shell there. Nothing here has a time limit
that a slow machine could miss: GUARD_S only ends a test that would wait for ever."""

import asyncio
import contextlib
import json
import re
import shutil
import socket
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

GUARD_S = 300.0
LOOK_S = 0.05
"""Between two looks at something in the guest that does not tell by itself."""
KEY_MS = 15
"""Between two key events, like a scanner's own pace."""
KEYS_KEPT = 16
"""Events that a USB keyboard of QEMU keeps until the guest fetches them; more are lost (hw/input/hid.c)."""

_KEY_NAMES = {
    "`": "grave_accent",
    "-": "minus",
    "=": "equal",
    "[": "bracket_left",
    "]": "bracket_right",
    "\\": "backslash",
    ";": "semicolon",
    "'": "apostrophe",
    ",": "comma",
    ".": "dot",
    "/": "slash",
    " ": "spc",
    "\n": "ret",
    "\t": "tab",
}
_SHIFTED = dict(zip('~!@#$%^&*()_+{}|:"<>?', "`1234567890-=[]\\;',./", strict=True))
T = TypeVar("T")


class VmError(Exception):
    """The machine, its monitor or a command in the guest failed; the text says how."""


class Line:
    """Our end of a byte stream. All that came is kept in ``seen``."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.seen = bytearray()
        self._reader, self._writer = reader, writer
        self._came = asyncio.Condition()
        self._ended = False
        self._pump = asyncio.create_task(self._receive())

    async def _receive(self) -> None:
        with contextlib.suppress(OSError):
            while data := await self._reader.read(65536):
                self.seen += data
                async with self._came:
                    self._came.notify_all()
        self._ended = True
        async with self._came:
            self._came.notify_all()

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def wait(self, pattern: bytes, since: int = 0, within: float = GUARD_S) -> re.Match[bytes]:
        """The first match of a regular expression in what came after ``since`` bytes, waited for. Raises VmError."""
        expression = re.compile(pattern, re.DOTALL)
        try:
            async with asyncio.timeout(within), self._came:
                while (found := expression.search(bytes(self.seen), since)) is None:
                    if self._ended:
                        raise VmError(f"the line ended before {pattern!r} came: {self.tail()}")
                    await self._came.wait()
        except TimeoutError:
            raise VmError(f"{pattern!r} did not come within {within:g} s: {self.tail()}") from None
        return found

    def tail(self) -> str:
        return bytes(self.seen[-2000:]).decode("utf-8", "replace")

    async def close(self) -> None:
        self._pump.cancel()
        self._writer.close()
        await asyncio.gather(self._pump, return_exceptions=True)


class Shell:
    """A POSIX shell at the other end of a line. That it echoes and prompts, as on a terminal, does no harm."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._count = 0
        self._one = asyncio.Lock()

    async def run(self, command: str, within: float = GUARD_S) -> str:
        """What ``command`` wrote, both streams, without blanks around it. Raises VmError when it fails.

        It is read by the shell as one compound command with the marks around its output: what a terminal adds comes
        before the first mark.
        """
        async with self._one:
            self._count += 1
            since, mark = len(self._line.seen), self._count
            head, tail = f"printf '\\n#%d<\\n' {mark}", f"printf '\\n#%d:%d>\\n' {mark} $?"
            await self._line.send(f"{head}; {{\n{command}\n}}; {tail}\n".encode())
            said = await self._line.wait(rb"\n#%d<\r?\n(.*)\n#%d:(\d+)>\r?\n" % (mark, mark), since, within)
        output = said[1].decode("utf-8", "replace").replace("\r", "").strip()
        if said[2] != b"0":
            raise VmError(f"{command!r} in the guest: status {int(said[2])}: {output}")
        return output


class Monitor:
    """QMP, the machine protocol of QEMU (docs/interop/qmp-spec in its sources)."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._read = 0
        self._events: list[dict[str, Any]] = []
        self._turn = asyncio.Lock()
        self._asked = 0

    async def execute(self, command: str, **arguments: object) -> Any:
        """The answer to a command. Who comes meanwhile waits; what somebody asked who did not wait for the answer is
        passed over. Raises VmError."""
        given = {name.replace("_", "-"): each for name, each in arguments.items()}
        async with self._turn:
            self._asked += 1
            message = {"execute": command, "arguments": given, "id": self._asked}
            await self._line.send(json.dumps(message).encode() + b"\n")
            while True:
                answer = await self._next()
                if answer.get("id") != self._asked:
                    continue
                if "error" in answer:
                    raise VmError(f"{command}: {answer['error']['desc']}")
                if "return" in answer:
                    return answer["return"]

    async def event(self, name: str, **data: object) -> None:
        """Waits for an event with this name and these data that nobody has waited for yet."""
        while True:
            for event in self._events:
                if event["event"] == name and data.items() <= event.get("data", {}).items():
                    self._events.remove(event)
                    return
            await self._next()

    async def _next(self) -> dict[str, Any]:
        found = await self._line.wait(rb"[^\n]+\n", self._read)
        self._read = found.end()
        message: dict[str, Any] = json.loads(found[0])
        if "event" in message:
            self._events.append(message)
        return message


class Vm:
    """A machine that runs inside this async context manager; after it, it is gone.

    ``lines``: each becomes a character device of QEMU that the arguments name with ``chardev=NAME``, and a `Line` here.
    """

    def __init__(self, program: str, arguments: Sequence[str], lines: Sequence[str]) -> None:
        self._command = [program, "-nodefaults", "-no-reboot", "-display", "none", *arguments]
        self._names = ["monitor", *lines]
        self.lines: dict[str, Line] = {}

    async def __aenter__(self) -> "Vm":
        if shutil.which(self._command[0]) is None:
            raise VmError(f"{self._command[0]} is not installed")
        pairs = {name: socket.socketpair() for name in self._names}
        for name, (_, theirs) in pairs.items():
            self._command += ["-chardev", f"socket,id={name},fd={theirs.fileno()}"]
        self._command += ["-mon", "chardev=monitor,mode=control"]
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed by kill()
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=self._said,
            stderr=self._said,
            pass_fds=[theirs.fileno() for _, theirs in pairs.values()],
        )
        for name, (ours, theirs) in pairs.items():
            theirs.close()
            self.lines[name] = Line(*await asyncio.open_unix_connection(sock=ours))
        self.monitor = Monitor(self.lines["monitor"])
        try:
            await self.monitor.execute("qmp_capabilities")
        except VmError as error:
            await self._process.wait()
            self._said.seek(0)
            said = self._said.read().decode("utf-8", "replace")
            await self.kill()
            raise VmError(f"{self._command[0]} did not start: {said or error}") from None
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()

    async def kill(self) -> None:
        """SIGKILL: to the guest, the power goes."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        for line in self.lines.values():
            await line.close()
        self._said.close()

    async def plug(self, driver: str, name: str, **properties: object) -> None:
        await self.monitor.execute("device_add", driver=driver, id=name, **properties)

    async def unplug(self, name: str) -> None:
        """Returns when the device is gone."""
        await self.monitor.execute("device_del", id=name)
        await self.monitor.event("DEVICE_DELETED", device=name)

    async def type(self, text: str, fetched: Callable[[], Awaitable[int]] | None = None) -> None:
        """Types on the guest's keyboard, layout US; the keys follow each other at their pace.

        ``fetched`` tells how many key events the guest has taken from the keyboard since any moment before; with it no
        key is pressed that the keyboard cannot keep, however busy the machine is.
        """
        start = await fetched() if fetched else 0
        pressed = waiting = 0
        for character in text:
            plain = _SHIFTED.get(character, character.lower())
            keys = ["shift"] if plain != character else []
            keys.append(_KEY_NAMES.get(plain, plain))
            if fetched and waiting + 2 * len(keys) > KEYS_KEPT:

                async def all_fetched(wanted: int = start + pressed) -> bool:
                    assert fetched is not None
                    return await fetched() >= wanted

                await until(all_fetched, f"key {pressed} taken by the guest")
                waiting = 0
            pressed, waiting = pressed + 2 * len(keys), waiting + 2 * len(keys)
            names = [{"type": "qcode", "data": key} for key in keys]
            await self.monitor.execute("send-key", keys=names, hold_time=KEY_MS)


async def until(look: Callable[[], Awaitable[T]], what: str, within: float = GUARD_S) -> T:
    """Looks again and again until what is seen is true, and returns it. Raises VmError that names ``what``."""
    seen: T | None = None
    try:
        async with asyncio.timeout(within):
            while not (seen := await look()):
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        raise VmError(f"not seen within {within:g} s: {what}; last: {seen!r}") from None
    return seen
