"""Each device of a kiosk on a real kernel: it works; its cable is pulled and put back, and it works again."""

import asyncio
from array import array
from collections.abc import Iterator
from itertools import count

import pytest
import zxingcpp

from kiosk.domain import Person, Signal
from kiosk.drivers.speaker.codec import RATE
from kiosk.people import person
from kiosk.tube import TubeNumber
from kiosk.voice import ANSWERS
from tests.guest.daemon import Daemon
from tests.guest.machine import Guest
from tests.support.speaker import spoken
from tests.support.vm import until

pytestmark = pytest.mark.asyncio(loop_scope="session")

POLICY = """
    group_size = 1
    pool_size = 1
    card_alone_after_s = 0.1
    pair_window_s = 0.5
"""
MORE = """
    [devices.speaker]
    driver = "alsa"
    [voice]
    volume = 100
"""
NEWCOMERS: Iterator[Person] = (person(n) for n in count())
WINDOW = RATE // 50


async def replug(guest: Guest, daemon: Daemon, cable: str, name: str) -> None:
    """Pulls a cable, waits until the daemon says so, and puts it back, and so on. ``name``: its key under [devices]."""
    await guest.unplug(cable)
    await daemon.sees(devices={name: "offline"})
    await guest.plug(cable)
    await daemon.sees(devices={name: "online"})


async def a_labelled_tube(daemon: Daemon) -> None:
    closed = (await daemon.status())["tubes_closed"]
    await daemon.show_card(next(NEWCOMERS))
    await daemon.sees(tubes_closed=closed + 1, unlabelled=0)


# Card reader --------------------------------------------------------------------------------------------------------


async def test_a_card_is_read_over_an_ftdi_line(daemon: Daemon) -> None:
    await daemon.show_card(next(NEWCOMERS))


async def test_a_reader_that_comes_back_reads(daemon: Daemon, guest: Guest) -> None:
    await replug(guest, daemon, "reader", "card")
    await daemon.show_card(next(NEWCOMERS))


# Code scanner -------------------------------------------------------------------------------------------------------


async def test_what_a_usb_keyboard_types_registers_and_reaches_nobody_else(daemon: Daemon, guest: Guest) -> None:
    async with guest.eavesdropping() as overheard:
        await daemon.show_code("secret")
        assert await overheard() == (0, "")


async def test_a_scanner_that_comes_back_is_grabbed_again(daemon: Daemon, guest: Guest) -> None:
    await replug(guest, daemon, "scanner", "code")
    async with guest.eavesdropping() as overheard:
        await daemon.show_code("again")
        assert await overheard() == (0, "")


# Label printer ------------------------------------------------------------------------------------------------------


async def test_a_label_that_came_through_usblp_can_be_scanned(daemon: Daemon, guest: Guest) -> None:
    await a_labelled_tube(daemon)
    (code,) = zxingcpp.read_barcodes(guest.labels[-1])
    tube = TubeNumber.parse(code.text)
    assert (tube.site, tube.kiosk) == ("360481", 1)


async def test_a_printer_without_paper_says_so_and_prints_when_it_has_some(daemon: Daemon, guest: Guest) -> None:
    guest.printer.paper_out = True
    await daemon.sees(devices={"printer": "offline"})
    assert "out of paper" in (await daemon.status())["issues"][0]["hint"]
    await daemon.show_card(next(NEWCOMERS))
    await daemon.sees(unlabelled=1)
    guest.printer.refill()
    await daemon.sees(unlabelled=0)


async def test_a_label_waits_for_the_printer_to_come_back(daemon: Daemon, guest: Guest) -> None:
    before = len(guest.labels)
    await guest.unplug("printer")
    await daemon.sees(devices={"printer": "offline"})
    await daemon.show_card(next(NEWCOMERS))
    await daemon.sees(unlabelled=1)
    await guest.plug("printer")
    await daemon.sees(unlabelled=0)
    assert len(guest.labels) == before + 1


# Lamps and buttons --------------------------------------------------------------------------------------------------


async def test_green_is_a_level_on_the_line_of_the_lamp(daemon: Daemon) -> None:
    await daemon.lamp("go", lit=False)
    seen = asyncio.create_task(daemon.lamp("go"))
    while not seen.done():  # green goes out after two seconds, which a slow machine may miss
        await daemon.show_card(next(NEWCOMERS))
    await seen


async def test_the_button_releases(daemon: Daemon) -> None:
    await a_labelled_tube(daemon)
    await daemon.release()


async def test_a_board_whose_gpio_chip_comes_back_has_lamps_and_buttons(daemon: Daemon, guest: Guest) -> None:
    await replug(guest, daemon, "board", "panel")
    await a_labelled_tube(daemon)
    await daemon.release()


# Speaker ------------------------------------------------------------------------------------------------------------


def loud(samples: "array[int]") -> int:
    """In how many fiftieths of a second somebody speaks."""
    swings = [max(map(abs, samples[at : at + WINDOW])) for at in range(0, len(samples) - WINDOW, WINDOW)]
    return sum(swing > 3000 for swing in swings)


async def speaks(daemon: Daemon, guest: Guest) -> None:
    """Somebody is registered and hears so. An emulated card drops samples on a busy machine, hence the half."""
    before, said = len(guest.played), loud(array("h", spoken(ANSWERS[Signal.ACCEPTED])))

    async def heard() -> bool:
        return loud(guest.played[before:]) * 2 > said

    assert said > 25
    await daemon.show_card(next(NEWCOMERS))
    await until(heard, "the answer is heard")


async def test_the_answer_is_heard(daemon: Daemon, guest: Guest) -> None:
    await daemon.sees(devices={"speaker": "online"})
    await speaks(daemon, guest)


async def test_a_speaker_that_comes_back_speaks(daemon: Daemon, guest: Guest) -> None:
    await guest.unplug("speaker")
    await daemon.show_card(next(NEWCOMERS))  # the kiosk goes on without it
    await daemon.sees(devices={"speaker": "offline"})
    await guest.plug("speaker")
    await daemon.sees(devices={"speaker": "online"})
    await speaks(daemon, guest)
