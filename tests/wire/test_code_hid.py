import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.drivers.code_hid.codec import (
    ALT_MODE,
    EV_KEY,
    EV_SYN,
    KEY_CAPSLOCK,
    KEY_ENTER,
    KEY_KPENTER,
    KEY_LEFTALT,
    KEY_LEFTCTRL,
    KEY_LEFTSHIFT,
    KEY_RIGHTALT,
    KEY_RIGHTCTRL,
    KEY_RIGHTSHIFT,
    KEYS_LOST,
    NO_ENTER,
    RECORD,
    SYN_DROPPED,
    SYN_REPORT,
    HidCodec,
)
from kiosk.drivers.code_hid.sim import TYPED, Press, presses, records
from kiosk.drivers.codes import TOO_LONG, CodeEvent
from kiosk.events import CodeFailed, CodeScanned
from kiosk.recognise import MAX_TEXT

GAP_S = 0.15
PRINTABLE = string.printable[:95]
ENTER = [(KEY_ENTER, 1), (KEY_ENTER, 0)]


def tap(*codes: int) -> list[Press]:
    return [(code, value) for code in codes for value in (1, 0)]


class Keyboard:
    """Types into a codec; time goes on by itself."""

    def __init__(self) -> None:
        self.codec = HidCodec(GAP_S)
        self.at_us = 1_700_000_000_000_000

    def press(self, pressed: list[Press]) -> list[CodeEvent]:
        self.at_us += 2_000
        data = records(pressed, self.at_us)
        self.at_us += 2_000 * len(pressed)
        return self.codec.feed(data)

    def type(self, text: str, end: int = KEY_ENTER, *, caps: bool = False) -> list[CodeEvent]:
        return self.press(list(presses(text, end=end, caps=caps)))

    def wait(self, seconds: float) -> None:
        self.at_us += int(seconds * 1_000_000)

    def syn(self, code: int) -> list[CodeEvent]:
        return self.codec.feed(RECORD.pack(*divmod(self.at_us, 1_000_000), EV_SYN, code, 0))


@pytest.fixture
def keyboard() -> Keyboard:
    return Keyboard()


def texts(*found: str) -> list[CodeEvent]:
    return [CodeScanned(text) for text in found]


def test_golden_records():
    """Key codes by hand from linux/input-event-codes.h: Shift+H, Shift+C, 1, Shift+;, 0, Enter, 5 ms apart."""
    stream = b""
    down_up = "42+ 35+ 35- 42- 54+ 46+ 46- 54- 2+ 2- 42+ 39+ 39- 42- 11+ 11- 28+ 28-"
    for number, key in enumerate(down_up.split()):
        stream += RECORD.pack(1_700_000_000, number * 5000, 4, 4, 0x70004)  # EV_MSC MSC_SCAN
        stream += RECORD.pack(1_700_000_000, number * 5000, 1, int(key[:-1]), int(key[-1] == "+"))
        stream += RECORD.pack(1_700_000_000, number * 5000, 0, 0, 0)
    assert HidCodec(GAP_S).feed(stream) == texts("HC1:0")


@pytest.mark.parametrize(
    ("row", "first"),
    [("1234567890-=", 2), ("qwertyuiop[]", 16), ("asdfghjkl;'`", 30), ("\\zxcvbnm,./", 43), (" ", 57)],
)
def test_the_rows_of_the_us_layout(row: str, first: int):
    assert [TYPED[character] for character in row] == [(first + n, False) for n in range(len(row))]


@pytest.mark.parametrize(
    ("code", "character"),
    list(zip((82, 79, 80, 81, 75, 76, 77, 71, 72, 73, 83, 74, 78, 55, 98, 117, 121), "0123456789.-+*/=,", strict=True)),
)
def test_the_keypad(keyboard: Keyboard, code: int, character: str):
    assert keyboard.press([*tap(code), *tap(KEY_KPENTER)]) == texts(character)


def test_all_95_characters_go_round(keyboard: Keyboard):
    assert len(PRINTABLE) == 95
    text = "<" + PRINTABLE + ">"
    for end in (KEY_ENTER, KEY_KPENTER):
        for caps in (False, True):
            assert keyboard.type(text, end, caps=caps) == texts(text)


@given(st.text(PRINTABLE, min_size=1, max_size=40), st.booleans())
def test_any_text_goes_round(text: str, caps: bool):
    found = Keyboard().type(text, caps=caps)
    assert found == (texts(text.strip()) if text.strip() else [])


