"""When a person may come again, and what a jumping clock does to that."""

import pytest

from kiosk.domain import Reason, Trust
from kiosk.facts import ClockStepped, Registered, RoundStarted, Started, TubeOpened
from tests.support.desk_story import DAY_S, NOON, Story

YEAR_S = 365 * DAY_S
UNTRUSTED = (Trust.NONE, Trust.RESTORED)
TRUSTED = (Trust.RTC, Trust.NTP, Trust.OPERATOR)


def rounds(story: Story) -> list[tuple[int, int, str]]:
    return [(fact.round, fact.day, fact.why) for fact in story.told(RoundStarted)]


def comes_again(story: Story, who: object = "Li") -> bool:
    """Whether somebody registered before is let in now."""
    people = story.people
    story.tick(10)
    story.both(who)
    return story.people > people


def test_the_first_start_begins_round_one_whatever_the_clock() -> None:
    for start, trust in ((0, Trust.NONE), (NOON, Trust.NTP), (NOON + 50 * YEAR_S, Trust.RTC)):
        story = Story(start=start, trust=trust)
        assert story.told(Started) == [Started("0")]
        assert [(number, why) for number, _, why in rounds(story)] == [(1, "first")]


def test_midnight_starts_a_new_daily_round() -> None:
    story = Story(start=NOON + 12 * 3600 - 20)
    story.both("Li")
    assert not comes_again(story)  # ten seconds to midnight
    assert comes_again(story)
    assert [why for *_, why in rounds(story)] == ["first", "daily"]


def test_midnight_is_that_of_the_local_clock() -> None:
    story = Story(start=NOON)
    story.tick(12 * 3600 - 1)
    assert len(rounds(story)) == 1
    story.tick(1)
    assert rounds(story)[-1] == (2, 19_001, "daily")


def test_midnight_counts_for_the_person_who_comes_before_the_first_tick() -> None:
    story = Story(start=NOON)
    story.both("Li")
    story.wall += 12 * 3600 * 1000
    story.mono += 12 * 3600 * 1000
    story.both("Li")
    assert [type(fact) for _, fact in story.journal if isinstance(fact, RoundStarted | Registered)] == [
        RoundStarted,
        Registered,
        RoundStarted,
        Registered,
    ]


def test_a_manual_round_ends_by_command_only() -> None:
    story = Story(round="manual")
    story.both("Li")
    story.tick(3 * DAY_S)
    story.restart(reboot=True, jump=DAY_S)
    assert not comes_again(story)
    assert story.new_round() == [RoundStarted(2, 19_004, "manual")]
    assert comes_again(story)


def test_a_command_starts_a_daily_round_too() -> None:
    story = Story()
    story.both("Li")
    assert story.new_round() == [RoundStarted(2, 19_000, "manual")]
    assert comes_again(story)
    story.tick(DAY_S)
    assert rounds(story)[-1] == (3, 19_001, "daily")


def test_a_restart_at_night_and_one_the_next_morning() -> None:
    story = Story()
    story.both("Li")
    story.restart()
    assert not comes_again(story)
    story.restart(reboot=True, jump=18 * 3600)
    assert rounds(story)[-1] == (2, 19_001, "daily")
    assert comes_again(story)


# The clock jumps ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trust", Trust)
@pytest.mark.parametrize("jump", [YEAR_S, -YEAR_S, 10 * YEAR_S, -50 * YEAR_S, 3600, -3600, 13 * 3600, -13 * 3600])
def test_a_jump_while_running_keeps_the_round_of_those_just_registered(trust: Trust, jump: int) -> None:
    story = Story(trust=trust)
    story.both("Li")
    assert story.clock_jump(jump) == [ClockStepped(jump * 1000)]
    assert not comes_again(story)
    story.restart()
    assert not comes_again(story)
    assert len(rounds(story)) == 1


@pytest.mark.parametrize("trust", Trust)
@pytest.mark.parametrize("jump", [YEAR_S, -YEAR_S])
def test_a_jump_that_only_the_restarted_daemon_notices(trust: Trust, jump: int) -> None:
    story = Story(trust=trust)
    story.both("Li")
    facts = story.restart(jump=jump)
    assert [type(fact) for fact in facts] == [Started, ClockStepped]
    assert not comes_again(story)


@pytest.mark.parametrize("trust", Trust)
@pytest.mark.parametrize("jump", [YEAR_S, -YEAR_S])
def test_the_next_midnight_after_a_jump_starts_a_round(trust: Trust, jump: int) -> None:
    story = Story(trust=trust)
    story.both("Li")
    story.clock_jump(jump)
    story.tick(DAY_S)
    assert comes_again(story)


@pytest.mark.parametrize("trust", Trust)
def test_a_clock_that_went_back_over_a_reboot_keeps_the_round(trust: Trust) -> None:
    story = Story()
    story.both("Li")
    story.restart(reboot=True, jump=-20 * YEAR_S, trust=trust)
    assert not comes_again(story)
    story.tick(DAY_S)
    assert comes_again(story)


@pytest.mark.parametrize("trust", UNTRUSTED)
def test_a_clock_that_went_ahead_over_a_reboot_is_not_believed(trust: Trust) -> None:
    story = Story()
    story.both("Li")
    story.restart(reboot=True, jump=YEAR_S, trust=trust)
    assert not comes_again(story)
    story.tick(5)
    assert not comes_again(story)
    story.tick(DAY_S)
    assert comes_again(story)


