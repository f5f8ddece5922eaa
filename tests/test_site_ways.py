"""Whatever happens, with verdicts that come and stay out, people let in once again, children, typed numbers and code
cards among it: the rules of the field hold, and the journal tells the same state."""

from hypothesis import Phase
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from kiosk.domain import Do, DocumentKind
from kiosk.events import CardMinted, CardPresented, ContactPresented
from tests.support.desk_story import person, subject
from tests.test_site import WHO, Desk, sequences


class WaysIn(Desk):
    @rule(who=WHO, answers=st.booleans(), card=st.booleans())
    def opaque_code(self, who: int, answers: bool, card: bool) -> None:
        self.story.opaque(who, answers=answers)
        if card:
            self.story.card(who)

    @rule(
        of=WHO,
        colour=st.sampled_from(["green", "green", "yellow", "red", "unknown"]),
        holder=st.none() | WHO,
        late=st.booleans(),
    )
    def verdict(self, of: int, colour: str, holder: int | None, late: bool) -> None:
        if late:
            self.story.tick(2)
        self.story.verdict(colour, of, holder)

    @rule(who=WHO, do=st.sampled_from([Do.OVERRIDE, Do.GUARDIAN]))
    def let_in(self, who: int, do: Do) -> None:
        self.story.ordered(do, who)

    @rule(who=WHO, badge=st.booleans())
    def typed(self, who: int, badge: bool) -> None:
        if badge:
            self.story.badge()
        self.story.happens(CardPresented(subject(f"person {who}"), DocumentKind.RESIDENT, typed=True))

    @rule(who=WHO, named=st.booleans())
    def contact(self, who: int, named: bool) -> None:
        self.story.happens(ContactPresented(subject(f"phone {who}"), person(who) if named else None))

    @rule(which=WHO)
    def minted(self, which: int) -> None:
        self.story.ordered(Do.PAPER_CARD)
        self.story.happens(CardMinted(subject(f"paper {which}"), "text"))

    @rule(which=WHO)
    def paper(self, which: int) -> None:
        self.story.happens(CardPresented(subject(f"paper {which}"), DocumentKind.PAPER, has=()))

    @rule(
        change=st.sampled_from(
            [{"yellow": "isolate"}, {"yellow": "refuse"}, {"require_phone": True}, {"single_documents": ["paper"]}]
        )
    )
    def restarts_with_another_rule(self, change: dict[str, object]) -> None:
        self.story.restart(**change)


def test_the_rules_hold_whoever_is_asked_and_let_in() -> None:
    run_state_machine_as_test(WaysIn, settings=sequences(60, 40, Phase.generate, Phase.shrink))
