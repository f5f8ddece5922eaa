"""The frame codec against the bytes printed in docs/protocol.md and a decoder written from that page alone."""

import hashlib
import re
import zlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from kiosk import frames
from kiosk.frames import Ack, FrameError

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()
DEVICE = SigningKey(bytes(range(32)))
POST = SigningKey(bytes(range(32, 64)))
EPOCH = bytes(range(1, 9))
KID = bytes.fromhex(re.search(r"^kid +([0-9a-f]+)$", PAGE, re.MULTILINE)[1])


def printed(name: str) -> bytes:
    return bytes.fromhex(re.search(rf"```hex {name}\n(.*?)```", PAGE, re.DOTALL)[1])


FRAME, ACK, STATE = printed("frame"), printed("ack"), printed("state")


# Written from the page: nothing of kiosk.frames in here.
def stranger(label: bytes, data: bytes, key: bytes) -> dict[str, Any]:
    payload, signature = msgspec.msgpack.decode(data)
    VerifyKey(key).verify(label + b"\0" + payload, signature)
    return msgspec.msgpack.decode(payload)


def strangers_facts(data: bytes, key: bytes) -> tuple[dict[str, Any], list[tuple[int, bytes, bytes]]]:
    head = stranger(b"kiosk-frame-1", data, key)
    chain, facts = head["prev"], []
    for seq, (id_, body) in enumerate(msgspec.msgpack.decode(zlib.decompress(head["facts"])), head["first"]):
        chain = hashlib.sha256(chain + id_ + body).digest()
        facts.append((seq, id_, body))
    assert chain == head["tip"]
    assert len(facts) == head["count"]
    return head, facts


def rows(bodies: list[bytes], first: int = 1, prev: bytes | None = None) -> tuple[bytes, list[frames.Fact]]:
    start = chain = frames.genesis(EPOCH) if prev is None else prev
    out = []
    for seq, body in enumerate(bodies, first):
        id_ = seq.to_bytes(16)
        chain = frames.link(chain, id_, body)
        out.append(frames.Fact(seq, id_, chain, body))
    return start, out


def pack(bodies: list[bytes], first: int = 1, prev: bytes | None = None) -> bytes:
    start, facts = rows(bodies, first, prev)
    return frames.pack(facts, site="360481", kiosk=1, epoch=EPOCH, prev=start, kid=KID, key=DEVICE)


def forge(payload: dict[str, Any], key: SigningKey = DEVICE, label: bytes = b"kiosk-frame-1\0") -> bytes:
    raw = msgspec.msgpack.encode(payload)
    return msgspec.msgpack.encode([raw, key.sign(label + raw).signature])


def changed(**changes: Any) -> bytes:
    return forge(msgspec.msgpack.decode(msgspec.msgpack.decode(FRAME)[0]) | changes)


def read(data: bytes) -> list[frames.Fact]:
    return frames.unpack(data, DEVICE.verify_key).unfold()


def test_the_printed_frame_is_what_we_read_and_write() -> None:
    facts = read(FRAME)
    for fact in facts:
        for name, value in (("id", fact.id), ("body", fact.body), ("chain", fact.chain)):
            assert re.search(rf"^{name}\({fact.seq}\) +{value.hex()}$", PAGE, re.MULTILINE)
    assert re.search(rf"^chain\(0\) +{frames.genesis(EPOCH).hex()}$", PAGE, re.MULTILINE)
    ours = frames.pack(facts, site="360481", kiosk=1, epoch=EPOCH, prev=frames.genesis(EPOCH), kid=KID, key=DEVICE)
    assert strangers_facts(ours, bytes(DEVICE.verify_key)) == strangers_facts(FRAME, bytes(DEVICE.verify_key))
    if frames.peek(ours).facts == frames.peek(FRAME).facts:  # another zlib may choose other bytes
        assert ours == FRAME


def test_the_printed_acknowledgement_is_what_we_read_and_write() -> None:
    ack = frames.unpack_ack(ACK, POST.verify_key)
    assert ack == Ack(epoch=EPOCH, upto=2, missing=((4, 6),), hub=bytes(range(0xA1, 0xA9)), now=1700000001000)
    assert frames.pack_ack(ack, POST) == ACK
    assert stranger(b"kiosk-ack-1", ACK, bytes(POST.verify_key))["upto"] == 2


def test_the_printed_state_is_what_we_read_and_write() -> None:
    state = frames.unpack_state(STATE)
    assert (state.online, state.head, state.depth, state.issues) == (True, 2, 2, ("printer",))
    assert frames.pack_state(state, DEVICE) == STATE
    assert stranger(b"kiosk-state-1", STATE, bytes(DEVICE.verify_key))["key"] == bytes(DEVICE.verify_key)


def test_the_printed_keys_are_those_of_the_printed_seeds() -> None:
    assert bytes(DEVICE.verify_key).hex() in PAGE
    assert bytes(POST.verify_key).hex() in PAGE


@given(
    st.lists(st.binary(max_size=300), min_size=1, max_size=100),
    st.integers(1, 2**40),
    st.binary(min_size=32, max_size=32),
)
def test_a_stranger_reads_what_we_write(bodies: list[bytes], first: int, prev: bytes) -> None:
    start = None if first == 1 else prev
    data = pack(bodies, first, start)
    head, facts = strangers_facts(data, bytes(DEVICE.verify_key))
    assert (head["first"], [body for _, _, body in facts]) == (first, bodies)
    assert [(f.seq, f.id, f.body) for f in read(data)] == facts


