"""Lamps, bar and buzzer as a pure function of state and time.

Position and rhythm carry the meaning, never colour alone; docs/panel.md is the table this file implements. No lamp ever
flashes more than three times a second (WCAG 2.3.1, EN 301 549); rates are those of IEC 60073 (slow 0.4-0.8 Hz, normal
1.4-2.8 Hz). All times are monotonic milliseconds.
"""

from typing import Literal, NamedTuple

import msgspec

from kiosk.domain import Signal

LampState = Literal["on", "off", "blink", "wink"]

LAMPS = ("stop", "wait", "go", "release", "alarm", "fault", "door")
BAR_STEPS = 10
SLOT_MS = 100
MIN_FLASH_MS = 334
"""From one lighting-up of a lamp to its next."""


class View(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the panel depends on. The defaults are those of a kiosk that is still starting.

    ``signal`` was given at ``signal_at`` and is number ``signal_count``. ``held``: card or code waits for its partner.
    ``accepting``: the next person may scan. ``members`` of ``group_size`` places of the open group are taken;
    ``group_empty``: nobody is in it, not even in a tube of their own. ``release_ready``: a press now releases a group.
    ``groups_waiting``: closed and not released. ``label_wait``: a closed group waits for its labels. ``alarm``: an
    incident nobody has acknowledged; ``reminder``: of something that has time, without a tone. ``door_closed``: as many
    people wait as may. ``wait_long``: somebody waits longer than they should. ``badge_until``: command codes count
    until then. ``drill``: nothing that happens counts. ``supervised``: who registers has not practised enough.
    ``faults``: issue codes that concern the desk (`kiosk.health.desk_faults`). ``hushed``: staff have acknowledged the
    faults of now, their tones are silent.
    """

    signal: Signal = Signal.NONE
    signal_at: int = 0
    signal_count: int = 0
    held: bool = False
    accepting: bool = False
    members: int = 0
    group_size: int = 10
    group_empty: bool = True
    release_ready: bool = False
    groups_waiting: int = 0
    label_wait: bool = False
    alarm: bool = False
    reminder: bool = False
    door_closed: bool = False
    wait_long: bool = False
    badge_until: int = 0
    drill: bool = False
    supervised: bool = False
    faults: tuple[str, ...] = ()
    storage_fault: bool = False
    ready: bool = False
    hushed: bool = False


class Panel(msgspec.Struct, frozen=True):
    """What the panel shows. ``bar``: lit steps, 0-10; ``last``: how many steps after them flash because exactly one
    person is missing; ``signal`` counts the answers given, so that two equal ones can be told apart."""

    lamps: dict[str, LampState]
    bar: int
    buzzer: str
    signal: int
    last: int = 0


class Answer(NamedTuple):
    """How a signal looks and sounds: stop, wait and go lamp, tone, and for how long."""

    stop: LampState
    wait: LampState
    go: LampState
    buzzer: str
    shown_ms: int


ANSWERS = {
    Signal.ACCEPTED: Answer("off", "off", "on", "accepted", 2000),
    Signal.FLAGGED: Answer("off", "on", "off", "flagged", 3000),
    Signal.HELD: Answer("off", "blink", "off", "held", 1000),
    Signal.REPEAT: Answer("blink", "off", "off", "repeat", 3000),
    Signal.REFUSED: Answer("on", "off", "off", "refused", 3000),
    Signal.RETRY: Answer("blink", "blink", "off", "retry", 2000),
    Signal.DENIED: Answer("on", "on", "off", "denied", 1500),
    Signal.TUBE: Answer("blink", "on", "off", "tube", 3000),
}
"""Answers to the person at the desk (and to a press the kiosk cannot obey)."""

STAFF_TONES = {Signal.CLOSED: "full", Signal.RELEASED: "released", Signal.ACKNOWLEDGED: "acknowledged"}
STAFF_SHOWN_MS = 2000
"""Answers to staff leave the residents' lamps alone."""

FULL_AFTER_MS = 1000
"""The tone of a full group follows the tone of its last person."""


def bar_steps(members: int, size: int) -> int:
    """Lit steps of the bar: 10 only when the group is full, at least 1 when anybody is in it."""
    if members <= 0:
        return 0
    return min(BAR_STEPS, max(1, members * BAR_STEPS // size))


def show(view: View, now: int) -> Panel:
    """What the panel shows at ``now``. A kiosk that cannot write shows stop, whatever was answered before."""
    broken = view.storage_fault or not view.ready
    age = now - view.signal_at
    stop, wait, go = _traffic_light(view, age)
    released = view.signal is Signal.RELEASED and age < STAFF_SHOWN_MS
    acknowledged = view.signal is Signal.ACKNOWLEDGED and age < STAFF_SHOWN_MS
    urgent = view.storage_fault or (bool(view.faults) and (view.label_wait or (view.ready and not view.accepting)))
    lamps: dict[str, LampState] = {
        "stop": "on" if broken else stop,
        "wait": "off" if broken else wait,
        "go": "off" if broken else go,
        "release": "off" if broken else "on" if released else "blink" if view.release_ready else _wink(view.wait_long),
        "alarm": "blink" if view.alarm or view.reminder else "on" if acknowledged else _wink(now < view.badge_until),
        "fault": "blink" if urgent else "on" if view.faults or broken else _wink(view.supervised),
        "door": "on" if view.door_closed and not broken else "off",
    }
    bar = bar_steps(view.members, view.group_size)
    last = BAR_STEPS - bar if view.members == view.group_size - 1 and not broken else 0
    return Panel(lamps, bar, _buzzer(view, age, broken), view.signal_count, last)


def _wink(so: bool) -> LampState:
    return "wink" if so else "off"


def _traffic_light(view: View, age: int) -> tuple[LampState, LampState, LampState]:
    answer = ANSWERS.get(view.signal)
    if answer is not None and age < answer.shown_ms:
        return answer.stop, answer.wait, answer.go
    if not view.accepting:
        return "on", _wink(view.drill), "off"
    return "off", "blink" if view.held else _wink(view.drill), "off"


def _buzzer(view: View, age: int, broken: bool) -> str:
    answer = ANSWERS.get(view.signal)
    if answer is not None and age >= answer.shown_ms:
        answer = None
    if broken and view.signal is not Signal.REFUSED:
        return "storage" if view.storage_fault and not view.hushed else "off"
    completed = view.signal in (Signal.ACCEPTED, Signal.FLAGGED) and view.group_empty and view.groups_waiting > 0
    if completed and FULL_AFTER_MS <= age < FULL_AFTER_MS + STAFF_SHOWN_MS:
        return "full"
    if answer is not None:
        return answer.buzzer
    if view.signal in STAFF_TONES and age < STAFF_SHOWN_MS:
        return STAFF_TONES[view.signal]
    if view.storage_fault and not view.hushed:
        return "storage"
    if view.label_wait and not view.hushed and any(fault.startswith("printer") for fault in view.faults):
        return "help"
    return "alarm" if view.alarm else "wait" if view.wait_long else "off"


STARTING = show(View(), 0)
SAFE_MODE = Panel({**STARTING.lamps, "fault": "blink"}, 0, "off", 0)
"""Of a kiosk whose program does not start."""

RHYTHMS = {  # one character is SLOT_MS
    "stop": "11000",
    "wait": "1111000",
    "go": "1111100000",
    "release": "1111100",
    "alarm": "110011000000",
    "fault": "111111111100000000",
    "door": "1111111100000000",
}
WINK_RHYTHM = "11000000000000000000"
"""Of every lamp: a mode goes on, and nobody need act now."""
BAR_LAST_RHYTHM = "111000"
BAR_NEXT_RHYTHM = "1111100000000000"


def _beat(rhythm: str, at: int) -> bool:
    return rhythm[at // SLOT_MS % len(rhythm)] == "1"


def lit(lamp: str, state: LampState, at: int) -> bool:
    """Whether a lamp burns ``at`` ms into its state."""
    match state:
        case "blink":
            return _beat(RHYTHMS[lamp], at)
        case "wink":
            return _beat(WINK_RHYTHM, at)
    return state == "on"


def bar_lit(panel: Panel, at: int) -> tuple[bool, ...]:
    """The ten steps. While people may scan, the step that comes next pulses slowly: the kiosk is alive and the place is
    free. When one person is missing, the last steps flash instead."""
    steps = [step < panel.bar for step in range(BAR_STEPS)]
    if panel.last:
        steps[panel.bar :] = [_beat(BAR_LAST_RHYTHM, at)] * panel.last
    elif panel.bar < BAR_STEPS and panel.lamps["stop"] == "off":
        steps[panel.bar] = _beat(BAR_NEXT_RHYTHM, at)
    return tuple(steps)


class Tone(NamedTuple):
    """``beats``: tick, short or long, in this order; ``every_ms``: repeated at this interval, 0 for once."""

    beats: str
    every_ms: int = 0


BEAT_MS = {"t": 50, "s": 100, "l": 600}
BEAT_GAP_MS = 100

TONES = {
    "off": Tone(""),
    "held": Tone("t"),
    "acknowledged": Tone("tt"),
    "accepted": Tone("s"),
    "repeat": Tone("ss"),
    "retry": Tone("sss"),
    "refused": Tone("l"),
    "flagged": Tone("sl"),
    "released": Tone("ls"),
    "denied": Tone("tl"),
    "tube": Tone("st"),
    "full": Tone("ssl"),
    "alarm": Tone("tst", 5_000),
    "wait": Tone("ltt", 60_000),
    "help": Tone("lll", 10_000),
    "storage": Tone("lls", 10_000),
}
"""Learnable without sight: distinct by rhythm, never by pitch."""


def buzzer_on(tone: str, at: int) -> bool:
    """Whether the buzzer sounds ``at`` ms into a tone."""
    beats, every = TONES[tone]
    if every:
        at %= every
    for beat in beats:
        if at < BEAT_MS[beat]:
            return at >= 0
        at -= BEAT_MS[beat] + BEAT_GAP_MS
    return False


class Outputs(NamedTuple):
    lamps: dict[str, bool]
    bar: tuple[bool, ...]
    buzzer: bool


class Physical:
    """Turns a series of panels into outputs: each blink begins lit, each tone at its beginning, an answer given while a
    lamp of the last one burns makes that lamp wink, and no lamp lights up twice within MIN_FLASH_MS, whatever comes."""

    WINK_MS = 100

    def __init__(self) -> None:
        self._panel = STARTING
        self._since = dict.fromkeys((*LAMPS, "bar", "buzzer"), 0)
        self._dark_until: dict[str, int] = {}
        self._burning: set[str] = set()
        self._lit_at: dict[str, int] = {}

    def step(self, panel: Panel, now: int) -> Outputs:
        """Call it at every change and every 50 ms or faster; ``now`` never goes back."""
        before, self._panel = self._panel, panel
        answered = panel.signal != before.signal
        for lamp in LAMPS:
            if panel.lamps[lamp] != before.lamps[lamp]:
                self._since[lamp] = now
        if (panel.bar, panel.last) != (before.bar, before.last):
            self._since["bar"] = now
        if answered or panel.buzzer != before.buzzer:
            self._since["buzzer"] = now
        if answered:
            self._dark_until = dict.fromkeys(self._burning & {"stop", "wait", "go"}, now + self.WINK_MS)
        lamps = {lamp: self._lamp(lamp, panel.lamps[lamp], now) for lamp in LAMPS}
        steps = bar_lit(panel, now - self._since["bar"])
        bar = tuple(self._limited(f"bar {number}", wanted, now) for number, wanted in enumerate(steps))
        return Outputs(lamps, bar, buzzer_on(panel.buzzer, now - self._since["buzzer"]))

    def _lamp(self, lamp: str, state: LampState, now: int) -> bool:
        winks = state == "on" and now < self._dark_until.get(lamp, now)
        return self._limited(lamp, not winks and lit(lamp, state, now - self._since[lamp]), now)

    def _limited(self, name: str, wanted: bool, now: int) -> bool:
        if wanted and name not in self._burning:
            if now - self._lit_at.get(name, now - MIN_FLASH_MS) < MIN_FLASH_MS:
                return False
            self._lit_at[name] = now
            self._burning.add(name)
        elif not wanted:
            self._burning.discard(name)
        return wanted
