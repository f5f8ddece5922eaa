"""The panel is a pure function; what it says can be told apart without colour, and nothing flashes too fast."""

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain import Signal
from kiosk.panel import (
    ANSWERS,
    BAR_STEPS,
    BEAT_GAP_MS,
    BEAT_MS,
    LAMPS,
    RHYTHMS,
    SLOT_MS,
    STARTING,
    TONES,
    WINK_RHYTHM,
    Panel,
    Physical,
    View,
    bar_lit,
    bar_steps,
    buzzer_on,
    lit,
    show,
)

IDLE = View(ready=True, accepting=True)
LAMP_STATES = st.sampled_from(("on", "off", "blink", "wink"))
PANELS = st.builds(
    Panel,
    lamps=st.fixed_dictionaries(dict.fromkeys(LAMPS, LAMP_STATES)),
    bar=st.integers(0, 10),
    buzzer=st.sampled_from(sorted(TONES)),
    signal=st.integers(0, 3),
    last=st.just(0),
)
VIEWS = st.builds(
    View,
    signal=st.sampled_from(Signal),
    signal_at=st.integers(0, 10_000),
    held=st.booleans(),
    accepting=st.booleans(),
    members=st.integers(0, 10),
    release_ready=st.booleans(),
    groups_waiting=st.integers(0, 2),
    label_wait=st.booleans(),
    alarm=st.booleans(),
    door_closed=st.booleans(),
    wait_long=st.booleans(),
    badge_until=st.integers(0, 20_000),
    drill=st.booleans(),
    supervised=st.booleans(),
    faults=st.sets(st.sampled_from(("printer-offline", "card-offline", "disk-low"))).map(tuple),
    storage_fault=st.booleans(),
    ready=st.booleans(),
    hushed=st.booleans(),
)


def view(base: View = IDLE, **changes: object) -> View:
    return msgspec.structs.replace(base, **changes)


def lamps(shown: Panel) -> str:
    """The lamps that are not off, as `name`, `name~` when blinking, `name.` when winking."""
    marks = {"on": "", "blink": "~", "wink": "."}
    return " ".join(f"{lamp}{marks[state]}" for lamp, state in shown.lamps.items() if state != "off")


def after(signal: Signal, age: int, **changes: object) -> Panel:
    return show(view(signal=signal, signal_at=5000, signal_count=1, **changes), 5000 + age)


@pytest.mark.parametrize(
    ("signal", "burning", "tone", "shown_ms"),
    [
        (Signal.ACCEPTED, "go", "accepted", 2000),
        (Signal.FLAGGED, "wait", "flagged", 3000),
        (Signal.HELD, "wait~", "held", 1000),
        (Signal.REPEAT, "stop~", "repeat", 3000),
        (Signal.REFUSED, "stop", "refused", 3000),
        (Signal.RETRY, "stop~ wait~", "retry", 2000),
        (Signal.DENIED, "stop wait", "denied", 1500),
        (Signal.TUBE, "stop~ wait", "tube", 3000),
        (Signal.RELEASED, "release", "released", 2000),
        (Signal.ACKNOWLEDGED, "alarm", "acknowledged", 2000),
        (Signal.CLOSED, "", "full", 2000),
    ],
)
def test_each_signal_has_its_lamps_and_tone_and_then_ends(signal, burning, tone, shown_ms):
    for age in (0, shown_ms - 1):
        assert lamps(after(signal, age)) == burning
        assert after(signal, age).buzzer == tone
    assert lamps(after(signal, shown_ms)) == ""
    assert after(signal, shown_ms).buzzer == "off"


def test_a_held_card_keeps_waiting_after_its_signal():
    assert lamps(after(Signal.HELD, 8000, held=True)) == "wait~"


def test_idle_is_dark_but_for_the_next_place_of_the_bar():
    shown = show(IDLE, 0)
    assert lamps(shown) == ""
    assert {bar_lit(shown, at)[0] for at in range(0, 3000, 50)} == {True, False}


def test_nobody_may_scan():
    assert lamps(show(view(accepting=False), 0)) == "stop"
    assert not any(bar_lit(show(view(accepting=False), 0), at)[0] for at in range(0, 3000, 50))


@given(VIEWS, st.integers(10_000, 20_000))
def test_go_means_accepted_and_nothing_else(seen, now):
    if show(seen, now).lamps["go"] != "off":
        assert seen.signal is Signal.ACCEPTED
        assert seen.ready
        assert not seen.storage_fault


@given(VIEWS, st.integers(10_000, 20_000))
def test_lamps_are_those_of_the_contract(seen, now):
    shown = show(seen, now)
    assert tuple(shown.lamps) == LAMPS
    assert set(shown.lamps.values()) <= {"on", "off", "blink", "wink"}
    assert shown.buzzer in TONES
    assert shown == show(seen, now)