@pytest.mark.parametrize("shift", [KEY_LEFTSHIFT, KEY_RIGHTSHIFT])
def test_both_shifts_and_caps_lock(keyboard: Keyboard, shift: int):
    a, one = TYPED["a"][0], TYPED["1"][0]
    shifted = [(shift, 1), *tap(a, one), (shift, 0)]
    assert keyboard.press([*tap(a, one), *shifted, *tap(a, one), *ENTER]) == texts("a1A!a1")
    caps = tap(KEY_CAPSLOCK)
    assert keyboard.press([*caps, *tap(a, one), *shifted, *tap(a, one), *caps, *tap(a), *ENTER]) == texts("A1a!A1a")


def test_one_shift_released_while_the_other_is_held(keyboard: Keyboard):
    a = TYPED["a"][0]
    pressed = [(KEY_LEFTSHIFT, 1), (KEY_RIGHTSHIFT, 1), (KEY_LEFTSHIFT, 0), *tap(a), (KEY_RIGHTSHIFT, 0), *tap(a)]
    assert keyboard.press([*pressed, *ENTER]) == texts("Aa")


def test_a_held_key_counts_once(keyboard: Keyboard):
    a = TYPED["a"][0]
    assert keyboard.press([(KEY_LEFTSHIFT, 1), (KEY_LEFTSHIFT, 2), (a, 1), (a, 2), (a, 2), (a, 0), *ENTER]) == texts(
        "A"
    )


@pytest.mark.parametrize("ctrl", [KEY_LEFTCTRL, KEY_RIGHTCTRL])
def test_control_keys(keyboard: Keyboard, ctrl: int):
    a, bracket, m = TYPED["a"][0], TYPED["]"][0], TYPED["m"][0]
    assert keyboard.press([*tap(a), (ctrl, 1), *tap(bracket), (ctrl, 0), *tap(a), *ENTER]) == texts("a\x1da")
    assert keyboard.press([*tap(a), (ctrl, 1), *tap(m), (ctrl, 0)]) == texts("a")
    assert keyboard.press([*tap(a), (ctrl, 1), *tap(a, TYPED["1"][0]), (ctrl, 0), *ENTER]) == texts("a")
    assert keyboard.type("[)>\x1e06\x1dA\x1c\x1f.") == texts("[)>\x1e06\x1dA\x1c\x1f.")


def test_enter_alone_and_unknown_keys_say_nothing(keyboard: Keyboard):
    assert keyboard.press([*ENTER, *tap(59, 103, 125, 240), *ENTER, *tap(15), *ENTER]) == []


def test_a_gap_throws_the_half_code_away(keyboard: Keyboard):
    assert keyboard.press(tap(TYPED["a"][0])) == []
    keyboard.wait(GAP_S + 0.01)
    assert keyboard.type("bc") == texts("bc")


def test_no_gap_no_loss(keyboard: Keyboard):
    for _ in range(3):
        assert keyboard.press(tap(TYPED["a"][0])) == []
        keyboard.wait(GAP_S - 0.01)
    assert keyboard.type("b") == texts("aaab")


def test_a_gap_before_a_shift_keeps_the_shift(keyboard: Keyboard):
    keyboard.press(tap(TYPED["a"][0]))
    keyboard.wait(1)
    assert keyboard.type("Bc") == texts("Bc")


def test_a_clock_that_jumps_back_is_no_gap(keyboard: Keyboard):
    keyboard.press(tap(TYPED["a"][0]))
    keyboard.wait(-86_400)
    assert keyboard.type("b") == texts("ab")


def test_silence_tells_that_the_end_is_missing(keyboard: Keyboard):
    assert not keyboard.codec.pending
    keyboard.press(tap(TYPED["a"][0]))
    assert keyboard.codec.pending
    assert keyboard.codec.idle() == [CodeFailed(NO_ENTER)]
    assert not keyboard.codec.pending
    assert keyboard.codec.idle() == []
    assert keyboard.type("b") == texts("b")


