"""Far sides written from the protocol texts alone, with nothing of the kiosk's own codecs in them: what a stranger
builds who has the protocols and the configuration's names. Threads and plain files, no event loop."""

import contextlib
import json
import os
import pty
import re
import select
import socket
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

import zxingcpp
from PIL import Image

PREAMBLE = bytes.fromhex("AAAAAA9669")
SAFETY_S = 30.0
T = TypeVar("T")


# People ---------------------------------------------------------------------------------------------------------------


def number(n: int) -> str:
    """An invented ID number with its check character (ISO 7064 MOD 11-2)."""
    body = f"11019919{50 + n % 50:02}0101{n:03}"
    return body + "10X98765432"[sum(int(d) * (2 ** (17 - i) % 11) for i, d in enumerate(body)) % 11]


def card(n: int, name: str = "", document: str = "") -> bytes:
    """The 256 bytes of text of a resident's card (UTF-16LE, blanks behind each field)."""
    fields = (
        (name or f"居民{n}", 15),
        ("1", 1),
        ("01", 2),
        ("19500101", 8),
        ("北京市示例路1号", 35),
        (document or number(n), 18),
        ("示例公安局", 15),
        ("20150101", 8),
        ("长期", 8),
        ("", 18),
    )
    return "".join(text.ljust(width) for text, width in fields).encode("utf-16-le")


# Devices --------------------------------------------------------------------------------------------------------------


def framed(body: bytes) -> bytes:
    checked = (len(body) + 1).to_bytes(2, "big") + body
    return PREAMBLE + checked + bytes([reduce(lambda a, b: a ^ b, checked)])


class Terminal:
    """The far end of a serial line. ``_heard`` gets what the kiosk writes."""

    def __init__(self) -> None:
        self.master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self._closed = False
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def send(self, data: bytes) -> None:
        while data:
            data = data[os.write(self.master, data) :]

    def close(self) -> None:
        self._closed = True
        self._thread.join()
        os.close(self.master)
        os.close(self._slave)

    def _listen(self) -> None:
        while not self._closed:
            if select.select([self.master], [], [], 0.02)[0]:
                self._heard(os.read(self.master, 4096))

    def _heard(self, data: bytes) -> None:
        pass


class Reader(Terminal):
    """An SDT module. ``lies``: the text of the card on it. A module that cannot find a card again until it was lifted:
    ``once``. ``knows``: the only requests it answers."""

    once = False
    knows: frozenset[str] | None = None

    def __init__(self) -> None:
        self.lies: bytes | None = None
        self.reads = 0
        self._found = False
        self._line = b""
        super().__init__()

    def place(self, text: bytes) -> None:
        self.lies, self._found, self.reads = text, False, 0

    def lift(self) -> None:
        self.lies = None

    def _heard(self, data: bytes) -> None:
        self._line += data
        while (start := self._line.find(PREAMBLE)) >= 0 and len(self._line) >= start + 7:
            end = start + 7 + int.from_bytes(self._line[start + 5 : start + 7], "big")
            if len(self._line) < end:
                return
            request = self._line[start + 7 : end - 1].hex()
            self._line = self._line[end:]
            if self.knows is None or request in self.knows:
                self.send(framed(self._answer(request)))

    def _answer(self, request: str) -> bytes:
        there = self.lies is not None
        match request:
            case "10ff" | "11ff":
                return b"\0\0\x90"
            case "12ff":
                return b"\0\0\x90" + bytes.fromhex("05000300D5AF34013930000015CD5B07")
            case "2001":
                if there and not (self.once and self._found):
                    self._found = True
                    return b"\0\0\x9f" + bytes(4)
                return b"\0\0\x80"
            case "2002":
                return b"\0\0\x90" + bytes(8) if there else b"\0\0\x81"
            case "3001":
                if self.lies is None:
                    return b"\0\0\x41"
                self.reads += 1
                return b"\0\0\x90" + bytes.fromhex("01000400") + self.lies + bytes(i % 256 for i in range(1024))
            case "3003":
                return b"\0\0\x91" if there else b"\0\0\x41"
        return b"\0\0\x21"


