"""Tubes from the first swab into the courier's box; what is missing, lost or leaked; and the clocks."""

from typing import Any

import msgspec
import pytest

from kiosk.config import CustodyRules
from kiosk.domain import Do, Role, Signal, Trouble, Trust
from kiosk.events import BadgePresented, OrderScanned, TubeTyped
from kiosk.facts import (
    ConsignmentAddressed,
    ConsignmentOpened,
    Fact,
    IncidentRaised,
    ManifestClosed,
    Order,
    PrintManifest,
    PrintMissing,
    Registered,
    TubeClosed,
    TubeLost,
    TubePacked,
)
from kiosk.flows.custody import missing
from kiosk.handovers import handovers, members
from kiosk.overview import told
from kiosk.site import Setup, Site, refold
from kiosk.tube import TubeNumber
from tests.support.desk_story import KIOSK, SITE, Story, person

COURIER, REGISTRAR, SAMPLER = 71, 72, 73
BADGES = {COURIER: Role.COURIER, REGISTRAR: Role.REGISTRAR, SAMPLER: Role.SAMPLER}


class Table(Story):
    """A story with couriers: the rules of custody, badges, command codes, and what was printed for them."""

    def __init__(self, rules: CustodyRules | None = None, *, by_scan: bool = False, **policy: Any) -> None:
        self.rules = rules or CustodyRules(bag_size=2)
        self.prints: list[Order] = []
        usual: dict[str, Any] = {"health_code": "off", "pool_size": 1, "group_size": 1, "unlabelled_groups": 10}
        super().__init__(by_scan=by_scan, **(usual | policy))

    def _setup(self) -> Setup:
        return msgspec.structs.replace(super()._setup(), custody=self.rules)

    def _submit(self, orders: Any) -> None:
        super()._submit(orders)
        self.prints += [order for order in orders if isinstance(order, PrintManifest | PrintMissing)]

    def obeys(self, badge: int, do: Do, text: str = "") -> list[Fact]:
        """The badge, and right after it the command code."""
        self.happens(BadgePresented(badge, BADGES[badge], 0, 1 << 60))
        return self.happens(OrderScanned(do, text))

    def tubes(self, *people: object) -> list[str]:
        """Labelled tubes of these people."""
        for who in people:
            self.card(who)
        self.printed()
        return [fact.tube for fact in self.told(TubeClosed)][-len(people) :]

    def pack(self, *tubes: str) -> list[Signal]:
        given = len(self.answers)
        for tube in tubes:
            self.scan_label(tube)
        return self.answers[given:]

    def handed_over(self, *tubes: str) -> None:
        self.obeys(COURIER, Do.COLLECT)
        self.pack(*tubes)
        self.obeys(REGISTRAR, Do.PACKED)


def foreign() -> str:
    return str(TubeNumber(SITE, KIOSK + 1, 7, 1))


# From the table into the box ------------------------------------------------------------------------------------------


def test_a_courier_collects_what_is_there_bag_by_bag_and_two_badges_sign_for_it() -> None:
    table = Table()
    one, two, three = table.tubes("Li", "Wang", "Zhao")
    assert table.obeys(COURIER, Do.COLLECT)[-1] == ConsignmentOpened(1, COURIER, 3)
    assert table.pack(one, two, three) == [Signal.ACKNOWLEDGED, Signal.CLOSED, Signal.ACKNOWLEDGED]
    assert table.told(TubePacked) == [TubePacked(one, 1), TubePacked(two, 1, full=True), TubePacked(three, 2)]
    assert table.obeys(SAMPLER, Do.PACKED)[-1] == ManifestClosed(1, 3, 2, COURIER, SAMPLER)
    assert table.signal is Signal.RELEASED
    assert table.site.custody.here == {}
    assert table.site.custody.packing is None


def test_the_manifest_holds_every_tube_with_the_time_of_its_first_swab() -> None:
    table = Table(pool_size=5, group_size=5)
    table.card(0)
    first = table.at
    for who in range(1, 5):
        table.tick(60)
        table.card(who)
    table.printed()
    (tube,) = [fact.tube for fact in table.told(TubeClosed)]
    table.handed_over(tube)
    (printed,) = table.prints
    assert isinstance(printed, PrintManifest)
    (packed,) = printed.handover.tubes
    assert (packed.tube, packed.bag, packed.since, packed.size, packed.members) == (tube, 1, first, 5, 5)
    assert (printed.handover.courier, printed.handover.witness) == (COURIER, REGISTRAR)


