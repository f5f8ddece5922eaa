"""The panel of a kiosk that was not told who it is (docs/panel.md). Pure."""

from typing import Literal

import msgspec

from kiosk.domain import Signal
from kiosk.panel import ANSWERS, LAMPS, STAFF_SHOWN_MS, LampState, Panel, bar_steps

Answer = Literal["none", "taken", "anew", "damaged", "refused", "complete"]

_TONES = {"none": "off", "taken": "held", "anew": "acknowledged", "complete": "full"}
_SIGNALS = {"damaged": Signal.RETRY, "refused": Signal.REFUSED}


class Setup(msgspec.Struct, frozen=True):
    """``have`` of ``total`` codes are there. ``answer`` was given at ``answer_at`` (monotonic ms) and is number
    ``answers``."""

    have: int = 0
    total: int = 1
    answer: Answer = "none"
    answer_at: int = 0
    answers: int = 0


def show(setup: Setup, now: int) -> Panel:
    """Stop burns, wait and fault flash: nobody may scan, and something is missing. The bar tells how many codes are in;
    green is never lit."""
    lamps: dict[str, LampState] = dict.fromkeys(LAMPS, "off")
    lamps |= {"stop": "on", "wait": "blink", "fault": "blink"}
    buzzer, age = "off", now - setup.answer_at
    if (signal := _SIGNALS.get(setup.answer)) is not None:
        answer = ANSWERS[signal]
        if age < answer.shown_ms:
            lamps |= {"stop": answer.stop, "wait": answer.wait}
            buzzer = answer.buzzer
    elif age < STAFF_SHOWN_MS:
        buzzer = _TONES[setup.answer]
    return Panel(lamps, bar_steps(setup.have, setup.total), buzzer, setup.answers)
