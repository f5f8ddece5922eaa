"""The engine: what one event sets off, and what holds whatever happens in whatever order."""

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

import kiosk.events
from kiosk import tube, tubes
from kiosk.config import Config, EscposPrinter, Kiosk, Policy, Queue, SdtCard, Seal
from kiosk.config import Site as SiteTable
from kiosk.domain import Category, Colour, Do, Reason, Role, Signal, Trust
from kiosk.events import ButtonPressed, CodePresented, Event, Tick
from kiosk.facts import (
    AnyFact,
    CardHeld,
    ClockStepped,
    Entry,
    Fact,
    GroupReleased,
    IncidentRaised,
    Registered,
    RoundStarted,
    StaffOrdered,
    Unbound,
    Withdrawn,
)
from kiosk.flows import admission, corrections, desk, incidents, labelling, pooling, registration, release, rounds
from kiosk.flows.corrections import CORRECTIONS
from kiosk.growing import GrowingMap
from kiosk.site import FLOWS, Setup, Site, decide, fold, refold
from kiosk.staff import TAKES
from tests.support.desk_audit import Audit
from tests.support.desk_story import DAY_S, NOON, Story, person, subject

ROOT = Path(__file__).parent.parent


def durable(site: Site) -> tuple[Any, ...]:
    return (
        site.rounds,
        site.registration,
        site.identities,
        site.pooling,
        site.labelling,
        site.release,
        site.incidents,
        site.custody,
        site.staff,
        site.drill,
        site.preflight,
        site.visits,
        site.stock,
        site.reporting,
        site.commands,
        site.verdicts,
    )


# The engine -----------------------------------------------------------------------------------------------------------


def test_deciding_changes_nothing_and_gives_the_same_twice() -> None:
    story = Story(health_code="off", pool_size=1, group_size=1)
    before, blob, at = story.site, story.site.dump(), story.at
    card = kiosk.events.CardPresented(subject("person Li"), kiosk.events.DocumentKind.RESIDENT)
    first, second = decide(before, card, at), decide(before, card, at)
    assert first == second
    assert before.dump() == blob
    assert first.site != before


def test_a_tick_in_peace_says_nothing_and_keeps_the_very_state() -> None:
    story = Story()
    site, facts, orders = decide(story.site, Tick(), story.at)
    assert site is story.site
    assert (facts, orders) == ([], [])


def test_the_setup_is_what_the_flows_need_of_the_configuration() -> None:
    config = Config(site=SiteTable("360481", "x"), kiosk=Kiosk(7), seal=Seal("k"), policy=Policy(pool_size=5))
    nobody_presses = Queue(waiting_cap=0)
    seen = Setup(
        "360481", 7, Policy(pool_size=5), confirm_by_scan=False, reads_cards=False, queue=nobody_presses, report_at=1410
    )
    assert Setup.of(config) == seen
    printer, card = EscposPrinter(port="/dev/null", confirm="scan"), SdtCard(port="/dev/null")
    full = Setup.of(msgspec.structs.replace(config, devices=kiosk.config.Devices(card=card, printer=printer)))
    assert (full.confirm_by_scan, full.reads_cards) == (True, True)


def a_day() -> Story:
    """Something in every slice."""
    story = Story(pool_size=5, group_size=5, unknown_code="single")
    story.crowd(*range(7))
    story.both("unknown", "unknown")
    story.both("red", "red")
    story.alone("late")
    story.code("yellow", "late", named=True)
    story.printed(1)
    story.paper_out()
    story.unusable(Reason.UNREADABLE)
    story.opaque("asked")
    story.card("waits")
    return story


def test_a_snapshot_holds_all_but_the_desk() -> None:
    story = a_day()
    loaded = Site.load(story.site.setup, story.site.dump())
    assert durable(loaded) == durable(story.site)
    assert loaded.desk == desk.Desk()


@pytest.mark.parametrize("blob", [b"", b"\x00", b"\xc1", msgspec.msgpack.encode([1, 2]), a_day().site.dump()[:-1]])
def test_a_snapshot_of_another_shape_is_an_error(blob: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        Site.load(Story().site.setup, blob)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 1.0])
def test_a_snapshot_and_the_rest_of_the_journal_are_the_whole_journal(share: float) -> None:
    story = a_day()
    entries = story.entries()
    cut = int(len(entries) * share)
    setup = story.site.setup
    early = refold(Site(setup), entries[:cut])
    assert durable(refold(Site.load(setup, early.dump()), entries[cut:])) == durable(story.site)