def test_a_courier_who_comes_with_a_pool_open_gets_it_short() -> None:
    table = Table(pool_size=10, group_size=10)
    for who in range(7):
        table.card(who)
    facts = table.obeys(COURIER, Do.COLLECT)
    tube = table.closed[0].tube
    assert (table.closed[0].members, table.closed[0].size) == (7, 10)
    assert facts[-1] == ConsignmentOpened(1, COURIER, 1)
    table.printed()
    table.pack(tube)
    table.obeys(REGISTRAR, Do.PACKED)
    (printed,) = table.prints
    assert isinstance(printed, PrintManifest)
    assert (printed.handover.tubes[0].members, printed.handover.tubes[0].size) == (7, 10)


def test_it_does_not_close_while_a_tube_is_missing_and_says_which() -> None:
    table = Table()
    one, two, three = table.tubes("Li", "Wang", "Zhao")
    table.obeys(COURIER, Do.COLLECT)
    table.pack(one, three)
    table.obeys(REGISTRAR, Do.PACKED)
    assert table.signal is Signal.DENIED
    assert table.told(ManifestClosed) == []
    assert table.prints == [PrintMissing(1, (two,))]
    assert missing(table.site) == (two,)
    table.pack(two)
    assert table.obeys(REGISTRAR, Do.PACKED)[-1] == ManifestClosed(1, 3, 2, COURIER, REGISTRAR)


def test_one_sign_off_is_not_enough() -> None:
    table = Table()
    table.pack(*table.tubes("Li"))
    table.obeys(COURIER, Do.COLLECT)
    table.pack(table.closed[0].tube)
    table.obeys(COURIER, Do.COLLECT)
    assert table.signal is Signal.DENIED
    assert table.prints == [PrintMissing(1, (), ("witness",))]
    table.obeys(COURIER, Do.PACKED)
    assert table.told(ManifestClosed) == []
    table.obeys(SAMPLER, Do.PACKED)
    assert table.told(ManifestClosed) == [ManifestClosed(1, 1, 1, COURIER, SAMPLER)]


def test_only_a_courier_collects_and_only_where_there_is_something() -> None:
    table = Table()
    table.obeys(COURIER, Do.COLLECT)
    assert table.signal is Signal.DENIED
    table.tubes("Li")
    table.obeys(REGISTRAR, Do.COLLECT)
    assert table.told(ConsignmentOpened) == []


def test_what_does_not_belong_into_the_bag_is_refused_each_with_its_own_signal() -> None:
    table = Table()
    gone, one, lost = table.tubes("Li", "Wang", "Zhao")
    table.obeys(COURIER, Do.COLLECT)
    table.pack(gone)
    table.obeys(COURIER, Do.LOST_TUBE)
    table.scan_label(lost)
    table.obeys(COURIER, Do.LOST_TUBE)
    table.scan_label(one)
    table.obeys(REGISTRAR, Do.PACKED)
    (again,) = table.tubes("Sun")
    table.obeys(COURIER, Do.COLLECT)
    table.pack(again)
    assert table.pack(again) == [Signal.REPEAT]
    assert told(table.site) is Signal.NONE, "no resident is told that they have been here"
    assert table.pack(foreign()) == [Signal.REFUSED]
    assert table.pack(gone, lost) == [Signal.DENIED, Signal.DENIED]
    assert [fact.tube for fact in table.told(TubePacked)] == [gone, again]


def test_a_tube_whose_label_still_waits_stays_here_and_the_manifest_says_how_many() -> None:
    table = Table()
    (labelled,) = table.tubes("Li")
    table.card("Wang")
    table.handed_over(labelled)
    (printed,) = table.prints
    assert isinstance(printed, PrintManifest)
    assert ([tube.tube for tube in printed.handover.tubes], printed.handover.left) == ([labelled], 1)
    assert list(table.site.custody.here) == [table.closed[1].tube]


def test_a_fresh_label_that_is_scanned_into_the_bag_is_confirmed_by_it() -> None:
    table = Table(by_scan=True)
    table.card("Li")
    table.obeys(COURIER, Do.COLLECT)
    assert table.pack(table.closed[0].tube)[-1] is Signal.ACKNOWLEDGED
    assert table.site.labelling.wanted == {}
    assert len(table.told(TubePacked)) == 1


