"""Numbers on identity documents: published examples, single errors, forms; and the invented residents."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain import DocumentKind
from kiosk.identity import check_731, check_mod_11_2, kind_of, normalise, number_fault
from tests.support.people import EVERYBODY, person

PUBLISHED = {
    "11010519491231002X": DocumentKind.RESIDENT,  # both from GB 11643 itself
    "440524188001010014": DocumentKind.RESIDENT,
    "810000199408230021": DocumentKind.PERMIT,
    "810000199001010019": DocumentKind.PERMIT,
    "830000199201300022": DocumentKind.PERMIT,
    "830000199001010012": DocumentKind.PERMIT,
    "911398199012310021": DocumentKind.FOREIGNER_2023,
    "KAZ110090123105": DocumentKind.FOREIGNER_2017,
}
residents = st.integers(0, 10**9).map(person)


@pytest.mark.parametrize(("number", "kind"), PUBLISHED.items())
def test_published_numbers_hold(number: str, kind: DocumentKind) -> None:
    assert number_fault(kind, number) is None
    assert kind_of(number) is kind


@pytest.mark.parametrize("someone", EVERYBODY, ids=lambda p: p.document)
def test_the_test_people_have_valid_numbers(someone) -> None:
    assert number_fault(someone.document, someone.number) is None
    assert kind_of(someone.number) is someone.document


@pytest.mark.parametrize("number", ["810000199408230021", "911398199012310021", "11010519491231002X"])
def test_a_residents_region_is_never_a_reason(number: str) -> None:
    assert number_fault(DocumentKind.RESIDENT, number) is None


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        (DocumentKind.RESIDENT, ""),
        (DocumentKind.RESIDENT, "110105491231002"),  # the old 15 digits carry no check
        (DocumentKind.RESIDENT, "11010519491231002x"),
        (DocumentKind.RESIDENT, "X1010519491231002X"),
        (DocumentKind.RESIDENT, "１1010519491231002X"),  # a full-width digit is no digit
        (DocumentKind.RESIDENT, "11010519491231002X\n"),
        (DocumentKind.RESIDENT, "KAZ110090123105"),
        (DocumentKind.PERMIT, "11010519491231002X"),
        (DocumentKind.FOREIGNER_2023, "810000199408230021"),
        (DocumentKind.FOREIGNER_2017, "911398199012310021"),
        (DocumentKind.FOREIGNER_2017, "KAZ11009012310"),
        (DocumentKind.FOREIGNER_2017, "kaz110090123105"),
    ],
)
def test_other_forms_are_refused(kind: DocumentKind, number: str) -> None:
    assert number_fault(kind, number) == "wrong form"


def test_a_wrong_check_digit_is_told_without_the_number() -> None:
    assert number_fault(DocumentKind.RESIDENT, "110105194912310021") == "wrong check digit"
    assert number_fault(DocumentKind.FOREIGNER_2017, "KAZ110090123106") == "wrong check digit"
    assert kind_of("110105194912310021") is None


def test_the_card_may_hold_a_small_x_and_padding() -> None:
    assert normalise("  11010519491231002x \0\0") == "11010519491231002X"


@given(residents, st.integers(0, 17), st.integers(1, 9))
def test_every_single_wrong_digit_is_caught(someone, place: int, step: int) -> None:
    number = list(someone.number)
    number[place] = "0123456789X"[("0123456789X".index(number[place]) + step) % (11 if place == 17 else 10)]
    assert number_fault(DocumentKind.RESIDENT, "".join(number)) is not None


@given(residents, st.integers(0, 16))
def test_every_swap_of_neighbours_is_caught(someone, place: int) -> None:
    number = someone.number
    swapped = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    assert swapped == number or number_fault(DocumentKind.RESIDENT, swapped) is not None


def test_the_weights_are_those_of_the_standard() -> None:
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    for n in range(200):
        body = person(n).number[:17]
        assert check_mod_11_2(body) == "10X98765432"[sum(int(d) * w for d, w in zip(body, weights, strict=True)) % 11]


def test_letters_count_from_ten_in_731() -> None:
    assert [check_731(letter) for letter in string.ascii_uppercase[:4]] == ["0", "7", "4", "1"]
    assert check_731("L898902C<".replace("<", "0")) == check_731("L898902C0") == "3"  # a document number of ICAO 9303


def test_invented_residents_are_distinct_valid_and_always_the_same() -> None:
    people = [person(n) for n in range(20_000)]
    assert len({p.number for p in people}) == len(people)
    assert all(kind_of(p.number) is DocumentKind.RESIDENT for p in people)
    assert all((int(p.number[16]) % 2 == 1) == (p.sex == "1") and p.number[6:14] == p.birth for p in people)
    assert all(2 <= len(p.name) <= 4 and "\u4e00" <= min(p.name) <= max(p.name) <= "\u9fff" for p in people)
    assert people[7] == person(7)
    assert {"X"} < {p.number[-1] for p in people[:200]}


def test_no_resident_can_be_found_by_an_invented_number() -> None:
    assert all(person(n).number[4:6] == "99" for n in range(500))
