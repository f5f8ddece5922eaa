"""`kiosk plan` against what the theory of queues and the plans of real sites say."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.config import CustodyRules, Policy, Queue
from kiosk.plan import site
from kiosk.plan.answer import Plan, plan
from kiosk.plan.assumed import Assumed, assumed
from kiosk.site import Setup

SMOOTH = Assumed(break_min=0, paper_out=0, no_card=0, red=0, key=0)
"""No mishaps: what theory can say something of."""


def setup(custody: CustodyRules | None = None, **policy: Any) -> Setup:
    return Setup("360481", 1, Policy(**policy), custody=custody)


def day(count: int, hours: float, *, by: Assumed = SMOOTH, arrivals: Any = "even", **options: Any) -> Plan:
    return plan(options.pop("setup", setup()), count, hours, arrivals=arrivals, assumed=by, **options)


def test_everybody_is_sampled_or_turned_away() -> None:
    told = plan(setup(), 2_000, 5, tables=2, assumed=Assumed(red=0.02, no_card=0.05, paper_out=0.05))
    assert told.sampled + told.turned_away == 2_000
    assert 20 <= told.turned_away <= 60


def test_a_table_serves_400_an_hour() -> None:
    """Rule Q8: two samplers, 200 an hour each. All come in the first minute; they are through after four hours."""
    told = day(1_600, 1 / 60, tables=1)
    assert told.overtime_min == pytest.approx(240, rel=0.05)


def test_a_table_without_reliefs_gives_more_than_one_with() -> None:
    relieved = assumed(["break_min=30", "shift_h=1", "paper_out=0", "no_card=0", "red=0", "key=0"])
    assert day(1_600, 1 / 60, by=relieved, tables=1).overtime_min > 1.2 * day(1_600, 1 / 60, tables=1).overtime_min


def test_an_overloaded_table_has_a_queue_that_grows_by_the_hour() -> None:
    told = day(2_400, 3, tables=1)
    lengths = [told.minutes[60 * hour - 1].all for hour in (1, 2, 3)]
    assert lengths == [pytest.approx(400 * hour, rel=0.12) for hour in (1, 2, 3)]
    assert not told.kept


def test_the_queue_before_the_desk_is_that_of_pollaczek_and_khinchine() -> None:
    """M/G/1 at 80 %: the mean wait is rho * s * (1 + variance) / 2 (1 - rho); here s = 9 s and the variance 0.08."""
    told = day(12_800, 40, tables=1, setup=setup(health_code="off"), by=assumed_with(sampled_an_hour=1000))
    assert told.stages["registration"].wait_min * 60 == pytest.approx(0.8 * 9 * 1.08 / (2 * 0.2), rel=0.15)
    assert told.stages["registration"].busy == pytest.approx(0.8, abs=0.02)


def assumed_with(**changes: Any) -> Assumed:
    smooth = {field: getattr(SMOOTH, field) for field in SMOOTH.__struct_fields__}
    return Assumed(**smooth | changes)


@pytest.mark.parametrize(
    ("slow", "bottleneck"),
    [
        ({"scan_s": 20}, "registration"),
        ({"label_s": 150}, "printing"),
        ({"paper_out": 0.5, "paper_s": 120}, "printing"),
        ({"gate_s": 150}, "gate"),
        ({"sampled_an_hour": 100}, "sampling"),
    ],
)
def test_the_bottleneck_is_what_is_slow(slow: dict[str, float], bottleneck: str) -> None:
    assert day(600, 2, tables=1, by=assumed_with(**slow)).bottleneck == bottleneck


@pytest.mark.parametrize(("pool", "tubes"), [(20, 167), (10, 334), (5, 667), (1, 3_333)])
def test_tubes_are_people_by_the_pool(pool: int, tubes: int) -> None:
    """Rule G5, but for tubes that are short because nobody came any more."""
    told = day(3_333, 5, tables=2, setup=setup(pool_size=pool, group_size=20))
    assert set(told.tubes) == {str(pool)}
    assert tubes <= told.labels <= tubes * 1.02 + 4


def test_a_site_of_the_city_plan_needs_one_table_in_an_even_day_and_more_in_a_peak() -> None:
    """3,333 people a site: 30 sites for 100,000 (rule Q12)."""
    assert day(3_333, 10).tables == 1
    assert day(3_333, 10, arrivals="peak").tables == 2


def test_eight_hundred_people_are_two_hours_for_a_table() -> None:
    """The national norm is one table for 600 to 800 people."""
    assert day(800, 1 / 60, tables=1).overtime_min == pytest.approx(120, rel=0.06)


def test_the_least_tables_are_the_least() -> None:
    least = plan(setup(), 4_000, 5)
    assert least.kept
    assert least.waits.p95 <= 15
    assert not plan(setup(), 4_000, 5, tables=least.tables - 1).kept
    assert plan(setup(), 4_000, 5, tables=least.tables) == least
    assert plan(setup(), 4_000, 5, limit_min=60).tables < least.tables


def test_slots_spare_tables() -> None:
    """Rule Q4: who comes by building and hour needs fewer tables than a morning's crowd."""
    assert day(10_000, 10, arrivals="slots").tables < day(10_000, 10, arrivals="peak").tables


