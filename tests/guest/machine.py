"""The guest: a small machine with a stock Debian kernel that runs this very tree, with a kiosk's devices on its buses.

| device | in the guest | its far side, here |
| --- | --- | --- |
| card reader | usb-serial, which is an FTDI: /dev/ttyUSB0 | `SimReader` on the pseudo-terminal behind QEMU's device |
| scanner | USB keyboard: evdev | keys that QEMU presses |
| printer | gadget on dummy_hcd: /dev/usb/lp0 | `SimPrinter`, by TCP, a virtio port and inside/pump.py |
| lamps, buttons | gpio-sim | `pull` and `value` of its lines |
| speaker | usb-audio: ALSA's first card | what it has played, in `Guest.played` |
"""

import contextlib
import platform
import shlex
import shutil
import sys
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Self

import debian
import initramfs
from PIL import Image

from kiosk.config import TsplPrinter
from kiosk.drivers.idcard.sim import SimReader
from kiosk.drivers.printer.sim import SimPrinter
from kiosk.drivers.speaker.codec import RATE
from tests.support.vm import Shell, Vm, VmError, until

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
LIBRARIES = Path(sys.prefix) / "guest"
"""evdev and lgpio, which scripts/guest.sh puts there."""

MODULES = (
    *("virtio_pci", "virtio_console", "9p", "9pnet_virtio", "overlay", "configfs"),
    *("xhci_pci", "usbhid", "hid_generic", "evdev", "uinput", "ftdi_sio"),
    *("dummy_hcd", "libcomposite", "usb_f_printer", "usblp", "gpio_sim"),
    *("snd_usb_audio",),
)
REPORT_BYTES = 8  # of a keyboard: HID specification, appendix B.1
WAV_HEADER = 44  # bytes: QEMU fills in its lengths only at the end
KEYBOARD, PRINTER, READER = "QEMU USB Keyboard", "/dev/usb/lp0", "/dev/ttyUSB0"
OTHER_CHIP, BOARD_CHIP = "gpio-expander", "pinctrl-bcm2835"


class Missing(Exception):
    """This machine cannot run the guest; the text says what to do."""


