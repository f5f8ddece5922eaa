"""Staff without a screen: badge, minute, rights, supervision, shifts, and the key of the round."""

import msgspec
import pytest

from kiosk import on_duty
from kiosk.domain import Do, Reason, Role, Signal, Trust
from kiosk.events import BadgePresented, CommandArrived, Event
from kiosk.facts import CommandEnded, CommandTaken, DrillEnded, KeyTaken, Order, StaffOrdered, UseKey
from kiosk.site import decide, fold
from kiosk.staff import RIGHTS, SECONDED, TAKES
from tests.support.desk_story import KIOSK, SITE, Story, person

HOUR = 3600
PLAIN = sorted(set(Do) - set(TAKES))


def revoke(story: Story, *badges: int, n: int = 1, to: int = 0) -> CommandArrived:
    until = story.wall + HOUR * 1000
    return CommandArrived(SITE, to, n, until, "revoke", b"signed", bytes([n]) * 16, "uplink", revoked=badges)


def orders(story: Story, event: Event) -> list[Order]:
    """What is to be done because of it; the story goes on."""
    done = decide(story.site, event, story.at).orders
    story.happens(event)
    return done


# The badge ------------------------------------------------------------------------------------------------------------


def test_a_badge_opens_a_minute() -> None:
    story = Story()
    assert story.badge(7, Role.SAMPLER) == []
    assert story.signal is Signal.ACKNOWLEDGED
    story.tick(59)
    assert story.order(Do.CALL_STAFF)[0] == StaffOrdered(Do.CALL_STAFF, 7, Role.SAMPLER)
    story.tick(1)
    assert story.order(Do.CALL_STAFF) == []
    assert story.signal is Signal.DENIED


def test_a_copied_command_code_orders_nothing() -> None:
    story = Story()
    for do in Do:
        assert story.order(do) == []
        assert story.signal is Signal.DENIED
    assert story.told(StaffOrdered) == []


@pytest.mark.parametrize("hours", [(-12, 0), (1, 12), (-400, -390)])
def test_a_badge_counts_in_its_time_alone(hours: tuple[float, float]) -> None:
    story = Story()
    story.badge(hours=hours)
    assert story.signal is Signal.DENIED
    assert story.order(Do.CALL_STAFF) == []


def test_a_clock_that_nobody_believes_closes_no_table() -> None:
    story = Story(trust=Trust.RESTORED)
    story.badge(hours=(-400, -390))
    assert story.order(Do.CALL_STAFF)
    story.clock_jump(5, Trust.NTP)
    story.badge(hours=(-400, -390))
    assert story.signal is Signal.DENIED


def test_a_restart_asks_for_the_badge_again() -> None:
    story = Story()
    story.badge()
    story.restart()
    assert story.order(Do.CALL_STAFF) == []


# Rights (rule G14) ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("do", PLAIN)
def test_each_role_orders_what_is_its_own(role: Role, do: Do) -> None:
    story = Story()
    story.badge(4, role)
    said = [fact for fact in story.order(do) if isinstance(fact, StaffOrdered)]
    assert said == ([StaffOrdered(do, 4, role)] if do in RIGHTS[role] else [])


def test_registration_sampling_and_dispatch_are_apart() -> None:
    assert Do.COLLECT not in RIGHTS[Role.REGISTRAR]
    assert not RIGHTS[Role.SAMPLER] & {Do.OVERRIDE, Do.POOL, Do.ROUND_START, Do.REPRINT, Do.SWAP, Do.COLLECT}
    assert not RIGHTS[Role.COURIER] & (SECONDED - {Do.MISSING_LOST} | {Do.CLOSE_POOL, Do.PAPER_CARD, Do.GUARDIAN})


def test_what_an_order_needs_is_shown_after_it() -> None:
    story = Story()
    story.crowd("Li", "Wang")
    story.badge(9)
    assert story.order(Do.SWAP) == []
    assert story.signal is Signal.HELD
    story.card("Li")
    said = story.card("Wang")
    assert StaffOrdered(Do.SWAP, 9, Role.REGISTRAR, (person("Li"), person("Wang"))) in said
    assert story.people == 2


def test_an_order_whose_thing_does_not_come_is_dropped() -> None:
    story = Story()
    story.badge()
    story.order(Do.VOID)
    story.tick(61)
    assert story.signal is Signal.DENIED
    story.both("Li")
    assert (story.people, story.told(StaffOrdered)) == (1, [])


# Out of use -----------------------------------------------------------------------------------------------------------


def test_a_revoked_badge_counts_no_more() -> None:
    story = Story()
    story.badge(7)
    said = story.happens(revoke(story, 7, 9))
    assert [(fact.revoked, fact.do) for fact in said if isinstance(fact, CommandTaken)] == [((7, 9), "revoke")]
    assert [fact.outcome for fact in said if isinstance(fact, CommandEnded)] == ["done"]
    assert story.order(Do.CALL_STAFF) == []
    story.badge(9)
    assert story.signal is Signal.DENIED
    story.badge(8)
    assert story.order(Do.CALL_STAFF)


