"""The SDT protocol of ID-card reader modules (GA 450) as bytes; both ends of the line. No I/O.

A frame is the preamble AA AA AA 96 69, a big-endian length (what follows it, checksum included), the body and the
XOR of everything after the preamble. A request's body is command, parameter and data; a response's is SW1, SW2, SW3
and data. SW1 and SW2 are the card's and only relayed: SW3 alone decides.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Self

PREAMBLE = b"\xaa\xaa\xaa\x96\x69"
MAX_LENGTH = 2400  # the longest real one is 2314: text, photo and two fingerprints


class Command(IntEnum):
    """Command and parameter byte as one number."""

    RESET = 0x10FF
    STATUS = 0x11FF
    SAM_ID = 0x12FF
    FIND = 0x2001
    SELECT = 0x2002
    READ = 0x3001  # text and photo; there is no command for the text alone
    NEWEST_ADDRESS = 0x3003
    READ_FINGERPRINT = 0x3010  # text, photo and fingerprints


class Status(IntEnum):
    """SW3, with what it means."""

    meaning: str

    def __new__(cls, code: int, meaning: str = "") -> Self:
        status = int.__new__(cls, code)
        status._value_ = code
        status.meaning = meaning
        return status

    BAD_CHECKSUM = 0x10, "the reader received a wrong checksum"
    BAD_LENGTH = 0x11, "the reader received a wrong length"
    BAD_COMMAND = 0x21, "the reader does not know this command"
    NOT_PERMITTED = 0x23, "not permitted"
    UNRECOGNISED = 0x24, "unrecognised error"
    SAM_REJECTED = 0x31, "the card does not accept the reader's SAM"
    CARD_REJECTED = 0x32, "the SAM does not accept the card"
    BAD_INFORMATION = 0x33, "the card's information fails verification"
    BAD_FINGERPRINT = 0x37, "fingerprint verification error"
    BAD_INFORMATION_LENGTH = 0x3F, "the card's information has a wrong length"
    UNKNOWN_CARD = 0x40, "unknown type of card"
    READ_FAILED = 0x41, "reading the card failed"
    NO_RANDOM = 0x47, "no random number from the card"
    SELF_CHECK_FAILED = 0x60, "the SAM failed its self-check"
    NOT_AUTHORISED = 0x66, "the SAM is not authorised"
    NOT_FOUND = 0x80, "no card found"
    SELECT_FAILED = 0x81, "selecting the card failed"
    OK = 0x90, "success"
    NO_SUCH_ITEM = 0x91, "the card has no such item"
    FOUND = 0x9F, "card found"


@dataclass(frozen=True, slots=True)
class Request:
    """``command``: a Command, or on the reader's side whatever two bytes came."""

    command: int
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """One answer of the reader. ``data`` may hold personal data and stays out of the text form."""

    sw3: int
    data: bytes = field(default=b"", repr=False)
    sw1: int = 0
    sw2: int = 0

    @property
    def status(self) -> Status | None:
        """What SW3 says, None for a code nobody has documented."""
        return Status(self.sw3) if self.sw3 in _STATUS_CODES else None

    @property
    def meaning(self) -> str:
        """For logs and technicians, such as ``reading the card failed (41)``."""
        status = self.status
        return f"{status.meaning if status else 'unknown status'} ({self.sw3:02X})"


_STATUS_CODES = frozenset(Status)


def encode_request(request: Request) -> bytes:
    return _frame(request.command.to_bytes(2) + request.data)


def encode_response(response: Response) -> bytes:
    return _frame(bytes((response.sw1, response.sw2, response.sw3)) + response.data)


def sam_id(data: bytes) -> str:
    """The reader module's own number, such as ``05.03-20230101-0000012345-0123456789``, from the 16 bytes that answer
    SAM_ID. Raises ValueError for any other size."""
    if len(data) != 16:
        raise ValueError(f"a SAM id has 16 bytes, not {len(data)}")
    a, b, *rest = (int.from_bytes(data[i:j], "little") for i, j in ((0, 2), (2, 4), (4, 8), (8, 12), (12, 16)))
    return f"{a:02}.{b:02}-{rest[0]:08}-{rest[1]:010}-{rest[2]:010}"


class Decoder:
    """Bytes from the reader → responses, however they are cut and whatever lies between.

    Noise costs at most the frame it hits. A header made by noise may hold back what follows until as many bytes as it
    promised have come (at most MAX_LENGTH), so call ``reset`` before each request: whatever came before is stale.
    """

    def __init__(self) -> None:
        self._frames = _Frames(shortest=4)

    def feed(self, data: bytes) -> list[Response]:
        """All responses that are complete now, oldest first. Bytes of an incomplete one are kept."""
        return [Response(body[2], body[3:], body[0], body[1]) for body in self._frames.feed(data)]

    def reset(self) -> None:
        self._frames.reset()


class RequestDecoder:
    """The reader's side of the line: bytes from the host → requests."""

    def __init__(self) -> None:
        self._frames = _Frames(shortest=3)

    def feed(self, data: bytes) -> list[Request]:
        return [Request(int.from_bytes(body[:2]), body[2:]) for body in self._frames.feed(data)]


class _Frames:
    """Finds frames in a stream: hunts for the preamble, refuses implausible lengths, checks the XOR."""

    def __init__(self, shortest: int) -> None:
        self._shortest = shortest
        self._buffer = bytearray()

    def reset(self) -> None:
        self._buffer.clear()

    def feed(self, data: bytes) -> list[bytes]:
        buffer = self._buffer
        buffer += data
        bodies = []
        start = 0
        while (found := buffer.find(PREAMBLE, start)) >= 0:
            start = found
            begin = found + len(PREAMBLE)
            if len(buffer) < begin + 2:
                break
            length = int.from_bytes(buffer[begin : begin + 2])
            end = begin + 2 + length
            if not self._shortest <= length <= MAX_LENGTH:
                start = begin
            elif len(buffer) < end:
                break
            elif _xor(buffer[begin:end]) != 0:
                start = begin  # a good frame may have begun within the damaged one
            else:
                bodies.append(bytes(buffer[begin + 2 : end - 1]))
                start = end
        else:
            start = max(start, len(buffer) - len(PREAMBLE) + 1)  # the tail may be the start of a preamble
        del buffer[:start]
        return bodies


def _frame(body: bytes) -> bytes:
    content = (len(body) + 1).to_bytes(2) + body
    return PREAMBLE + content + bytes((_xor(content),))


def _xor(data: bytes | bytearray) -> int:
    """XOR of all bytes, by doubling steps: noise full of preambles must not cost a Python step per byte."""
    number, shift = int.from_bytes(data), 8
    while shift < 8 * len(data):
        number ^= number >> shift
        shift *= 2
    return number & 0xFF
