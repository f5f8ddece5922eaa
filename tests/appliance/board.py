"""A Raspberry Pi 3 in QEMU with a kiosk's card in it. QEMU has no start firmware of a Pi: this plays its part by the
rules of autoboot.txt, down to the flag that starts the other slot once."""

import asyncio
import contextlib
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.appliance.card import TECHNICIAN, Card
from tests.support.vm import Line, Shell, Vm, until

RELEASE_BUTTON, ACK_BUTTON = 16, 26
READER, PRINTER = "CARDREADER", "LABELPRINTER"
"""The serial numbers of the two USB adapters, by which /dev/serial/by-id names them."""
REVISION = "a02082"  # Raspberry Pi 3 Model B 1.2, as gpiozero wants to know
_DWC2 = "/sys/bus/platform/drivers/dwc2"
_COUNT_ADAPTERS = (
    "for i in $(seq 60); do n=$(ls /dev/serial/by-id 2>/dev/null | wc -l); [ $n = 2 ] && break; sleep 1; done; echo $n"
)
"""Once both are there, or after a minute."""
_SCAN_CHARACTERS, _SCAN_S = 3, 0.35
"""A capital letter is four events, and QEMU's keyboard holds sixteen."""
BOOT_S = 900.0
"""No start takes that long; a test that would wait for ever ends."""
SET_REBOOT_FLAGS = "0x00038064"
GPSET0, GPCLR0, GPLEV0 = 0x3F20001C, 0x3F200028, 0x3F200034
_NOT_MODELLED = "bcm2835_wdt,vc4,v3d,snd_bcm2835,vchiq,hci_uart,brcmfmac,bcm2835_v4l2,bcm2835_codec"
"""QEMU resets the machine at once when the watchdog is armed, and has none of the others."""
_FOR_QEMU = (
    f"modprobe.blacklist={_NOT_MODELLED} systemd.watchdog_sec=0 systemd.service_watchdogs=0 systemd.debug_shell"
    " systemd.default_debug_tty=ttyS0 8250.nr_uarts=1"
)
"""An emulated board that waits for its turn is no daemon that hangs."""


