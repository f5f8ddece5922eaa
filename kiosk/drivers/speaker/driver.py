"""The speaker: one prompt at a time, through `aplay` of alsa-utils. A speaker that is pulled out is offline and opened
again; what it should have said meanwhile is stale by then and never said."""

import asyncio
import logging
import time
from collections.abc import Callable

from kiosk.config import AlsaSpeaker, Voice
from kiosk.drivers.base import DeviceLost, Post, keep_open
from kiosk.drivers.speaker import codec
from kiosk.drivers.speaker.clips import load
from kiosk.voice import Prompt, Waiting

log = logging.getLogger(__name__)

PROBE_MS = 50
"""Of silence, by which the device shows that it is there."""
LATE_S = 5.0
"""A prompt that takes so much longer than its samples: the device has gone without a word."""


class Speaker:
    name = "speaker"

    def __init__(self, config: AlsaSpeaker, voice: Voice, post: Post) -> None:
        self._device = config.device
        self._voice = voice
        self._post = post
        self._waiting = Waiting()
        self._some = asyncio.Event()

    def say(self, prompt: Prompt) -> None:
        """As soon as the one before has ended. Never blocks, never raises."""
        self._waiting.put(prompt, _now())
        self._some.set()

    async def run(self) -> None:
        self._clips = await asyncio.to_thread(load, self._voice.folder)
        for fault in self._clips.faults:
            log.warning("speaker: not used: %s", fault)
        await keep_open(self.name, self._post, self._session)

    async def _session(self, online: Callable[[], None]) -> None:
        await self._play(codec.encode(codec.silence(PROBE_MS)))
        online()
        while True:
            await self._some.wait()
            self._some.clear()
            while (prompt := self._waiting.next(_now())) is not None:
                wav = self._clips.speak(prompt, self._voice.languages, self._voice.volume)
                if wav and self._voice.volume:
                    await self._play(wav)

    async def _play(self, wav: bytes) -> None:
        """Returns when it was heard. Raises DeviceLost."""
        try:
            player = await asyncio.create_subprocess_exec(
                "aplay", "-q", "-D", self._device, "-", stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
            )
        except FileNotFoundError:
            raise DeviceLost("aplay is missing: install alsa-utils") from None
        try:
            async with asyncio.timeout(codec.seconds(wav) + LATE_S):
                _, said = await player.communicate(wav)
        except TimeoutError:
            raise DeviceLost(f"{self._device}: aplay hangs") from None
        finally:
            if player.returncode is None:
                player.kill()
                await player.wait()
        if player.returncode:
            lines = said.decode(errors="replace").strip().splitlines()
            raise DeviceLost(f"{self._device}: {lines[-1] if lines else f'aplay ended with {player.returncode}'}")


def _now() -> int:
    return time.monotonic_ns() // 1_000_000
