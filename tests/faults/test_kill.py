"""kill -9 of the real daemon at random instants under load. The seed of what fails is in its name."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from kiosk.simulate.brokers import open_broker
from tests.faults.lives import open_life

KILLS = 25  # of each of two kiosks at a time
SEEDS = (1, 2, 3, 4)


async def _lives(
    folder: Path, seed: int, kills: int, *, line: bool = False, mutant: str = "", profile: str | None = None
) -> None:
    """Two kiosks side by side."""

    async def life(number: int) -> None:
        own = seed * 10 + number
        async with contextlib.AsyncExitStack() as stack:
            broker = await stack.enter_async_context(open_broker()) if line else None
            life = open_life(folder / str(own), own, broker=broker, mutant=mutant, profile=profile)
            it = await stack.enter_async_context(life)
            while it.kills < kills:
                try:
                    await it.killed_once()
                except (AssertionError, TimeoutError) as error:
                    raise AssertionError(f"seed {own}, kill {it.kills}, {it.people} people: {error}") from error
            assert it.people > kills / 2, "hardly anybody came"
            if broker is not None:
                await it.check_command_post()

    async with asyncio.TaskGroup() as group:
        for number in range(2):
            group.create_task(life(number))


@pytest.mark.parametrize("seed", SEEDS)
async def test_killed_at_random_instants(tmp_path: Path, seed: int) -> None:
    await _lives(tmp_path, seed, KILLS, line=seed % 2 == 0)


@pytest.mark.parametrize("profile", ["freight-screening", "city-routine", "subdistrict"])
async def test_killed_at_each_kind_of_site(tmp_path: Path, profile: str) -> None:
    await _lives(tmp_path, 7, 8, line=True, profile=profile)


@pytest.mark.parametrize(
    ("mutant", "found"),
    [
        ("write_behind", "told green and is not in the journal"),
        ("forgets_labels", "a label for every closed tube"),
        ("numbers_anew", "a label of a tube that was not closed"),
        ("starts_from_nothing", ""),
    ],
)
async def test_mutants_are_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mutant: str, found: str) -> None:
    monkeypatch.setattr("tests.support.post.PATIENCE_S", 3)
    with pytest.raises(ExceptionGroup) as caught:
        await _lives(tmp_path, 5, KILLS, mutant=mutant)
    for error in caught.value.exceptions:
        assert isinstance(error, AssertionError)
        assert found in str(error)
