"""docs/panel.md is what people build panels by: it tells the rhythms, lamps, tones and pins that the kiosk has."""

import re
from pathlib import Path

from kiosk.config import GpioPanel
from kiosk.panel import BAR_LAST_RHYTHM, BAR_NEXT_RHYTHM, LAMPS, RHYTHMS, TONES, WINK_RHYTHM

PAGE = (Path(__file__).parent.parent / "docs" / "panel.md").read_text("utf-8")


def test_every_rhythm_is_told() -> None:
    told = re.search(r"Rhythms, in tenths of a second[^.]*\.", PAGE)
    assert told is not None
    words = re.sub(r"\s+", " ", told[0])
    named = {**RHYTHMS, "every wink": WINK_RHYTHM, "next place": BAR_NEXT_RHYTHM, "last place": BAR_LAST_RHYTHM}
    for name, rhythm in named.items():
        assert f"{name} `{rhythm}`" in words


def test_every_lamp_and_tone_is_told() -> None:
    for lamp in LAMPS:
        assert f"\n| {lamp} | " in PAGE
        assert f'"{lamp}":' in PAGE
    row = next(line for line in PAGE.splitlines() if line.startswith("| `buzzer` |"))
    assert set(re.findall(r"`(\w+)`", row)) - {"buzzer", "signal"} == set(TONES)


def test_every_pin_is_told() -> None:
    panel = GpioPanel()
    for lamp in ("stop", "wait", "go", "alarm", "fault", "buzzer"):
        assert f"| {lamp} | {getattr(panel, lamp)} | " in PAGE