def test_a_revocation_outlives_a_restart_and_a_later_one() -> None:
    story = Story(trust=Trust.NONE)
    story.happens(revoke(story, 7))
    story.happens(revoke(story, 9, n=2, to=KIOSK))
    story.restart(reboot=True)
    for badge in (7, 9):
        story.badge(badge)
        assert story.signal is Signal.DENIED


def test_root_is_not_asked_to_revoke() -> None:
    story = Story()
    done = orders(story, revoke(story, 7))
    assert [(type(each).__name__, getattr(each, "outcome", "")) for each in done] == [("TellResult", "done")]
    assert msgspec.structs.asdict(story.site.commands.last[0])["outcome"] == "done"


# Shifts (rule Q8) -----------------------------------------------------------------------------------------------------


def issues(story: Story) -> dict[str, str]:
    return on_duty.issues(story.site, story.at, key_missing=False)


def signs(story: Story, badge: int, do: Do, role: Role = Role.SAMPLER) -> None:
    story.badge(badge, role)
    story.order(do)


def test_a_shift_is_reminded_at_two_hours_and_too_long_at_four() -> None:
    story = Story()
    signs(story, 7, Do.SHIFT_ON)
    story.tick(2 * HOUR - 60)
    assert issues(story) == {}
    signs(story, 8, Do.SHIFT_ON)
    story.tick(61)
    assert list(issues(story)) == ["shift-reminder"]
    assert "badge 7" in issues(story)["shift-reminder"]
    story.tick(2 * HOUR)
    assert set(issues(story)) == {"shift-reminder", "shift-long"}
    assert ("badge 7" in issues(story)["shift-long"], "badge 8" in issues(story)["shift-reminder"]) == (True, True)
    signs(story, 7, Do.SHIFT_OFF)
    assert set(issues(story)) == {"shift-reminder"}


def test_the_status_says_who_is_on_shift_by_badge_and_role() -> None:
    story = Story()
    signs(story, 7, Do.SHIFT_ON)
    signs(story, 3, Do.SHIFT_ON, Role.REGISTRAR)
    story.tick(600)
    told = on_duty.status(story.site, story.at)
    assert [(each["badge"], each["role"], each["minutes"]) for each in told] == [
        (3, "registrar", 10),
        (7, "sampler", 10),
    ]


def test_a_shift_lasts_over_a_restart_and_by_the_monotonic_clock() -> None:
    story = Story()
    signs(story, 7, Do.SHIFT_ON)
    story.tick(HOUR)
    story.restart()
    story.clock_jump(9 * HOUR, Trust.NTP)
    story.tick(HOUR)
    assert list(issues(story)) == ["shift-reminder"]


def test_who_forgot_to_sign_off_is_not_on_shift_for_ever() -> None:
    story = Story()
    signs(story, 7, Do.SHIFT_ON)
    story.tick(12 * HOUR)
    assert issues(story) == {}
    assert on_duty.status(story.site, story.at) == []


def test_a_revoked_badge_is_on_no_shift() -> None:
    story = Story()
    signs(story, 7, Do.SHIFT_ON)
    story.happens(revoke(story, 7))
    assert on_duty.status(story.site, story.at) == []


# Supervised (rule P12) ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("do", sorted(SECONDED - set(TAKES) - {Do.DRILL_OFF}))
def test_a_supervised_registrar_changes_nothing_alone(do: Do) -> None:
    story = Story()
    story.badge(5, drills=2)
    assert story.order(do) == []
    assert story.signal is Signal.DENIED
    story.badge(1, Role.TECHNICIAN, drills=0)
    story.badge(5, drills=2)
    assert story.order(do)[0] == StaffOrdered(do, 5, Role.REGISTRAR, supervised=True, second=1)


def test_the_leader_counts_for_a_minute_and_only_for_another() -> None:
    story = Story()
    story.badge(1)
    story.tick(60)
    story.badge(5, drills=0)
    assert story.order(Do.VOID_LAST) == []
    story.badge(6, drills=2)
    story.badge(5, drills=0)
    assert story.order(Do.VOID_LAST) == []
    story.badge(9, Role.COURIER)
    story.badge(5, drills=0)
    assert story.order(Do.VOID_LAST) == []


def test_who_stood_by_is_written_down_with_what_was_shown() -> None:
    story = Story()
    story.both("Li")
    story.badge(1)
    story.badge(5, drills=0)
    story.order(Do.VOID)
    story.card("Li")
    assert story.told(StaffOrdered) == [
        StaffOrdered(Do.VOID, 5, Role.REGISTRAR, (person("Li"),), supervised=True, second=1)
    ]


def test_a_supervised_registrar_may_call_for_help_and_sign_on() -> None:
    story = Story()
    story.badge(5, drills=0)
    for do in sorted(RIGHTS[Role.REGISTRAR] - SECONDED - set(TAKES)):
        assert story.order(do)[0] == StaffOrdered(do, 5, Role.REGISTRAR, supervised=True)
    assert not SECONDED & {Do.CALL_STAFF, Do.CALL_SECURITY, Do.SHIFT_ON, Do.LOST_TUBE, Do.LEAKED_TUBE}


