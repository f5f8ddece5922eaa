"""Tubes for one, five and twenty people, and the rule that a tube belongs to one group."""

from pathlib import Path

import pytest

from kiosk.domain import Stamp
from kiosk.labels import TubeLabel, render
from kiosk.people import person
from tests.support.site_day import SiteDay, open_site


async def drawn(day: SiteDay, **fields: object) -> bytes:
    """The picture of the first label, as it should be."""
    (tube, *_), at = day.tubes, Stamp(0, 0)
    for entry in day.rig.entries():
        if entry.fact == tube:
            at = entry.at
    config = day.rig.config
    label = TubeLabel(
        site=config.site.name,
        tube=tube.tube,
        members=tube.members,
        size=tube.size,
        at=at,
        specimen=config.policy.specimen,
        **fields,
    )
    return render(label, config.devices.printer.label_mm, config.devices.printer.dpi).tobytes()


async def test_single_tubes_carry_the_name_on_their_label(tmp_path: Path) -> None:
    async with open_site(tmp_path, pool_size=1, group_size=2) as day:
        await day.residents(1, 2)
        await day.release_the_group()
        labels = await day.labels(2)
        assert labels == [tube.tube for tube in day.tubes]
        assert len(set(labels)) == 2
        assert day.rig.labels[0].convert("1").tobytes() == await drawn(day, name=person(1).name)
        assert day.rig.labels[0].convert("1").tobytes() != await drawn(day, name=person(2).name)


@pytest.mark.parametrize(("size", "group", "tubes"), [(5, 10, [5, 5]), (20, 20, [20])])
async def test_pools_of_other_sizes(tmp_path: Path, size: int, group: int, tubes: list[int]) -> None:
    async with open_site(tmp_path, pool_size=size, group_size=group) as day:
        await day.residents(*range(group))
        await day.release_the_group()
        assert await day.labels(len(tubes)) == [tube.tube for tube in day.tubes]
        assert [tube.members for tube in day.tubes] == tubes
        assert [place for _, place in day.places.values()] == [*range(1, size + 1)] * len(tubes)
        assert day.rig.labels[0].convert("1").tobytes() == await drawn(day)


async def test_a_short_pool_is_marked_on_its_label(tmp_path: Path) -> None:
    async with open_site(tmp_path, pool_size=5, group_size=10) as day:
        await day.residents(*range(7))
        await day.close_a_short_group()
        await day.labels(2)
        assert [(tube.members, tube.size) for tube in day.tubes] == [(5, 5), (2, 5)]
        await day.release_the_group()
        assert day.released == [7]
