"""Five kinds of site, one profile each: its plan's own figures, and a day there at the unmodified daemon."""

import re
from pathlib import Path

import pytest

from kiosk import config_file, seal
from kiosk.cli import main
from kiosk.config import Config, CustodyRules
from kiosk.domain import Category, Do
from kiosk.facts import DrillEnded
from kiosk.provision import merge
from kiosk.simulate.main import tables_of
from tests.support.site_day import open_site
from tests.support.staff_desk import drill

ROOT = Path(__file__).parents[2]
PROFILES = ("freight-screening", "drill", "street-10k", "city-routine", "subdistrict")


def config(profile: str) -> Config:
    data = merge.profile(profile, profile, merge.PROFILES)
    data["site"] = {"code": "360481", "name": "03号点"}
    data["kiosk"] = data["kiosk"] | {"number": 1}
    data["seal"] = data["seal"] | {"public_key": seal.PrivateKeys.generate().public.line()}
    return config_file.check(data, profile)


def custody(profile: str) -> CustodyRules:
    rules = config(profile).custody
    assert rules is not None
    return rules


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_is_a_whole_configuration_whose_rules_are_known(profile: str) -> None:
    config(profile)
    text = (ROOT / f"config/profiles/{profile}.toml").read_text("utf-8")
    known = set(re.findall(r"^\| ([GQRTPD]\d+) \|", (ROOT / "docs/rules.md").read_text("utf-8"), re.MULTILINE))
    named = set(re.findall(r"\b[GQRTPD]\d+\b", text))
    assert len(named) >= 4
    assert named <= known


def test_a_park_samples_drivers_one_by_one_within_two_hours_of_seven_days() -> None:
    policy = config("freight-screening").policy
    assert (policy.pool_size, policy.group_size) == (1, 1)
    assert policy.every_days[Category.GENERAL] == 7  # A22, A23
    assert custody("freight-screening").bag_size == 1  # A124


def test_a_town_drills_with_fifty_people_and_delivers_the_same_day() -> None:
    assert config("drill").queue.waiting_cap == 50  # A39
    assert custody("drill").day_end != ""  # A40


def test_a_street_samples_in_groups_and_tubes_of_ten_and_collects_every_two_hours() -> None:
    policy, rules = config("street-10k").policy, custody("street-10k")
    assert (policy.pool_size, policy.group_size) == (10, 10)  # A60, A116
    assert {Category.KEY, Category.RETURNEE} <= set(policy.single_for)  # A60
    assert (rules.pick_up_min, rules.limit_min, rules.bag_size) == (120, 240, 1)  # A118, A123, A124


def test_a_city_pools_twenty_and_sends_every_hour_or_three_hundred_tubes() -> None:
    policy, rules = config("city-routine").policy, custody("city-routine")
    assert policy.pool_size == 20  # A170
    assert policy.require_phone  # A169
    assert (policy.every_days[Category.KEY], policy.every_days[Category.GENERAL]) == (5, 10)  # A155, A156
    assert (rules.pick_up_min, rules.limit_min) == (60, 240)  # A171
    assert 300 <= rules.pick_up_tubes <= 500  # A171


def test_a_subdistrict_lets_130_people_wait_for_a_quarter_of_an_hour() -> None:
    queue = config("subdistrict").queue
    assert (queue.waiting_cap, queue.oldest_wait_min) == (130, 15)  # B71, B94
    assert config("subdistrict").policy.group_size in (5, 10)  # B94


@pytest.mark.parametrize(
    ("profile", "residents", "tubes"),
    [
        ("freight-screening", 6, "6 closed: 6 × 1/1"),
        ("street-10k", 23, "3 closed: 2 × 10/10, 1 × 3/10"),
        ("city-routine", 23, "2 closed: 1 × 20/20, 1 × 3/20"),
        ("subdistrict", 13, "2 closed: 1 × 10/10, 1 × 3/10"),
    ],
)
def test_a_day_at_the_site(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], profile: str, residents: int, tubes: str
) -> None:
    told = ["--residents", str(residents), "--seed", "2", "--speed", "100", "--out", str(tmp_path)]
    status = main(["simulate", "--profile", profile, *told])
    said = capsys.readouterr().out
    assert status == 0, said
    assert tubes in said


async def test_a_drill_of_a_town_is_over_without_a_trace(tmp_path: Path) -> None:
    tables = tables_of("drill")
    async with open_site(tmp_path, {"custody": tables["custody"], "queue": tables["queue"]}, **tables["policy"]) as day:
        await drill(day.rig, Do.DRILL_ON)
        await day.residents(*range(10))
        await day.release_the_group()
        await drill(day.rig, Do.DRILL_OFF)
        assert [fact.people for fact in day.told(DrillEnded)] == [10]
        assert day.people == 0
