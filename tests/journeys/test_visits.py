"""The team leaves the site and goes from door to door, with the same kiosk."""

import time
from pathlib import Path

from kiosk import badges
from kiosk.badges import Badge, CommandCode
from kiosk.domain import Do, Role
from kiosk.facts import Registered
from kiosk.seal import PrivateKeys
from tests.support.site_day import SiteDay, open_site, until

HOUR_MS = 3_600_000


async def order(day: SiteDay, do: Do) -> None:
    """A registrar shows badge and command code."""
    sign, now = PrivateKeys.parse((day.rig.keys / "private.key").read_text()).sign, time.time_ns() // 1_000_000
    badge = Badge(site="360481", badge=7, role=Role.REGISTRAR, since=now - HOUR_MS, until=now + 8 * HOUR_MS, drills=3)
    for shown in (badge, CommandCode(site="360481", sheet=1, do=do)):
        answer = await day.only_a_code(badges.pack(shown, sign))
        assert answer in ("acknowledged", "released")  # a label may be out before the tone is over


async def test_at_the_doors_nobody_presses_and_the_tubes_go_on_in_their_series(tmp_path: Path) -> None:
    async with open_site(tmp_path, pool_size=5, group_size=10) as day:
        await day.residents(1, 2)
        await order(day, Do.VISIT_START)
        await until(lambda: day.rig.status()["visit"], "the status says so")
        await day.residents(*range(3, 8))
        labels = await day.labels(2)
        await until(lambda: day.released == [2, 5], "both groups went by themselves")
        assert labels == [tube.tube for tube in day.tubes]
        await order(day, Do.VISIT_END)
        await day.residents(8)
        assert [fact.visit for fact in day.told(Registered)] == [False] * 2 + [True] * 5 + [False]
        assert not day.rig.status()["visit"]
