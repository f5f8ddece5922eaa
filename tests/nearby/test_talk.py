"""What kiosks of a site tell each other: only who has the round's key is believed, and memory is bounded."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk import seal
from kiosk.frames import FrameError
from kiosk.nearby.book import Others, Own
from kiosk.nearby.talk import A_PAGE, DIGEST, MOST, Here, Page, pack, unpack

SITE, KEY, DAY = "360481", b"k" * 32, 19_000
POST = seal.PrivateKeys.generate().public


def sealer(key: bytes = b"1" * 32) -> seal.Sealer:
    return seal.Sealer(POST, key)


def digest(number: int) -> bytes:
    return number.to_bytes(DIGEST, "big")


def page(*people: int, number: int = 0, day: int = DAY, kiosk: int = 1) -> Page:
    return Page(site=SITE, kiosk=kiosk, key=KEY, day=day, page=number, digests=b"".join(map(digest, people)))


def test_a_page_comes_back_as_it_was() -> None:
    mac = sealer().mac
    assert unpack(pack(page(1, 2), mac), Page, mac) == page(1, 2)
    here = Here(site=SITE, kiosk=1, key=KEY, token=b"t" * 8, heard=(b"o" * 8,))
    assert unpack(pack(here, mac), Here, mac) == here


def test_whoever_lacks_the_key_of_the_round_is_not_believed() -> None:
    with pytest.raises(FrameError, match="not made with the key of this round"):
        unpack(pack(page(1), sealer(b"2" * 32).mac), Page, sealer().mac)
    with pytest.raises(seal.NoKeyError):
        pack(page(1), seal.Sealer(POST, None).mac)


def test_a_page_is_not_taken_for_a_presence() -> None:
    mac = sealer().mac
    with pytest.raises(FrameError):
        unpack(pack(page(1), mac), Here, mac)


@given(st.binary(max_size=300))
def test_noise_is_an_error_and_nothing_else(data: bytes) -> None:
    with pytest.raises(FrameError):
        unpack(data, Page, sealer().mac)


@given(st.integers(0, 400), st.data())
def test_one_byte_changed_is_an_error(place: int, data: st.DataObject) -> None:
    mac = sealer().mac
    raw = bytearray(pack(page(1, 2, 3), mac))
    raw[place % len(raw)] ^= data.draw(st.integers(1, 255))
    with pytest.raises(FrameError):
        unpack(bytes(raw), Page, mac)


def test_half_a_digest_is_an_error() -> None:
    with pytest.raises(FrameError, match="expected a multiple of 16"):
        msgspec.structs.replace(page(1), digests=b"x" * 17).people()


def test_only_the_page_that_changed_is_told_again() -> None:
    own = Own()
    for number in range(A_PAGE + 1):
        own.add(digest(number))
    assert (len(own.pages), own.changed) == (2, {0, 1})
    own.changed.clear()
    own.add(digest(999_999))
    assert own.changed == {1}


def test_a_new_round_empties_the_pages_that_are_no_more() -> None:
    own = Own()
    own.set([digest(number) for number in range(3 * A_PAGE)])
    own.changed.clear()
    own.set([digest(1)])
    assert (len(own.pages), own.changed) == (1, {0, 1, 2})


def test_what_is_told_and_what_is_remembered_is_bounded() -> None:
    own, others = Own(), Others()
    for number in range(MOST + 500):
        own.add(digest(number))
    assert (own.people, sum(map(len, own.pages))) == (MOST, MOST * DIGEST)
    for number in range(MOST // A_PAGE):
        people = range(number * A_PAGE, (number + 1) * A_PAGE)
        assert others.put("a", page(*people, number=number), DAY)
    assert not others.put("b", page(*range(A_PAGE)), DAY)
    assert others.people <= MOST


def test_the_people_of_another_day_make_room_and_are_not_found() -> None:
    others = Others()
    for number in range(MOST // A_PAGE):
        people = range(number * A_PAGE, (number + 1) * A_PAGE)
        assert others.put("a", page(*people, number=number, day=DAY - 1), DAY)
    assert others.find(digest(1), DAY) == 0
    assert others.put("b", page(5, kiosk=2), DAY)
    assert others.find(digest(5), DAY) == 2


def test_a_page_replaces_what_it_said_before() -> None:
    others = Others()
    others.put("a", page(1, 2, kiosk=7), DAY)
    others.put("a", page(1, kiosk=7), DAY)
    assert (others.find(digest(1), DAY), others.find(digest(2), DAY)) == (7, 0)
    others.drop("a", 0)
    assert others.find(digest(1), DAY) == 0