class TsplPrinter:
    """What a label printer does with TSPL, as far as the kiosk needs it. ``state``: the byte that answers ESC ! ?, or
    None for a printer that never answers. A label sent while it cannot print is lost."""

    def __init__(self, state: int | None = 0x00) -> None:
        self.state = state
        self.received = b""
        self.labels: list[Image.Image] = []
        self._line = b""

    def heard(self, data: bytes) -> bytes:
        self.received += data
        self._line += data
        answer = b""
        while self._line:
            if b"\x1b!?".startswith(self._line[:3]):
                if len(self._line) < 3:
                    break
                answer += b"" if self.state is None else bytes([self.state])
                self._line = self._line[3:]
                continue
            head = re.match(rb"BITMAP 0,0,(\d+),(\d+),\d,", self._line)
            if head:
                width, height = int(head[1]), int(head[2])
                end = head.end() + width * height
                if len(self._line) < end:
                    break
                self._picture = Image.frombytes("1", (width * 8, height), self._line[head.end() : end])
                self._line = self._line[end:]
                continue
            command, newline, rest = self._line.partition(b"\r\n")
            if not newline or (b"BITMAP ".startswith(command[:7]) and command):
                break
            self._line = rest
            if command.startswith(b"PRINT ") and self.state in (0x00, None):
                self.labels.append(self._picture)
        return answer

    @property
    def tubes(self) -> list[str]:
        """The numbers a barcode reader finds on the labels."""
        return [read_barcode(label) for label in self.labels]


class SerialPrinter(Terminal, TsplPrinter):
    def __init__(self, state: int | None = 0x00) -> None:
        TsplPrinter.__init__(self, state)
        Terminal.__init__(self)

    def _heard(self, data: bytes) -> None:
        if answer := self.heard(data):
            self.send(answer)


class TcpPrinter(TsplPrinter):
    def __init__(self, state: int | None = 0x00) -> None:
        super().__init__(state)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = f"tcp://127.0.0.1:{self._server.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._server.accept()
                with peer, contextlib.suppress(ConnectionError):
                    while data := peer.recv(4096):
                        peer.sendall(self.heard(data))


def read_barcode(picture: Image.Image) -> str:
    framed_white = Image.new("L", (picture.width + 40, picture.height + 40), 255)
    framed_white.paste(picture.convert("L"), (20, 20))
    (found,) = zxingcpp.read_barcodes(framed_white)
    assert found.format is zxingcpp.BarcodeFormat.Code128
    return str(found.text)


class Panel:
    """A lamp box on the panel socket."""

    def __init__(self, path: Path) -> None:
        self._socket = until(lambda: _connected(path))
        self.history: list[dict[str, Any]] = []
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    @property
    def now(self) -> dict[str, Any]:
        return self.history[-1]

    def wait(self, wanted: Callable[[dict[str, Any]], Any], *, since: int = 0) -> dict[str, Any]:
        """The first state from ``since`` on that is wanted."""
        end = time.monotonic() + SAFETY_S
        with self._news:
            at = since
            while True:
                for state in self.history[at:]:
                    if wanted(state):
                        return state
                at = len(self.history)
                if not self._news.wait(end - time.monotonic()):
                    raise AssertionError(f"never seen; the last ones were {self.history[-5:]}")

    def press(self, seconds: float) -> None:
        for edge, pause in (("down", seconds), ("up", 0)):
            self._socket.sendall(json.dumps({"button": "release", "edge": edge}).encode() + b"\n")
            time.sleep(pause)  # the length of the press is what is under test

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        with contextlib.suppress(OSError), self._socket.makefile() as lines:
            for line in lines:
                with self._news:
                    self.history.append(json.loads(line))
                    self._news.notify_all()


def _connected(path: Path) -> socket.socket | None:
    made = socket.socket(socket.AF_UNIX)
    try:
        made.connect(str(path))
    except OSError:
        made.close()
        return None
    return made


# The kiosk ------------------------------------------------------------------------------------------------------------


def until(look: Callable[[], T], within: float = SAFETY_S) -> T:
    """What ``look`` returns once it is true."""
    end = time.monotonic() + within
    while not (seen := look()):
        if time.monotonic() > end:
            raise AssertionError(f"{look} never came true")
        time.sleep(0.02)
    return seen


class Daemon:
    """``kiosk`` as its own processes, known by its command line and its files only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "kiosk.toml"
        self._process: subprocess.Popen[bytes] | None = None

    def call(self, *arguments: str, config: bool = True) -> subprocess.CompletedProcess[str]:
        tail = ("--config", str(self.config)) if config else ()
        return subprocess.run(
            [sys.executable, "-m", "kiosk", *arguments, *tail], capture_output=True, text=True, timeout=SAFETY_S
        )

    def status(self) -> dict[str, Any]:
        done = self.call("status", "--json")
        return dict(json.loads(done.stdout)) if done.returncode == 0 else {}

    def start(self) -> Panel:
        with (self.folder / "kiosk.log").open("ab") as log:
            command = [sys.executable, "-m", "kiosk", "run", "--config", str(self.config)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        panel = Panel(self.folder / "panel.sock")
        panel.wait(lambda state: state["lamps"]["stop"] == "off")
        return panel

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> int:
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(SAFETY_S)
