"""The plug is pulled at twenty random instants while people come: the card is taken as it is at each of them. Whoever
saw green is there, once: in the journal on every card, in kiosks started from some, and at the command post."""

import asyncio
import contextlib
import json
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import NamedTuple

from kiosk import data_folder, seal
from kiosk.facts import Registered
from kiosk.journal import Journal
from tests.appliance.board import Board
from tests.appliance.card import DATA, Card
from tests.appliance.site import Site, status
from tests.faults.invariants import audit
from tests.support.vm import until

CUTS, STARTED = 20, 4
LONGEST_S = 12.0
"""From one instant to the next. People come every two seconds or so."""
SEED = 20_261_126


class Cut(NamedTuple):
    """The card at that instant, and how many people had seen green."""

    card: Card
    greens: int


async def test_whoever_saw_green_is_there_once_whenever_the_power_goes(site: Site) -> None:
    chance = Random(SEED)
    kept: list[Cut] = []
    site.provision()
    async with site.power() as board:
        await site.accepting(board)
        people = asyncio.create_task(crowd(site, board))
        for number in range(1, CUTS + 1):
            await asyncio.wait([people], timeout=chance.uniform(0, LONGEST_S))
            assert not people.done(), people.result()
            async with board.held():
                cut = Cut(site.card.copied(site.folder / f"cut-{number}.img"), len(site.greens))
            survived(site, cut)
            print(f"cut {number}: {cut.greens} people had seen green", flush=True)
            if number % (CUTS // STARTED) == 0:
                kept.append(cut)
            else:
                cut.card.path.unlink()
        people.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await people
    for cut in kept:
        site.card = cut.card
        if cut is kept[-1]:
            await site.open_post()
        async with site.power() as board:
            await site.accepting(board)
            await nothing_lost(board, cut)
            if cut is kept[-1]:
                await synced(board)
        print(f"started again with {cut.greens} people", flush=True)
    sound(site, kept[-1])


async def crowd(site: Site, board: Board) -> None:
    """People come and groups go, for ever."""
    while True:
        await site.green(board)
        if len(site.greens) % 10 == 0:
            await site.release(board)


def survived(site: Site, cut: Cut) -> None:
    """The card as another machine finds it: the file system mends itself, the journal is whole."""
    partition = cut.card.cut(DATA, site.folder / "data.img")
    mended = subprocess.run(["e2fsck", "-p", partition], capture_output=True, text=True)
    assert mended.returncode in (0, 1), mended.stdout
    found = Path(site.folder / "found")
    subprocess.run(["rm", "-rf", found], check=True)
    found.mkdir()
    subprocess.run(["debugfs", "-R", f"rdump /kiosk {found}", partition], check=True, capture_output=True)
    private = seal.PrivateKeys.parse((site.keys / "private.key").read_text())
    with Journal.open(data_folder.journal(found / "kiosk")) as journal:
        assert journal.set_aside == []
        entries = [entry for _, entry in journal.entries()]
    audit(entries)
    registered = [entry.fact.subject for entry in entries if isinstance(entry.fact, Registered)]
    numbers = [seal.open_box(private, subject.box)["number"] for subject in registered]
    for visitor in site.greens[: cut.greens]:
        assert numbers.count(visitor.number) == 1, visitor.number


async def nothing_lost(board: Board, cut: Cut) -> None:
    told = await status(board)
    assert told["people"] >= cut.greens
    issues = {issue["code"] for issue in told["issues"]}
    assert not issues & {"storage", "journal-set-aside", "data-set-aside", "data-repaired", "safe-mode"}


async def synced(board: Board) -> None:
    async def all_there() -> bool:
        told = await status(board)
        return bool(told["journal"]["seq"] == told["journal"]["acked"])

    await until(all_there, "the command post has everything", within=900)


def sound(site: Site, last: Cut) -> None:
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
    people = [json.loads(line)["subject"] for line in opened.stdout.splitlines()]
    numbers = [subject["number"] for subject in people if subject is not None]
    for visitor in site.greens[: last.greens]:
        assert numbers.count(visitor.number) == 1, visitor.number
