"""The roster file, byte for byte: read here by what docs/roster.md says alone."""

import hashlib
import struct
import zlib

import msgspec
import pytest
from nacl.public import SealedBox
from nacl.signing import SigningKey, VerifyKey

from kiosk.domain import Category
from kiosk.roster import codec
from kiosk.roster.entry import Entry, RosterError
from kiosk.seal import PrivateKeys, Sealer
from tests.support.people import LI, ZHANG

POST = PrivateKeys.generate()
KEY = bytes(range(32))
ENTRIES = [
    Entry(row=2, name=ZHANG.name, number=ZHANG.number, place="2栋", category=Category.KEY, every=5, last=19_000),
    Entry(row=3, name=LI.name, number=LI.number, place="1栋", away=True, visit=True, start=480, end=540),
    Entry(row=70_000, name="x", number="DEU310075061206", place="1栋", site="111111", vehicle="A", arrival=27_456_990),
]


def file(sign: SigningKey = POST.sign, entries: list[Entry] = ENTRIES) -> bytes:
    sealer = Sealer(POST.public, KEY)
    return codec.make(
        entries,
        site="360481",
        made=1_650_000_000_000,
        key=sealer.key_name,
        digest=sealer.digest,
        seal=POST.public.seal,
        sign=sign,
    )


def test_a_stranger_reads_the_file_from_the_page_alone() -> None:
    data = file()
    assert data[:4] == b"KR1\n"
    length = int.from_bytes(data[4:8], "big")
    payload, signature = msgspec.msgpack.decode(data[8 : 8 + length])
    VerifyKey(bytes(POST.public.verify)).verify(b"kiosk-roster-1\0" + payload, signature)
    header = msgspec.msgpack.decode(payload)
    records = data[8 + length : 8 + length + 35 * header["count"]]
    box = data[8 + length + len(records) :]
    assert (header["v"], header["site"], header["made"], header["count"]) == (1, "360481", 1_650_000_000_000, 3)
    assert header["key"] == hashlib.sha256(b"kiosk-digest-key" + KEY).digest()[:8]
    assert header["places"] == [["1栋", 1, 1], ["2栋", 1, 0]]
    assert header["records"] == hashlib.sha256(records).digest()
    assert header["box"] == hashlib.sha256(box).digest()
    rows = [struct.unpack(">16sHBBBHHHII", records[at : at + 35]) for at in range(0, len(records), 35)]
    assert rows == sorted(rows)
    wanted = {
        ZHANG.number: (1, 1, 0, 5, 19_000, 0, 0, 0, 2),
        LI.number: (0, 0, 3, 0, 0, 480, 540, 0, 3),
        "DEU310075061206": (0, 0, 4 | 16, 0, 0, 0, 0, 27_456_990, 70_000),
    }
    digests = {
        hashlib.blake2b(number.encode(), digest_size=16, key=KEY, person=b"kiosk-number").digest(): rest
        for number, rest in wanted.items()
    }
    assert {row[0]: row[1:] for row in rows} == digests
    assert [rows[at][3] & 4 for at in header["drivers"]] == [4]
    people = msgspec.msgpack.decode(zlib.decompress(SealedBox(POST.unseal).decrypt(box)))
    assert [each["number"] for each in people] == list(wanted)


def test_the_sealed_part_may_be_left_out_and_only_the_command_post_opens_it() -> None:
    parts = codec.split(file())
    assert codec.entries(parts, POST) == ENTRIES
    bare = codec.split(codec.join(parts._replace(box=b"")))
    assert codec.header(bare, [POST.public.verify]).count == 3
    for private, which in ((POST, bare), (PrivateKeys.generate(), parts)):
        with pytest.raises(RosterError, match="sealed part is missing, or was sealed to another"):
            codec.entries(which, private)


@pytest.mark.parametrize("data", [b"", b"KR1\n", b"KR1\n\0\0\0\1x", b"KR2\n" + bytes(99), b"\x50\x4b\x03\x04"])
def test_what_is_no_roster_file_is_told(data: bytes) -> None:
    with pytest.raises(RosterError, match=r"no (whole )?roster file"):
        codec.split(data)


def test_a_roster_of_nobody_or_of_too_many_places_is_not_made() -> None:
    with pytest.raises(RosterError, match="found 0 people"):
        file(entries=[])
    many = [Entry(row=n + 1, name="x", number=f"{n}", place=f"{n}") for n in range(codec.MAX_PLACES + 1)]
    with pytest.raises(RosterError, match="buildings and villages, expected at most"):
        file(entries=many)
