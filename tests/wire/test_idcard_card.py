"""The text block of all four card types: golden bytes written by hand from the tables, and what must be refused."""

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain import DocumentKind
from kiosk.drivers.idcard.card import (
    CardError,
    decode_address,
    decode_text,
    encode_address,
    encode_payload,
    encode_text,
    text_block,
)
from tests.support.people import ANNA, EVERYBODY, HUANG, LI, MAX, NURLAN, ZHANG, person


def block(*fields: tuple[str, int]) -> bytes:
    """Text and width in characters, one after the other."""
    return "".join(text.ljust(width) for text, width in fields).encode("utf-16-le").ljust(256, b"\0")


RESIDENT = block(
    ("张三", 15), ("2", 1), ("01", 2), ("19491231", 8), ("北京市朝阳区示例路1号", 35), ("11010519491231002X", 18),
    ("北京市公安局朝阳分局", 15), ("20150101", 8), ("长期", 8), ("", 18),
)  # fmt: skip
PERMIT = block(
    ("黃小虛", 15), ("2", 1), ("", 2), ("19940823", 8), ("广东省深圳市示例路5号", 35), ("810000199408230021", 18),
    ("深圳市公安局", 15), ("20190601", 8), ("20240601", 8), ("H01234567", 9), ("01", 2), ("", 3), ("J", 1), ("", 3),
)  # fmt: skip
FOREIGNER_2017 = block(
    ("SAMPLE, NURLAN", 60), ("1", 1), ("KAZ110090123105", 15), ("KAZ", 3), ("努尔兰", 15), ("20180101", 8),
    ("20280101", 8), ("19901231", 8), ("02", 2), ("1100", 4), ("I", 1), ("", 3),
)  # fmt: skip
FOREIGNER_2023 = block(
    ("安娜", 15), ("2", 1), ("01", 2), ("19901231", 8), ("INVENTED-SAMPLE, ANNA MARIA JOHANNA", 35),
    ("911398199012310021", 18), ("", 15), ("20240101", 8), ("20340101", 8), (" EXAMPLE-XY", 11), ("398", 3),
    ("Y", 1), ("105", 3),
)  # fmt: skip


@pytest.mark.parametrize(
    ("golden", "someone"),
    [(RESIDENT, ZHANG), (PERMIT, HUANG), (FOREIGNER_2017, NURLAN), (FOREIGNER_2023, ANNA)],
    ids=["resident", "permit", "foreigner-2017", "foreigner-2023"],
)
def test_golden_cards(golden: bytes, someone) -> None:
    assert decode_text(golden) == someone


def test_the_residents_card_is_written_byte_for_byte() -> None:
    assert encode_text(ZHANG) == RESIDENT
    assert RESIDENT[:8].hex() == "205f094e20002000"
    assert RESIDENT[204:210].hex() == "7f951f672000"


@pytest.mark.parametrize("someone", [*EVERYBODY, *map(person, range(50))], ids=lambda p: p.document)
def test_what_is_written_is_read(someone) -> None:
    assert decode_text(encode_text(someone)) == msgspec.structs.replace(someone, newest_address="")


def test_nationality_may_be_letters_on_a_new_card() -> None:
    letters = FOREIGNER_2023[:242] + "KAZ".encode("utf-16-le") + FOREIGNER_2023[248:]
    assert decode_text(letters).nationality == "KAZ"


def test_a_foreigner_without_chinese_name_goes_by_the_latin_one() -> None:
    assert encode_text(MAX)[158:188] == b" \0" * 15
    assert decode_text(encode_text(MAX)).name == MAX.latin_name


def test_a_permit_has_no_nation_and_a_renewal_count_is_none_either() -> None:
    assert decode_text(PERMIT).nation == ""
    assert decode_text(FOREIGNER_2023).nation == ""


def test_fields_filled_with_nul_and_a_small_x_are_read_alike() -> None:
    filled = RESIDENT.replace(b" \0", b"\0\0").replace(b"X\0", b"x\0")
    assert decode_text(filled) == ZHANG


