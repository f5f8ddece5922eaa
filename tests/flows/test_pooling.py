"""People into tubes: positions, sizes, numbers."""

import pytest

from kiosk.facts import Bound, GroupClosed, Registered, TubeClosed, TubeOpened, Unbound
from kiosk.tube import TubeNumber
from tests.support.desk_story import KIOSK, SITE, Story, person

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


def test_a_place_in_a_closed_tube_is_not_freed() -> None:
    story = Story(pool_size=1, group_size=2)
    story.alone("a")
    story.code("red", "a", named=True)
    assert story.told(Unbound) == []


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
