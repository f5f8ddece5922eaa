"""Ways in for people a queue forgets, and the three fields that are checked of everybody."""

import pytest

from kiosk.domain import Category, Do, DocumentKind, Field, Reason, Role, Signal, Subject
from kiosk.events import CardMinted, CardPresented, CodePresented, ContactPresented
from kiosk.facts import ContactGiven, Fact, MintCard, PaperCardMade, PrintCard, Refused, Registered, StaffOrdered
from tests.support.desk_story import Story, digest, person, subject

PHONE = subject("phone of Li")


def last(story: Story) -> Registered:
    return story.told(Registered)[-1]


def typed(story: Story, who: object) -> list[Fact]:
    card = CardPresented(subject(f"person {who}"), DocumentKind.RESIDENT, typed=True, has=(Field.NUMBER,))
    return story.happens(card)


def contact(story: Story, holder: object = None, *has: Field) -> list[Fact]:
    whose = person(holder) if holder is not None else None
    return story.happens(ContactPresented(PHONE, whose, has or (Field.PHONE,)))


def paper(story: Story, name: str) -> list[Fact]:
    return story.happens(CardPresented(subject(name), DocumentKind.PAPER, has=()))


# The three fields -----------------------------------------------------------------------------------------------------


def test_a_card_leaves_the_phone_missing_and_the_count_knows() -> None:
    story = Story(health_code="off")
    story.card("Li")
    assert last(story).missing == (Field.PHONE,)
    assert story.site.identities.missing == {Field.PHONE: 1}
    assert story.signal is Signal.ACCEPTED


def test_a_code_alone_leaves_all_missing_that_its_format_does_not_tell() -> None:
    story = Story()
    story.code("green", "Li")
    story.tick(10)
    assert last(story).missing == (Field.NAME, Field.NUMBER, Field.PHONE)
    story.happens(CodePresented(subject("person Wu"), "green", person("Wu"), has=(Field.NUMBER, Field.PHONE)))
    story.tick(10)
    assert last(story).missing == (Field.NAME,)


def test_the_phone_from_the_code_and_the_rest_from_the_card() -> None:
    story = Story(require_phone=True)
    story.card("Li")
    story.happens(CodePresented(subject("green code Li"), "green", has=(Field.PHONE,)))
    assert last(story).missing == ()
    assert story.signal is Signal.ACCEPTED


def test_a_registration_code_before_the_card() -> None:
    story = Story(health_code="off", require_phone=True)
    assert contact(story, "Li") == []
    assert story.signal is Signal.HELD
    story.card("Li")
    assert (last(story).contact, last(story).missing) == (PHONE, ())
    assert story.signal is Signal.ACCEPTED
    story.card("Wang")
    assert (last(story).contact, last(story).missing) == (None, (Field.PHONE,))


def test_a_missing_phone_is_heard_and_can_be_typed_afterwards() -> None:
    story = Story(health_code="off", require_phone=True)
    story.card("Li")
    assert story.signal is Signal.FLAGGED
    assert contact(story) == [ContactGiven(1, PHONE, (Field.PHONE,))]
    assert story.signal is Signal.ACKNOWLEDGED
    assert story.site.identities.missing == {Field.PHONE: 0}


def test_a_phone_typed_between_card_and_code_belongs_to_that_person() -> None:
    story = Story(health_code="required")
    story.card("Li")
    contact(story)
    story.code("green", "Li")
    assert last(story).contact == PHONE


def test_a_registration_code_of_somebody_else_gives_nobody_their_phone() -> None:
    story = Story(health_code="off")
    contact(story, "Wang")
    story.card("Li")
    assert last(story).contact is None
    contact(story, "Wang")
    assert story.told(ContactGiven) == []


def test_a_phone_nobody_came_for_is_forgotten() -> None:
    story = Story(health_code="off")
    contact(story)
    story.tick(11)
    story.card("Li")
    assert last(story).contact is None


# Typed by a volunteer -------------------------------------------------------------------------------------------------


def test_a_typed_number_registers_within_a_minute_of_the_registrars_badge() -> None:
    story = Story(health_code="off")
    story.badge(7)
    story.tick(59)
    typed(story, "Li")
    fact = last(story)
    assert (fact.source, fact.subject.digest, fact.missing, fact.by) == (
        "typed",
        person("Li"),
        (Field.NAME, Field.PHONE),
        7,
    )
    story.tick(5)
    assert story.card("Li") == [Refused(Reason.REPEAT, person("Li"))]


def test_whose_number_is_typed_needs_no_phone_where_others_do() -> None:
    story = Story(health_code="required")
    story.badge(7)
    typed(story, "Li")
    story.tick(10)
    assert last(story).source == "typed"


@pytest.mark.parametrize("role", [None, Role.COURIER, Role.SAMPLER])
def test_a_typed_number_is_no_way_in_for_anybody(role: Role | None) -> None:
    story = Story(health_code="off")
    if role is not None:
        story.badge(7, role)
    typed(story, "Li")
    assert story.people == 0
    assert story.signal is Signal.DENIED


def test_the_registrar_on_shift_answers_for_what_is_entered() -> None:
    story = Story(health_code="off")
    story.ordered(Do.SHIFT_ON)
    story.tick(3600)
    story.card("Li")
    assert last(story).by == 7
    story.badge(8)
    story.order(Do.SHIFT_ON)
    story.tick(3600)
    story.card("Wang")
    assert last(story).by == 0  # of two on shift nobody knows which


# Once again -----------------------------------------------------------------------------------------------------------


