"""What the command post is asked about codes and has not answered. In RAM only: after a restart the journal tells what
to ask anew, and an answer to a question of before finds nobody."""

import secrets
from typing import NamedTuple

from nacl.public import PrivateKey
from nacl.signing import SigningKey

from kiosk import verdicts
from kiosk.domain import Subject
from kiosk.seal import PublicKeys
from kiosk.uplink.repeats import Repeats
from kiosk.verdicts import Question, Verdict


class _Asked(NamedTuple):
    code: bytes
    key: PrivateKey
    data: bytes


class Questions:
    """Makes the questions of one kiosk and opens the answers to them."""

    def __init__(self, site: str, number: int, device_key: SigningKey, public: PublicKeys) -> None:
        self._site, self._number = site, number
        self._device_key, self._public = device_key, public
        self._asked: dict[bytes, _Asked] = {}
        self.repeats: Repeats[bytes] = Repeats()

    def ask(self, code: Subject) -> None:
        """A code that is asked about already is asked about once more, at once."""
        id_ = next((id_ for id_, asked in self._asked.items() if asked.code == code.digest), b"")
        if not id_:
            id_, key = secrets.token_bytes(16), PrivateKey.generate()
            question = Question(site=self._site, kiosk=self._number, id=id_, box=code.box, key=bytes(key.public_key))
            self._asked[id_] = _Asked(code.digest, key, verdicts.pack_question(question, self._device_key))
        for gone in self.repeats.add(id_):
            del self._asked[gone]

    def due(self, now: float) -> list[tuple[bytes, bytes]]:
        """(correlation, message) of each question to send now."""
        return [(id_, self._asked[id_].data) for id_ in self.repeats.due(now)]

    def hear(self, data: bytes) -> tuple[bytes, Verdict] | None:
        """(digest of the code, verdict) of an answer; None for one that nobody waits for. Raises FrameError."""
        answer = verdicts.unpack_answer(data, self._public.verify)
        asked = self._asked.get(answer.id)
        if asked is None:
            return None
        verdict = verdicts.unseal(answer.box, asked.key)
        del self._asked[answer.id]
        self.repeats.drop(answer.id)
        return asked.code, verdict