def test_lost_events_cost_that_code_only(keyboard: Keyboard):
    keyboard.press([*tap(TYPED["a"][0]), (KEY_LEFTSHIFT, 1), *tap(KEY_CAPSLOCK)])
    assert keyboard.syn(SYN_DROPPED) == [CodeFailed(KEYS_LOST)]
    garbage = RECORD.pack(0, 0, EV_KEY, TYPED["x"][0], 1) + RECORD.pack(0, 0, EV_KEY, KEY_ENTER, 1)
    assert keyboard.codec.feed(garbage) == []  # the kernel's rest of a broken report
    assert keyboard.syn(SYN_REPORT) == keyboard.syn(SYN_DROPPED) == keyboard.syn(SYN_REPORT) == []
    assert keyboard.type("rest of it") == []
    assert keyboard.type("next") == texts("next")  # Shift and Caps Lock are taken as released


def test_lost_events_end_with_a_gap_too(keyboard: Keyboard):
    keyboard.press([(KEY_LEFTSHIFT, 1), *tap(TYPED["a"][0])])
    assert keyboard.syn(SYN_DROPPED) == [CodeFailed(KEYS_LOST)]
    keyboard.syn(SYN_REPORT)
    keyboard.wait(1)
    assert keyboard.type("next") == texts("next")


@pytest.mark.parametrize("alt", [KEY_LEFTALT, KEY_RIGHTALT])
def test_alt_mode_is_refused_once_per_code(keyboard: Keyboard, alt: int):
    pressed = [(alt, 1), *tap(82, 72, 81), (alt, 0)]
    assert keyboard.press([*tap(TYPED["a"][0]), *pressed, *pressed, *tap(TYPED["b"][0]), *ENTER]) == [
        CodeFailed(ALT_MODE)
    ]
    assert keyboard.press([*pressed, *ENTER]) == [CodeFailed(ALT_MODE)]
    assert keyboard.press([(alt, 1), (alt, 0), *tap(TYPED["b"][0]), *ENTER]) == texts("b")
    assert keyboard.type("HC1:朝阳:0") == [CodeFailed(ALT_MODE)]
    assert keyboard.type("good") == texts("good")


def test_the_simulator_types_chinese_as_its_gbk_number():
    """The published case of an ALT-typed character: 朝 is B3 AF, 45999."""
    pressed = [code for code, value in presses("朝") if value]
    keypad = dict(zip(string.digits, (82, 79, 80, 81, 75, 76, 77, 71, 72, 73), strict=True))
    assert pressed == [KEY_LEFTALT, *(keypad[digit] for digit in "45999"), KEY_ENTER]


def test_too_long_is_refused_once(keyboard: Keyboard):
    assert keyboard.type("a" * MAX_TEXT) == texts("a" * MAX_TEXT)
    assert keyboard.type("a" * (MAX_TEXT * 5)) == [CodeFailed(TOO_LONG)]
    assert keyboard.type("b") == texts("b")


@given(st.lists(st.text(PRINTABLE, max_size=12), max_size=4), st.data())
def test_any_split_of_the_records_gives_the_same_codes(codes: list[str], data: st.DataObject):
    stream = records([press for text in codes for press in presses(text)], 10**15)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    codec = HidCodec(GAP_S)
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += codec.feed(stream[start:end])
    assert found == HidCodec(GAP_S).feed(stream) == texts(*(text.strip() for text in codes if text.strip()))


def test_random_bytes_leave_no_trace(keyboard: Keyboard):
    rng = random.Random(1)
    for _ in range(200):
        keyboard.codec.feed(rng.randbytes(4001))
        assert len(keyboard.codec._text) <= MAX_TEXT
        assert len(keyboard.codec._records.rest) < RECORD.size
    keyboard.codec.idle()
    assert keyboard.type("good") == texts("good")


@given(st.lists(st.tuples(st.sampled_from([0, 1, 1, 1, 4]), st.integers(0, 127), st.integers(0, 2)), max_size=80))
def test_any_keys_at_all_and_the_next_code_is_read(events: list[tuple[int, int, int]]):
    """Whatever was hit, releasing what is held and one gap make a clean start, but for Caps Lock."""
    keyboard = Keyboard()
    for number, (kind, code, value) in enumerate(events):
        if code != KEY_CAPSLOCK:
            keyboard.codec.event(kind, code, value, keyboard.at_us + number * 1000)
    keyboard.wait(1)
    keyboard.syn(SYN_REPORT)
    modifiers = (KEY_LEFTSHIFT, KEY_RIGHTSHIFT, KEY_LEFTCTRL, KEY_RIGHTCTRL, KEY_LEFTALT, KEY_RIGHTALT)
    keyboard.press([(code, 0) for code in modifiers])
    assert keyboard.type("Good 1") == texts("Good 1")
