"""Questions about codes and their answers: the bytes printed in docs/protocol.md, and what is none."""

import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.public import PrivateKey, SealedBox
from nacl.signing import SigningKey, VerifyKey

from kiosk import seal, verdicts
from kiosk.domain import Colour
from kiosk.frames import FrameError
from kiosk.people import person
from kiosk.seal import PrivateKeys
from kiosk.verdicts import Answer, Question, Verdict

PAGE = (Path(__file__).parents[1] / "docs" / "protocol.md").read_text()
DEVICE = SigningKey(bytes(range(32)))
POST = PrivateKeys(PrivateKey(bytes(range(64, 96))), SigningKey(bytes(range(32, 64))))
ASKED = PrivateKey(bytes(range(96, 128)))
RED = Verdict(Colour.RED, person(1).number)


def printed(name: str) -> bytes:
    found = re.search(rf"```hex {name}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return bytes.fromhex(found[1])


# Written from the page: nothing of kiosk.verdicts in here.
def stranger(label: bytes, data: bytes, key: VerifyKey) -> dict[str, object]:
    payload, signature = msgspec.msgpack.decode(data)
    key.verify(label + b"\0" + payload, signature)
    return msgspec.msgpack.decode(payload)


def strangers_box(box: bytes, key: PrivateKey) -> dict[str, object]:
    padded = SealedBox(key).decrypt(box)
    assert len(padded) % 64 == 0
    return msgspec.msgpack.decode(padded.rstrip(b"\0")[:-1])


def test_the_printed_question_is_what_we_read_and_write() -> None:
    data = printed("ask")
    question = verdicts.unpack_question(data, DEVICE.verify_key)
    assert verdicts.pack_question(question, DEVICE) == data
    told = stranger(b"kiosk-ask-1", data, DEVICE.verify_key)
    assert (told["site"], told["kiosk"], told["id"]) == ("360481", 1, bytes(range(0xB0, 0xC0)))
    assert told["key"] == bytes(ASKED.public_key)
    assert strangers_box(told["box"], POST.unseal) == {"code": "QC:7f3a9c", "kind": "city", "number": ""}
    assert seal.open_box(POST, question.box)["code"] == "QC:7f3a9c"


def test_the_printed_answer_is_what_we_read_and_write() -> None:
    data = printed("answer")
    answer = verdicts.unpack_answer(data, POST.sign.verify_key)
    assert verdicts.pack_answer(answer, POST.sign) == data
    assert verdicts.unseal(answer.box, ASKED) == RED
    told = stranger(b"kiosk-answer-1", data, POST.sign.verify_key)
    assert told["id"] == bytes(range(0xB0, 0xC0))
    assert strangers_box(told["box"], ASKED) == {"colour": "red", "number": person(1).number}


def test_nobody_on_the_way_learns_code_colour_or_number() -> None:
    whole = printed("ask") + printed("answer")
    for word in (b"QC:7f3a9c", b"city", b"red", b"colour", person(1).number.encode()):
        assert word not in whole


@pytest.mark.parametrize("colour", ["green", "yellow", "red", "unknown"])
@pytest.mark.parametrize("number", ["", "K1234567", person(2).number])
def test_all_answers_to_a_question_have_one_length(colour: str, number: str) -> None:
    box = verdicts.seal(Verdict(Colour(colour), number), bytes(ASKED.public_key))
    assert len(box) == 48 + 64
    assert verdicts.unseal(box, ASKED) == Verdict(Colour(colour), number)


def test_another_key_opens_and_signs_nothing() -> None:
    with pytest.raises(FrameError, match="box"):
        verdicts.unseal(verdicts.seal(RED, bytes(ASKED.public_key)), PrivateKey.generate())
    with pytest.raises(FrameError, match="signature"):
        verdicts.unpack_answer(verdicts.pack_answer(Answer(id=bytes(16), box=b""), DEVICE), POST.sign.verify_key)
    with pytest.raises(FrameError, match="signature"):
        verdicts.unpack_question(printed("ask"), POST.sign.verify_key)


@pytest.mark.parametrize("content", [{"colour": "blue"}, {"colour": "none"}, {"number": "1"}, [], "red"])
def test_a_box_that_holds_no_verdict_is_named(content: object) -> None:
    box = SealedBox(ASKED.public_key).encrypt(seal.pad(msgspec.msgpack.encode(content)))
    with pytest.raises(FrameError, match=r"box|colour"):
        verdicts.unseal(box, ASKED)


@given(st.data())
def test_no_changed_byte_goes_unnoticed(data: st.DataObject) -> None:
    for whole, check in (
        (printed("ask"), lambda raw: verdicts.unpack_question(raw, DEVICE.verify_key)),
        (printed("answer"), lambda raw: verdicts.unpack_answer(raw, POST.sign.verify_key)),
    ):
        at, flip = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(1, 255))
        with pytest.raises(FrameError):
            check(whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :])


@given(st.binary(max_size=300))
def test_noise_is_a_frame_error(noise: bytes) -> None:
    for check in (
        verdicts.peek_question,
        lambda raw: verdicts.unpack_answer(raw, POST.sign.verify_key),
        lambda raw: verdicts.unseal(raw, ASKED),
    ):
        with pytest.raises(FrameError):
            check(noise)


def test_a_key_nothing_can_be_sealed_to_is_named() -> None:
    with pytest.raises(FrameError, match="key"):
        verdicts.seal(RED, bytes(32))


def test_a_verdict_shows_nothing_of_itself() -> None:
    assert RED.number not in repr(RED)
    assert "red" not in f"{RED}"
    question = Question(site="360481", kiosk=1, id=bytes(16), box=b"", key=bytes(ASKED.public_key))
    assert verdicts.peek_question(verdicts.pack_question(question, DEVICE)) == question