def test_a_kiosk_that_cannot_write_shows_stop_at_once():
    assert lamps(after(Signal.ACCEPTED, 100, storage_fault=True, release_ready=True)) == "stop fault~"
    assert after(Signal.ACCEPTED, 100, storage_fault=True).buzzer == "storage"
    assert lamps(STARTING) == "stop fault"
    assert STARTING.buzzer == "off"


def test_release_blinks_only_when_a_press_would_work():
    assert lamps(show(view(groups_waiting=1, label_wait=True), 0)) == ""
    assert lamps(show(view(groups_waiting=1, release_ready=True), 0)) == "release~"


def test_faults():
    assert lamps(show(view(faults=("card-offline",)), 0)) == "fault"
    waiting = view(faults=("printer-offline",), label_wait=True, groups_waiting=1)
    assert lamps(show(waiting, 0)) == "fault~"
    assert show(waiting, 0).buzzer == "help"
    assert show(view(waiting, hushed=True), 0).buzzer == "off"
    assert lamps(show(view(waiting, accepting=False, groups_waiting=2), 0)) == "stop fault~"


# What goes on --------------------------------------------------------------------------------------------------------


def test_the_door_is_closed_while_as_many_wait_as_may():
    full = view(accepting=False, door_closed=True)
    assert lamps(show(full, 0)) == "stop door"
    assert lamps(show(view(full, ready=False), 0)) == "stop fault"


@pytest.mark.parametrize(
    ("going_on", "winks"),
    [
        ({"wait_long": True}, "release."),
        ({"badge_until": 1}, "alarm."),
        ({"drill": True}, "wait."),
        ({"supervised": True}, "fault."),
    ],
)
def test_a_mode_winks_on_a_lamp_of_its_own(going_on, winks):
    assert lamps(show(view(**going_on), 0)) == winks


def test_a_wink_gives_way_to_what_needs_somebody():
    modes = {"wait_long": True, "badge_until": 1 << 60, "drill": True, "supervised": True}
    assert lamps(show(view(**modes, release_ready=True, alarm=True, held=True, faults=("card-offline",)), 0)) == (
        "wait~ release~ alarm~ fault"
    )
    assert lamps(after(Signal.ACCEPTED, 0, drill=True)) == "go"
    assert lamps(after(Signal.REFUSED, 0, drill=True)) == "stop"
    assert lamps(show(view(drill=True, accepting=False), 0)) == "stop wait."


def test_a_badge_winks_for_its_minute():
    assert show(view(badge_until=60_000), 59_999).lamps["alarm"] == "wink"
    assert show(view(badge_until=60_000), 60_000).lamps["alarm"] == "off"


def test_staff_hear_once_a_minute_that_somebody_waits_too_long():
    assert show(view(wait_long=True), 0).buzzer == "wait"
    assert show(view(wait_long=True, alarm=True), 0).buzzer == "alarm"
    assert sounds("wait", 120_000) == [600, 50, 50] * 2


def test_a_red_code_looks_and_sounds_like_any_refusal_at_the_desk():
    red, other = after(Signal.REFUSED, 0, alarm=True), after(Signal.REFUSED, 0)
    assert red.buzzer == other.buzzer
    assert {name: red.lamps[name] for name in ("stop", "wait", "go")} == {
        name: other.lamps[name] for name in ("stop", "wait", "go")
    }
    assert red.lamps["alarm"] == "blink"
    assert after(Signal.REFUSED, 5000, alarm=True).buzzer == "alarm"


def test_the_tone_of_a_full_group_follows_that_of_its_last_person():
    full = {"group_empty": True, "groups_waiting": 1}
    assert after(Signal.ACCEPTED, 0, **full).buzzer == "accepted"
    assert after(Signal.ACCEPTED, 1000, **full).buzzer == "full"
    assert after(Signal.ACCEPTED, 3000, **full).buzzer == "off"
    assert after(Signal.ACCEPTED, 1000, group_empty=False, groups_waiting=1).buzzer == "accepted"


# Never colour alone -------------------------------------------------------------------------------------------------


def test_every_signal_differs_in_position_or_rhythm():
    shown = [after(signal, 0) for signal in Signal]
    assert len({tuple(panel.lamps.values()) for panel in shown if panel.lamps != show(IDLE, 0).lamps}) == 10
    assert len({panel.buzzer for panel in shown}) == len(Signal)
    assert len({tuple(answer[:3]) for answer in ANSWERS.values()}) == len(ANSWERS)
    assert "wink" not in {state for answer in ANSWERS.values() for state in answer[:3]}