def test_drills_here_and_drills_attested_make_three() -> None:
    story = Story()
    for number in (1, 2):
        story.site = fold(story.site, DrillEnded(number, 10, (5, 6)), story.at)
    story.badge(5, drills=0)
    assert story.order(Do.CLOSE_POOL) != []
    assert story.order(Do.VOID_LAST) == []
    story.badge(5, drills=1)
    assert StaffOrdered(Do.VOID_LAST, 5, Role.REGISTRAR) in story.order(Do.VOID_LAST)


def test_only_registrars_are_supervised() -> None:
    story = Story()
    story.badge(5, Role.SAMPLER, drills=0)
    assert StaffOrdered(Do.VOID_LAST, 5, Role.SAMPLER) in story.order(Do.VOID_LAST)


def test_in_a_drill_everybody_may_practise_but_not_end_it_alone() -> None:
    story = Story(setup={"drill": 1, "kiosk": 0})
    story.badge(5, drills=0)
    assert StaffOrdered(Do.VOID_LAST, 5, Role.REGISTRAR, supervised=True) in story.order(Do.VOID_LAST)
    assert story.order(Do.DRILL_OFF) == []


def test_the_status_says_who_is_supervised() -> None:
    story = Story()
    story.badge(5, drills=0)
    story.order(Do.SHIFT_ON)
    assert [(each["badge"], each["supervised"]) for each in on_duty.status(story.site, story.at)] == [(5, True)]


# The round's key ------------------------------------------------------------------------------------------------------

KEY, OTHER = b"key-one-", b"key-two-"


def keyed(**policy: object) -> Story:
    return Story(setup={"key_from_badge": True}, **policy)


def test_the_first_badge_brings_the_key_of_the_round() -> None:
    story = keyed()
    story.both("Li")
    assert (story.people, set(story.refusals)) == (0, {Reason.NO_BADGE})
    assert story.badge(key=KEY) == [KeyTaken(KEY)]
    story.both("Li")
    assert story.people == 1
    assert story.badge(key=KEY) == []


def test_every_badge_of_the_round_gives_its_key_again() -> None:
    story = keyed()
    story.badge(key=KEY)
    for reboot in (False, True):
        story.restart(reboot=reboot)
        before = story.site
        assert UseKey(KEY) in decide(before, _badge(story, KEY), story.at).orders
        assert story.badge(key=KEY) == []


def test_another_key_in_the_same_round_is_refused_and_the_round_goes_on() -> None:
    story = keyed()
    story.badge(key=KEY)
    story.both("Li")
    assert UseKey(OTHER) not in orders(story, _badge(story, OTHER))
    assert story.site.staff.key == KEY
    assert "badge-key" in issues(story)
    story.both("Li")
    assert (story.people, set(story.refusals)) == (1, {Reason.REPEAT})
    assert story.order(Do.CALL_STAFF)
    story.badge(key=KEY)
    assert issues(story) == {}


def test_a_new_round_forgets_the_key_and_takes_another() -> None:
    story = keyed(round="manual")
    story.badge(key=KEY)
    story.both("Li")
    story.tick(120)
    story.new_round()
    assert story.site.staff.key == b""
    story.both("Li")
    assert (story.people, story.refusals) == (1, [Reason.NO_BADGE])
    assert story.badge(key=OTHER) == [KeyTaken(OTHER)]
    story.both("Wang")
    assert story.people == 2


def test_a_badge_that_starts_a_round_brings_its_key() -> None:
    story = keyed(round="manual")
    story.badge(key=KEY)
    story.both("Li")
    story.badge(key=OTHER)
    story.new_round()
    assert story.site.staff.key == OTHER


def test_a_badge_that_does_not_count_brings_no_key() -> None:
    story = keyed()
    story.happens(revoke(story, 9))
    assert story.badge(9, key=KEY) == []
    assert story.badge(7, key=KEY, hours=(-9, -1)) == []
    assert story.badge(7) == []
    assert story.site.staff.key == b""


def test_a_key_is_of_no_concern_where_it_does_not_come_by_badge() -> None:
    story = Story()
    assert story.badge(key=KEY) == []
    assert UseKey(KEY) not in orders(story, _badge(story, KEY))
    story.both("Li")
    assert story.people == 1


def test_whoever_comes_in_the_very_step_that_begins_a_day_waits_for_its_key() -> None:
    story = keyed(health_code="off")
    story.badge(key=KEY)
    story.card("Li")
    story.wall += 86_400_000
    story.mono += 86_400_000
    story.card("Li")
    assert (story.people, story.refusals) == (1, [Reason.NO_BADGE])


def _badge(story: Story, key: bytes) -> Event:
    return BadgePresented(7, Role.REGISTRAR, story.wall - 1, story.wall + 1000, 3, key)
