"""The kiosk speaks through a USB sound card of a real kernel; its cable is pulled and put back, and it speaks again."""

from array import array
from itertools import count

import pytest

from kiosk.domain import Signal
from kiosk.drivers.speaker.codec import RATE
from kiosk.people import person
from kiosk.voice import ANSWERS
from tests.guest.daemon import Daemon
from tests.guest.machine import Guest
from tests.support.speaker import spoken
from tests.support.vm import until

pytestmark = pytest.mark.asyncio(loop_scope="session")

POLICY = """
    card_alone_after_s = 0.1
    pair_window_s = 0.5
"""
MORE = """
    [devices.speaker]
    driver = "alsa"
    [voice]
    volume = 100
"""
WINDOW = RATE // 50
NEWCOMERS = (person(n) for n in count(700))


def loud(samples: "array[int]") -> int:
    """In how many fiftieths of a second somebody speaks."""
    swings = [max(map(abs, samples[at : at + WINDOW])) for at in range(0, len(samples) - WINDOW, WINDOW)]
    return sum(swing > 3000 for swing in swings)


async def speaks(daemon: Daemon, guest: Guest) -> None:
    """Somebody is registered and hears so. An emulated card drops samples on a busy machine, hence the half."""
    before, said = len(guest.played), loud(array("h", spoken(ANSWERS[Signal.ACCEPTED])))

    async def heard() -> bool:
        return loud(guest.played[before:]) * 2 > said

    assert said > RATE // WINDOW // 2
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
