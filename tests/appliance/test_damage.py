"""A card whose data partition is beyond repair: the kiosk says so, works on, and keeps it for those who can read it."""

import hashlib
from random import Random

from tests.appliance.card import DATA
from tests.appliance.site import FAULT, Site, status
from tests.support.vm import until

NOISE = 256 << 20
"""The whole partition as the image has it. With one copy of the superblock left, e2fsck makes an empty file system."""


async def test_what_cannot_be_mended_is_kept_and_the_kiosk_works_on_the_spare(site: Site) -> None:
    noise = Random(DATA)
    for offset in range(0, NOISE, 1 << 20):
        site.card.scribble(DATA, offset, noise.randbytes(1 << 20))
    damaged = _content(site)
    site.provision()
    async with site.power() as board:
        await site.accepting(board)
        await site.green(board)
        told = await status(board)
        assert "data-set-aside" in [issue["code"] for issue in told["issues"]]
        await until(lambda: board.lamp(FAULT), "the fault lamp")
        await board.shell("sync")
    assert _content(site) == damaged


def _content(site: Site) -> str:
    """Of the first bytes: the partition itself has grown."""
    extent = site.card.partition(DATA)
    with site.card.path.open("rb") as file:
        file.seek(extent.start)
        return hashlib.sha256(file.read(NOISE)).hexdigest()
