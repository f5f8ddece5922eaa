"""What goes up ahead of the facts: results of commands, incidents and questions."""

import logging
import time
from collections import deque
from collections.abc import Callable

from kiosk.frames import FrameError
from kiosk.uplink.link import Link
from kiosk.uplink.packing import Packing
from kiosk.uplink.questions import Questions
from kiosk.uplink.repeats import Repeats
from kiosk.verdicts import Verdict

log = logging.getLogger(__name__)


class Urgent:
    """``incidents``: sequences of their facts; ``topic``: of a last part."""

    def __init__(self, questions: Questions, packing: Packing, topic: Callable[[str], str]) -> None:
        self.results: deque[bytes] = deque(maxlen=16)
        self.incidents: Repeats[int] = Repeats()
        self.questions = questions
        self._packing = packing
        self._topic = topic

    def renew(self) -> None:
        """Over a fresh connection all is said again that nobody has answered."""
        self.incidents.renew()
        self.questions.repeats.renew()

    @property
    def next_at(self) -> tuple[float | None, float | None]:
        return self.incidents.next_at, self.questions.repeats.next_at

    async def send(self, link: Link, mark: int) -> None:
        """``mark``: the receiver has all facts to here. Raises OSError when the connection is lost."""
        while self.results:
            link.publish(self._topic("result"), self.results[0], time.monotonic())
            self.results.popleft()
        self.incidents.keep(lambda seq: seq > mark)
        for seq in self.incidents.due(time.monotonic()):
            link.publish(self._topic("incident"), await self._packing.alone(seq), time.monotonic())
        for correlation, question in self.questions.due(time.monotonic()):
            answer = (self._topic("answer"), correlation)
            link.publish(self._topic("ask"), question, time.monotonic(), answer=answer)

    def hear(self, payload: bytes) -> tuple[bytes, Verdict] | None:
        """Digest of a code and the verdict on it, where this answers a question."""
        try:
            return self.questions.hear(payload)
        except FrameError as error:
            log.warning("uplink: an answer cannot be used: %s", error)
            return None
