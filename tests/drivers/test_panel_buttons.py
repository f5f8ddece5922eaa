"""Debounce and press length, with a clock of our own."""

from hypothesis import given
from hypothesis import strategies as st

from kiosk.drivers.buttons import Button
from kiosk.events import ButtonPressed


def presses(button: Button, levels: list[tuple[bool, int]], until: int = 0) -> list[ButtonPressed]:
    """Feeds edges, and polls every 25 ms between them."""
    found, down, now = [], False, 0
    for level, at in [*levels, (None, max(until, levels[-1][1] + 100))]:
        while now < at:
            found.append(button.feed(down, now))
            now += 25
        if level is not None:
            down = level
            found.append(button.feed(down, at))
    return [press for press in found if press is not None]


def test_a_press_is_reported_at_its_end_with_its_length():
    assert presses(Button("release"), [(True, 1000), (False, 1500)]) == [ButtonPressed("release", 500)]


@given(
    st.lists(st.integers(1, 20), max_size=6).filter(lambda gaps: len(gaps) % 2 == 0),
    st.lists(st.integers(1, 20), max_size=6).filter(lambda gaps: len(gaps) % 2 == 0),
)
def test_bouncing_makes_one_press(making, breaking):
    levels, at, down = [(True, 1000)], 1000, True
    for gap in making:
        at, down = at + gap, not down
        levels.append((down, at))
    pressed = at
    at = 2000
    levels.append((False, at))
    down = False
    for gap in breaking:
        at, down = at + gap, not down
        levels.append((down, at))
    assert presses(Button("release"), levels) == [ButtonPressed("release", at - pressed)]


def test_a_spike_is_nothing():
    assert presses(Button("release"), [(True, 1000), (False, 1020)]) == []


def test_a_press_right_after_the_last_one_is_the_same_finger():
    button = Button("ack")
    levels = [(True, 1000), (False, 1400), (True, 1500), (False, 1900), (True, 2200), (False, 2600)]
    assert presses(button, levels) == [ButtonPressed("ack", 400), ButtonPressed("ack", 400)]


def test_a_jammed_button_is_a_fault_and_no_press():
    button = Button("release")
    assert presses(button, [(True, 1000)], until=62_000) == []
    assert button.stuck(61_001)
    assert button.feed(False, 62_000) is None
    assert button.feed(False, 62_100) is None
    assert not button.stuck(62_100)
    assert button.feed(True, 63_000) is button.feed(True, 63_050) is button.feed(False, 64_000) is None
    assert button.feed(False, 64_050) == ButtonPressed("release", 1000)


def test_a_button_held_at_the_start_does_not_count():
    button = Button("release")
    button.start(True, 0)
    assert button.feed(False, 5000) is button.feed(False, 5100) is None
    assert not button.stuck(5100)
    assert button.feed(True, 6000) is button.feed(True, 6100) is button.feed(False, 6500) is None
    assert button.feed(False, 6600) == ButtonPressed("release", 500)


def test_lost_edges_are_made_up_by_polls():
    button = Button("release")
    found = [button.feed(1000 <= now < 1600, now) for now in range(0, 3000, 25)]
    assert [press for press in found if press] == [ButtonPressed("release", 600)]


def test_a_late_poll_does_not_swallow_the_press():
    button = Button("release")
    assert button.feed(True, 1000) is None
    assert button.feed(False, 1500) is None
    assert button.feed(False, 1530) == ButtonPressed("release", 500)


def test_clean_edges_need_no_wait():
    button = Button("release", bounce_ms=0, lockout_ms=0)
    assert button.feed(True, 1000) is None
    assert button.feed(False, 1300) == ButtonPressed("release", 300)
    assert button.feed(True, 1301) is None
    assert button.feed(False, 5000) == ButtonPressed("release", 3699)