def test_rhythms_of_lamps_differ_and_are_in_the_band_of_the_standard():
    rhythms = {WINK_RHYTHM, *RHYTHMS.values()}
    assert len(rhythms) == len(LAMPS) + 1
    for rhythm in rhythms:
        rises = f"0{rhythm}".count("01")
        per_second = rises * 1000 / (len(rhythm) * SLOT_MS)
        assert per_second <= 3
        assert rhythm[0] == "1"


def test_tones_differ_by_rhythm():
    assert len({tone.beats for tone in TONES.values()}) == len(TONES)
    for name, tone in TONES.items():
        length = sum(BEAT_MS[beat] + BEAT_GAP_MS for beat in tone.beats) - BEAT_GAP_MS
        assert length <= (2500 if tone.every_ms else 1000), name


def sounds(tone: str, until: int) -> list[int]:
    """Lengths of the beeps of a tone, sampled every 10 ms."""
    samples = [buzzer_on(tone, at) for at in range(0, until, 10)]
    return [10 * len(list(run)) for on, run in itertools.groupby(samples) if on]


def test_tones_sound_as_written():
    assert sounds("accepted", 20_000) == [100]
    assert sounds("full", 20_000) == [100, 100, 600]
    assert sounds("help", 20_000) == [600, 600, 600] * 2
    assert sounds("off", 20_000) == []
    assert not buzzer_on("accepted", -1)


# The bar ------------------------------------------------------------------------------------------------------------


@given(st.integers(1, 100), st.data())
def test_bar_is_full_only_with_the_group_and_never_dark_with_somebody_in_it(size, data):
    members = data.draw(st.integers(0, size))
    steps = bar_steps(members, size)
    assert (steps == BAR_STEPS) == (members == size)
    assert (steps == 0) == (members == 0)
    assert bar_steps(max(0, members - 1), size) <= steps
    if size == 10:
        assert steps == members


@pytest.mark.parametrize(("members", "size", "flashing"), [(9, 10, {9}), (4, 5, {8, 9}), (19, 20, {9}), (8, 10, set())])
def test_the_last_steps_flash_when_one_person_is_missing(members, size, flashing):
    shown = show(view(members=members, group_size=size, accepting=False), 0)
    patterns = [bar_lit(shown, at) for at in range(0, 2000, 100)]
    changing = {step for step in range(10) if len({pattern[step] for pattern in patterns}) == 2}
    assert changing == flashing


# Physical outputs ---------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(PANELS, st.integers(1, 400)), min_size=1, max_size=60))
def test_no_lamp_flashes_more_than_three_times_a_second_whatever_comes(series):
    physical, now, rises, before = Physical(), 0, {}, {}
    for panel, lasting in series:
        for _ in range(0, lasting, 25):
            out = physical.step(panel, now)
            burning = out.lamps | {f"bar {number}": on for number, on in enumerate(out.bar)}
            for name, on in burning.items():
                if on and not before.get(name, False):
                    rises.setdefault(name, []).append(now)
            before = burning
            now += 25
    for times in rises.values():
        assert all(later - first > 1000 for first, later in zip(times, times[3:], strict=False))


@given(st.lists(PANELS, min_size=1, max_size=20))
def test_a_lamp_that_is_off_is_dark(series):
    physical = Physical()
    for now, panel in enumerate(series):
        out = physical.step(panel, now * 50)
        assert not any(out.lamps[lamp] for lamp in LAMPS if panel.lamps[lamp] == "off")


def test_two_people_accepted_in_one_burst_see_two_greens():
    physical = Physical()

    def go(count: int, now: int) -> bool:
        return physical.step(show(view(signal=Signal.ACCEPTED, signal_at=now, signal_count=count), now), now).lamps[
            "go"
        ]

    assert go(1, 1000)
    assert go(1, 1900)
    assert not go(2, 2000)
    assert go(2, 2100)


def test_a_blink_begins_lit_and_a_tone_at_its_beginning():
    for start in range(1000, 3000, 70):
        physical = Physical()
        physical.step(show(IDLE, start - 50), start - 50)
        held = view(signal=Signal.HELD, signal_at=start, signal_count=1, held=True)
        out = physical.step(show(held, start), start)
        assert out.lamps["wait"]
        assert out.buzzer


def test_the_same_tone_again_sounds_again():
    physical = Physical()
    first = view(signal=Signal.ACCEPTED, signal_at=0, signal_count=1)
    again = view(signal=Signal.ACCEPTED, signal_at=500, signal_count=2)
    assert physical.step(show(first, 0), 0).buzzer
    assert not physical.step(show(first, 450), 450).buzzer
    assert physical.step(show(again, 500), 500).buzzer


@given(LAMP_STATES, st.sampled_from(LAMPS), st.integers(0, 10**9))
def test_lit_is_a_function_of_its_arguments(state, lamp, at):
    assert lit(lamp, state, at) == lit(lamp, state, at)
    if state in ("on", "off"):
        assert lit(lamp, state, at) == (state == "on")
