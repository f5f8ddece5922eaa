"""kill -9 of the real daemon for hours: `python -m tests.faults.soak --hours H --seed S`.

A kiosk after the other, each with its own seed, killed some hundred times; every other one with a broker and a command
post. A line a minute; the first broken invariant ends it with exit status 1, and its folder is kept.
"""

import argparse
import asyncio
import contextlib
import shutil
import sys
import tempfile
import time
from pathlib import Path

from kiosk.simulate.brokers import open_broker
from tests.faults.lives import open_life

KILLS_EACH = 200
REPORT_S = 60


class Soak:
    def __init__(self, hours: float, seed: int) -> None:
        self.seed = seed
        self.kills = self.people = self.kiosks = 0
        self._begun = self._told = time.monotonic()
        self._until = self._begun + hours * 3600

    async def run(self) -> None:
        while time.monotonic() < self._until:
            folder = Path(tempfile.mkdtemp(prefix=f"kiosk-soak-{self.seed}-"))
            try:
                await self._kiosk(folder)
            except BaseException:
                print(f"seed {self.seed}: see {folder}", flush=True)
                raise
            shutil.rmtree(folder)
            self.seed, self.kiosks = self.seed + 1, self.kiosks + 1
        self._tell()

    async def _kiosk(self, folder: Path) -> None:
        async with contextlib.AsyncExitStack() as stack:
            broker = await stack.enter_async_context(open_broker()) if self.seed % 2 == 0 else None
            life = await stack.enter_async_context(open_life(folder, self.seed, broker=broker))
            while life.kills < KILLS_EACH and time.monotonic() < self._until:
                kills, people = life.kills, life.people
                await life.killed_once()
                self.kills += life.kills - kills
                self.people += life.people - people
                if time.monotonic() - self._told >= REPORT_S:
                    self._tell()
            if broker is not None:
                await life.check_command_post()

    def _tell(self) -> None:
        self._told = time.monotonic()
        minutes = (self._told - self._begun) / 60
        print(
            f"{minutes:7.1f} min  seed {self.seed}  {self.kiosks} kiosks done  {self.kills} kills  "
            f"{self.people} people told green  nobody lost, nobody doubled",
            flush=True,
        )


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.faults.soak", description="kill -9 the daemon for hours")
    parser.add_argument("--hours", type=float, default=8.0)
    parser.add_argument("--seed", type=int, default=1, help="of the first kiosk; the next has the next (default 1)")
    options = parser.parse_args()
    try:
        asyncio.run(Soak(options.hours, options.seed).run())
    except AssertionError as error:
        print(f"broken: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
