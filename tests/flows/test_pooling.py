"""People into tubes: positions, sizes, numbers."""

import pytest

from kiosk.domain import Category, Do, DocumentKind, Listed, Reason, Role, Signal, Specimen
from kiosk.events import CardPresented
from kiosk.facts import Bound, GroupClosed, GroupReleased, IncidentRaised, Registered, TubeClosed, TubeOpened, Unbound
from kiosk.tube import TubeNumber
from tests.support.desk_story import KIOSK, SITE, Story, person, subject

SIZES = (1, 5, 10, 20)


@pytest.mark.parametrize("size", SIZES)
def test_people_fill_tubes_in_the_order_they_come(size: int) -> None:
    story = Story(pool_size=size, group_size=20)
    story.crowd(*range(20))
    tubes = [fact.tube for fact in story.told(TubeOpened)]
    assert len(tubes) == 20 // size
    assert story.places == [(n + 1, tubes[n // size], n % size + 1) for n in range(20)]
    digests = [person(n) for n in range(20)] if size == 1 else [b""] * (20 // size)
    assert story.closed == [TubeClosed(tube, size, size, digest=of) for tube, of in zip(tubes, digests, strict=True)]


def test_one_step_tells_the_whole_path_in_its_order() -> None:
    story = Story(pool_size=1, group_size=1, health_code="off")
    assert [type(fact) for fact in story.card("Li")] == [Registered, TubeOpened, Bound, TubeClosed, GroupClosed]
    assert story.site.pooling.pool is None


def test_tube_numbers_are_valid_count_up_and_carry_site_kiosk_and_day() -> None:
    story = Story(pool_size=1, group_size=2)
    story.crowd("Li", "Wang")
    story.tick(86_400)
    story.crowd("Zhao")
    numbers = [TubeNumber.parse(fact.tube) for fact in story.told(TubeOpened)]
    assert numbers == [TubeNumber(SITE, KIOSK, day, serial) for day, serial in ((0, 1), (0, 2), (1, 1))]
    assert all(
        (fact.day, fact.serial) == (n.day, n.serial) for fact, n in zip(story.told(TubeOpened), numbers, strict=True)
    )


@pytest.mark.parametrize("size", [5, 10, 20])
@pytest.mark.parametrize("came", [1, 4])
def test_a_long_press_closes_a_short_tube(size: int, came: int) -> None:
    story = Story(pool_size=size)
    story.crowd(*range(came))
    story.press("long")
    [closed] = story.closed
    assert (closed.members, closed.size, closed.digest) == (came, size, b"")
    story.crowd("next")
    assert story.places[-1][2] == 1
    assert len(story.told(TubeOpened)) == 2


def test_a_freed_place_goes_to_the_next_and_the_tube_is_full_as_ever() -> None:
    story = Story(pool_size=5, group_size=5)
    story.crowd("a")
    story.alone("b")
    story.code("red", "b", named=True)
    story.crowd("c")
    story.alone("d")
    story.crowd("e")
    story.code("red", "d", named=True)  # two positions apart: 1 c e and two that are free
    assert sorted(position for *_, position in story.places) == [1, 2, 4]
    story.crowd("f", "g")
    assert [position for *_, position in story.places] == [1, 2, 4, 3, 5]
    assert [tube.members for tube in story.closed] == [5]


def test_who_shows_red_leaves_a_closed_tube_but_none_that_has_gone() -> None:
    story = Story(pool_size=5, group_size=5)
    story.crowd(*"abcd")
    story.alone("e")
    story.code("red", "e", named=True)
    tube = story.closed[0].tube
    assert story.told(Unbound) == [Unbound(tube, 5, 5)]
    assert [(label.members, label.size) for label in story.printer] == [(4, 5)]
    story.crowd("f", "g", "h", "i")
    story.alone("j")
    story.printed()
    story.press()
    story.press()
    story.code("red", "j", named=True)
    assert len(story.told(Unbound)) == 1
    assert [group.members for group in story.told(GroupReleased)] == [4, 5]


def test_people_with_unknown_codes_get_tubes_of_their_own_beside_the_pool() -> None:
    story = Story(pool_size=5, group_size=5, unknown_code="single")
    for n in range(5):
        story.both(n)
        story.both(f"unknown {n}", "unknown")
    pool = [tube for tube in story.closed if not tube.apart]
    apart = [tube for tube in story.closed if tube.apart]
    assert [tube.members for tube in pool] == [5]
    assert [(tube.members, tube.size, tube.digest) for tube in apart[:4]] == [
        (1, 1, person(f"unknown {n}")) for n in range(4)
    ]
    assert len({tube for _, tube, _ in story.places}) == 6


# Another size after a restart -----------------------------------------------------------------------------------------


def test_a_restart_goes_on_at_the_exact_person() -> None:
    story = Story()
    story.crowd(*range(4))
    story.restart(reboot=True)
    story.crowd(*range(4, 10))
    assert [position for *_, position in story.places] == list(range(1, 11))
    assert [tube.members for tube in story.closed] == [10]


@pytest.mark.parametrize(("before", "after"), [(10, 5), (5, 10), (20, 1), (10, 20)])
def test_another_pool_size_closes_the_tube_that_was_being_filled(before: int, after: int) -> None:
    story = Story(pool_size=before, group_size=100)
    story.crowd(*range(3))
    story.restart(pool_size=after)
    assert [(tube.members, tube.size) for tube in story.closed] == [(3, before)]
    story.crowd("next")
    assert story.told(TubeOpened)[-1].size == after
    assert story.places[-1][2] == 1


def test_another_pool_size_after_everybody_left_the_tube_opens_another_number() -> None:
    story = Story(pool_size=10)
    story.alone("Li")
    story.code("red", "Li", named=True)
    story.restart(pool_size=5)
    assert story.closed == []  # an empty tube gets no label
    story.crowd(*range(5))
    assert [(tube.members, tube.size) for tube in story.closed] == [(5, 5)]
    assert len({fact.tube for fact in story.told(TubeOpened)}) == 2


# As staff order ------------------------------------------------------------------------------------------------------


def tubes_of(story: Story) -> list[tuple[int, int]]:
    return [(tube.members, tube.size) for tube in story.closed]


@pytest.mark.parametrize("size", ["1", "5", "20"])
def test_another_size_closes_the_pool_short_and_holds_from_then_on(size: str) -> None:
    story = Story(group_size=100)
    story.crowd(*range(3))
    story.ordered(Do.POOL, text=size)
    assert tubes_of(story) == [(3, 10)]
    story.crowd(*range(100, 100 + int(size)))
    assert tubes_of(story)[1:] == [(int(size), int(size))]
    story.restart(reboot=True)
    story.crowd("next")
    assert story.told(TubeOpened)[-1].size == int(size)


def test_the_same_size_again_changes_nothing() -> None:
    story = Story()
    story.crowd(*range(3))
    story.ordered(Do.POOL, text="10")
    assert story.closed == []


@pytest.mark.parametrize(
    ("do", "text"), [(Do.POOL, "7"), (Do.POOL, ""), (Do.CATEGORY_NEXT, "vip"), (Do.CLOSE_POOL, "")]
)
def test_an_order_that_cannot_be_carried_out_is_denied(do: Do, text: str) -> None:
    story = Story()
    story.ordered(do, text=text)
    assert story.signal is Signal.DENIED
    story.crowd(*range(10))
    assert tubes_of(story) == [(10, 10)]


def test_the_pool_is_closed_by_order_and_its_people_wait_for_the_rest_of_the_group() -> None:
    story = Story(pool_size=5, group_size=10)
    story.crowd(*range(4))
    story.ordered(Do.CLOSE_POOL)
    assert tubes_of(story) == [(4, 5)]
    assert story.told(GroupClosed) == []


def test_a_household_has_its_own_tube_and_the_pool_goes_on_after_it() -> None:
    story = Story(pool_size=5, group_size=100, household_size=3)
    story.crowd("a", "b")
    story.ordered(Do.HOUSEHOLD_START)
    story.crowd("h1", "h2", "h3", "h4")
    assert tubes_of(story) == [(3, 3)]
    story.ordered(Do.HOUSEHOLD_START)  # the next household
    assert tubes_of(story) == [(3, 3), (1, 3)]
    story.crowd("i1")
    story.ordered(Do.HOUSEHOLD_END)
    story.crowd("c", "d", "e")
    assert tubes_of(story) == [(3, 3), (1, 3), (1, 3), (5, 5)]
    assert [tube.household for tube in story.told(TubeOpened)] == [False, True, True, True]
    [pool] = [tube.tube for tube in story.told(TubeOpened) if not tube.household]
    assert [place for _, tube, place in story.places if tube == pool] == [1, 2, 3, 4, 5]


def test_a_household_survives_a_restart() -> None:
    story = Story(household_size=3)
    story.ordered(Do.HOUSEHOLD_START)
    story.crowd("h1")
    story.restart(reboot=True)
    story.crowd("h2", "h3")
    assert tubes_of(story) == [(3, 3)]


def test_the_next_person_alone_gets_a_tube_of_their_own_and_the_pool_goes_on() -> None:
    story = Story(pool_size=5, group_size=5)
    story.crowd("a")
    story.ordered(Do.SINGLE_NEXT)
    story.crowd("single", "b", "c", "d", "e")
    assert tubes_of(story) == [(1, 1), (5, 5)]
    assert story.closed[0].apart


def test_an_infant_is_swabbed_in_the_nose_into_a_tube_of_that_kind_and_the_group_goes_on_together() -> None:
    story = Story(pool_size=5, group_size=5)
    story.crowd("mother", "father")
    story.ordered(Do.NASAL_NEXT)
    story.crowd("infant", "c", "d", "e")
    nasal, pool = story.closed
    assert (nasal.specimen, nasal.members, nasal.apart) == (Specimen.NASAL, 1, True)
    assert (pool.specimen, pool.members) == (Specimen.THROAT, 5)
    assert [label.specimen for label in story.printer] == [Specimen.NASAL, Specimen.THROAT]
    story.printed()
    story.press()
    assert [group.members for group in story.told(GroupReleased)] == [6]


@pytest.mark.parametrize("category", [Category.KEY, Category.CONTACT, Category.RETURNEE, Category.RECOVERED])
def test_people_of_a_category_that_never_shares_get_tubes_of_their_own(category: Category) -> None:
    story = Story(pool_size=5, group_size=5, single_for=[category])
    story.ordered(Do.CATEGORY_NEXT, text=category.value)
    story.crowd("one", "a")
    listed = Listed(category=category)
    story.happens(CardPresented(subject("person two"), DocumentKind.RESIDENT, listed=listed))
    story.tick(2)
    story.crowd("b")
    assert tubes_of(story) == [(1, 1), (1, 1)]
    assert [person.category for person in story.told(Registered)] == [
        category,
        Category.GENERAL,
        category,
        Category.GENERAL,
    ]


def test_a_category_that_may_share_does() -> None:
    story = Story(pool_size=5, single_for=[])
    story.ordered(Do.CATEGORY_NEXT, text="returnee")
    story.crowd("one", "two")
    assert story.told(Registered)[0].category is Category.RETURNEE
    assert story.closed == []


def test_a_person_of_one_to_one_leaves_the_household_tube_alone() -> None:
    story = Story(household_size=3)
    story.ordered(Do.HOUSEHOLD_START)
    story.crowd("h1")
    story.ordered(Do.SINGLE_NEXT)
    story.crowd("h2", "h3", "h4")
    assert tubes_of(story) == [(1, 1), (3, 3)]


def test_red_at_the_seventh_of_ten_takes_no_place_and_the_group_goes_on() -> None:
    story = Story()
    story.crowd(*range(6))
    story.both("seventh", "red")
    assert story.told(IncidentRaised)
    story.crowd(*range(7, 11))
    assert tubes_of(story) == [(10, 10)]
    assert len(story.told(GroupClosed)) == 1


def test_red_shown_late_at_the_seventh_of_ten_gives_the_place_to_the_next() -> None:
    story = Story()
    story.crowd(*range(6))
    story.alone("seventh")
    story.code("red", "seventh", named=True)
    story.crowd("eighth")
    assert story.places[-1][2] == 7


def test_a_courier_with_a_pool_open_closes_it_and_its_group_short() -> None:
    story = Story()
    story.crowd(*range(4))
    story.badge(9, Role.COURIER)
    story.order(Do.COLLECT)
    assert tubes_of(story) == [(4, 10)]
    assert [(group.members, group.short) for group in story.told(GroupClosed)] == [(4, True)]
    assert [(label.members, label.size) for label in story.printer] == [(4, 10)]


# Tubes with a barcode of their own --------------------------------------------------------------------------------

OWN = {"tube_source": "preprinted", "tube_pattern": "HS[0-9]{13}"}


def hs(n: int) -> str:
    return f"HS{n:013}"


def test_nobody_is_accepted_before_a_tube_was_scanned() -> None:
    story = Story(pool_size=5, group_size=5, **OWN)
    story.card("early")
    assert (story.refusals, story.signal) == ([Reason.NO_TUBE], Signal.TUBE)
    story.scan_label(hs(1))
    assert story.signal is Signal.HELD
    story.crowd(*range(5))
    [closed] = story.closed
    assert (closed.tube, closed.members, closed.labelled) == (hs(1), 5, True)
    assert story.printer == []
    story.press()
    assert [group.members for group in story.told(GroupReleased)] == [5]
    story.card("next")
    assert story.refusals == [Reason.NO_TUBE] * 2


def test_a_health_code_in_the_tube_s_place_and_a_tube_seen_before_are_refused_each_with_its_reason() -> None:
    story = Story(pool_size=1, group_size=1, **OWN)
    story.code("green", "Li")
    story.code("unknown", "half a barcode")
    story.scan_label(hs(1))
    story.both("Li")
    story.scan_label(hs(1))
    assert story.refusals == [Reason.NOT_A_TUBE, Reason.BAD_TUBE, Reason.TUBE_SEEN]
    story.press()
    story.new_round()
    story.scan_label(hs(1))
    assert story.refusals[-1] is Reason.TUBE_SEEN


def test_a_red_code_in_the_tube_s_place_is_red_all_the_same() -> None:
    story = Story(pool_size=5, **OWN)
    story.code("red", "Li", named=True)
    assert story.told(IncidentRaised)


def test_one_to_one_beside_an_open_pool_needs_a_tube_scanned_for_them() -> None:
    story = Story(pool_size=5, group_size=5, **OWN)
    story.scan_label(hs(1))
    story.crowd("a")
    story.ordered(Do.SINGLE_NEXT)
    story.card("single")
    assert story.refusals == [Reason.NO_TUBE]
    story.scan_label(hs(2))
    story.crowd("single", "b", "c", "d", "e")
    assert [(tube.tube, tube.members, tube.size) for tube in story.closed] == [(hs(2), 1, 1), (hs(1), 5, 5)]


def test_a_tube_scanned_in_vain_may_be_scanned_again() -> None:
    story = Story(pool_size=1, group_size=1, **OWN)
    story.scan_label(hs(1))
    story.scan_label(hs(2))
    story.both("a")
    story.scan_label(hs(1))
    story.both("b")
    assert [tube.tube for tube in story.closed] == [hs(2), hs(1)]