def test_a_tube_that_is_closed_meanwhile_may_come_along_but_need_not() -> None:
    table = Table()
    (early,) = table.tubes("Li")
    table.obeys(COURIER, Do.COLLECT)
    table.pack(early)
    one, two = table.tubes("Wang", "Zhao")
    table.pack(one)
    table.obeys(REGISTRAR, Do.PACKED)
    assert table.told(ManifestClosed)[0].tubes == 2
    assert list(table.site.custody.here) == [two]


def test_residents_are_registered_while_a_box_is_packed() -> None:
    table = Table()
    table.tubes("Li")
    table.obeys(COURIER, Do.COLLECT)
    assert type(table.card("Wang")[0]) is Registered


@pytest.mark.parametrize("reboot", [False, True])
def test_a_restart_in_the_middle_of_packing_goes_on_at_the_same_tube(reboot: bool) -> None:
    table = Table()
    one, two, three = table.tubes("Li", "Wang", "Zhao")
    table.obeys(COURIER, Do.COLLECT)
    table.pack(one)
    before = table.site.custody
    table.restart(reboot=reboot)
    assert table.site.custody == before
    assert table.pack(one, two, three) == [Signal.REPEAT, Signal.CLOSED, Signal.ACKNOWLEDGED]
    assert table.obeys(REGISTRAR, Do.PACKED)[-1] == ManifestClosed(1, 3, 2, COURIER, REGISTRAR)


def test_a_second_courier_takes_over_a_box_that_is_half_packed() -> None:
    table = Table()
    BADGES[99] = Role.COURIER
    one, two = table.tubes("Li", "Wang")
    table.obeys(COURIER, Do.COLLECT)
    table.pack(one)
    table.obeys(99, Do.COLLECT)
    table.pack(two)
    assert table.obeys(REGISTRAR, Do.PACKED)[-1] == ManifestClosed(1, 2, 1, 99, REGISTRAR)


def test_a_manifest_can_be_printed_again() -> None:
    table = Table()
    table.obeys(REGISTRAR, Do.PACKED)
    assert (table.signal, table.prints) == (Signal.DENIED, [])
    table.handed_over(*table.tubes("Li"))
    table.restart()
    table.obeys(REGISTRAR, Do.PACKED)
    assert len(table.prints) == 2
    assert table.prints[0] == table.prints[1]


# Where to, and by what ------------------------------------------------------------------------------------------------


def addressed() -> Table:
    table = Table(CustodyRules(labs=("LAB-1", "LAB-2"), permits=("赣A12345",)))
    table.tubes("Li")
    table.obeys(COURIER, Do.COLLECT)
    table.pack(table.closed[0].tube)
    return table


def test_without_laboratory_and_permit_nothing_leaves() -> None:
    table = addressed()
    table.obeys(REGISTRAR, Do.PACKED)
    assert table.prints == [PrintMissing(1, (), ("lab", "vehicle"))]
    table.obeys(COURIER, Do.LAB, "LAB-2")
    table.obeys(COURIER, Do.VEHICLE, "赣A12345")
    assert table.told(ConsignmentAddressed)[-1] == ConsignmentAddressed(1, "LAB-2", "赣A12345")
    assert table.obeys(REGISTRAR, Do.PACKED)[-1] == ManifestClosed(1, 1, 1, COURIER, REGISTRAR, "LAB-2", "赣A12345")


@pytest.mark.parametrize(("do", "text"), [(Do.LAB, "LAB-3"), (Do.LAB, ""), (Do.VEHICLE, "赣A00000")])
def test_a_laboratory_or_vehicle_that_is_not_on_the_list_is_refused(do: Do, text: str) -> None:
    table = addressed()
    table.obeys(COURIER, do, text)
    assert table.signal is Signal.DENIED
    assert table.told(ConsignmentAddressed) == []


def test_the_only_laboratory_need_not_be_named() -> None:
    table = Table(CustodyRules(labs=("LAB-1",)))
    table.handed_over(*table.tubes("Li"))
    assert table.told(ManifestClosed)[0].lab == "LAB-1"


@pytest.mark.parametrize("do", [Do.LAB, Do.VEHICLE, Do.MISSING_LOST])
def test_without_a_consignment_there_is_nothing_to_address(do: Do) -> None:
    table = Table()
    table.tubes("Li")
    table.obeys(COURIER, do, "LAB-1")
    assert table.signal is Signal.DENIED


