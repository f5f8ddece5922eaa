"""Questions about opaque health codes and the command post's verdicts (docs/protocol.md). Pure.

The broker learns nothing from them: the code is sealed to the command post, the verdict to a key that was made for this
one question, and both are padded.
"""

from typing import Annotated

import msgspec
from msgspec import Meta
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox
from nacl.signing import SigningKey, VerifyKey

from kiosk import frames
from kiosk.domain import Colour, Private
from kiosk.frames import FrameError, Hash, Number, SiteCode
from kiosk.seal import pad, unpad

MAX_BOX = 4096
"""Bytes of a sealed code, or of a sealed verdict."""
MAX_NUMBER = 64
"""Characters of a document number."""

_QUESTION = b"kiosk-ask-1\0"
_ANSWER = b"kiosk-answer-1\0"

Id = Annotated[bytes, Meta(min_length=16, max_length=16)]
Box = Annotated[bytes, Meta(max_length=MAX_BOX)]


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """``id``: random, names the question; ``box``: the code as it is in the facts, sealed to the command post; ``key``:
    X25519, whom the verdict must be sealed to."""

    v: int = frames.VERSION
    site: SiteCode
    kiosk: Number
    id: Id
    box: Box
    key: Hash


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """``id``: of the question; ``box``: a Verdict, sealed to the question's key."""

    v: int = frames.VERSION
    id: Id
    box: Box


class Verdict(Private, msgspec.Struct, frozen=True):
    """``colour``: of the code now, "unknown" where the command post does not know it; ``number``: its holder's document
    number, or ""."""

    colour: Colour
    number: Annotated[str, Meta(max_length=MAX_NUMBER)] = ""

    __repr__ = Private.__repr__
    __str__ = Private.__repr__


def pack_question(question: Question, key: SigningKey) -> bytes:
    return frames.sign(_QUESTION, question, key)


def peek_question(data: bytes) -> Question:
    """The question as it claims to be, before its signer is known. Raises FrameError."""
    return frames.claim(data, Question)


def unpack_question(data: bytes, key: VerifyKey) -> Question:
    """Raises FrameError."""
    return frames.verify(_QUESTION, data, Question, key)


def seal(verdict: Verdict, key: bytes) -> bytes:
    """The box of an answer. Raises FrameError for a key that is none."""
    try:
        return SealedBox(PublicKey(key)).encrypt(pad(msgspec.msgpack.encode(verdict)))
    except (CryptoError, ValueError):
        raise FrameError("key: nothing can be sealed to it") from None


def unseal(box: bytes, key: PrivateKey) -> Verdict:
    """Raises FrameError."""
    try:
        verdict = msgspec.msgpack.decode(unpad(SealedBox(key).decrypt(box)), type=Verdict)
    except (CryptoError, msgspec.MsgspecError, ValueError, TypeError):
        raise FrameError("box: sealed to another key, or no verdict") from None
    if verdict.colour is Colour.NONE:
        raise FrameError("colour: a code that was shown has one, or is unknown")
    return verdict


def pack_answer(answer: Answer, key: SigningKey) -> bytes:
    return frames.sign(_ANSWER, answer, key)


def unpack_answer(data: bytes, key: VerifyKey) -> Answer:
    """Raises FrameError."""
    return frames.verify(_ANSWER, data, Answer, key)
