"""The speaker, with the real aplay and ALSA behind it; and the clips, as files and joined."""

import asyncio
import contextlib
import io
import wave
from array import array
from pathlib import Path
from typing import Any

import pytest

from kiosk.config import AlsaSpeaker, Voice
from kiosk.domain import Signal
from kiosk.drivers.speaker import codec, driver
from kiosk.drivers.speaker.clips import OWN, PAUSE_MS, load
from kiosk.drivers.speaker.driver import PROBE_MS, Speaker
from kiosk.events import DeviceOffline, DeviceOnline, Event
from kiosk.voice import ANSWERS, DOOR_CLOSED, LANGUAGES, Clip, call, catalogue
from tests.support.site_day import until
from tests.support.speaker import NAME, Loudspeaker, needs_aplay, spoken

PROBE = codec.silence(PROBE_MS)
CALL = call(13, "3号采样台")


class Kiosk:
    def __init__(self, **voice: Any) -> None:
        self.events: list[Event] = []
        self.speaker = Speaker(AlsaSpeaker(device=NAME), Voice(**{"volume": 100} | voice), self.events.append)
        self.task = asyncio.create_task(self.speaker.run())

    async def stop(self) -> None:
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task

    def offline(self) -> list[str]:
        return [event.why for event in self.events if isinstance(event, DeviceOffline)]


@pytest.fixture
def loudspeaker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loudspeaker:
    speaker = Loudspeaker(tmp_path)
    for name, value in speaker.env.items():
        monkeypatch.setenv(name, value)
    return speaker


# Said -----------------------------------------------------------------------------------------------------------------


@needs_aplay
async def test_a_group_is_heard_sample_by_sample(loudspeaker: Loudspeaker) -> None:
    kiosk = Kiosk()
    kiosk.speaker.say(CALL)
    await until(lambda: loudspeaker.heard_just(PROBE, spoken(CALL)), "it is said")
    assert kiosk.events == [DeviceOnline("speaker")]
    await kiosk.stop()


@needs_aplay
async def test_prompts_never_talk_over_each_other(loudspeaker: Loudspeaker) -> None:
    kiosk = Kiosk()
    said = [call(1, ""), DOOR_CLOSED, ANSWERS[Signal.REPEAT]]
    for prompt in said:
        kiosk.speaker.say(prompt)
    await until(lambda: loudspeaker.heard_just(PROBE, *map(spoken, said)), "all is said")
    await kiosk.stop()


@needs_aplay
async def test_volume_and_languages(loudspeaker: Loudspeaker) -> None:
    kiosk = Kiosk(volume=50, languages=("zh",))
    kiosk.speaker.say(CALL)
    loud = codec.decode(load(None).speak(CALL, ["zh"], 100))
    await until(lambda: len(loudspeaker.heard) > len(loud), "it is said")
    quiet = array("h", loudspeaker.heard)
    assert max(quiet) == pytest.approx(max(array("h", loud)) / 4, abs=1)
    await kiosk.stop()


# Lost -----------------------------------------------------------------------------------------------------------------


@needs_aplay
async def test_a_speaker_that_is_pulled_out_comes_back_and_says_nothing_stale(loudspeaker: Loudspeaker) -> None:
    kiosk = Kiosk()
    await until(lambda: kiosk.events, "online")
    loudspeaker.pull_out()
    kiosk.speaker.say(CALL)
    await until(kiosk.offline, "offline")
    assert NAME in kiosk.offline()[0]
    kiosk.speaker.say(ANSWERS[Signal.ACCEPTED]._replace(fresh_ms=0))
    kiosk.speaker.say(ANSWERS[Signal.REPEAT]._replace(newest=False))
    loudspeaker.plug()
    await until(lambda: kiosk.events[-1] == DeviceOnline("speaker"), "online again")
    await until(lambda: loudspeaker.heard_just(PROBE, spoken(ANSWERS[Signal.REPEAT])), "it is said")
    await kiosk.stop()


