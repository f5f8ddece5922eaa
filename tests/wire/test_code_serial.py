import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.drivers.code_serial.codec import GM65_ACK, MAX_BYTES, SerialCodec
from kiosk.drivers.codes import TOO_LONG, CodeEvent
from kiosk.events import CodeFailed, CodeScanned
from kiosk.recognise import MAX_TEXT

LONG = CodeFailed(TOO_LONG)


def decode(*chunks: bytes, idle: bool = False) -> list[CodeEvent]:
    codec = SerialCodec()
    events = [event for chunk in chunks for event in codec.feed(chunk)]
    return events + (codec.idle() if idle else [])


def texts(*found: str) -> list[CodeEvent]:
    return [CodeScanned(text) for text in found]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        ("48 43 31 3A 30 3A 61 0D", "HC1:0:a"),  # DE2120: CR
        ("48 43 31 3A 30 3A 61 0A", "HC1:0:a"),
        ("48 43 31 3A 30 3A 61 0D 0A", "HC1:0:a"),  # Honeywell, Newland: CR LF
        ("02 00 00 01 00 33 31 48 43 31 3A 30 3A 61 0D 0A", "HC1:0:a"),  # GM65 in command trigger mode
        ("02 00 00 01 00 33 31 33 31 0D", "31"),  # a text that looks like the rest of it
        ("06 48 43 31 3A 30 3A 61 0D", "HC1:0:a"),  # ACK of the last command
        ("15 48 43 31 3A 30 3A 61 0D", "HC1:0:a"),  # NAK
        ("48 43 31 06 3A 30 3A 61 0D", "HC1:0:a"),
        ("02 48 43 31 3A 30 3A 61 03", "HC1:0:a"),  # STX text ETX
        ("02 48 43 31 3A 30 3A 61 03 0D 0A", "HC1:0:a"),
        ("00 00 48 43 31 3A 30 3A 61 09 0D", "HC1:0:a"),  # wake-up NULs, TAB suffix
        ("5B 29 3E 1E 30 36 1D 41 1E 04 0D", "[)>\x1e06\x1dA\x1e"),  # ISO/IEC 15434 envelope
        ("EF BB BF 61 0D", "a"),  # UTF-8 byte order mark
        ("E6 9C 9D E9 98 B3 0D", "朝阳"),  # UTF-8
        ("B3 AF D1 F4 0D", "朝阳"),  # GBK, the factory setting of a DE2120
        ("02 00 00 01 00 33 31 B3 AF D1 F4 0D", "朝阳"),
        ("95 32 82 36 0D", "𠀀"),  # four bytes of GB18030, with digits in them
        ("B3 15 AF 06 0D", "朝"),  # an ACK within a character cannot hurt it
    ],
)
def test_golden_streams(stream: str, expected: str):
    assert decode(bytes.fromhex(stream)) == texts(expected)


@pytest.mark.parametrize(
    "stream", ["", "0D", "0D 0A 0D 0A", "06", "15 0D", "02 00 00 01 00 33 31 0D", "20 09 0D", "02 03"]
)
def test_nothing_to_read_says_nothing(stream: str):
    assert decode(bytes.fromhex(stream), idle=True) == []


def test_a_text_without_terminator_ends_with_silence():
    codec = SerialCodec()
    assert not codec.pending
    assert codec.feed(b"HC1:0:") == codec.feed(b"a") == []
    assert codec.pending
    assert codec.idle() == texts("HC1:0:a")
    assert not codec.pending
    assert codec.idle() == []


def test_silence_within_an_acknowledgement_does_not_break_it():
    for split in range(1, len(GM65_ACK) + 1):
        codec = SerialCodec()
        assert codec.feed(GM65_ACK[:split]) == codec.idle() == []
        assert codec.feed(GM65_ACK[split:] + b"HC1:0:a\r") == texts("HC1:0:a")


def test_what_is_no_text_is_refused():
    assert decode(b"\xff\xff\r") == [CodeFailed("neither UTF-8 nor GB18030")]
    assert decode("\ue000".encode() + b"\r") == [CodeFailed("noise, no text")]


def test_the_longest_text_in_the_widest_encoding():
    text = "𠀀" * MAX_TEXT
    assert len(text.encode("gb18030")) == len(text.encode()) == MAX_BYTES
    for encoding in ("utf-8", "gb18030"):
        assert decode(GM65_ACK + text.encode(encoding) + b"\r") == texts(text)
        assert decode(text.encode(encoding) + b"a\r") == [LONG]
    assert decode(b"a" * MAX_TEXT + b"\r") == texts("a" * MAX_TEXT)
    assert decode(b"a" * (MAX_TEXT + 1) + b"\rb\r") == [LONG, CodeScanned("b")]


@pytest.mark.parametrize("chunk", [1000, 4096, 20_000_000])
def test_a_ten_megabyte_barcode_is_refused_once_and_the_next_code_is_read(chunk: int):
    codec = SerialCodec()
    stream = b"A1" * 5_000_000 + b"\rHC1:0:good\r"
    events = []
    for start in range(0, len(stream), chunk):
        events += codec.feed(stream[start : start + chunk])
        assert len(codec._line) <= MAX_BYTES
    assert events == [LONG, CodeScanned("HC1:0:good")]


def test_silence_ends_a_refused_text_too():
    codec = SerialCodec()
    assert codec.feed(b"A" * 10_000) == [LONG]
    assert codec.pending
    assert codec.idle() == []
    assert codec.feed(b"HC1:0:good\r") == texts("HC1:0:good")


def test_any_number_of_acknowledgements_before_a_text_is_no_text():
    assert decode((b"\x00\x06\x15" + GM65_ACK) * 5000 + b"HC1:0:good\r") == texts("HC1:0:good")


PIECES = st.one_of(
    st.binary(max_size=30),
    st.text(max_size=20).map(str.encode),
    st.text("朝阳门社区𠀀aA1", max_size=20).map(lambda text: text.encode("gb18030")),
    st.sampled_from([GM65_ACK, b"\r", b"\n", b"\r\n", b"\x03", b"\x06", b"\x15", GM65_ACK[:4], b"x" * 700]),
)


@given(st.lists(PIECES, max_size=20).map(b"".join), st.data())
def test_any_split_of_any_stream_gives_the_same_codes(stream: bytes, data: st.DataObject):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    chunks = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    whole = decode(stream, idle=True)
    assert decode(*chunks, idle=True) == whole
    assert decode(*(bytes([byte]) for byte in stream), idle=True) == whole


@given(st.text("朝阳门社区𠀀aA1:_- ", max_size=60), st.sampled_from(["utf-8", "gb18030"]), st.integers(0, 60))
def test_stripping_an_acknowledgement_never_damages_a_text(text: str, encoding: str, place: int):
    ack = random.Random(place).choice([GM65_ACK, b"\x06", b"\x15", b"\x00"])
    place = min(place, len(text))
    mixed = text[:place].encode(encoding) + ack + text[place:].encode(encoding) + b"\r"
    clean = text.encode(encoding) + b"\r"
    assert decode(mixed) == decode(clean)
    if encoding == "utf-8" and text.strip():
        assert decode(clean) == texts(text.strip())


def test_random_bytes_for_long_leave_no_trace():
    rng = random.Random(1)
    codec = SerialCodec()
    for _ in range(500):
        for event in codec.feed(rng.randbytes(4096)):
            assert isinstance(event, CodeScanned | CodeFailed)
        assert len(codec._line) <= MAX_BYTES
    codec.feed(b"\r")
    assert codec.feed(b"HC1:0:good\r") == texts("HC1:0:good")