@pytest.mark.parametrize(("written", "read"), [("0", "0"), ("1", "1"), ("2", "2"), ("9", "9"), (" ", "0"), ("男", "0")])
def test_sex_codes(written: str, read: str) -> None:
    assert decode_text(RESIDENT[:30] + written.encode("utf-16-le") + RESIDENT[32:]).sex == read


@pytest.mark.parametrize(
    ("damaged", "why"),
    [
        (RESIDENT[:-1], "256 bytes, not 255"),
        (RESIDENT[:248] + b"Z\0" + RESIDENT[250:], "unknown type of card"),
        (RESIDENT[:122] + b" \0" * 18 + RESIDENT[158:], "no number"),
        (RESIDENT[:36] + b"X\0" + RESIDENT[38:], "birth is no date"),
        (RESIDENT[:188] + "２".encode("utf-16-le") + RESIDENT[190:], "valid_from is no date"),
        (RESIDENT[:204] + "永远".encode("utf-16-le") + RESIDENT[208:], "valid_to is no date"),
        (b"\x00\xd8" + RESIDENT[2:], "name is no text"),
        (RESIDENT[:248] + b"\x00\xdc" + RESIDENT[250:], "type flag is no text"),
    ],
)
def test_malformed_cards_are_refused_without_a_word_of_their_contents(damaged: bytes, why: str) -> None:
    with pytest.raises(CardError, match=why) as caught:
        decode_text(damaged)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert not any(secret in str(caught.value) for secret in (ZHANG.name, ZHANG.number, ZHANG.birth))


@given(st.binary(min_size=256, max_size=256))
def test_random_blocks_raise_card_error_at_worst(noise: bytes) -> None:
    with contextlib.suppress(CardError):
        decode_text(noise)


@given(st.binary(max_size=300))
def test_random_payloads_raise_card_error_at_worst(noise: bytes) -> None:
    with contextlib.suppress(CardError):
        assert len(text_block(noise)) == 256


@given(st.integers(0, 255), st.binary(min_size=1, max_size=2))
def test_a_changed_byte_never_raises_anything_else(at: int, change: bytes) -> None:
    for golden in (RESIDENT, PERMIT, FOREIGNER_2017, FOREIGNER_2023):
        damaged = (golden[:at] + change + golden[at + len(change) :])[:256]
        with contextlib.suppress(CardError):
            decode_text(damaged)


def test_the_text_is_found_by_the_lengths_of_the_answer() -> None:
    for payload in (
        encode_payload(RESIDENT, bytes(1024)),
        encode_payload(RESIDENT, b""),
        encode_payload(RESIDENT, bytes(1024), b""),
        encode_payload(RESIDENT, bytes(1024), bytes(512)),
        encode_payload(RESIDENT + b"more", bytes(1024), bytes(1024)),
    ):
        assert text_block(payload) == RESIDENT


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        bytes(8),
        encode_payload(RESIDENT, bytes(1024))[:-1],
        encode_payload(RESIDENT, bytes(1024)) + b"\0",
        encode_payload(RESIDENT[:254], bytes(1024)),
    ],
)
def test_answers_whose_lengths_do_not_add_up_are_refused(payload: bytes) -> None:
    with pytest.raises(CardError, match="lengths do not add up"):
        text_block(payload)


def test_the_newest_address() -> None:
    written = encode_address(LI.newest_address)
    assert len(written) == 70
    assert decode_address(written) == LI.newest_address
    assert decode_address(bytes(70)) == ""
    with pytest.raises(CardError, match="70 bytes, not 68"):
        decode_address(written[:-2])


def test_what_does_not_fit_is_not_written() -> None:
    with pytest.raises(CardError, match=r"^name does not fit into 30 bytes$"):
        encode_text(msgspec.structs.replace(ZHANG, name="示" * 16))
    with pytest.raises(CardError, match="newest address does not fit"):
        encode_address("示" * 36)


def test_every_kind_of_card_has_a_layout() -> None:
    for kind in set(DocumentKind) - {DocumentKind.PASSPORT, DocumentKind.PAPER}:
        someone = msgspec.structs.replace(ZHANG, document=kind, number="1", authority="")
        assert decode_text(encode_text(someone)).document is kind
