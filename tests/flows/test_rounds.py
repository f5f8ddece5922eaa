"""When a person may come again, and what a jumping clock does to that."""

import pytest

from kiosk.domain import Do, Reason, Signal, Trust
from kiosk.facts import (
    Bound,
    ClockStepped,
    GroupClosed,
    GroupReleased,
    Registered,
    RoundStarted,
    Started,
    TubeClosed,
    TubeOpened,
)
from kiosk.site import Site, refold
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
    assert story.new_round()[0] == RoundStarted(2, 19_004, "manual")
    assert comes_again(story)


def test_a_command_starts_a_daily_round_too() -> None:
    story = Story()
    story.both("Li")
    assert story.new_round()[0] == RoundStarted(2, 19_000, "manual")
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


# The tube and the group that are under way ---------------------------------------------------------------------------

LATE = NOON + 12 * 3600 - 20
"""Twenty seconds to midnight."""


def tubes_by_round(story: Story) -> list[set[int]]:
    """Of which rounds the people of each tube are, in the order the tubes were opened."""
    now, came, tubes = 0, dict[int, int](), dict[str, set[int]]()
    for _, fact in story.journal:
        match fact:
            case RoundStarted():
                now = fact.round
            case Registered():
                came[fact.person] = now
            case Bound():
                tubes.setdefault(fact.tube, set()).add(came[fact.person])
    return list(tubes.values())


def sizes(story: Story) -> list[tuple[int, int]]:
    return [(tube.members, tube.size) for tube in story.closed]


def by_day(story: Story) -> None:
    story.tick(20)


def by_request(story: Story) -> None:
    story.new_round()


def by_code(story: Story) -> None:
    story.ordered(Do.ROUND_START)


CHANGES = [by_day, by_request, by_code]


@pytest.mark.parametrize("change", CHANGES)
def test_a_new_round_closes_the_open_pool_short_and_its_group_goes_forward_as_it_is(change: object) -> None:
    story = Story(start=LATE)
    for who in range(4):
        story.both(who)
    assert callable(change)
    change(story)
    assert len(rounds(story)) == 2
    assert sizes(story) == [(4, 10)]
    assert [(group.members, group.short) for group in story.told(GroupClosed)] == [(4, False)]
    story.crowd(*range(10))
    assert sizes(story) == [(4, 10), (10, 10)]
    assert tubes_by_round(story) == [{1}, {2}]
    assert [tube for _, tube, _ in story.places] == [story.closed[0].tube] * 4 + [story.closed[1].tube] * 10
    story.printed()
    assert [(label.members, label.size) for label in story.labels] == [(4, 10), (10, 10)]
    story.press()
    story.press()
    assert [group.members for group in story.told(GroupReleased)] == [4, 10]


def test_who_is_the_first_of_the_day_before_a_tick_has_a_tube_of_the_day() -> None:
    story = Story(start=LATE)
    story.both("Li")
    story.card("Wang")  # waits for a code while the day changes
    story.wall, story.mono = story.wall + 20_000, story.mono + 20_000
    story.code("green", "Wang")
    assert [type(fact) for _, fact in story.journal[-6:]] == [
        RoundStarted,
        Registered,
        TubeClosed,
        GroupClosed,
        TubeOpened,
        Bound,
    ]
    assert story.signal is Signal.ACCEPTED, "no word about a group hides the answer"
    assert tubes_by_round(story) == [{1}, {2}]


def test_an_opaque_code_that_waits_for_its_verdict_over_midnight_is_of_the_new_round() -> None:
    story = Story(start=LATE + 19)
    story.both("Li")
    story.card("Wang")
    story.opaque("Wang")
    story.tick(3)
    assert story.people == 2
    assert tubes_by_round(story) == [{1}, {2}]
    assert sizes(story)[0] == (1, 10)


def test_a_household_of_two_rounds_has_a_tube_in_each_and_the_pool_waits_in_neither() -> None:
    story = Story(start=LATE, household_size=4)
    story.both("Li")
    story.ordered(Do.HOUSEHOLD_START)
    story.both("h1")
    story.tick(20)
    assert sorted(sizes(story)) == [(1, 4), (1, 10)]
    story.crowd("h2", "h1")
    story.ordered(Do.HOUSEHOLD_END)
    assert sizes(story)[-1] == (2, 4)
    assert [tube.household for tube in story.told(TubeOpened)] == [False, True, True]
    assert tubes_by_round(story) == [{1}, {1}, {2}]