# Who says and hears what ----------------------------------------------------------------------------------------------


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def made_in(path: Path) -> set[str]:
    """Names that are called: a fact is said where it is made."""
    calls = (node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call))
    return {call.func.id for call in calls if isinstance(call.func, ast.Name)}


def matched_in(path: Path) -> set[str]:
    """Class names in `case` patterns and in `isinstance`."""
    names = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.MatchClass):
            names |= {name.id for name in ast.walk(node.cls) if isinstance(name, ast.Name)}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
            names |= {name.id for name in ast.walk(node.args[1]) if isinstance(name, ast.Name)}
    return names


FLOW_FILES = sorted(path for path in (ROOT / "kiosk/flows").glob("*.py") if path.stem not in ("__init__", "presses"))


def test_the_flows_are_all_there() -> None:
    assert {flow.__name__.rpartition(".")[2] for flow in FLOWS} | {"desk", "admission", "seating"} == {
        path.stem for path in FLOW_FILES
    }


@pytest.mark.parametrize("fact", get_args(AnyFact), ids=lambda fact: fact.__name__)
def test_every_fact_is_said_by_exactly_one_flow_and_heard_by_some(fact: type[Fact]) -> None:
    assert len([path.stem for path in FLOW_FILES if fact.__name__ in made_in(path)]) == 1
    assert [path.stem for path in FLOW_FILES if fact.__name__ in matched_in(path)]


def test_the_union_lists_every_fact() -> None:
    assert set(get_args(AnyFact)) == {fact for fact in Fact.__subclasses__() if fact.__module__ == "kiosk.facts"}


IN_CLEAR = {"CardRead", "CardFailed", "CodeScanned", "CodeFailed", "NumberTyped"}
"""The intake turns these into what the flows may hear."""

SURROUNDINGS = {"DeviceOnline", "DeviceOffline"}
"""Nothing is decided about these: the overview alone shows them."""


@pytest.mark.parametrize("event", sorted(event.__name__ for event in Event.__subclasses__()))
def test_every_event_is_heard(event: str) -> None:
    paths = FLOW_FILES
    if event in IN_CLEAR:
        paths = [ROOT / "kiosk/intake.py"]
    elif event in SURROUNDINGS:
        paths = [ROOT / "kiosk/overview.py"]
    elif event == "ButtonPressed":
        paths = [*FLOW_FILES, ROOT / "kiosk/flows/presses.py"]
    assert any(event in matched_in(path) for path in paths)
    if event in IN_CLEAR:
        assert not any(event in matched_in(path) for path in FLOW_FILES)


# Whatever happens -----------------------------------------------------------------------------------------------------


