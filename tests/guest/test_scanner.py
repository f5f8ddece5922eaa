"""The scanner that types, without a daemon: what an open keyboard gives away, and the driver on keyboards of uinput."""

import json
import string
from typing import Any

import pytest
import pytest_asyncio

from kiosk.drivers.code_hid.codec import KEYS_LOST
from tests.guest.machine import HERE, Guest
from tests.support.vm import until

pytestmark = pytest.mark.asyncio(loop_scope="session")

EVERY_KEY = "".join(sorted(set(string.printable) - set(string.whitespace)))
TEXTS = [EVERY_KEY, "HC1:0:abc", "a b", "x" * 300]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def found(guest: Guest) -> dict[str, Any]:
    """What inside/keyboards.py tells."""
    command = guest.python(str(HERE / "inside" / "keyboards.py"), *TEXTS)
    told: dict[str, Any] = json.loads(await guest.shell.run(f"{command} 2>/run/said || ! cat /run/said"))
    return told


async def test_without_a_daemon_it_types_on_the_console_and_for_all_programs(guest: Guest) -> None:
    async with guest.eavesdropping() as overheard:
        await guest.type("open to all\n")

        async def heard() -> bool:
            count, screen = await overheard()
            return count > 0 and screen == "open to all"

        await until(heard, "the keys elsewhere")


async def test_every_text_arrives_as_it_was_typed(found: dict[str, Any]) -> None:
    assert found["codes"] == TEXTS


async def test_it_is_grabbed(found: dict[str, Any]) -> None:
    assert found["others read"] is False


async def test_keys_that_the_kernel_dropped_are_told(found: dict[str, Any]) -> None:
    assert set(found["flood"]) == {KEYS_LOST}


async def test_after_a_flood_the_next_code_is_whole(found: dict[str, Any]) -> None:
    assert found["after the flood"] == "after the flood"


async def test_a_scanner_that_another_program_holds_is_off_line(found: dict[str, Any]) -> None:
    (why,) = found["held"]
    assert why.endswith("another program holds it")


async def test_a_scanner_that_goes_is_told(found: dict[str, Any]) -> None:
    (why,) = found["unplugged"]
    assert why.endswith("No such device")


async def test_a_scanner_that_comes_back_works(found: dict[str, Any]) -> None:
    assert found["plugged in again"] == "plugged in again"


async def test_a_mouse_is_no_scanner(found: dict[str, Any]) -> None:
    (why,) = found["mouse"]
    assert "not a keyboard-like scanner" in why
