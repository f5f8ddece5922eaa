"""Staff at a real kiosk: their badge and the command codes of their sheet, shown to the scanner."""

import time

import msgspec

from kiosk import badges, seal
from kiosk.badges import Badge, CommandCode
from kiosk.domain import Do, Role
from kiosk.simulate.rig import Rig
from tests.support.post import until

HOUR_MS = 3_600_000


def badge(rig: Rig, role: Role = Role.TECHNICIAN, number: int = 7, *, drills: int = 0, key: bytes = b"") -> str:
    """What its code says. ``key``: the round's digest key on it."""
    now = time.time_ns() // 1_000_000
    what = Badge(
        site=rig.config.site.code,
        badge=number,
        role=role,
        since=now - HOUR_MS,
        until=now + HOUR_MS,
        drills=drills,
        key=key or msgspec.UNSET,
    )
    return badges.pack(what, _private(rig).sign)


def command_code(rig: Rig, do: Do, text: str = "") -> str:
    return badges.pack(CommandCode(site=rig.config.site.code, sheet=1, do=do, text=text), _private(rig).sign)


async def order(rig: Rig, do: Do, role: Role = Role.TECHNICIAN, number: int = 7) -> str:
    """Badge and command code; what the kiosk answers to the code."""
    assert (await rig.visit(code=badge(rig, role, number))).buzzer == "acknowledged"
    return (await rig.visit(code=command_code(rig, do))).buzzer


async def drill(rig: Rig, do: Do) -> None:
    """Begins or ends a drill, and waits until people may scan again."""
    before = rig.status()["drill"]
    assert rig.scanner is not None
    assert (await rig.visit(code=badge(rig))).buzzer == "acknowledged"
    since = len(rig.panel.history)
    await rig.scanner.scan(command_code(rig, do))
    await until(lambda: rig.status()["drill"] != before and rig.status()["ready"], "the kiosk is opened again")
    await until(lambda: "offline" not in rig.status()["devices"].values(), "its devices are there again")
    await rig.panel.wait_for(lambda panel: panel.signal == 0 and panel.lamps["stop"] == "off", since=since)


def _private(rig: Rig) -> seal.PrivateKeys:
    return seal.PrivateKeys.parse((rig.keys / "private.key").read_text("utf-8"))
