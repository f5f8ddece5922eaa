"""From the configuration's tagged unions to drivers. A new driver is a table in config.py, a folder under drivers/ and
a case here; its module is imported only when it is configured."""

from typing import Protocol

from PIL import Image

from kiosk import config as c
from kiosk.drivers.base import Driver, Post
from kiosk.panel import Panel
from kiosk.voice import Prompt


class PanelDriver(Driver, Protocol):
    """Shows a panel and posts ButtonPressed. ``fault`` names a jammed button, or is ""."""

    fault: str

    def show(self, panel: Panel, now: int) -> None: ...


class SpeakerDriver(Driver, Protocol):
    """Says prompts one after the other."""

    def say(self, prompt: Prompt) -> None: ...


class PrinterDriver(Driver, Protocol):
    """Prints labels in the order they are submitted, each until it is out."""

    def submit(self, tube: str, attempt: int, image: Image.Image) -> None: ...


def card(config: c.SdtCard | c.NoDevice, post: Post) -> Driver | None:
    match config:
        case c.SdtCard():
            from kiosk.drivers.idcard.driver import SdtReader

            return SdtReader(config, post)
        case c.NoDevice():
            return None


def code(config: c.SerialCode | c.HidCode | c.NoDevice, post: Post) -> Driver | None:
    match config:
        case c.SerialCode():
            from kiosk.drivers.code_serial.driver import SerialScanner

            return SerialScanner(config, post)
        case c.HidCode():
            from kiosk.drivers.code_hid.driver import HidScanner

            return HidScanner(config, post)
        case c.NoDevice():
            return None


def keypad(config: c.HidKeypad | c.NoDevice, post: Post) -> Driver | None:
    match config:
        case c.HidKeypad():
            from kiosk.drivers.keypad.driver import Keypad

            return Keypad(config, post)
        case c.NoDevice():
            return None


def printer(config: c.TsplPrinter | c.EscposPrinter | c.ZplPrinter | c.NoDevice, post: Post) -> PrinterDriver | None:
    match config:
        case c.TsplPrinter() | c.EscposPrinter() | c.ZplPrinter():
            from kiosk.drivers.printer.driver import LabelPrinter

            return LabelPrinter(config, post)
        case c.NoDevice():
            return None


def panel(config: c.GpioPanel | c.SocketPanel | c.NoDevice, post: Post) -> PanelDriver | None:
    match config:
        case c.GpioPanel():
            from kiosk.drivers.panel_gpio.driver import GpioPanel

            return GpioPanel(config, post)
        case c.SocketPanel():
            from kiosk.drivers.panel_socket.driver import SocketPanel

            return SocketPanel(config, post)
        case c.NoDevice():
            return None


def speaker(config: c.AlsaSpeaker | c.NoDevice, voice: c.Voice, post: Post) -> SpeakerDriver | None:
    match config:
        case c.AlsaSpeaker():
            from kiosk.drivers.speaker.driver import Speaker

            return Speaker(config, voice, post)
        case c.NoDevice():
            return None


def describe(devices: c.Devices) -> list[str]:
    """What `kiosk check` prints: one line per device, what would be opened."""
    lines = []
    for name in ("card", "code", "printer", "panel", "keypad", "speaker"):
        device = getattr(devices, name)
        where = [
            f"{key} {getattr(device, key)}"
            for key in ("port", "device", "path", "chip", "baud")
            if getattr(device, key, None) is not None
        ]
        tag = type(device).__struct_config__.tag
        lines.append(f"{name:8} {tag:8} {', '.join(where)}".rstrip())
    return lines
