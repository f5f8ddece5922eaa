"""A wrong file on the card of a kiosk that works: it goes on, and says so on a label, once."""

import asyncio
from pathlib import Path

from kiosk import issue_folder
from kiosk.notices import notice
from kiosk.provision.apply import REFUSED
from kiosk.provision.reasons import AGAIN, TITLE
from kiosk.simulate.rig import Rig

WHY = "kiosk-provision.toml: kiosk.number: found 0, expected a whole number ≥ 1 ≤ 99"


async def test_the_reason_is_printed_once_and_people_are_registered(tmp_path: Path) -> None:
    issue_folder.tell(tmp_path / issue_folder.NAME, REFUSED, WHY)
    async with Rig(tmp_path) as rig:
        await rig.start()
        async with asyncio.timeout(30):
            while not rig.labels or REFUSED not in {issue["code"] for issue in rig.status()["issues"]}:
                await asyncio.sleep(0.02)
        assert rig.labels[0].convert("1").tobytes() == notice(TITLE, (WHY, *AGAIN), (50, 30), 203).tobytes()
        assert rig.panel.state.lamps["fault"] == "on"
        assert (await rig.visit(code="HC1:0:abcdef")).lamps["go"] == "on"
        await rig.kill()
        await rig.start()
        await rig.visit(code="HC1:0:ghijkl")
        assert len(rig.labels) == 1
