"""WAV clips in, one WAV out: mono, 16 bit, 8 kHz. Pure."""

import io
import wave
from array import array
from collections.abc import Sequence

RATE = 8000
"""Samples a second: what a public-address horn carries, and what keeps the clips small."""
WIDTH = 2
FORMAT = f"mono, 16 bit, {RATE} Hz"


class ClipError(ValueError):
    """A file is no clip; the text says what it is instead."""


def decode(data: bytes) -> bytes:
    """The samples of a clip. Raises ClipError."""
    try:
        with wave.open(io.BytesIO(data)) as clip:
            found = (clip.getnchannels(), clip.getsampwidth(), clip.getframerate())
            frames = bytes(clip.readframes(clip.getnframes()))
    except (wave.Error, EOFError):
        raise ClipError(f"no WAV file with plain samples, expected {FORMAT}") from None
    if found != (1, WIDTH, RATE):
        channels, width, rate = found
        raise ClipError(f"{channels} channels, {width * 8} bit, {rate} Hz, expected {FORMAT}")
    return frames[: len(frames) // WIDTH * WIDTH]


def encode(samples: bytes) -> bytes:
    """A WAV file of these samples."""
    out = io.BytesIO()
    with wave.open(out, "wb") as clip:
        clip.setnchannels(1)
        clip.setsampwidth(WIDTH)
        clip.setframerate(RATE)
        clip.writeframes(samples)
    return out.getvalue()


def silence(ms: int) -> bytes:
    return bytes(RATE * ms // 1000 * WIDTH)


def join(parts: Sequence[bytes], volume: int) -> bytes:
    """A WAV file of these samples, one after the other. ``volume``: 0-100; as loud as an ear hears it, not as a meter:
    half of it is a quarter of the swing."""
    samples = array("h", b"".join(parts))
    if volume < 100:
        factor = (volume / 100) ** 2
        samples = array("h", [round(sample * factor) for sample in samples])
    return encode(samples.tobytes())


def seconds(wav: bytes) -> float:
    return len(decode(wav)) / WIDTH / RATE