def test_a_repeat_is_let_in_once_by_badge_and_reason() -> None:
    story = Story(health_code="off")
    story.card("Li")
    ordered = story.ordered(Do.OVERRIDE, "Li", text="doctor's order")
    assert ordered == [StaffOrdered(Do.OVERRIDE, 7, Role.REGISTRAR, (person("Li"),), text="doctor's order")]
    story.card("Li")
    assert [fact.person for fact in story.told(Registered)] == [1, 2]
    story.tick(5)
    story.card("Li")
    assert story.refusals == [Reason.REPEAT]


def test_an_override_is_no_excuse_for_red() -> None:
    story = Story()
    story.both("Li")
    story.tick(10)
    story.ordered(Do.OVERRIDE, "Li")
    story.card("Li")
    story.code("red", "Li", named=True)
    story.tick(10)
    story.alone("Li")
    assert story.refusals == [Reason.RED, Reason.RED]
    assert story.people == 1


def test_an_override_outlives_a_restart_and_ends_with_the_round() -> None:
    story = Story(health_code="off", round="manual")
    story.card("Li")
    story.ordered(Do.OVERRIDE, "Li")
    story.restart(reboot=True)
    story.card("Li")
    assert story.people == 2
    story.ordered(Do.OVERRIDE, "Li")
    story.new_round()
    story.card("Li")
    story.card("Li")
    assert story.people == 3


# Code cards of paper --------------------------------------------------------------------------------------------------


def minted(story: Story, name: str) -> list[Fact]:
    story.ordered(Do.PAPER_CARD)
    assert MintCard() in story.orders
    return story.happens(CardMinted(subject(name), f"text of {name}"))


def test_a_code_card_stands_for_the_person_registered_just_before_in_every_round() -> None:
    story = Story(health_code="off")
    story.card("Li")
    assert minted(story, "card") == [PaperCardMade(subject("card"), person("Li"))]
    assert story.orders[-1] == PrintCard("text of card")
    paper(story, "card")
    assert story.refusals == [Reason.REPEAT]
    story.new_round()
    paper(story, "card")
    fact = last(story)
    assert (fact.subject, fact.source) == (Subject(person("Li"), b"box of card"), "paper")
    story.tick(5)
    story.card("Li")
    assert story.refusals == [Reason.REPEAT, Reason.REPEAT]


def test_a_code_card_of_nobody_is_an_identity_of_its_own() -> None:
    story = Story(health_code="off")
    story.card("Li")
    story.tick(61)
    assert minted(story, "card") == [PaperCardMade(subject("card"))]
    paper(story, "card")
    assert (last(story).subject, last(story).document) == (subject("card"), DocumentKind.PAPER)
    assert last(story).missing == (Field.NAME, Field.NUMBER, Field.PHONE)
    story.tick(5)
    paper(story, "card")
    assert story.refusals == [Reason.REPEAT]


def test_a_code_card_voids_its_holder() -> None:
    story = Story(health_code="off")
    story.card("Li")
    minted(story, "card")
    story.badge()
    story.order(Do.VOID)
    paper(story, "card")
    assert story.places == []


# Children -------------------------------------------------------------------------------------------------------------


def test_children_without_a_document_are_registered_by_their_guardians_card() -> None:
    story = Story(health_code="off")
    story.card("mother")
    for _ in range(2):
        story.ordered(Do.GUARDIAN, "mother")
    children = story.told(Registered)[1:]
    assert [child.guardian for child in children] == [person("mother")] * 2
    assert [child.source for child in children] == ["guardian"] * 2
    assert len({fact.subject.digest for fact in story.told(Registered)}) == 3
    assert {child.subject.box for child in children} == {b"box of person mother"}
    assert {child.missing for child in children} == {tuple(Field)}
    assert [position for _, _, position in story.places] == [1, 2, 3]
    story.tick(5)
    assert story.signal is Signal.ACCEPTED


def test_a_guardian_need_not_be_sampled() -> None:
    story = Story(health_code="off")
    story.ordered(Do.GUARDIAN, "father")
    assert (story.people, last(story).guardian) == (1, person("father"))
    story.card("father")
    assert story.people == 2


def test_a_child_waits_for_the_printer_like_everybody() -> None:
    story = Story(health_code="off", pool_size=1, group_size=1)
    story.crowd("a", "b")
    story.ordered(Do.GUARDIAN, "mother")
    assert story.refusals[-1] is Reason.PRINTER


# Documents ------------------------------------------------------------------------------------------------------------


def test_holders_of_documents_that_the_policy_names_get_a_tube_of_their_own() -> None:
    story = Story(health_code="off", single_documents=["passport", "permit"])
    story.card("Li")
    for kind in (DocumentKind.PASSPORT, DocumentKind.PERMIT):
        story.happens(CardPresented(subject(f"person {kind}"), kind))
        assert (last(story).category, last(story).apart) == (Category.RETURNEE, True)
    assert [tube.members for tube in story.closed] == [1, 1]


def test_elsewhere_a_passport_is_a_card_like_another() -> None:
    story = Story(health_code="off")
    story.happens(CardPresented(subject("person Anna"), DocumentKind.PASSPORT))
    assert (last(story).category, last(story).apart, last(story).document) == (
        Category.GENERAL,
        False,
        DocumentKind.PASSPORT,
    )


def test_the_digest_of_a_child_tells_nothing_and_is_not_the_guardians() -> None:
    story = Story(health_code="off")
    story.ordered(Do.GUARDIAN, "mother")
    assert last(story).subject.digest not in (person("mother"), digest("mother"))