@pytest.mark.parametrize("trust", TRUSTED)
def test_a_later_day_after_a_reboot_is_believed_of_a_good_clock(trust: Trust) -> None:
    story = Story()
    story.both("Li")
    story.restart(reboot=True, jump=DAY_S, trust=trust)
    assert comes_again(story)


def test_1970_corrected_by_the_network_starts_no_round_for_those_just_registered() -> None:
    story = Story(start=0, trust=Trust.NONE)
    story.both("Li")
    story.clock_jump(NOON, Trust.NTP)
    assert not comes_again(story)
    assert len(rounds(story)) == 1
    story.tick(DAY_S)
    assert comes_again(story)


@pytest.mark.parametrize("trust", [Trust.NONE, Trust.RESTORED, Trust.RTC])
def test_a_power_cut_at_noon_and_1970_until_the_network_answers_is_the_same_day(trust: Trust) -> None:
    story = Story()
    story.both("Li")
    story.restart(reboot=True, jump=-NOON, trust=trust)
    story.clock_jump(NOON + 300, Trust.NTP)
    assert not comes_again(story)
    assert len(rounds(story)) == 1


@pytest.mark.parametrize("trust", [Trust.NONE, Trust.RESTORED, Trust.RTC])
def test_a_night_without_power_and_1970_until_the_network_answers_is_a_new_day(trust: Trust) -> None:
    story = Story()
    story.both("Li")
    story.restart(reboot=True, jump=-NOON, trust=trust)
    story.clock_jump(NOON + DAY_S, Trust.NTP)
    assert comes_again(story)


def test_a_restored_clock_that_stands_still_over_night_is_corrected_before_the_first_person() -> None:
    story = Story()
    story.both("Li")
    story.restart(reboot=True, trust=Trust.RESTORED)
    story.tick(60)
    story.clock_jump(18 * 3600, Trust.NTP)
    assert rounds(story)[-1] == (2, 19_001, "daily")
    assert comes_again(story)


def test_a_small_correction_is_no_step() -> None:
    story = Story()
    assert story.clock_jump(59) == []
    assert story.clock_jump(-30) == []


@pytest.mark.parametrize("jump", [YEAR_S, -YEAR_S])
def test_tube_numbers_do_not_care_about_the_clock(jump: int) -> None:
    story = Story(pool_size=1, group_size=1, unlabelled_groups=10)
    for who in range(6):
        story.both(who)
        story.clock_jump(jump if who % 2 else -jump)
        story.printed()
    assert len({fact.tube for fact in story.told(TubeOpened)}) == 6
    assert [fact.person for fact in story.told(Registered)] == [1, 2, 3, 4, 5, 6]
    assert Reason.REPEAT not in story.refusals


# The clock becomes trustworthy ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [0, 59, -59])
@pytest.mark.parametrize("trust", TRUSTED)
def test_when_the_clock_can_be_believed_is_kept_once_a_boot(trust: Trust, jump: int) -> None:
    story = Story(trust=Trust.RESTORED)
    story.both("Li")
    assert story.clock_jump(jump, trust) == [ClockStepped(jump * 1000)]
    stamp, _ = story.journal[-1]
    assert stamp.trust == trust
    for again in (Trust.RESTORED, trust, Trust.NONE, trust):
        assert story.clock_jump(0, again) == []
    assert not comes_again(story), "no new day for those who were here"


def test_a_better_clock_is_kept_a_worse_one_is_not() -> None:
    story = Story(trust=Trust.RTC)
    assert story.clock_jump(1, Trust.NTP) == [ClockStepped(1000)]
    assert story.clock_jump(0, Trust.RTC) == []
    story.restart(reboot=True, trust=Trust.RTC)
    assert story.clock_jump(1, Trust.NTP) == [ClockStepped(1000)]
    story.restart(trust=Trust.NTP)
    assert story.clock_jump(0, Trust.NTP) == [], "the same boot"


def test_a_restored_clock_is_not_worth_a_fact() -> None:
    story = Story(trust=Trust.NONE)
    assert story.clock_jump(0, Trust.RESTORED) == []


def test_a_second_before_midnight_is_no_second_midnight() -> None:
    story = Story(start=NOON + 12 * 3600 - 1, trust=Trust.RESTORED)
    story.both("Li")
    story.tick(2)
    assert [why for *_, why in rounds(story)] == ["first", "daily"]
    story.both("Li")
    assert story.clock_jump(-3, Trust.NTP) == [ClockStepped(-3000)]
    story.tick(10)
    assert [why for *_, why in rounds(story)] == ["first", "daily"]


def test_every_stamp_of_a_boot_can_be_corrected_by_the_most_trusted_one() -> None:
    """The rule of docs/protocol.md, "Times": wall - mono of the most trusted stamp of the boot holds for all of it."""
    story = Story(start=1_000_000, trust=Trust.NONE)
    story.crowd("Li", "Wang")
    true = [stamp.mono for stamp, _ in story.journal]
    story.clock_jump(NOON, Trust.NTP)
    story.crowd("Huang")
    offset = {}
    for stamp, _ in story.journal:
        best = offset.get(stamp.boot)
        if best is None or stamp.trust >= best[0]:
            offset[stamp.boot] = stamp.trust, stamp.wall - stamp.mono
    corrected = [stamp.mono + offset[stamp.boot][1] for stamp, _ in story.journal]
    began = story.wall - story.mono
    assert corrected[: len(true)] == [began + mono for mono in true]
