"""What is wrong with the way to the command post."""

import logging
from collections.abc import Mapping

log = logging.getLogger(__name__)

_HEARD = {"ack": "acknowledgements", "command": "commands", "answer": "answers", "roster": "rosters"}
_NO_REFUSAL = ("link", "receiver", "command", "answer", "roster")


class Troubles:
    """At most one of each kind stands."""

    def __init__(self) -> None:
        self._now: dict[str, str] = {}

    def __contains__(self, kind: str) -> bool:
        return kind in self._now

    def note(self, kind: str, text: str) -> None:
        """An issue of this kind stands, or is over when there is no text. Logged at each change."""
        if text == self._now.get(kind, ""):
            return
        if text:
            self._now[kind] = text
            log.warning("uplink: %s", text)
        else:
            log.info("uplink: over: %s", self._now.pop(kind))

    def connected(self, deaf: Mapping[str, str]) -> None:
        """``deaf``: the last part of each topic to why the broker lets us not hear it, or ""."""
        self.note("link", "")
        self.note("refused", "")
        for leaf, what in _HEARD.items():
            self.note(leaf, deaf[leaf] and f"the broker lets this kiosk hear no {what}: {deaf[leaf]}")

    @property
    def first(self) -> str | None:
        return next(iter(self._now.values()), None)

    @property
    def refusal(self) -> str | None:
        """What the broker or the command post refuses. A line that is down, or a receiver that is, refuses nothing."""
        return next((text for kind, text in self._now.items() if kind not in _NO_REFUSAL), None)
