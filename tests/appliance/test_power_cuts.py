"""The plug is pulled again and again while people come. Whoever saw green is there, once, at the command post."""

import asyncio
import contextlib
import json
import subprocess
import sys
from random import Random

from tests.appliance.board import Board
from tests.appliance.site import Site, status
from tests.support.vm import until

CUTS = 20
LONGEST_S = 20.0
"""Between the first person who may scan and the cut. People come every two seconds or so."""
SEED = 20_261_126


async def test_whoever_saw_green_is_there_once_whenever_the_power_goes(site: Site) -> None:
    chance = Random(SEED)
    await site.open_post()
    site.provision()
    for cut in range(CUTS + 1):
        async with site.power() as board:
            await site.accepting(board)
            await nothing_lost(site, board)
            if cut == CUTS:
                await synced(site, board)
                break
            people = asyncio.create_task(crowd(site, board))
            await asyncio.wait([people], timeout=chance.uniform(0, LONGEST_S))
            people.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await people
        print(f"cut {cut + 1}: {len(site.greens)} people saw green", flush=True)
    sound(site)


async def crowd(site: Site, board: Board) -> None:
    """People come and groups go, for ever."""
    while True:
        await site.green(board)
        if len(site.greens) % 10 == 0:
            await site.press_release(board)


async def nothing_lost(site: Site, board: Board) -> None:
    told = await status(board)
    assert told["people"] >= len(site.greens)
    issues = {issue["code"] for issue in told["issues"]}
    assert not issues & {"storage", "journal-set-aside", "data-set-aside", "data-repaired", "safe-mode"}


async def synced(site: Site, board: Board) -> None:
    async def all_there() -> bool:
        told = await status(board)
        return bool(told["journal"]["seq"] == told["journal"]["acked"])

    await until(all_there, "the command post has everything")


def sound(site: Site) -> None:
    """The receiver's own books: no gap, no fork, and each person who saw green in one place."""
    hub = [sys.executable, "-m", "hub"]
    report = subprocess.run(
        [*hub, "report", "--db", site.database, "--json"], capture_output=True, text=True, check=True
    )
    journals = json.loads(report.stdout)["journals"]
    assert len(journals) == 1
    assert journals[0]["missing"] == []
    opened = subprocess.run(
        [*hub, "open", "--db", site.database, "--private-key", site.keys / "private.key"],
        capture_output=True,
        text=True,
        check=True,
    )
    numbers = [row["number"] for line in opened.stdout.splitlines() if "number" in (row := json.loads(line))]
    for visitor in site.greens:
        assert numbers.count(visitor.number) == 1, visitor.number