def test_a_tube_that_brought_its_own_barcode_is_not_filled_on_and_the_first_of_the_day_scans_another() -> None:
    story = Story(start=LATE, pool_size=5, tube_source="preprinted", tube_pattern="HS[0-9]{4}", health_code="off")
    story.scan_label("HS0001")
    story.card("Li")
    story.wall, story.mono = story.wall + 20_000, story.mono + 20_000
    story.card("Wang")  # before any tick
    assert story.refusals == [Reason.NO_TUBE]
    assert [(tube.tube, tube.members) for tube in story.closed] == [("HS0001", 1)]
    story.scan_label("HS0002")
    story.card("Wang")
    story.card("Li")
    assert [(tube, place) for _, tube, place in story.places] == [("HS0001", 1), ("HS0002", 1), ("HS0002", 2)]


def test_a_label_that_came_with_the_first_person_comes_again_with_the_count() -> None:
    story = Story(start=LATE, pool_size=5, label_at="open")
    story.both("Li")
    story.printed()
    story.tick(20)
    story.printed()
    assert [(label.members, label.size, label.attempt) for label in story.labels] == [(5, 5, 1), (1, 5, 2)]


def test_a_round_that_changes_with_nobody_under_way_closes_nothing() -> None:
    story = Story(pool_size=5, group_size=5)
    story.crowd(*"abcde")
    story.alone("f")
    story.ordered(Do.VOID_LAST)
    assert [type(fact) for fact in story.new_round()] == [RoundStarted]
    story.crowd("a")
    assert len(story.told(TubeOpened)) == 2, "the empty tube is that of the next"


def test_a_code_ends_a_round_with_all_that_is_under_way_and_nobody_may_come_twice_in_it() -> None:
    story = Story()
    story.crowd("Li", "Wang")
    story.ordered(Do.ROUND_END)
    assert sizes(story) == [(2, 10)]
    assert [group.members for group in story.told(GroupClosed)] == [2]
    assert not comes_again(story)
    story.ordered(Do.ROUND_START)
    assert comes_again(story)
    assert rounds(story)[-1] == (2, 19_000, "manual")


def test_the_morning_after_a_power_cut_begins_with_a_tube_of_its_own() -> None:
    story = Story()
    story.crowd(*range(3))
    story.restart(reboot=True, jump=18 * 3600)
    assert sizes(story) == [(3, 10)]
    story.crowd(*range(3))
    assert tubes_by_round(story) == [{1}, {2}]


@pytest.mark.parametrize("trust", Trust)
def test_a_clock_that_is_corrected_again_and_again_closes_no_tube(trust: Trust) -> None:
    story = Story(trust=Trust.NONE)
    story.crowd(*range(3))
    for jump in (YEAR_S, -YEAR_S, 13 * 3600, -13 * 3600, 59, DAY_S):
        story.clock_jump(jump, trust)
    story.clock_jump(0, Trust.NTP)
    assert (len(rounds(story)), sizes(story)) == (1, [])
    story.crowd(*range(3, 10))
    assert sizes(story) == [(10, 10)]


def test_a_night_that_only_the_network_tells_of_closes_what_is_open_once() -> None:
    story = Story()
    story.crowd(*range(3))
    story.restart(reboot=True, jump=-NOON, trust=Trust.NONE)
    assert sizes(story) == []
    story.clock_jump(NOON + DAY_S, Trust.NTP)
    story.clock_jump(600, Trust.NTP)
    story.clock_jump(-600, Trust.NTP)
    assert (len(rounds(story)), sizes(story)) == (2, [(3, 10)])


@pytest.mark.parametrize("change", CHANGES)
def test_a_journal_that_ends_after_any_fact_of_the_change_loses_nobody_and_binds_nobody_twice(change: object) -> None:
    """All of it is one transaction, but in the journal of an older program a round began and the tube was filled on."""
    story = Story(start=LATE)
    story.crowd("Li", "Wang")
    assert callable(change)
    change(story)
    begun = next(n for n, (_, fact) in enumerate(story.journal) if fact == story.told(RoundStarted)[1])
    for kept in range(begun + 1, len(story.journal) + 1):
        again = Story(start=LATE)
        again.journal, again.wall, again.mono = story.journal[:kept], story.wall, story.mono
        again.restart()
        again.crowd("Li", "Huang")
        assert tubes_by_round(again) == [{1}, {2}]
        assert [person for person, *_ in again.places] == [1, 2, 3, 4]
        told = refold(Site(again.site.setup), again.entries())
        assert told.dump() == again.site.dump()
