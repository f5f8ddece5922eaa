"""A drill at a site (rule Q18): everything as in earnest, and nothing of it among what counts."""

from pathlib import Path

from hub.store import Store
from kiosk.domain import Do
from kiosk.facts import DrillEnded, Registered
from kiosk.journal import Journal
from kiosk.records import folder
from kiosk.simulate.rig import Rig
from kiosk.tube import TubeNumber
from tests.support.site_day import kept_by, open_site, until
from tests.support.staff_desk import drill, order


def practised(rig: Rig, number: int = 1) -> list[object]:
    """The facts of a drill."""
    (path,) = folder(rig.config.kiosk.data_dir, number).glob("v*/journal.db")
    with Journal.open_readonly(path) as journal:
        return [entry.fact for _, entry in journal.entries(0)]


def ids(db: Path) -> set[bytes]:
    store = Store(db)
    try:
        return {row[0] for row in store.rows("SELECT id FROM fact")}
    finally:
        store.close()


async def test_a_drill_between_two_groups_leaves_no_trace_among_what_counts(tmp_path: Path) -> None:
    async with open_site(tmp_path, line=True, pool_size=5, group_size=5) as day:
        rig = day.rig
        await day.residents(*range(5))
        await day.release_the_group()
        await drill(rig, Do.DRILL_ON)
        await day.residents(*range(2, 12))  # those who were here in earnest may practise
        await day.release_the_group()
        assert await day.resident(3, code=None) == "repeat"
        await until(lambda: len(ids(tmp_path / "hub.drill.db")) == len(practised(rig)), "the drill is kept apart")
        await drill(rig, Do.DRILL_OFF)
        await day.residents(*range(20, 25))
        await day.release_the_group()
        labels = await day.labels(4)
        post = await day.all_is_at_the_command_post()

        assert [TubeNumber.parse(label).drill for label in labels] == [False, True, True, False]
        assert (post.people, post.tubes, post.refused) == (10, 2, {})
        assert (day.people, day.refused) == (10, [])
        assert [fact.people for fact in day.told(DrillEnded)] == [10]
        assert len([fact for fact in practised(rig) if isinstance(fact, Registered)]) == 10
        assert not ids(tmp_path / "hub.drill.db") & ids(rig.hub_db)
        assert await day.technician("export", str(tmp_path / "stick")) == 0
        await day.carry_to_the_command_post(tmp_path / "stick", tmp_path / "other.db")
        assert kept_by(tmp_path / "other.db") == kept_by(rig.hub_db)


async def test_a_tube_of_a_drill_is_none_outside_it(tmp_path: Path) -> None:
    async with open_site(tmp_path, {"devices.printer": {"confirm": "scan"}}, pool_size=1, group_size=1) as day:
        await day.residents(1)
        (live,) = await day.labels(1)
        assert await day.scan_the_label(live) == "acknowledged"
        await day.release_the_group()
        await drill(day.rig, Do.DRILL_ON)
        await day.residents(1)
        practice = (await day.labels(2))[1]
        assert await day.scan_the_label(live) == "refused"
        assert await day.scan_the_label(practice) == "acknowledged"
        await drill(day.rig, Do.DRILL_OFF)
        assert await day.scan_the_label(practice) == "refused"


async def test_a_drill_does_not_begin_while_somebody_waits(tmp_path: Path) -> None:
    async with open_site(tmp_path) as day:
        await day.residents(1)
        assert await order(day.rig, Do.DRILL_ON) == "denied"
        await day.residents(2)
        assert day.rig.status()["drill"] == 0


async def test_the_power_fails_in_a_drill_and_it_goes_on_until_a_badge_ends_it(tmp_path: Path) -> None:
    async with open_site(tmp_path) as day:
        await drill(day.rig, Do.DRILL_ON)
        await day.residents(1, 2)
        await day.rig.kill()
        await day.rig.start()
        assert day.rig.status()["drill"] == 1
        assert await day.resident(1, code=None) == "repeat"
        await drill(day.rig, Do.DRILL_OFF)
        await day.rig.kill()
        await day.rig.start()
        assert day.rig.status()["drill"] == 0
        await day.residents(1, 2)
        assert day.people == 2
        assert len(day.told(DrillEnded)) == 1