# Lost and leaked ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("do", "kind", "trouble"),
    [(Do.LOST_TUBE, "lost", Trouble.TUBE_LOST), (Do.LEAKED_TUBE, "leaked", Trouble.TUBE_LEAKED)],
)
def test_a_lost_tube_is_an_incident_and_its_people_may_come_again(do: Do, kind: str, trouble: Trouble) -> None:
    table = Table(pool_size=5, group_size=5)
    for who in range(5):
        table.card(who)
    table.printed()
    tube = table.closed[0].tube
    table.obeys(REGISTRAR, do)
    table.scan_label(tube)
    assert table.told(TubeLost) == [TubeLost(tube, kind, (1, 2, 3, 4, 5))]
    assert [(fact.kind, fact.tube) for fact in table.told(IncidentRaised)] == [(trouble, tube)]
    assert not table.site.registration.person(person(0))
    assert table.card(0)[0] == table.told(Registered)[-1]
    assert table.site.registration.person(person(0)) == 6


def test_a_tube_lost_after_it_was_handed_over_frees_its_people_too_but_only_once() -> None:
    table = Table()
    (tube,) = table.tubes("Li")
    table.handed_over(tube)
    table.restart()
    for _ in range(2):
        table.obeys(COURIER, Do.LOST_TUBE)
        table.scan_label(tube)
    assert table.told(TubeLost) == [TubeLost(tube, "lost", (1,))]
    assert table.signal is Signal.DENIED
    table.card("Li")
    assert table.people == 2


def test_the_number_of_a_lost_tube_may_be_typed_but_typing_packs_nothing() -> None:
    table = Table()
    one, two = table.tubes("Li", "Wang")
    table.obeys(COURIER, Do.COLLECT)
    table.happens(TubeTyped(one))
    assert (table.signal, table.told(TubePacked)) == (Signal.DENIED, [])
    table.obeys(COURIER, Do.LOST_TUBE)
    table.happens(TubeTyped(two))
    assert table.told(TubeLost) == [TubeLost(two, "lost", (2,))]


def test_a_tube_nobody_knows_cannot_be_lost() -> None:
    table = Table()
    table.obeys(REGISTRAR, Do.LOST_TUBE)
    table.scan_label(foreign())
    assert (table.told(TubeLost), table.signal) == ([], Signal.DENIED)


def test_all_that_is_missing_is_declared_lost_only_after_the_kiosk_has_said_what_it_is() -> None:
    table = Table()
    one, two, three = table.tubes("Li", "Wang", "Zhao")
    table.obeys(COURIER, Do.COLLECT)
    table.pack(one)
    table.obeys(COURIER, Do.MISSING_LOST)
    assert table.told(TubeLost) == []
    table.obeys(REGISTRAR, Do.PACKED)
    table.pack(two)
    table.obeys(COURIER, Do.MISSING_LOST)
    assert table.told(TubeLost) == []
    table.obeys(REGISTRAR, Do.PACKED)
    table.obeys(COURIER, Do.MISSING_LOST)
    assert table.told(TubeLost) == [TubeLost(three, "lost", (3,))]
    assert table.obeys(REGISTRAR, Do.PACKED)[-1] == ManifestClosed(1, 2, 1, COURIER, REGISTRAR)


def test_a_tube_that_leaks_in_the_bag_leaves_the_manifest() -> None:
    table = Table()
    one, two = table.tubes("Li", "Wang")
    table.obeys(COURIER, Do.COLLECT)
    table.pack(one, two)
    table.obeys(REGISTRAR, Do.LEAKED_TUBE)
    table.scan_label(one)
    assert table.obeys(REGISTRAR, Do.PACKED)[-1] == ManifestClosed(1, 1, 1, COURIER, REGISTRAR)


# Corrections ----------------------------------------------------------------------------------------------------------


def full_tube(**policy: Any) -> tuple[Table, str]:
    table = Table(pool_size=5, group_size=5, **policy)
    for who in range(5):
        table.card(who)
    table.printed()
    return table, table.closed[0].tube


def test_who_leaves_after_the_release_is_told_by_the_manifest() -> None:
    table, tube = full_tube()
    table.press()
    table.ordered(Do.LEFT, 2)
    table.printed()
    table.handed_over(tube)
    printed = table.prints[-1]
    assert isinstance(printed, PrintManifest)
    (packed,) = printed.handover.tubes
    assert (packed.members, packed.size, packed.absent) == (4, 5, 1)


