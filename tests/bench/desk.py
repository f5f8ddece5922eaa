"""The far side of the desk without an event loop in the way: card reader and printer on pseudo-terminals, lamp box on
the panel's socket, all served by one blocking loop that notes the time of what matters."""

import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import tty
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Self

from kiosk.domain import Person
from kiosk.drivers.idcard import card as contents
from kiosk.drivers.idcard.codec import Command, RequestDecoder, Response, Status, encode_response
from kiosk.drivers.idcard.sim import PHOTO, SAM_ID
from kiosk.drivers.panel_socket.codec import Edge, Lines, decode_panel, encode
from kiosk.drivers.printer.paper import TsplPaper
from kiosk.panel import Panel

PATIENCE_S = 60.0
HELD_S = 0.45
RAM = Path("/dev/shm")


class Pty:
    """One end of a line; ``link`` is the other."""

    def __init__(self, link: Path) -> None:
        self.fd, self._far = os.openpty()
        tty.setraw(self._far)
        link.unlink(missing_ok=True)
        link.symlink_to(os.ttyname(self._far))

    def close(self) -> None:
        os.close(self.fd)
        os.close(self._far)


class Desk:
    """The daemon as a process of its own, its devices and its readiness socket (sd_notify). A context manager.

    ``sent_at``: when the last byte of a card was written to the line; ``label_at``: when the first bytes of a label
    came out. Both are `time.perf_counter`, in seconds.
    """

    def __init__(self, folder: Path, tables: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        from kiosk.simulate.rig import Rig  # its configuration; its devices are left alone

        volatile = Path(tempfile.mkdtemp(dir=RAM if RAM.is_dir() else folder.parent))  # /run is in RAM on a kiosk
        self._socket = volatile / "panel.sock"
        ours = {
            "kiosk": {"runtime_dir": str(volatile)},
            "devices.code": {"driver": "none"},
            "devices.card": {"driver": "sdt", "port": str(folder / "card"), "poll_s": 0.002, "newest_address": False},
            "devices.panel": {"driver": "socket", "path": str(self._socket)},
            "mqtt": {"host": "127.0.0.1", "port": 9},  # nobody there: off line, as on most days
        }
        self.rig = Rig(folder, ours | dict(tables or {}))
        self.sent_at = self.label_at = 0.0
        self.panel: Panel | None = None
        self._folder = folder
        self._requests = RequestDecoder()
        self._lines = Lines()
        self._paper = TsplPaper()
        self._payload: bytes | None = None
        self._box: socket.socket | None = None

    def __enter__(self) -> Self:
        self._reader, self._printer = Pty(self._folder / "card"), Pty(self._folder / "printer")
        self.process, self.ready_s = start(self.rig.config_path, self._folder)
        self._box = socket.socket(socket.AF_UNIX)
        self._box.connect(str(self._socket))
        self._serve(lambda: self.panel is not None and self.panel.lamps["stop"] == "off")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.close()
        self._printer.close()
        shutil.rmtree(self._socket.parent)
        if self._box is not None:
            self._box.close()

    def visit(self, person: Person) -> float:
        """Seconds from the last byte of the card to the answer on the panel's socket, which must be a yes."""
        before = self.panel.signal if self.panel is not None else 0
        self._payload = contents.encode_payload(contents.encode_text(person), PHOTO)
        self._serve(lambda: self.panel is not None and self.panel.signal > before)
        took = time.perf_counter() - self.sent_at
        self._payload = None
        if self.panel is None or self.panel.buzzer != "accepted":
            raise RuntimeError(f"the kiosk answered {self.panel}")
        return took

    def rest(self, seconds: float = 0.005) -> None:
        """Lets the daemon finish what follows an answer."""
        until = time.monotonic() + seconds
        self._serve(lambda: time.monotonic() > until)

    def wait_for_label(self) -> float:
        """Seconds from the last byte of the last card to the first bytes of a label that it closed the tube of."""
        self._serve(lambda: self.label_at > self.sent_at)
        return self.label_at - self.sent_at

    def release(self) -> None:
        """A volunteer presses as soon as the lamp asks for it."""
        self._serve(lambda: self.panel is not None and self.panel.lamps["release"] == "blink")
        self._button("down")
        self.rest(HELD_S)
        self._button("up")
        self._serve(lambda: self.panel is not None and self.panel.buzzer == "released")

    def _button(self, edge: Literal["down", "up"]) -> None:
        if self._box is not None:
            self._box.sendall(encode(Edge("release", edge)))

    def _serve(self, until: Callable[[], bool]) -> None:
        files = [self._reader.fd, self._printer.fd] + ([self._box.fileno()] if self._box is not None else [])
        deadline = time.monotonic() + PATIENCE_S
        while not until():
            ready, _, _ = select.select(files, [], [], 0.002)
            if time.monotonic() > deadline:
                raise TimeoutError("the kiosk did not answer")
            for fd in ready:
                if fd == self._reader.fd:
                    self._answer()
                elif fd == self._printer.fd:
                    self._print()
                elif self._box is not None and (data := self._box.recv(65536)):
                    for line in self._lines.feed(data):
                        self.panel = decode_panel(line)

    def _print(self) -> None:
        data = os.read(self._printer.fd, 65536)
        if b"SIZE " in data:
            self.label_at = time.perf_counter()
        for deed in self._paper.feed(data):
            if isinstance(deed, bytes):
                os.write(self._printer.fd, b"\0")  # well, and not busy

    def _answer(self) -> None:
        for request in self._requests.feed(os.read(self._reader.fd, 4096)):
            match request.command:
                case Command.FIND:
                    answer = Response(Status.FOUND if self._payload else Status.NOT_FOUND)
                case Command.SELECT | Command.STATUS | Command.RESET:
                    answer = Response(Status.OK)
                case Command.SAM_ID:
                    answer = Response(Status.OK, SAM_ID)
                case Command.READ if self._payload:
                    answer = Response(Status.OK, self._payload)
                case _:
                    answer = Response(Status.READ_FAILED)
            os.write(self._reader.fd, encode_response(answer))
            if request.command == Command.READ and self._payload:
                self.sent_at = time.perf_counter()


def start(config: Path, folder: Path) -> tuple["subprocess.Popen[bytes]", float]:
    """Starts the daemon; the seconds from the fork to READY=1."""
    path = folder / "notify.sock"
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(path))
        notify.settimeout(PATIENCE_S)
        with (folder / "kiosk.log").open("ab") as log:
            began = time.perf_counter()
            process = subprocess.Popen(
                [sys.executable, "-m", "kiosk", "run", "--config", str(config)],
                stdout=log,
                stderr=log,
                env=os.environ | {"NOTIFY_SOCKET": str(path)},
            )
        try:
            while b"READY=1" not in notify.recv(4096):
                pass
        except TimeoutError:
            process.kill()
            raise
        return process, time.perf_counter() - began