class Guest:
    """An async context manager: inside it the guest runs and all its devices are plugged in."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._wav = folder / "speaker.wav"
        self.labels: list[Image.Image] = []
        self.reader = SimReader(folder / "reader")
        self.printer = SimPrinter(TsplPrinter(port=PRINTER), self.labels.append)

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(self.reader)
            stack.callback(self.printer.unplug)
            vm = Vm("qemu-system-x86_64", self._arguments(self.printer.listen()), ["console", "shell"])
            self.vm = await stack.enter_async_context(vm)
            self.shell = Shell(self.vm.lines["shell"])
            try:
                await self.vm.lines["shell"].wait(b"ready")
                await self._set_up()
            except VmError as error:
                error.add_note(f"console of the guest: {self.vm.lines['console'].tail()}")
                raise
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def _arguments(self, printer_port: int) -> list[str]:
        modules, archive = kernel(), self._folder / "initramfs"
        busybox = Path(shutil.which("busybox") or "/bin/busybox")
        init = (HERE / "init.sh").read_text()
        initramfs.build(archive, modules_root=modules, modules=MODULES, busybox=busybox, init=init)
        return [
            *("-M", "q35,i8042=off", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1024"),
            *("-kernel", str(modules / "vmlinuz"), "-initrd", str(archive)),
            *("-append", "console=ttyS0 panic=-1 mitigations=off"),
            *("-serial", "chardev:console"),
            *("-fsdev", "local,id=host,path=/,readonly=on,security_model=none,multidevs=remap"),
            *("-device", "virtio-9p-pci,fsdev=host,mount_tag=host"),
            *("-device", "virtio-serial-pci", "-device", "virtconsole,nr=0,chardev=shell"),
            *("-chardev", f"socket,id=printer,host=127.0.0.1,port={printer_port}"),
            *("-device", "virtserialport,nr=1,chardev=printer"),
            *("-device", "qemu-xhci,id=usb", "-device", "usb-kbd,id=scanner,bus=usb.0"),
            *("-chardev", f"serial,id=reader,path={self.reader.path}"),
            *("-device", "usb-serial,id=reader,bus=usb.0,chardev=reader,always-plugged=on"),
            *("-audiodev", f"wav,id=speaker,path={self._wav},out.frequency={RATE},out.channels=1"),
            *("-device", "usb-audio,id=speaker,bus=usb.0,audiodev=speaker"),
        ]

    async def _set_up(self) -> None:
        await self.shell.run(f". {shlex.quote(str(HERE / 'devices.sh'))}")
        await self.shell.run(f"make_board; make_gpio_chip other {OTHER_CHIP}; make_gpio_chip board {BOARD_CHIP}")
        await self.appears("/dev/vport*p1")
        await self.shell.run("make_usb_printer")
        await self.plug("printer")
        for node in (READER, PRINTER):
            await self.appears(node)
        self.keyboard = await until(lambda: self.shell.run(f"input_device '{KEYBOARD}'"), "the keyboard")
        await self.shell.run("count_reports")

    async def appears(self, node: str) -> None:
        """Waits for a device node."""
        await until(lambda: self.shell.run(f"if [ -c {node} ]; then echo yes; fi"), node)

    def python(self, *arguments: str) -> str:
        """The shell's words that run this tree's Python with the libraries of a kiosk."""
        path = f"PYTHONPATH={shlex.quote(str(LIBRARIES))}:{shlex.quote(str(ROOT))}"
        return f"{path} {shlex.join([sys.executable, *arguments])}"

    # Cables -------------------------------------------------------------------------------------------------------

    async def unplug(self, device: str) -> None:
        """Pulls the cable of "reader", "scanner", "printer", "speaker" or "board"."""
        match device:
            case "printer":
                await self.shell.run("unplug_usb_printer")
            case "board":
                await self.shell.run("unplug_gpio_chip board")
            case _:
                await self.vm.unplug(device)

    async def plug(self, device: str) -> None:
        match device:
            case "reader":
                await self.vm.plug("usb-serial", device, bus="usb.0", chardev=device, always_plugged=True)
            case "scanner":
                await self.vm.plug("usb-kbd", device, bus="usb.0")
                await self.shell.run("count_reports")
            case "speaker":
                await self.vm.plug("usb-audio", device, bus="usb.0", audiodev=device)
            case "printer":
                pump = shlex.join([sys.executable, str(HERE / "inside" / "pump.py")])
                await self.shell.run(f"plug_usb_printer {pump} /dev/vport*p1")
            case "board":
                await self.shell.run("plug_gpio_chip board")

    @property
    def played(self) -> "array[int]":
        """All that the speaker has played: samples of 16 bit, ``RATE`` a second."""
        data = self._wav.read_bytes()[WAV_HEADER:]
        return array("h", data[: len(data) // 2 * 2])

    async def type(self, text: str) -> None:
        """What the scanner types."""

        async def fetched() -> int:
            return int(await self.shell.run("wc -c </run/reports")) // REPORT_BYTES

        await self.vm.type(text, fetched)

    @contextlib.asynccontextmanager
    async def eavesdropping(self) -> AsyncIterator[Callable[[], Awaitable[tuple[int, str]]]]:
        """Inside, another program reads the scanner too and the console is in use. Gives a function that tells how
        many bytes that program got, and what stands on the console's screen."""

        async def overheard() -> tuple[int, str]:
            count, _, screen = (await self.shell.run("overheard")).partition("\n")
            return int(count), screen.strip()

        await self.shell.run(f"eavesdrop {self.keyboard}")
        try:
            yield overheard
        finally:
            await self.shell.run("stop_eavesdropping")


def kernel() -> Path:
    """The folder of the guest's kernel and modules, fetched once. Raises Missing."""
    if platform.machine() != "x86_64":
        raise Missing("the guest runs this machine's own Python: it needs an x86-64 machine")
    if not all((shutil.which("qemu-system-x86_64"), shutil.which("busybox"), (LIBRARIES / "made-from").exists())):
        raise Missing("something is not installed: `sh scripts/guest.sh` gets it, or says what it is")
    try:
        modules: Path = debian.modules_root(debian.kernel("amd64"))
    except debian.FetchError as error:
        raise Missing(f"no kernel for the guest: {error}") from None
    return modules
