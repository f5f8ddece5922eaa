"""A bundle from the network: over lines that break, from servers that err, onto a partition that is full."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random

import pytest

from kiosk.update import fetch
from kiosk.update.fetch import FetchError, Times
from kiosk.update.fetch import fetch as fetched
from tests.support.mosquitto import free_port

CONTENT = Random(3).randbytes(300_000)
SHA256 = hashlib.sha256(CONTENT).digest()


class Server(ThreadingHTTPServer):
    """``sends``: how many bytes each answer may have before the line breaks, the last of them for ever; ``says``: a
    status instead of an answer, once each; ``ranges``: whether it knows them; ``asked``: from which bytes on."""

    sends: list[int]
    says: list[int]
    ranges = True
    content = CONTENT

    def __init__(self) -> None:
        self.sends, self.says, self.asked = [1 << 30], [], []
        super().__init__(("127.0.0.1", 0), Answer)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/update.kiosk"


class Answer(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        wanted = self.headers.get("Range", "bytes=0-")
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if server.ranges else 0
        server.asked.append(start)
        if server.says:
            self.send_response(status := server.says.pop(0))
            if status == 302:
                self.send_header("Location", "file:///etc/passwd")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: server.sends.pop(0) if len(server.sends) > 1 else server.sends[0]])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


class Clock:
    """Goes on only when somebody waits."""

    def __init__(self) -> None:
        self.now, self.waits = 0.0, list[float]()

    @property
    def times(self) -> Times:
        return Times(lambda: self.now, self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds
        self.waits.append(seconds)


def get(server: Server, folder: Path, clock: Clock, **changes: object) -> Path:
    wanted = {"url": server.url, "size": len(CONTENT), "sha256": SHA256, "reserve": 0} | changes
    return fetched(folder=folder / "update", times=clock.times, **wanted)


def test_it_comes_at_its_rate(server: Server, tmp_path: Path) -> None:
    clock = Clock()
    path = get(server, tmp_path, clock, rate=100_000)
    assert path.read_bytes() == CONTENT
    assert clock.now == pytest.approx(3.0, abs=0.1)
    assert get(server, tmp_path, clock) == path
    assert server.asked == [0]


def test_a_line_that_breaks_goes_on_where_it_broke(server: Server, tmp_path: Path) -> None:
    server.sends = [100_000, 0, 50_000, 1 << 30]
    assert get(server, tmp_path, Clock()).read_bytes() == CONTENT
    assert server.asked == [0, 100_000, 100_000, 150_000]


def test_a_restart_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    (tmp_path / "update").mkdir()
    (tmp_path / "update" / f"{SHA256.hex()}.part").write_bytes(CONTENT[:123_456])
    (tmp_path / "update" / "an-older-one.part").write_bytes(b"old")
    assert get(server, tmp_path, Clock()).read_bytes() == CONTENT
    assert server.asked == [123_456]
    assert [path.name for path in (tmp_path / "update").iterdir()] == [f"{SHA256.hex()}.kiosk"]


def test_a_server_that_knows_no_ranges_begins_anew(server: Server, tmp_path: Path) -> None:
    server.ranges, server.sends = False, [100_000, 1 << 30]
    assert get(server, tmp_path, Clock()).read_bytes() == CONTENT
    assert server.asked == [0, 0]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again_later_and_later(server: Server, tmp_path: Path, status: int) -> None:
    server.says, clock = [status] * 4, Clock()
    assert get(server, tmp_path, clock).read_bytes() == CONTENT
    assert [wait for wait in clock.waits if wait >= 10] == [20, 40, 80, 160]


@pytest.mark.parametrize("status", [403, 404, 410])
def test_one_that_refuses_is_not(server: Server, tmp_path: Path, status: int) -> None:
    server.says = [status]
    with pytest.raises(FetchError, match=f"the server says {status}"):
        get(server, tmp_path, Clock())


def test_no_way_leads_to_a_file_of_this_machine(server: Server, tmp_path: Path) -> None:
    server.says = [302]
    with pytest.raises(FetchError, match="the server says 302"):
        get(server, tmp_path, Clock())


def test_other_bytes_are_refused_and_thrown_away(server: Server, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="other bytes than the command names"):
        get(server, tmp_path, Clock(), sha256=bytes(32))
    assert list((tmp_path / "update").iterdir()) == []


def test_another_size_is_refused(server: Server, tmp_path: Path) -> None:
    server.sends = [1000, 1 << 30]
    with pytest.raises(FetchError, match="another size than the command names, 299000"):
        get(server, tmp_path, Clock(), size=299_000)


def test_a_server_that_is_not_there_is_given_up_in_the_end(tmp_path: Path) -> None:
    clock = Clock()
    with pytest.raises(FetchError, match="Connection refused; 0 of 5 bytes came"):
        fetched(f"http://127.0.0.1:{free_port()}/x", 5, SHA256, tmp_path, reserve=0, times=clock.times)
    assert clock.now >= fetch.GIVE_UP_S
    assert len(clock.waits) < 400


def test_a_full_data_partition_is_said_before_anything_comes(server: Server, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"MB are free on the data partition.*bring the update on a stick"):
        get(server, tmp_path, Clock(), reserve=1 << 60)
    assert server.asked == []