class Board:
    """An async context manager; inside it the board runs, after it the power is cut.

    ``reader`` and ``printer``: terminals whose far sides are the devices. ``tryboot``: the last reboot asked for the
    other slot. ``slot``: the one that the firmware chose.
    """

    def __init__(
        self, card: Card, folder: Path, reader: Path, printer: Path, *, tryboot: bool = False, extra: Sequence[str] = ()
    ) -> None:
        self.card, self.folder = card, folder
        self._tryboot = tryboot
        self._serial = {READER: reader, PRINTER: printer}
        self._extra = extra
        self._log = folder / "qemu.log"

    async def __aenter__(self) -> Self:
        self.boot_partition = self._select()
        boot = self._load()
        self._log.unlink(missing_ok=True)
        self.vm = Vm("qemu-system-aarch64", self._arguments(boot), ("console", "shell", "pins"))
        await self.vm.__aenter__()
        self.console: Line = self.vm.lines["console"]
        self._shell: Shell | None = None
        for pin in (RELEASE_BUTTON, ACK_BUTTON):  # QEMU knows no pull-up: every button would be down from the start
            await self.set_pin(pin, high=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        (self.folder / "console.txt").write_bytes(bytes(self.console.seen))
        await self.vm.kill()

    # The firmware -------------------------------------------------------------------------------------------------

    def _select(self) -> int:
        """The boot partition that autoboot.txt names for this kind of start."""
        section, chosen = "all", {}
        for line in self.card.read(TECHNICIAN, "autoboot.txt").decode("ascii").split():
            if line.startswith("["):
                section = line.strip("[]")
            elif line.startswith("boot_partition="):
                chosen[section] = int(line.partition("=")[2])
        return chosen["tryboot"] if self._tryboot and "tryboot" in chosen else chosen["all"]

    def _load(self) -> Path:
        """Takes kernel, initramfs, device tree and command line from the boot partition into a folder."""
        boot = self.folder / "boot"
        shutil.rmtree(boot, ignore_errors=True)
        boot.mkdir()
        for name in ("kernel8.img", "initrd.img", "bcm2837-rpi-3-b.dtb", "cmdline.txt"):
            (boot / name).write_bytes(self.card.read(self.boot_partition, name))
        tree = boot / "bcm2837-rpi-3-b.dtb"
        subprocess.run(["fdtput", "-c", tree, "/system", "/chosen/bootloader"], check=True)
        for path, name, value, kind in (
            ("/system", "linux,revision", REVISION, "x"),
            ("/", "serial-number", "00000000c0ffee01", "s"),
            ("/chosen/bootloader", "partition", str(self.boot_partition), "u"),
            ("/chosen/bootloader", "tryboot", str(int(self._tryboot)), "u"),
        ):
            subprocess.run(["fdtput", "-t", kind, tree, path, name, value], check=True)
        return boot

    def _arguments(self, boot: Path) -> list[str]:
        told = (boot / "cmdline.txt").read_text().strip().replace("console=serial0", "console=ttyAMA0")
        arguments = [
            *("-M", "raspi3b", "-smp", "4", "-accel", "tcg,thread=single", "-d", "unimp", "-D", str(self._log)),
            *("-drive", f"if=sd,file={self.card.path},format=raw"),
            *("-kernel", str(boot / "kernel8.img"), "-initrd", str(boot / "initrd.img")),
            *("-dtb", str(boot / "bcm2837-rpi-3-b.dtb"), "-append", f"{told.replace('console=tty0 ', '')} {_FOR_QEMU}"),
            *("-serial", "chardev:console", "-serial", "chardev:shell", "-object", "qtest,id=qtest0,chardev=pins"),
            *("-device", "usb-kbd,id=scanner", "-netdev", "user,id=net", "-device", "usb-net,netdev=net,id=nic"),
        ]
        for serial, path in self._serial.items():
            arguments += ["-chardev", f"serial,id={serial},path={path}"]
            arguments += ["-device", f"usb-serial,chardev={serial},always-plugged=on,serial={serial},id=usb-{serial}"]
        return [*arguments, *self._extra]

    @property
    def asked_for_tryboot(self) -> bool:
        """Whether the kernel has set the firmware's flag, which QEMU does not know and logs."""
        return self._log.exists() and SET_REBOOT_FLAGS in self._log.read_text("utf-8", "replace").lower()

    # What a person sees and does ----------------------------------------------------------------------------------

    async def levels(self) -> int:
        """The levels of GPIO 0 to 31, as a bit mask."""
        said = await self.vm.monitor.execute("human-monitor-command", command_line=f"xp /1wx {GPLEV0:#x}")
        found = re.search(r": 0x([0-9a-f]+)", said)
        assert found is not None
        return int(found[1], 16)

    async def lamp(self, pin: int) -> bool:
        return bool(await self.levels() >> pin & 1)

    async def set_pin(self, pin: int, *, high: bool) -> None:
        """Drives an input line: what a button does."""
        register = GPSET0 if high else GPCLR0
        await self.vm.lines["pins"].send(f"writel {register:#x} {1 << pin:#x}\n".encode())

    async def scan(self, code: str) -> None:
        """A scanner types. QEMU's keyboard forgets what the guest is too slow to fetch: a few characters at a time."""
        for at in range(0, len(code), _SCAN_CHARACTERS):
            await self.vm.type(code[at : at + _SCAN_CHARACTERS])
            await asyncio.sleep(_SCAN_S)
        await self.vm.type("\n")

    async def shell(self, command: str) -> str:
        """What a command says on the debug shell of systemd, which only this command line opens."""
        if self._shell is None:
            line = self.vm.lines["shell"]
            await line.wait(rb"#", within=BOOT_S)
            self._shell = Shell(line)
            await self._shell.run("stty -echo; bind 'set enable-bracketed-paste off'; PS1=")
        return await self._shell.run(command, within=BOOT_S)

    async def devices_there(self) -> None:
        """QEMU's USB controller of the Pi sees nothing at all when this machine is too busy at the wrong moment: then
        it is connected again, as often as it takes."""

        async def both() -> bool:
            found = await self.shell(_COUNT_ADAPTERS)
            if found != "2":
                await self.shell(f"cd {_DWC2} && echo 3f980000.usb >unbind; echo 3f980000.usb >bind; cd /")
            return found == "2"

        await until(both, "reader and printer on the bus", within=BOOT_S)

    async def up(self) -> None:
        """Waits until systemd has started everything that starts by itself."""
        await until(self._settled, "systemd has started everything", within=BOOT_S)

    async def _settled(self) -> bool:
        return (await self.shell("systemctl is-system-running || true")) in ("running", "degraded")

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Inside, the whole machine stands still; what it has written to the card is on it."""
        await self.vm.monitor.execute("stop")
        try:
            yield
        finally:
            await self.vm.monitor.execute("cont")

    async def network(self, *, up: bool) -> None:
        await self.vm.monitor.execute("set_link", name="nic", up=up)

    async def ended(self, within: float = BOOT_S) -> None:
        """Waits until the kernel has left for a reboot: everything is unmounted then."""
        await self.console.wait(rb"reboot: Restarting system", within=within)