def test_what_no_number_of_tables_can_do_is_said() -> None:
    with pytest.raises(ValueError, match="even 99 tables"):
        plan(setup(), 300, 1, limit_min=0.1)


def test_the_courier_comes_by_time_and_by_count() -> None:
    """Rules T1 and T2: two hours after the first swab, or earlier for so many tubes; the last takes the rest."""
    timed = day(2_000, 6, tables=1).pick_ups
    assert [b - a >= 7_200 for a, b in zip([0, *timed], timed, strict=False)][:2] == [True, True]
    assert 3 <= len(timed) <= 4
    counted = day(2_000, 6, tables=1, setup=setup(custody=CustodyRules(pick_up_tubes=20))).pick_ups
    assert len(counted) == pytest.approx(10, abs=2)


def test_a_group_that_nobody_joins_goes_forward_short() -> None:
    told = day(25, 1 / 60, tables=1)
    assert told.sampled == 25
    assert told.tubes == {"10": 3}


@settings(max_examples=10, deadline=None, derandomize=True)
@given(
    count=st.integers(1, 400),
    hours=st.sampled_from([0.5, 1, 3]),
    seed=st.integers(0, 5),
    arrivals=st.sampled_from(["peak", "even", "slots"]),
    tables=st.integers(1, 3),
    pool=st.sampled_from([1, 5, 10, 20]),
    health_code=st.sampled_from(["optional", "required", "off"]),
)
def test_the_same_seed_gives_the_same_answer(
    count: int, hours: float, seed: int, arrivals: Any, tables: int, pool: int, health_code: Any
) -> None:
    what = {"tables": tables, "seed": seed, "arrivals": arrivals}
    policy = setup(pool_size=pool, group_size=20, health_code=health_code)
    first, second = (plan(policy, count, hours, **what) for _ in range(2))
    assert first == second
    assert first.sampled + first.turned_away == count
    assert first.waits.p50 <= first.waits.p95 <= first.waits.worst


def test_another_seed_gives_another_day() -> None:
    assert plan(setup(), 500, 1, tables=1, seed=1).waits != plan(setup(), 500, 1, tables=1, seed=2).waits


PROFILES = sorted(path.stem for path in (Path(__file__).parents[2] / "config/profiles").glob("*.toml"))


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_can_be_planned(profile: str) -> None:
    told = plan(site.setup(profile, None), 600, 2, assumed=Assumed(key=0.05))
    assert told.kept
    assert told.sampled + told.turned_away == 600
    assert told.labels == sum(told.tubes.values()) > 0
    assert told.limit_min == (site.setup(profile, None).queue.oldest_wait_min or 15)


def test_key_persons_have_tubes_of_their_own() -> None:
    """Rule G3."""
    told = plan(setup(), 600, 2, tables=1, assumed=assumed_with(key=0.1))
    assert told.tubes["1"] == pytest.approx(60, abs=20)
    assert told.tubes["10"] <= 60


@pytest.mark.parametrize(
    "policy",
    [
        {"tube_source": "preprinted"},
        {"label_at": "open"},
        {"health_code": "required"},
        {"health_code": "off"},
        {"pool_size": 1, "group_size": 1},
    ],
)
def test_every_way_of_working_can_be_planned(policy: dict[str, Any]) -> None:
    told = plan(setup(**policy), 300, 1, tables=1)
    assert told.sampled + told.turned_away == 300
    assert told.sampled > 280


def test_a_full_waiting_area_holds_people_before_the_desk() -> None:
    """Rule Q1."""
    capped = msgspec.structs.replace(setup(), queue=Queue(waiting_cap=20))
    slow = assumed_with(gate_s=120)
    told = plan(capped, 300, 1, tables=1, assumed=slow)
    assert max(minute.gate for minute in told.minutes) <= 20
    assert max(minute.gate for minute in plan(setup(), 300, 1, tables=1, assumed=slow).minutes) > 20


def test_the_page_names_every_assumption() -> None:
    page = (Path(__file__).parents[2] / "docs/planning.md").read_text("utf-8")
    for field in msgspec.structs.fields(Assumed):
        assert re.search(rf"^\| `{field.name}` \| {field.default:g} \|", page, re.MULTILINE), field.name