class Watched(Story):
    """A story in which the rules are checked after every event."""

    def __init__(self, **policy: Any) -> None:
        self.audit = Audit()
        self.told_by_journal: Site | None = None
        super().__init__(**policy)

    def happens(self, event: Event) -> list[Fact]:
        given, heard, waited = self.site.desk.signals, len(self.journal), self.site.release.waiting
        facts = super().happens(event)
        if cap := self.site.setup.queue.waiting_cap:
            assert self.site.release.waiting <= max(cap, waited), "more wait than may"
        self.audit.step(facts)
        self._journal_is_the_truth(heard)
        if self.site.desk.signals > given:
            self._honest(facts)
        if isinstance(event, CodePresented) and self.site.setup.policy.health_code != "off":
            self._guarded(event, facts)
        if any(isinstance(fact, GroupReleased) for fact in facts) and not self.site.visits.on:
            assert isinstance(event, ButtonPressed)
            assert event.button == "release"
            assert 300 <= event.held_ms <= 2000
        return facts

    def _journal_is_the_truth(self, heard: int) -> None:
        site = self.told_by_journal or Site(self.site.setup)
        for at, fact in self.journal[heard:]:
            entry = Entry(1, at, fact)
            assert msgspec.msgpack.decode(msgspec.msgpack.encode(entry), type=Entry) == entry
            site = fold(site, entry.fact, entry.at)
        self.told_by_journal = site
        assert durable(site) == durable(self.site), "the journal tells another state"
        assert durable(Site.load(self.site.setup, self.site.dump())) == durable(self.site), "the snapshot does"
        assert self.site.desk.card is None or self.site.desk.code is None

    def _honest(self, facts: list[Fact]) -> None:
        """Green is for somebody registered in this very step, and not with an unknown code."""
        if self.site.desk.signal is Signal.ACCEPTED:
            assert any(isinstance(fact, Registered) and fact.colour is not Colour.UNKNOWN for fact in facts), (
                "false green"
            )

    def _guarded(self, code: CodePresented, facts: list[Fact]) -> None:
        registered = [fact for fact in facts if isinstance(fact, Registered)]
        if code.colour in (Colour.RED, Colour.YELLOW):
            let_in = [fact for fact in registered if code.subject in (fact.subject, fact.code)]
            isolates = code.colour is Colour.YELLOW and self.site.setup.policy.yellow == "isolate"
            assert isolates or not let_in, "red was let in"
            assert all(fact.apart and fact.category is Category.YELLOW for fact in let_in), "yellow shares a tube"
            assert code.subject.digest in self.site.incidents.open.values(), "nobody was told"
            if any(isinstance(fact, IncidentRaised) and fact.code == code.subject for fact in facts):
                assert isinstance(facts[0], IncidentRaised | RoundStarted | ClockStepped), "refused before raised"
        if code.colour is Colour.UNKNOWN:
            assert all(fact.code != code.subject or fact.colour is Colour.UNKNOWN for fact in registered)

    def restart(self, **what: Any) -> list[Fact]:
        before = durable(self.site)
        again = refold(Site(self._setup()), self.entries())
        assert durable(again) == before
        return super().restart(**what)


WHO = st.integers(0, 6)
MODES = [
    Do.POOL,
    Do.GROUP,
    Do.CLOSE_POOL,
    Do.SINGLE_NEXT,
    Do.NASAL_NEXT,
    Do.CATEGORY_NEXT,
    Do.HOUSEHOLD_START,
    Do.HOUSEHOLD_END,
    Do.REPRINT,
    Do.VISIT_START,
    Do.VISIT_END,
    Do.ROUND_START,
    Do.ROUND_END,
]
JUMPS = st.sampled_from([3600, -3600, DAY_S, -DAY_S, 400 * DAY_S, -400 * DAY_S, 20_000 * DAY_S, -20_000 * DAY_S])


