"""Kiosks of one site with a broker on its own network: two unmodified daemons and a real mosquitto."""

import contextlib
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path

from kiosk import seal
from kiosk.facts import TubeOpened
from kiosk.simulate.rig import Rig
from kiosk.tube import TubeNumber
from tests.support.mosquitto import Mosquitto
from tests.support.site_day import SiteDay, until


@contextlib.asynccontextmanager
async def tables(folder: Path, broker: Mosquitto, *numbers: int) -> AsyncIterator[list[SiteDay]]:
    """A kiosk of each number, under one command post and one key of the round, at one table."""
    keys, key = folder / "keys", folder / "round.key"
    seal.write_pair(keys_of(keys))
    seal.digest_key("file", key)
    async with contextlib.AsyncExitStack() as stack:
        days = []
        for place, number in enumerate(numbers):
            own = folder / f"table-{place}"
            shutil.copytree(keys, own / "keys")
            rig = Rig(
                own,
                {
                    "policy": {"card_alone_after_s": 0.3},
                    "devices.card": {"same_card_s": 0.1},
                    "kiosk": {"number": number},
                    "seal": {"digest_key_file": str(key)},
                    "neighbours": {"host": "127.0.0.1", "port": broker.port},
                },
            )
            days.append(SiteDay(await stack.enter_async_context(rig)))
        yield days


def keys_of(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def log_of(day: SiteDay) -> str:
    return (day.rig.folder / "kiosk.log").read_text("utf-8")


async def connected(*days: SiteDay) -> None:
    for day in days:
        await until(lambda day=day: "neighbours: connected" in log_of(day), "it has found the broker")


async def told_within(day: SiteDay, who: int, seconds: float) -> str:
    """What this person is told once their registration next door has had so long to get around."""
    await gets_around(seconds)
    return await day.resident(who, code=None)


async def gets_around(seconds: float) -> None:
    end = time.monotonic() + seconds
    await until(lambda: time.monotonic() > end, "a second", within=seconds + 1)


async def test_who_was_at_the_next_table_is_told_so_and_others_are_not(tmp_path: Path, broker: Mosquitto) -> None:
    async with tables(tmp_path, broker, 1, 2) as (left, right):
        await left.rig.start()
        await right.rig.start()
        await connected(left, right)
        await left.residents(1, 2)
        assert await told_within(right, 1, 1.0) == "repeat"
        await right.residents(3)
        assert await told_within(left, 3, 1.0) == "repeat"
        assert (right.refused, left.refused) == (["elsewhere"], ["elsewhere"])
        assert right.rig.status()["people"] == 1


async def test_a_kiosk_that_comes_late_learns_what_was_before(tmp_path: Path, broker: Mosquitto) -> None:
    async with tables(tmp_path, broker, 1, 2) as (left, right):
        await left.rig.start()
        await left.residents(1, 2)
        await connected(left)
        await gets_around(1.0)
        await left.rig.kill()
        await right.rig.start()
        await connected(right)
        assert await told_within(right, 1, 1.0) == "repeat"


async def test_without_the_broker_both_go_on_and_with_it_again_they_tell_each_other(
    tmp_path: Path, broker: Mosquitto
) -> None:
    async with tables(tmp_path, broker, 1, 2) as (left, right):
        await left.rig.start()
        await right.rig.start()
        await connected(left, right)
        broker.kill9()
        await left.residents(1)
        await right.residents(1)  # the command post finds it
        await left.residents(2)
        broker.start()
        await until(lambda: log_of(left).count("neighbours: connected") == 2, "left is back")
        await until(lambda: log_of(right).count("neighbours: connected") == 2, "right is back")
        assert await told_within(right, 2, 1.0) == "repeat"


async def test_two_kiosks_at_one_table_have_two_series_of_numbers_and_one_name(
    tmp_path: Path, broker: Mosquitto
) -> None:
    async with tables(tmp_path, broker, 1, 2) as both:
        for day in both:
            await day.rig.start()
        await both[0].residents(*range(10))
        await both[1].residents(*range(10, 20))
        labels = [(await day.labels(1))[0] for day in both]
        assert [TubeNumber.parse(label).kiosk for label in labels] == [1, 2]
        assert len({day.rig.config.site.name for day in both}) == 1


async def test_two_kiosks_of_one_number_both_refuse_to_open_tubes_until_one_is_gone(
    tmp_path: Path, broker: Mosquitto
) -> None:
    async with tables(tmp_path, broker, 1, 1) as both:
        for day in both:
            await day.rig.start()
        await connected(*both)
        for day in both:
            await until(lambda day=day: "taken twice" in log_of(day), "each has heard the other")
            assert await day.resident(1, code=None) == "refused"
            assert day.refused == ["number-taken"]
            assert not day.told(TubeOpened)
            await until(
                lambda day=day: "number-taken" in [issue["code"] for issue in day.rig.status()["issues"]], "it is said"
            )
        await both[1].rig.kill()
        await until(lambda: "this kiosk's alone" in log_of(both[0]), "the other is gone")
        await both[0].residents(1)
