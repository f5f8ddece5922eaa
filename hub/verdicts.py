"""What the command post knows of health codes, and its answers to the kiosks' questions about them.

A table of codes stands in for the city's code service: who has that service writes another `Answers.answer`. Codes lie
in the database as SHA-256, colours and numbers sealed to our own key.
"""

import csv
import hashlib
import logging
from collections.abc import Iterator
from pathlib import Path

import msgspec
from nacl.signing import VerifyKey

from hub.commands import Message
from hub.store import Store
from kiosk import frames, seal, verdicts
from kiosk.domain import Colour
from kiosk.frames import FrameError
from kiosk.seal import PrivateKeys, SealError
from kiosk.verdicts import Answer, Verdict

log = logging.getLogger(__name__)

COLUMNS = ("code", "colour", "number")
COLOURS = (Colour.GREEN, Colour.YELLOW, Colour.RED)


class VerdictsError(ValueError):
    """A table cannot be used; the text names the line, without what it holds."""


def read(path: Path) -> Iterator[tuple[str, Verdict]]:
    """Code and verdict of each row of a CSV (UTF-8) with the columns code, colour and, where it is known, number: the
    holder's document number.

    Raises VerdictsError, OSError."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            if missing := [name for name in COLUMNS[:2] if name not in (rows.fieldnames or ())]:
                raise VerdictsError(f"line 1: no column {missing[0]}, expected {', '.join(COLUMNS)}")
            for row in rows:
                code, colour = (row["code"] or "").strip(), (row["colour"] or "").strip().lower()
                if not code:
                    raise VerdictsError(f"line {rows.line_num}: the code is empty")
                if colour not in COLOURS:
                    raise VerdictsError(f"line {rows.line_num}: the colour must be {', '.join(COLOURS)}")
                number = seal.normal_number(row.get("number") or "")
                if len(number) > verdicts.MAX_NUMBER:
                    raise VerdictsError(f"line {rows.line_num}: the number is longer than any document's")
                yield code, Verdict(Colour(colour), number)
    except (UnicodeDecodeError, csv.Error) as error:
        raise VerdictsError(f"no CSV in UTF-8: {type(error).__name__}") from None


def keep(store: Store, private: PrivateKeys, rows: Iterator[tuple[str, Verdict]]) -> int:
    """Adds these to the table; what it said of the same code before is replaced. Runs inside a transaction."""
    count, key = 0, bytes(private.public.seal)
    for code, verdict in rows:
        store.rows("INSERT OR REPLACE INTO verdict VALUES (?, ?)", _name(code), verdicts.seal(verdict, key))
        count += 1
    return count


def _name(code: str) -> bytes:
    return hashlib.sha256(code.encode()).digest()


class Answers:
    """Answers questions out of the store's table, in the command post's name."""

    def __init__(self, store: Store, private: PrivateKeys) -> None:
        self._store = store
        self._private = private

    def answer(self, topic: str, data: bytes) -> Message | None:
        """The answer to a message of that topic; None for one that is no question of a kiosk we know."""
        try:
            claim = verdicts.peek_question(data)
            key = self._store.key(claim.site, claim.kiosk)
            if key is None or frames.topic(claim.site, claim.kiosk, "ask") != topic:
                raise FrameError("it names another kiosk than its topic, or one whose key is not known")
            question = verdicts.unpack_question(data, VerifyKey(key))
            content = seal.open_box(self._private, question.box)
            code = msgspec.convert(content.get("code"), str)
            box = verdicts.seal(self._find(code), question.key)
        except (FrameError, SealError, msgspec.ValidationError) as error:
            log.warning("%s: a question cannot be answered: %s", topic, error)
            return None
        return Message(
            frames.topic(question.site, question.kiosk, "answer"),
            verdicts.pack_answer(Answer(id=question.id, box=box), self._private.sign),
        )

    def _find(self, code: str) -> Verdict:
        row = self._store.rows("SELECT box FROM verdict WHERE code = ?", _name(code)).fetchone()
        return verdicts.unseal(bytes(row[0]), self._private.unseal) if row else Verdict(Colour.UNKNOWN)