async def test_without_aplay_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    kiosk = Kiosk()
    await until(kiosk.offline, "offline")
    assert kiosk.offline() == ["aplay is missing: install alsa-utils"]
    await kiosk.stop()


async def test_an_aplay_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "aplay"
    program.write_text(f"#!/bin/sh\necho $$ >>{tmp_path}/pids\nexec sleep 3600\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(driver, "LATE_S", 0.3)
    kiosk = Kiosk()
    await until(kiosk.offline, "offline")
    assert kiosk.offline() == [f"{NAME}: aplay hangs"]
    await kiosk.stop()
    pids = (tmp_path / "pids").read_text().split()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


# The clips ------------------------------------------------------------------------------------------------------------


def test_every_clip_of_the_catalogue_is_there_and_none_besides() -> None:
    found = load(None)
    assert (found.missing, found.faults) == ([], [])
    files = {Clip(path.parent.name, path.stem) for path in OWN.glob("*/*.wav")}
    assert files == set(catalogue())
    assert sum(path.stat().st_size for path in OWN.glob("*/*.wav")) < 1_500_000


@pytest.mark.parametrize("clip", catalogue(), ids="-".join)
def test_a_clip_is_short_loud_enough_and_ends_in_quiet(clip: Clip) -> None:
    samples = array("h", load(None).samples[clip])
    assert 0.15 < len(samples) / codec.RATE < 4
    assert 25_000 < max(map(abs, samples)) < 32_767
    assert max(map(abs, samples[-80:])) < 3_000


def test_joined_clips_are_one_wav_as_long_as_its_parts() -> None:
    clips = load(None)
    joined = clips.speak(CALL, LANGUAGES, 100)
    with wave.open(io.BytesIO(joined)) as wav:
        assert (wav.getnchannels(), wav.getsampwidth(), wav.getframerate()) == (1, 2, 8000)
        parts = sum(len(clips.samples[clip]) for clip in CALL.clips)
        assert wav.getnframes() * 2 == parts + 2 * 8 * PAUSE_MS
    assert 3 < codec.seconds(joined) < 9


def recording(path: Path, samples: bytes, rate: int = 8000, channels: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as wav:
        wav.setnchannels(channels)
        wav.setsampwidth(2)
        wav.setframerate(rate)
        wav.writeframes(samples)


def test_a_recording_takes_the_place_of_a_clip(tmp_path: Path) -> None:
    recording(tmp_path / "zh" / "n13.wav", b"\1\0" * 8)  # not in the catalogue
    recording(tmp_path / "zh" / "ask.wav", b"\1\0" * 80)
    found = load(tmp_path)
    assert found.samples[Clip("zh", "ask")] == b"\1\0" * 80
    assert found.samples[Clip("en", "ask")] == load(None).samples[Clip("en", "ask")]
    assert not found.faults


@pytest.mark.parametrize(("rate", "channels"), [(44_100, 1), (8000, 2)])
def test_a_recording_of_another_kind_is_named_and_the_own_clip_stays(tmp_path: Path, rate: int, channels: int) -> None:
    recording(tmp_path / "zh" / "ask.wav", b"\1\0" * 80, rate, channels)
    found = load(tmp_path)
    assert found.samples == load(None).samples
    (fault,) = found.faults
    assert fault.startswith(f"{tmp_path}/zh/ask.wav: {channels} channels, 16 bit, {rate} Hz, expected mono, 16 bit")


@pytest.mark.parametrize("data", [b"", b"RIFF", b"not a clip at all" * 10])
def test_what_is_no_wav_is_no_clip(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "n1.wav").write_bytes(data)
    (fault,) = load(tmp_path).faults
    assert "expected mono, 16 bit, 8000 Hz" in fault


def test_a_language_that_lacks_a_clip_is_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clips = load(None)
    del clips.samples[Clip("zh", "n10")]
    assert clips.speak(CALL, LANGUAGES, 100) == clips.speak(CALL, ["en"], 100) != b""
    del clips.samples[Clip("en", "group")]
    assert clips.speak(CALL, LANGUAGES, 100) == b""