@given(st.data())
def test_no_changed_byte_goes_unnoticed(data: st.DataObject) -> None:
    for whole, check in (
        (FRAME, read),
        (ACK, lambda raw: frames.unpack_ack(raw, POST.verify_key)),
        (STATE, frames.unpack_state),
    ):
        at, flip = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(1, 255))
        with pytest.raises(FrameError):
            check(whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :])
        with pytest.raises(FrameError):
            check(whole[:at])


@given(st.binary(max_size=400))
def test_noise_is_a_frame_error(noise: bytes) -> None:
    for check in (read, frames.peek, frames.unpack_state, lambda raw: frames.unpack_ack(raw, POST.verify_key)):
        with pytest.raises(FrameError):
            check(noise)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"v": 2}, "v: version 2, expected 1"),
        ({"site": "36048"}, r"\$.site"),
        ({"site": "360481\n"}, r"\$.site"),
        ({"kiosk": 100}, r"\$.kiosk"),
        ({"epoch": b"short"}, r"\$.epoch"),
        ({"first": 0}, r"\$.first"),
        ({"first": 2**63}, r"\$.first"),
        ({"count": 101}, r"\$.count"),
        ({"count": 3}, "facts: 2 of them, the header says 3"),
        ({"prev": bytes(32)}, "prev: the chain does not begin at its epoch"),
        ({"first": 2, "prev": bytes(32)}, "tip: the chain"),
        ({"tip": bytes(32)}, "tip: the chain"),
        ({"tip": b""}, r"\$.tip"),
        ({"facts": "text"}, r"\$.facts"),
        ({"facts": b"no zlib"}, "not a zlib stream"),
        ({"facts": zlib.compress(b"\x90") + b"!"}, "bytes after the end"),
        ({"facts": zlib.compress(bytes(1000))[:-3]}, "cut short"),
        ({"facts": zlib.compress(bytes(2**20 + 1))}, "more than 1048576 bytes"),
        ({"facts": zlib.compress(bytes(2**28))}, "more than 1048576 bytes"),
        ({"facts": zlib.compress(b"\x91" * 2**20)}, "facts: "),
        ({"facts": zlib.compress(msgspec.msgpack.encode([[b"short", b""]] * 2))}, "facts: "),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(FrameError, match=says):
        read(changed(**changes))


def test_unknown_keys_are_ignored_even_deep_ones() -> None:
    assert read(changed(later="more")) == read(FRAME)
    deep = b"\x91" * 100_000 + b"\xc0"
    payload = msgspec.msgpack.decode(FRAME)[0]
    nested = bytes([payload[0] + 1]) + payload[1:] + b"\xa5later" + deep
    with pytest.raises(FrameError):
        frames.peek(msgspec.msgpack.encode([nested, bytes(64)]))
    with pytest.raises(FrameError):
        frames.peek(deep)


def test_another_key_or_another_kind_of_message_is_no_signature() -> None:
    with pytest.raises(FrameError, match="signature"):
        frames.unpack(FRAME, POST.verify_key)
    payload = msgspec.msgpack.decode(msgspec.msgpack.decode(STATE)[0])
    with pytest.raises(FrameError, match="signature"):
        frames.unpack_state(forge(payload))
    with pytest.raises(BadSignatureError):
        stranger(b"kiosk-ack-1", FRAME, bytes(DEVICE.verify_key))


def test_an_acknowledgement_says_nothing_of_what_it_has() -> None:
    for missing in ([[2, 3]], [[5, 4]], [[1, 1]] * 65):
        payload = msgspec.msgpack.decode(msgspec.msgpack.decode(ACK)[0]) | {"missing": missing}
        with pytest.raises(FrameError, match="missing"):
            frames.unpack_ack(forge(payload, POST, b"kiosk-ack-1\0"), POST.verify_key)


def test_frames_that_none_would_take_are_not_written() -> None:
    with pytest.raises(FrameError, match="count: 101"):
        pack([b""] * 101)
    with pytest.raises(FrameError, match="count: 0"):
        pack([])
    with pytest.raises(FrameError, match="facts: "):
        pack([bytes(2**20)])
    assert len(read(pack([bytes(2**20 - 100)]))[0].body) == 2**20 - 100


def test_texts_hold_no_content() -> None:
    with pytest.raises(FrameError) as caught:
        frames.peek(forge({"v": 1, "site": "张三丰的号码"}))
    assert "张三丰" not in str(caught.value)


@given(st.lists(st.integers(0, 2 * frames.MAX_BODIES), max_size=250))
def test_a_frame_takes_as_many_rows_as_fit_and_never_none(sizes: list[int]) -> None:
    rows = [frames.Row(seq, b"", b"", bytes(size)) for seq, size in enumerate(sizes, 1)]
    count = frames.fitting(rows)
    assert (count > 0) == bool(rows)
    assert count <= frames.MAX_FACTS
    assert count <= 1 or sum(sizes[:count]) <= frames.MAX_BODIES
    assert count in (len(rows), frames.MAX_FACTS) or sum(sizes[: count + 1]) > frames.MAX_BODIES