def test_the_parts_of_a_tube_keep_the_age_of_the_whole() -> None:
    table, tube = full_tube()
    first = table.site.custody.here[tube].since
    table.tick(3600)
    table.ordered(Do.SPLIT, tube)
    assert len(table.site.custody.here) == 5
    assert {held.since for held in table.site.custody.here.values()} == {first}


def test_tubes_whose_people_were_exchanged_keep_their_age() -> None:
    table, one = full_tube()
    table.press()
    table.tick(600)
    for who in range(5, 10):
        table.card(who)
    table.printed()
    other = table.closed[1].tube
    before = {tube: table.site.custody.here[tube].since for tube in (one, other)}
    table.tick(600)
    table.ordered(Do.WRONG_TUBE, one, other)
    after = {tube: held.since for tube, held in table.site.custody.here.items()}
    assert after == before
    assert set(table.site.custody.here[one].people.values()) == {6, 7, 8, 9, 10}


def test_a_void_tube_is_neither_expected_nor_packed() -> None:
    table = Table()
    one, two = table.tubes("Li", "Wang")
    table.ordered(Do.VOID, "Wang")
    table.obeys(COURIER, Do.COLLECT)
    assert table.pack(one, two) == [Signal.ACKNOWLEDGED, Signal.DENIED]
    assert table.obeys(REGISTRAR, Do.PACKED)[-1] == ManifestClosed(1, 1, 1, COURIER, REGISTRAR)


def test_a_tube_whose_label_is_no_longer_right_is_not_packed_before_the_new_one_is_on() -> None:
    table, tube = full_tube()
    table.ordered(Do.LEFT, 2)
    table.obeys(COURIER, Do.COLLECT)
    assert table.pack(tube) == [Signal.DENIED]
    table.printed()
    assert table.pack(tube) == [Signal.ACKNOWLEDGED]


# The clocks -----------------------------------------------------------------------------------------------------------


def test_a_clock_that_is_set_later_dates_the_first_swabs_of_this_boot_anew() -> None:
    table = Table(pool_size=5, group_size=5, trust=Trust.NONE)
    table.card(0)
    swabbed = table.at
    table.tick(600)
    table.clock_jump(86_400, Trust.NTP)
    (held,) = table.site.custody.open.values()
    assert held.since is not None
    assert (held.since.wall, held.since.trust) == (swabbed.wall + 86_400_000, Trust.NTP)
    assert table.at.since(held.since) == 600_000


def test_over_a_reboot_the_first_swab_keeps_the_date_it_had() -> None:
    table = Table(pool_size=5, group_size=5)
    table.card(0)
    (before,) = table.site.custody.open.values()
    table.restart(reboot=True, jump=60, trust=Trust.NTP)
    assert list(table.site.custody.open.values()) == [before]


def test_what_was_handed_over_is_forgotten_after_the_next_round() -> None:
    table = Table()
    (tube,) = table.tubes("Li")
    table.handed_over(tube)
    table.new_round()
    assert (table.site.custody.gone, set(table.site.custody.gone_before)) == ({}, {tube})
    table.new_round()
    assert table.site.custody.gone_before == {}


def test_the_journal_tells_every_box_and_who_is_in_a_tube() -> None:
    table = Table()
    one, two, three = table.tubes("Li", "Wang", "Zhao")
    table.handed_over(one, two, three)
    table.handed_over(*table.tubes("Sun"))
    printed = [each.handover for each in table.prints if isinstance(each, PrintManifest)]
    assert list(handovers(table.entries())) == printed
    assert [len(each.tubes) for each in printed] == [3, 1]
    assert [(each.position, each.person, each.digest) for each in members(table.entries(), two)] == [
        (1, 2, person("Wang"))
    ]
    assert members(table.entries(), foreign()) == []


def test_the_fold_of_the_journal_is_the_state_at_every_step() -> None:
    table = Table(CustodyRules(bag_size=2, labs=("a", "b"), permits=("p",)))
    tubes = table.tubes(*range(5))
    table.obeys(COURIER, Do.COLLECT)
    table.pack(*tubes[:3])
    table.obeys(COURIER, Do.LAB, "a")
    table.obeys(COURIER, Do.VEHICLE, "p")
    table.obeys(REGISTRAR, Do.PACKED)
    table.obeys(COURIER, Do.MISSING_LOST)
    table.obeys(REGISTRAR, Do.PACKED)
    assert table.told(ManifestClosed) != []
    assert refold(Site(table.site.setup), table.entries()).custody == table.site.custody
    assert Site.load(table.site.setup, table.site.dump()).custody == table.site.custody
