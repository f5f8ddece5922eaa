import asyncio
import os
import socket
from pathlib import Path

import pytest

from kiosk.drivers.base import DeviceLost
from kiosk.drivers.printer import transport
from kiosk.drivers.printer.transport import FilePort, TcpPort, UsbPort, open_port

PATIENCE_S = 30


async def opened(path: Path | str) -> str:
    async with open_port(str(path), 9600, 5.0) as port:
        return type(port).__name__


async def test_what_a_path_names(tmp_path):
    ours, theirs = os.openpty()
    assert await opened(os.ttyname(theirs)) == "SerialPort"
    assert await opened(tmp_path / "labels.bin") == "FilePort"
    assert await opened(tmp_path / "paper") == "FilePort"
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize("name", ["/dev/kiosk-no-such-printer", "/dev/no-such.bin", "no-folder/labels.bin"])
async def test_a_device_that_is_not_there_is_not_made(name, tmp_path):
    with pytest.raises(FileNotFoundError):
        await opened(tmp_path / name)
    assert not (tmp_path / name).exists()


async def test_a_link_to_nowhere_is_a_device_that_is_not_there(tmp_path):
    (tmp_path / "printer.tty").symlink_to(tmp_path / "gone")
    with pytest.raises(FileNotFoundError):
        await opened(tmp_path / "printer.tty")
    assert not (tmp_path / "gone").exists()


async def test_a_folder_and_a_fifo_are_no_printers(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "fifo"):
        with pytest.raises(OSError, match="neither a printer nor a plain file"):
            await opened(path)


async def test_a_file_keeps_what_was_in_it(tmp_path):
    (tmp_path / "labels.bin").write_bytes(b"old")
    port = FilePort(str(tmp_path / "labels.bin"))
    await port.write(b"new", 1.0)
    with pytest.raises(OSError, match="in use by another process"):
        FilePort(str(tmp_path / "labels.bin"))
    port.close()
    assert (tmp_path / "labels.bin").read_bytes() == b"oldnew"


async def test_nobody_listens_at_the_address():
    with pytest.raises(OSError):  # noqa: PT011 - the system's own words
        await opened("tcp://127.0.0.1:1")


async def test_tcp_write_is_done_only_when_the_printer_took_everything():
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as printer:
        port = await TcpPort.connect(f"tcp://127.0.0.1:{printer.getsockname()[1]}", 5.0)
        connection = printer.accept()[0]
        connection.setblocking(False)
        writing = asyncio.create_task(port.write(bytes(10_000_000), PATIENCE_S))
        taken = 0
        while taken < 10_000_000:
            taken += len(await loop.sock_recv(connection, 100_000))
        await writing
        connection.send(b"ok")
        assert await port.read() == b"ok"
        connection.close()
        port.close()


async def test_tcp_printer_that_takes_nothing():
    with socket.create_server(("127.0.0.1", 0)) as printer:
        port = await TcpPort.connect(f"tcp://127.0.0.1:{printer.getsockname()[1]}", 5.0)
        with pytest.raises(DeviceLost, match="takes no more data"):
            await port.write(bytes(20_000_000), 0.2)
        port.close()


async def test_tcp_printer_that_hangs_up():
    with socket.create_server(("127.0.0.1", 0)) as printer:
        port = await TcpPort.connect(f"tcp://127.0.0.1:{printer.getsockname()[1]}", 5.0)
        printer.accept()[0].close()
        with pytest.raises(DeviceLost):
            await asyncio.gather(*(port.write(b"?", PATIENCE_S) for _ in range(100)))
        with pytest.raises(DeviceLost):
            await port.read()
        port.close()


@pytest.fixture
def fifo(tmp_path):
    """Stands in for /dev/usb/lp0: takes bytes until it is full, is polled, knows no ioctl."""
    os.mkfifo(tmp_path / "lp0")
    return tmp_path / "lp0"


async def test_usb_write_waits_for_the_printer_to_take_it(fifo):
    port = UsbPort(str(fifo))
    writing = asyncio.create_task(port.write(bytes(200_000), PATIENCE_S))
    taken = 0
    while taken < 200_000:
        taken += len(await port.read())
    await writing
    assert taken == 200_000
    port.close()


async def test_usb_write_has_a_deadline_and_names_the_paper(fifo, monkeypatch):
    port = UsbPort(str(fifo))
    with pytest.raises(DeviceLost, match=r"took \d+ of 200000 bytes"):
        await port.write(bytes(200_000), 0.1)
    port.discard_input()

    def ioctl(fd: int, request: int, argument: bytes) -> bytes:
        assert request == 0x060B
        return (0x38).to_bytes(4, "little")

    monkeypatch.setattr(transport.fcntl, "ioctl", ioctl)
    with pytest.raises(DeviceLost, match="out of paper"):
        await port.write(bytes(200_000), 0.1)
    port.close()


async def test_usb_port_asks_the_kernel_to_report_out_of_paper_and_has_one_owner(fifo, monkeypatch):
    asked = []
    monkeypatch.setattr(transport.fcntl, "ioctl", lambda fd, request, argument: asked.append((request, argument)))
    port = UsbPort(str(fifo))
    assert asked == [(0x0604, 1)]
    with pytest.raises(OSError, match="in use by another process"):
        UsbPort(str(fifo))
    port.close()
