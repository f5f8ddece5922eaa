"""A provisioning as QR codes: any order, any noise; a damaged one is named when it is scanned."""

import base64
import hashlib
import random
import re
import tomllib
import zlib
from pathlib import Path

import msgspec
import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey, VerifyKey

from kiosk import enrolment
from kiosk.drivers.code_hid.codec import HidCodec
from kiosk.drivers.code_hid.sim import presses, records
from kiosk.events import CodeScanned
from kiosk.provision import codes
from kiosk.provision.codes import CodeError, Collector, DamagedError
from kiosk.provision.schema import check
from kiosk.provision.sheet import code_picture

KEY = SigningKey(bytes(range(32, 64)))
ID = "ABCDEFGHIJKLMNOP"
TEXT = "version = 1\n" + "".join(f"key{n} = {random.Random(n).random()}\n" for n in range(60))


def shown(text: str = TEXT, id_: str = ID) -> list[str]:
    return codes.split(codes.seal(text, KEY), id_)


def collected(scanned: list[str]) -> bytes:
    collector = Collector()
    return [collector.feed(text).data for text in scanned][-1]


@given(st.randoms(use_true_random=False), st.integers(1, 90))
def test_any_order_and_doubles(chance: random.Random, keys: int) -> None:
    text = "".join(f"key{n} = {chance.random()}\n" for n in range(keys))
    scanned = shown(text)
    assert max(map(len, scanned)) <= codes.MAX_CODE
    scanned += [chance.choice(scanned) for _ in range(3)]
    chance.shuffle(scanned)
    collector, data = Collector(), b""
    for code in scanned:
        data = collector.feed(code).data or data
    signed = codes.unseal(data)
    assert signed == (bytes(KEY.verify_key), text)


def test_progress_is_told() -> None:
    one, two, *rest = shown()
    assert len(rest) >= 1
    total = 2 + len(rest)
    collector = Collector()
    assert collector.feed(two) == codes.Progress(1, total)
    assert collector.feed(two) == codes.Progress(1, total, known=True)
    assert collector.feed(one) == codes.Progress(2, total)
    other = shown(id_="P" * 16)
    assert collector.feed(other[0]) == codes.Progress(1, total, anew=True)
    assert collector.feed(one) == codes.Progress(1, total, anew=True)


def test_letters_in_any_case() -> None:
    assert collected([code.swapcase() for code in shown()]) == codes.seal(TEXT, KEY)


def test_a_keyboard_scanner_types_them() -> None:
    codec = HidCodec(0.15)
    for code in shown():
        assert codec.feed(records(presses(code), 0)) == [CodeScanned(code)]


def test_a_scanner_reads_the_pictures() -> None:
    read = [zxingcpp.read_barcode(code_picture(code)).text for code in shown()]
    assert codes.unseal(collected(read)).text == TEXT
    modules = {(code_picture(code).width - 64) // 8 for code in shown()}
    assert max(modules) <= 65


def test_a_flipped_bit_is_named_and_what_was_collected_stays() -> None:
    one, two, *rest = shown()
    collector = Collector()
    collector.feed(one)
    for place in range(len(two)):
        for bit in range(7):
            damaged = two[:place] + chr(ord(two[place]) ^ 1 << bit) + two[place + 1 :]
            if damaged.upper() == two:
                continue
            with pytest.raises(CodeError) as caught:
                collector.feed(damaged)
            if place > codes.MAX_CODE - 300 and damaged[place].upper() in "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567":
                assert str(caught.value) == f"code 2 of {2 + len(rest)}: damaged: scan it again"
    assert codes.unseal([collector.feed(code) for code in (two, *rest)][-1].data).text == TEXT


@pytest.mark.parametrize("cut", [1, 2, 5, 8, 100, 370])
def test_a_truncated_code_is_named(cut: int) -> None:
    with pytest.raises(DamagedError, match="scan it again"):
        Collector().feed(shown()[0][:-cut])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("HC1:0:abc", r"code: found 'HC1:0:AB', expected KP1:…: no provisioning code"),
        ("", "no provisioning code"),
        ("KP2:X", "made by a newer program: update this kiosk"),
        (f"KP1:{ID}:0/3:AAAA", "code 0/3: found 0 of 3, expected at most 32 codes"),
        (f"KP1:{ID}:3/2:AAAA", "code 3/2: found 3 of 2"),
        (f"KP1:{ID}:1/33:AAAA", "code 1/33: found 1 of 33"),
        (f"KP1:{ID}:1/1:", "damaged"),
        (f"KP1:{ID}:1/1:AAA", "cut short"),
        ("KP1:ABC:1/1:AAAA", "damaged or cut short"),
    ],
)
def test_what_is_no_code_is_told(text: str, why: str) -> None:
    with pytest.raises(CodeError, match=re.escape(why) if "(" in why or "[" in why else why):
        Collector().feed(text)


