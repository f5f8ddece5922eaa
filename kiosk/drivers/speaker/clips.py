"""The clips as they lie here: the kiosk's own (scripts/make_clips.py), or recordings that replace them.

A folder of recordings has the same form as kiosk/clips: `zh/registered.wav`, `en/n13.wav`; it need not be complete.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from kiosk.drivers.speaker import codec
from kiosk.voice import Clip, Language, Prompt, catalogue

OWN = Path(__file__).parents[2] / "clips"
PAUSE_MS = 250
"""Between two languages."""


class Clips(NamedTuple):
    """``samples`` of each clip that there is; ``faults``: a line for each recording that cannot be used."""

    samples: dict[Clip, bytes]
    faults: list[str]

    @property
    def missing(self) -> list[Clip]:
        return [clip for clip in catalogue() if clip not in self.samples]

    def speak(self, prompt: Prompt, languages: Sequence[Language], volume: int) -> bytes:
        """A WAV file of the prompt in these languages, without those that lack a clip; b"" when nothing is left."""
        parts: list[bytes] = []
        for language in languages:
            clips = [clip for clip in prompt.clips if clip.language == language]
            if clips and all(clip in self.samples for clip in clips):
                parts += [codec.silence(PAUSE_MS)] * bool(parts) + [self.samples[clip] for clip in clips]
        return codec.join(parts, volume) if parts else b""


def load(folder: Path | None) -> Clips:
    """All clips, each from ``folder`` where that has it. Never raises."""
    samples: dict[Clip, bytes] = {}
    faults: list[str] = []
    for clip in catalogue():
        for home in (folder, OWN):
            if home is None:
                continue
            path = home / clip.language / f"{clip.name}.wav"
            try:
                samples[clip] = codec.decode(path.read_bytes())
                break
            except FileNotFoundError:
                continue
            except (OSError, codec.ClipError) as error:
                faults.append(f"{path}: {error}")
    return Clips(samples, faults)
