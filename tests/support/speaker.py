"""The far side of the speaker: the unmodified `aplay` plays into ALSA's own "file" PCM, which keeps what is heard."""

import shutil
from pathlib import Path

import pytest

from kiosk.drivers.speaker import codec
from kiosk.drivers.speaker.clips import load
from kiosk.voice import LANGUAGES, Prompt

NAME = "kiosk_speaker"
needs_aplay = pytest.mark.skipif(shutil.which("aplay") is None, reason="sh scripts/need.sh sound")


def spoken(prompt: Prompt, volume: int = 100) -> bytes:
    """The samples of a prompt in both languages."""
    return codec.decode(load(None).speak(prompt, LANGUAGES, volume))


class Loudspeaker:
    """Plugged in from the start. Programs find it with ``env``; ``heard`` is every sample it was given."""

    def __init__(self, folder: Path) -> None:
        self._samples = folder / "heard.raw"
        self._config = folder / "asound.conf"
        self.env = {"ALSA_CONFIG_PATH": str(self._config)}
        self.plug()

    def plug(self) -> None:
        self._settle(
            "pcm.nothing { type null }\n"
            f'pcm.{NAME} {{ type file slave.pcm nothing file "|cat >>{self._samples}" format raw }}\n'
        )

    def pull_out(self) -> None:
        self._settle("pcm.nothing { type null }\n")

    def _settle(self, text: str) -> None:
        new = self._config.with_suffix(".new")
        new.write_text(text)
        new.replace(self._config)

    @property
    def heard(self) -> bytes:
        return self._samples.read_bytes() if self._samples.exists() else b""

    def heard_just(self, *parts: bytes) -> bool:
        """These samples in this order, and between and behind them nothing but the silence that fills up ALSA's last
        period."""
        heard, place = self.heard, 0
        for part in parts:
            found = heard.find(part, place)
            if found < 0 or any(heard[place:found]):
                return False
            place = found + len(part)
        return not any(heard[place:])