@given(st.text(max_size=500))
def test_noise_is_refused(text: str) -> None:
    with pytest.raises(CodeError):
        Collector().feed(text)


def forged(label: bytes = b"kiosk-provision-1\0", **changes: object) -> bytes:
    payload = msgspec.msgpack.decode(msgspec.msgpack.decode(codes.seal(TEXT, KEY))[0]) | changes
    raw = msgspec.msgpack.encode(payload)
    return msgspec.msgpack.encode((raw, KEY.sign(label + raw).signature))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (forged(v=2), "v: found 2, expected 1: it was made by a newer program: update this kiosk"),
        (forged(v="1"), "payload: "),
        (forged(label=b"kiosk-command-1\0"), "signature: not made by this key"),
        (forged(key=bytes(SigningKey.generate().verify_key)), "signature: not made by this key"),
        (forged(key=b"short"), "payload: "),
        (forged(toml=b"no stream"), "toml: not a text in a zlib stream"),
        (forged(toml=zlib.compress(b"\xff\xfe")), "toml: not a text in a zlib stream"),
        (forged(toml=zlib.compress(bytes(codes.MAX_TEXT + 1))), "toml: not one whole zlib stream"),
        (forged(toml=zlib.compress(b"a") + b"b"), "toml: not one whole zlib stream"),
        (b"", "envelope: "),
        (b"\x90", "envelope: "),
    ],
)
def test_a_forged_envelope_is_told(data: bytes, why: str) -> None:
    with pytest.raises(CodeError, match=why):
        codes.unseal(data)


@given(st.integers(0, 200), st.integers(0, 7))
def test_every_bit_of_the_envelope_counts(place: int, bit: int) -> None:
    data = bytearray(codes.seal("version = 1\n" * 20, KEY))
    data[place % len(data)] ^= 1 << bit
    with pytest.raises(CodeError):
        codes.unseal(bytes(data))


def test_too_much_for_codes_is_told() -> None:
    noise = base64.b64encode(random.Random(1).randbytes(12_000)).decode()
    with pytest.raises(CodeError, match="expected 1 to 32"):
        shown(noise)


# docs/protocol.md -------------------------------------------------------------------------------------------------

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text("utf-8")


def printed(kind: str, name: str) -> str:
    return re.search(rf"```{kind} {name}\n(.*?)```", PAGE, re.DOTALL)[1]


def strangers_text(scanned: list[str]) -> str:
    """Written from the page: nothing of kiosk.provision in here."""
    pieces = {}
    for code in scanned:
        head, _, tail = code.rpartition(":")
        raw = base64.b32decode(tail + "=" * (-len(tail) % 8))
        assert hashlib.sha256(f"{head}:".encode() + raw[:-4]).digest()[:4] == raw[-4:]
        pieces[int(head.split(":")[2].split("/")[0])] = raw[:-4]
    payload, signature = msgspec.msgpack.decode(b"".join(pieces[number] for number in sorted(pieces)))
    told = msgspec.msgpack.decode(payload)
    VerifyKey(told["key"]).verify(b"kiosk-provision-1\0" + payload, signature)
    return zlib.decompress(told["toml"]).decode()


def test_the_printed_codes_are_what_we_read_and_write() -> None:
    text, envelope = printed("toml", "provisioning"), bytes.fromhex(printed("hex", "provisioning"))
    scanned = ["".join(code.split()) for code in printed("text", "codes").split("\n\n")]
    assert strangers_text(scanned) == text
    assert collected(scanned) == envelope
    assert codes.unseal(envelope) == (bytes(KEY.verify_key), text)
    assert codes.split(envelope, ID) == scanned
    ours = codes.seal(text, KEY)
    assert strangers_text(codes.split(ours, ID)) == text
    assert check(tomllib.loads(text), "page").id == ID


def test_the_printed_enrolment_code_is_what_we_read_and_write() -> None:
    device = SigningKey(bytes(range(32)))
    code = "".join(printed("text", "enrolment").split())
    assert code == enrolment.code("360481", 1, device)
    _, site, number, key, signature = code.split(":")
    raw, signed = (base64.b32decode(part + "=" * (-len(part) % 8)) for part in (key, signature))
    VerifyKey(raw).verify(f"kiosk-enrol-1\0{site}:{number}:".encode() + raw, signed)
    proof = hashlib.blake2b(raw, key=ID.encode(), digest_size=16).hexdigest()
    assert f"With the id and key above: `{proof}`" in PAGE
    assert enrolment.proof(ID, device.verify_key).hex() == proof
