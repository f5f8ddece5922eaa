"""The unmodified daemon in the guest, and what people do at its desk."""

import base64
import contextlib
import json
import shlex
from typing import Any, Self

from kiosk.domain import Person
from kiosk.seal import PrivateKeys, open_box
from tests.guest.machine import PRINTER, READER, Guest
from tests.support.vm import GUARD_S, VmError, until

PINS = {"stop": 17, "wait": 27, "go": 22, "release": 23, "alarm": 24, "fault": 25}
BAR = (4, 5, 6, 7, 8, 9, 10, 11, 12, 13)
RELEASE_BUTTON = 16
PRESSES, PRESS_SEEN_S = 10, 20.0
"""A guest that has to wait for its turn may feel a press of half a second as one that is too short or too long."""
GAP_S = 60.0
"""Between two keys of one code. A scanner keeps its pace, but a guest that waits for its turn stretches it."""


Fact = dict[str, Any]


def of_kind(facts: list[Fact], kind: str) -> list[Fact]:
    return [fact for fact in facts if fact["t"] == kind]


class Daemon:
    """An async context manager. ``policy``: the lines of [policy]; ``more``: further tables."""

    def __init__(self, guest: Guest, name: str, policy: str, more: str = "") -> None:
        self._guest = guest
        self._at = f"/run/{name}"
        self._policy, self._more = policy, more
        self._keys = PrivateKeys.generate()

    def _config(self) -> str:
        return f"""
            [site]
            code = "360481"
            name = "朝阳门社区 03号点"
            [kiosk]
            number = 1
            data_dir = "{self._at}/data"
            runtime_dir = "{self._at}"
            [policy]
            {self._policy}
            [devices.card]
            driver = "sdt"
            port = "{READER}"
            same_card_s = 0.1
            [devices.code]
            driver = "hid"
            device = "{self._guest.keyboard}"
            gap_s = {GAP_S}
            [devices.printer]
            driver = "tspl"
            port = "{PRINTER}"
            timeout_s = 60.0
            [devices.panel]
            driver = "gpio"
            [seal]
            public_key = "{self._keys.public.line()}"
            [[health_code_formats]]
            name = "demo"
            pattern = '^HC1:(?P<colour>[012]):(?P<token>[A-Za-z0-9_-]+)$'
            colours = {{ "0" = "green", "1" = "yellow", "2" = "red" }}
            {self._more}
        """

    async def __aenter__(self) -> Self:
        shell, at = self._guest.shell, self._at
        await shell.run(f"mkdir -p {at} && cat >{at}/kiosk.toml <<'END'\n{self._config()}\nEND")
        run = self._guest.python("-m", "kiosk", "run", "--config", f"{at}/kiosk.toml")
        await shell.run(f"cd {at}; {run} >kiosk.log 2>&1 & daemon=$!")
        try:
            await self.sees(ready=True, devices=dict.fromkeys(("card", "code", "printer", "panel"), "online"))
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._guest.reader.remove()
        await self._guest.shell.run("kill $daemon; wait $daemon")

    # What there is to see -----------------------------------------------------------------------------------------

    async def status(self) -> dict[str, Any]:
        """The status file; {} before there is one."""
        text = await self._guest.shell.run(f"if [ -e {self._at}/status.json ]; then cat {self._at}/status.json; fi")
        status: dict[str, Any] = json.loads(text or "{}")
        return status

    async def sees(self, *, within: float = GUARD_S, **expected: object) -> None:
        """Waits until the status file says all this. Of tables, only the keys that are named count."""

        async def look() -> bool:
            self._last = await self.status()
            return all(_agrees(self._last.get(name), value) for name, value in expected.items())

        try:
            await until(look, f"{expected} in the status file", within)
        except VmError as error:
            log = await self._guest.shell.run(f"cat {self._at}/kiosk.log")
            error.add_note(f"last status: {self._last}\nlog: {log}")
            raise

    async def facts(self) -> list[Fact]:
        """The journal, as `kiosk journal` tells it."""
        command = self._guest.python("-m", "kiosk", "journal", "--config", f"{self._at}/kiosk.toml")
        return [json.loads(line) for line in (await self._guest.shell.run(command)).splitlines()]

    def number(self, registered: Fact) -> str:
        """Of the document of a registered person, as the command post reads it."""
        number: str = open_box(self._keys, base64.b64decode(registered["subject"][1]))["number"]
        return number

    async def lit(self) -> set[str]:
        """The lamps whose GPIO line is high now."""
        levels = await self._guest.shell.run(f"levels {shlex.join(str(PINS[lamp]) for lamp in PINS)}")
        return {lamp for lamp, level in zip(PINS, levels.split(), strict=True) if level == "1"}

    async def bar(self) -> list[int]:
        levels = await self._guest.shell.run(f"levels {shlex.join(map(str, BAR))}")
        return [int(level) for level in levels.split()]

    async def lamp(self, name: str, *, lit: bool = True) -> None:
        """Waits until a lamp is lit, or dark."""

        async def look() -> bool:
            return (name in await self.lit()) is lit

        await until(look, f"lamp {name} {'lit' if lit else 'dark'}")

    # What people do -----------------------------------------------------------------------------------------------

    async def people(self) -> int:
        count: int = (await self.status())["people"]
        return count

    async def show_card(self, person: Person) -> None:
        """Somebody lays their card down and is registered."""
        before = await self.people()
        self._guest.reader.place(person)
        await self.sees(people=before + 1)

    async def show_code(self, token: str) -> None:
        """Somebody whose green code the scanner types is registered."""
        before = await self.people()
        await self._guest.type(f"HC1:0:{token}\n")
        await self.sees(people=before + 1)

    async def release(self) -> None:
        """A volunteer waits for the lamp and presses. A press counts from 0.3 s up to 2 s."""
        before = (await self.status())["groups_released"]
        await self.lamp("release")
        for _ in range(PRESSES):
            await self._guest.shell.run(f"press {RELEASE_BUTTON} 0.6")
            with contextlib.suppress(VmError):
                return await self.sees(groups_released=before + 1, within=PRESS_SEEN_S)
        raise VmError(f"{PRESSES} presses and no group went")


def _agrees(found: object, expected: object) -> bool:
    if isinstance(expected, dict) and isinstance(found, dict):
        return all(_agrees(found.get(key), value) for key, value in expected.items())
    return found == expected
