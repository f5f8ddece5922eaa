"""Makes the clips of kiosk/clips from the catalogue in kiosk/voice.py, with espeak-ng: stand-ins that are understood,
until a site puts recordings of its own into a folder (docs/voice.md).

    .venv/bin/python scripts/make_clips.py [FOLDER]
"""

import io
import math
import shutil
import subprocess
import sys
import wave
from array import array
from pathlib import Path

from kiosk.drivers.speaker.clips import OWN
from kiosk.drivers.speaker.codec import RATE, encode
from kiosk.voice import LANGUAGES, catalogue

VOICES = {"zh": ("cmn", 185), "en": ("en-gb", 165)}
"""espeak-ng's voice, and its pace in words a minute."""
TAPS = 32
LOUD = 0.9 * 32767
QUIET = 200
MARGIN_S = 0.04
"""What is left of the silence around a clip."""


def main(folder: Path = OWN) -> None:
    for language in LANGUAGES:
        shutil.rmtree(folder / language, ignore_errors=True)
        (folder / language).mkdir(parents=True)
    total = 0
    for clip, text in catalogue().items():
        wav = encode(_trimmed(_resampled(*_spoken(clip.language, text))))
        (folder / clip.language / f"{clip.name}.wav").write_bytes(wav)
        total += len(wav)
    print(f"{len(catalogue())} clips, {total / 1024:.0f} KB in {folder}", file=sys.stderr)


def _spoken(language: str, text: str) -> tuple[array, int]:
    voice, pace = VOICES[language]
    command = ["espeak-ng", "-v", voice, "-s", str(pace), "--stdout", text]
    with wave.open(io.BytesIO(subprocess.run(command, check=True, capture_output=True).stdout)) as spoken:
        return array("h", spoken.readframes(1 << 30)), spoken.getframerate()


def _resampled(samples: array, rate: int) -> list[float]:
    """By a windowed sinc, cut off a little below half the new rate."""
    step, cut = rate / RATE, 0.92 * RATE / rate
    reach = math.ceil(TAPS / cut / 2)
    out = []
    for place in range(int(len(samples) / step)):
        centre = place * step
        first = max(0, math.ceil(centre - reach))
        last = min(len(samples) - 1, math.floor(centre + reach))
        out.append(sum(samples[at] * _kernel(at - centre, cut, reach) for at in range(first, last + 1)))
    return out


def _kernel(away: float, cut: float, reach: int) -> float:
    sinc = cut if away == 0 else math.sin(math.pi * cut * away) / (math.pi * away)
    return sinc * (0.5 + 0.5 * math.cos(math.pi * away / (reach + 1)))


def _trimmed(samples: list[float]) -> bytes:
    peak = max(map(abs, samples))
    loud = [place for place, sample in enumerate(samples) if abs(sample) * LOUD / peak > QUIET]
    margin = int(MARGIN_S * RATE)
    kept = samples[max(0, loud[0] - margin) : loud[-1] + margin]
    return array("h", [round(sample * LOUD / peak) for sample in kept]).tobytes()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