class Desk(RuleBasedStateMachine):
    """A few people who come and come again, crowds who come once, and everything that can go wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.strangers = 100

    @initialize(
        pool_size=st.sampled_from([1, 5, 10, 20]),
        group_size=st.sampled_from([1, 2, 5, 10, 12]),
        health_code=st.sampled_from(["optional", "optional", "required", "off"]),
        unknown_code=st.sampled_from(["flag", "single", "refuse"]),
        round=st.sampled_from(["daily", "manual"]),
        by_scan=st.booleans(),
        trust=st.sampled_from(Trust),
        start=st.sampled_from([0, NOON, NOON + 12 * 3600 - 10]),
        household_size=st.sampled_from([2, 3, 10]),
        label_at=st.sampled_from(["close", "close", "open"]),
        tube_source=st.sampled_from(["print", "print", "print", "preprinted"]),
        cap=st.sampled_from([0, 12, 30]),
        tables=st.sampled_from([(), ("1号采样台", "2号采样台")]),
    )
    def opens(self, cap: int, tables: tuple[str, ...], **policy: Any) -> None:
        self.story = Watched(setup={"queue": Queue(waiting_cap=cap), "tables": tables}, **policy)

    @rule(who=WHO, expired=st.booleans())
    def card(self, who: int, expired: bool) -> None:
        self.story.card(who, expired=expired)

    @rule(colour=st.sampled_from(["green", "green", "yellow", "red", "unknown"]), who=WHO, named=st.booleans())
    def code(self, colour: str, who: int, named: bool) -> None:
        self.story.code(colour, who, named=named)

    @rule(who=WHO)
    def card_alone(self, who: int) -> None:
        self.story.alone(who)

    @rule(who=WHO, of=WHO, colour=st.sampled_from(["green", "red", "unknown"]), named=st.booleans())
    def late_code(self, who: int, of: int, colour: str, named: bool) -> None:
        self.story.alone(who)
        self.story.code(colour, of, named=named)
        self.story.tick(11)

    @rule(
        people=st.integers(1, 12),
        colour=st.sampled_from(["green", "green", "green", "unknown"]),
        paper=st.sampled_from([True, True, False]),
    )
    def crowd(self, people: int, colour: str, paper: bool) -> None:
        for _ in range(people):
            self.strangers += 1
            if self.story.site.setup.policy.tube_source == "preprinted" and not self.story.site.desk.tube:
                self.own_tube(self.strangers)
            self.story.both(self.strangers, colour)
            if paper:
                self.story.printed()

    @rule(number=st.integers(1, 30))
    def own_tube(self, number: int) -> None:
        self.story.scan_label(f"HS{number:06}")

    @rule(do=st.sampled_from(MODES), text=st.sampled_from(["1", "5", "10", "20", "key", "yellow", "7"]))
    def staff_order(self, do: Do, text: str) -> None:
        self.story.ordered(do, text=text)

    @rule(
        do=st.sampled_from(sorted(CORRECTIONS)),
        first=st.integers(0, 20),
        second=st.integers(0, 20),
        halves=st.booleans(),
    )
    def staff_correct(self, do: Do, first: int, second: int, halves: bool) -> None:
        everybody = [*range(101, self.strangers + 1), *range(7)]
        people = [who for who in everybody if person(who) in self.story.audit.in_round][::-1] or everybody
        tubes = [*reversed(self.story.audit.tubes), "3604810100000011", "HS000031"]
        takes = TAKES.get(do, ())
        known = [people if thing == "person" else tubes for thing in takes]
        things = [some[n % len(some)] for some, n in zip(known, (first, second), strict=False)]
        self.story.ordered(do, *things, text="2" if halves else "")

    @rule(
        do=st.sampled_from([Do.COLLECT, Do.COLLECT, Do.LOST_TUBE, Do.LEAKED_TUBE, Do.MISSING_LOST, Do.LAB]),
        which=st.integers(0, 20),
    )
    def courier(self, do: Do, which: int) -> None:
        self.story.badge(71, Role.COURIER)
        self.story.order(do, "LAB-1")
        if self.story.site.desk.awaits == "tube":
            self.label_scanned(which)

    @rule(all_of_it=st.booleans())
    def packed(self, all_of_it: bool) -> None:
        for one in self.story.audit.tubes if all_of_it and self.story.site.custody.packing else ():
            self.story.scan_label(one)
        self.story.ordered(Do.PACKED)

    @rule()
    def a_good_volunteer(self) -> None:
        self.story.printed()
        for label in self.story.labels:
            self.story.scan_label(label.tube)
        self.story.press("release")

    @rule(seconds=st.sampled_from([0.5, 2, 2, 4, 11, 11, 3600, DAY_S]))
    def time_goes_on(self, seconds: float) -> None:
        self.story.tick(seconds)

    @rule(how=st.sampled_from(["release", "release", "long", "ack", 100, 2500]))
    def press(self, how: str | int) -> None:
        self.story.press(how)

    @rule(count=st.integers(1, 30), confirmed=st.booleans())
    def printed(self, count: int, confirmed: bool) -> None:
        self.story.printed(count, confirmed=confirmed)

    @rule()
    def paper_out(self) -> None:
        self.story.paper_out()

    @rule(which=st.integers(0, 50))
    def label_scanned(self, which: int) -> None:
        tubes = sorted(self.story.audit.tubes)
        closed = [one for one in tubes if one not in self.story.audit.open] or ["3604810100000011"]
        self.story.scan_label(closed[which % len(closed)])

    @rule(jump=JUMPS, trust=st.sampled_from(Trust))
    def clock_jumps(self, jump: int, trust: Trust) -> None:
        self.story.clock_jump(max(jump, -self.story.wall // 1000), trust)

    @rule(reboot=st.booleans(), jump=st.just(0) | JUMPS, trust=st.sampled_from(Trust))
    def restarts(self, reboot: bool, jump: int, trust: Trust) -> None:
        self.story.restart(reboot=reboot, jump=max(jump, -self.story.wall // 1000), trust=trust)

    @rule(
        reboot=st.booleans(),
        change=st.sampled_from(
            [
                {"pool_size": 1},
                {"pool_size": 5},
                {"pool_size": 10},
                {"group_size": 1},
                {"group_size": 10},
                {"health_code": "optional"},
                {"health_code": "required"},
                {"health_code": "off"},
                {"unknown_code": "single"},
                {"round": "daily"},
            ]
        ),
    )
    def restarts_with_another_policy(self, reboot: bool, change: dict[str, Any]) -> None:
        self.story.restart(reboot=reboot, **change)

    @rule()
    def new_round(self) -> None:
        self.story.new_round()

    @rule(reason=st.sampled_from([Reason.UNREADABLE, Reason.BAD_NUMBER, Reason.NOT_NEEDED]))
    def unusable(self, reason: Reason) -> None:
        self.story.unusable(reason)


def sequences(examples: int, steps: int, *phases: Phase) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        phases=phases or tuple(Phase),
        derandomize=True,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )


def test_the_rules_hold_whatever_happens() -> None:
    run_state_machine_as_test(Desk, settings=sequences(200, 50, Phase.generate, Phase.shrink))


# The rules have teeth -------------------------------------------------------------------------------------------------

Mutate = Callable[[pytest.MonkeyPatch], None]


def forgets_who_was_seen(patch: pytest.MonkeyPatch) -> None:
    good = registration.evolve

    def evolve(slice_: Any, change: Any) -> Any:
        after = good(slice_, change)
        return msgspec.structs.replace(after, seen=slice_.seen) if isinstance(change, Registered) else after

    patch.setattr(registration, "evolve", evolve)


def forgets_whose_code_it_was(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(registration.Registration, "owner", registration.Registration.person)


def releases_without_labels(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(release.Group, "labelled", True)


def releases_what_is_printed_but_not_scanned(patch: pytest.MonkeyPatch) -> None:
    good = release.evolve

    def evolve(slice_: Any, change: Any, at: Any) -> Any:
        if type(change).__name__ == "LabelPrinted":
            change = msgspec.structs.replace(change, confirmed=True)
        return good(slice_, change, at)

    patch.setattr(release, "evolve", evolve)


def lets_the_last_group_go_first(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(release.Release, "ready", property(lambda self: self.queue[-1] if self.queue else None))


def gives_a_place_twice(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(tubes.Tube, "free", property(lambda self: len(self.members) + 1))


def never_closes_a_tube(patch: pytest.MonkeyPatch) -> None:
    good = pooling.evolve
    patch.setattr(
        pooling,
        "evolve",
        lambda slice_, change, at: slice_ if type(change).__name__ == "TubeClosed" else good(slice_, change, at),
    )


def never_frees_a_place(patch: pytest.MonkeyPatch) -> None:
    good = pooling.react
    patch.setattr(pooling, "react", lambda site, item, at: () if isinstance(item, Withdrawn) else good(site, item, at))


def starts_numbers_over(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(tube.Serials, "used", lambda self, day, serial: self)


def keeps_something_beside_the_journal(patch: pytest.MonkeyPatch) -> None:
    good = registration.evolve

    def evolve(slice_: Any, change: Any) -> Any:
        after = good(slice_, change)
        return msgspec.structs.replace(after, people=after.people + 1) if isinstance(change, CardHeld) else after

    patch.setattr(registration, "evolve", evolve)


def snapshots_without_the_bars(patch: pytest.MonkeyPatch) -> None:
    def dump(site: Site) -> bytes:
        slices = durable(site)
        return msgspec.msgpack.encode((slices[0], msgspec.structs.replace(slices[1], barred={}), *slices[2:]))

    patch.setattr(Site, "dump", dump)


def lets_red_in(patch: pytest.MonkeyPatch) -> None:
    for flow in (admission, registration):
        patch.setattr(flow, "BARRING", {})


def says_nothing_of_yellow(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(incidents, "_ALARMING", {Colour.RED: Reason.RED})


def raises_the_same_again(patch: pytest.MonkeyPatch) -> None:
    good = incidents.react

    def react(site: Site, item: Any, at: Any) -> Any:
        blind = msgspec.structs.replace(site.incidents, open={})
        return good(
            msgspec.structs.replace(site, incidents=blind) if isinstance(item, CodePresented) else site, item, at
        )

    patch.setattr(incidents, "react", react)


def shows_green_for_unknown(patch: pytest.MonkeyPatch) -> None:
    good = desk.evolve

    def evolve(slice_: Any, change: Any, at: Any) -> Any:
        after = good(slice_, change, at)
        return msgspec.structs.replace(after, signal=Signal.ACCEPTED) if after.signal is Signal.FLAGGED else after

    patch.setattr(desk, "evolve", evolve)


def takes_back_again_and_again(patch: pytest.MonkeyPatch) -> None:
    good = registration.evolve
    patch.setattr(
        registration,
        "evolve",
        lambda slice_, change: slice_ if isinstance(change, Withdrawn) else good(slice_, change),
    )


def orders_a_label_for_each_word_of_the_printer(patch: pytest.MonkeyPatch) -> None:
    good = labelling.evolve
    patch.setattr(
        labelling,
        "evolve",
        lambda slice_, change, at: slice_ if type(change).__name__ == "LabelPrinted" else good(slice_, change, at),
    )


def skips_a_round(patch: pytest.MonkeyPatch) -> None:
    good = rounds.evolve

    def evolve(slice_: Any, change: Any, at: Any) -> Any:
        after = good(slice_, change, at)
        return msgspec.structs.replace(after, round=0) if isinstance(change, ClockStepped) else after

    patch.setattr(rounds, "evolve", evolve)


def shares_a_tube_of_one_to_one(patch: pytest.MonkeyPatch) -> None:
    good = admission.kind
    patch.setattr(admission, "kind", lambda site, card, code: good(site, card, code)._replace(apart=False))


def takes_the_next_household_for_the_same(patch: pytest.MonkeyPatch) -> None:
    good = pooling.react

    def react(site: Site, item: Any, at: Any) -> Any:
        next_one = isinstance(item, StaffOrdered) and item.do is Do.HOUSEHOLD_START
        return () if next_one else good(site, item, at)

    patch.setattr(pooling, "react", react)


def swaps_whom_it_is_told_to(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(corrections, "_may_swap", lambda one, other: True)


def leaves_the_label_as_it_was(patch: pytest.MonkeyPatch) -> None:
    good = labelling.react
    patch.setattr(labelling, "react", lambda site, item, at: () if isinstance(item, Unbound) else good(site, item, at))


def fills_a_tube_of_the_last_round(patch: pytest.MonkeyPatch) -> None:
    good = pooling.evolve

    def evolve(slice_: Any, change: Any, at: Any) -> Any:
        after = good(slice_, change, at)
        return msgspec.structs.replace(after, open=slice_.open) if isinstance(change, RoundStarted) else after

    patch.setattr(pooling, "evolve", evolve)


def forgets_the_tubes_it_has_seen(patch: pytest.MonkeyPatch) -> None:
    good = pooling.evolve

    def evolve(slice_: Any, change: Any, at: Any) -> Any:
        return msgspec.structs.replace(good(slice_, change, at), used=GrowingMap())

    patch.setattr(pooling, "evolve", evolve)


MUTANTS: list[Mutate] = [
    forgets_who_was_seen,
    forgets_whose_code_it_was,
    releases_without_labels,
    releases_what_is_printed_but_not_scanned,
    lets_the_last_group_go_first,
    gives_a_place_twice,
    never_closes_a_tube,
    never_frees_a_place,
    starts_numbers_over,
    keeps_something_beside_the_journal,
    snapshots_without_the_bars,
    lets_red_in,
    says_nothing_of_yellow,
    raises_the_same_again,
    shows_green_for_unknown,
    takes_back_again_and_again,
    orders_a_label_for_each_word_of_the_printer,
    skips_a_round,
    shares_a_tube_of_one_to_one,
    takes_the_next_household_for_the_same,
    swaps_whom_it_is_told_to,
    leaves_the_label_as_it_was,
    fills_a_tube_of_the_last_round,
    forgets_the_tubes_it_has_seen,
]


@pytest.mark.parametrize("mutate", MUTANTS, ids=lambda mutate: mutate.__name__)
def test_a_mutant_is_caught(mutate: Mutate, monkeypatch: pytest.MonkeyPatch) -> None:
    mutate(monkeypatch)
    with pytest.raises((AssertionError, KeyError)):
        run_state_machine_as_test(Desk, settings=sequences(4000, 50, Phase.generate))
