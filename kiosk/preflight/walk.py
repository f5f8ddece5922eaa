"""From the first step to the fact in the journal. The kiosk must be stopped: its devices and records are used."""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from kiosk import __version__, seal
from kiosk.clock import Clock, SystemClock
from kiosk.config import Config
from kiosk.events import PreflightEnded
from kiosk.machine import Machine
from kiosk.preflight.steps import Limits, Step, Walk
from kiosk.preflight.workbench import Failed, Workbench
from kiosk.records import Records, locked, open_records
from kiosk.runner import rows
from kiosk.site import decide
from kiosk.update.attempt import Places
from kiosk.uplink import Uplink

Say = Callable[[str], None]
PATIENT = Limits()


class Outcome(NamedTuple):
    """Names of the steps; ``failed``: with the reason; ``absent``: the kiosk has no such device."""

    passed: tuple[str, ...]
    failed: dict[str, str]
    absent: tuple[str, ...]
    seconds: int


async def preflight(config: Config, say: Say, limits: Limits = PATIENT) -> Outcome:
    """Walks through all steps and writes down what came of them. Raises AlreadyRunningError, StorageFault and any other
    OSError, SealError."""
    data_dir = config.kiosk.data_dir
    data_dir.mkdir(parents=True, exist_ok=True)
    config.kiosk.runtime_dir.mkdir(parents=True, exist_ok=True)
    _own(config)
    async with contextlib.AsyncExitStack() as closing:
        closing.callback(os.close, locked(data_dir))
        if Places(run=config.kiosk.runtime_dir.parent).trial.exists():
            raise OSError("an update is on trial: wait until it is kept or given up")
        records = await open_records(config, closing, trial=False)
        clock, bench = SystemClock(), Workbench(config)
        line = _uplink(config, records)
        if line is not None:
            task = asyncio.create_task(line.run())
            closing.push_async_callback(asyncio.wait, [task])
            closing.callback(task.cancel)
        await closing.enter_async_context(bench.at_work())
        head = (records.proper or records.journal).head
        free = Machine(data_dir).look().disk_free
        walk = Walk(config, bench, clock.now(), free, line, head, records.site.stock, limits)
        outcome = await _walked(walk.steps(), say)
        await _keep(records, outcome, clock)
    return outcome


def _own(config: Config) -> None:
    """What another user writes into the data folder the kiosk could not use. Raises PermissionError."""
    owner = config.kiosk.data_dir.stat().st_uid
    if os.geteuid() != owner:
        raise PermissionError(f"{config.kiosk.data_dir} belongs to user {owner}: run this as that user")


async def _walked(steps: list[Step], say: Say) -> Outcome:
    began, passed, failed = time.monotonic(), [], {}
    fitted = [step for step in steps if step.fitted]
    for number, step in enumerate(fitted, 1):
        say(f"[{number}/{len(fitted)}] {step.name}" + (f": {step.ask}" if step.ask else ""))
        try:
            await step.attempt()
        except (Failed, OSError, ValueError) as error:
            failed[step.name] = str(error)
            say(f"    FAIL 不合格: {error}")
        else:
            passed.append(step.name)
            say("    PASS 合格")
    absent = tuple(step.name for step in steps if not step.fitted)
    return Outcome(tuple(passed), failed, absent, round(time.monotonic() - began))


async def _keep(records: Records, outcome: Outcome, clock: Clock) -> None:
    at = clock.now()
    event = PreflightEnded(outcome.passed, tuple(outcome.failed), outcome.seconds)
    await records.journal.append(rows(decide(records.site, event, at).facts, at))


def _uplink(config: Config, records: Records) -> Uplink | None:
    if config.mqtt is None:
        return None
    return Uplink(
        config.mqtt,
        config.site.code,
        config.kiosk.number,
        records.proper or records.journal,
        seal.device_key(config.kiosk.data_dir / "device.key"),
        seal.PublicKeys.parse(config.seal.public_key),
        lambda: {"version": __version__, "issues": ("preflight",)},
    )


def main(config: Config, *, as_json: bool) -> int:
    """Exit status: 0 all works, 1 something does not."""
    out = sys.stderr if as_json else sys.stdout
    outcome = asyncio.run(preflight(config, lambda text: print(text, file=out, flush=True)))
    if as_json:
        told: dict[str, Any] = outcome._asdict()
        print(json.dumps(told, ensure_ascii=False))
    else:
        print(summary(outcome))
    return 1 if outcome.failed else 0


def summary(outcome: Outcome) -> str:
    tried = len(outcome.passed) + len(outcome.failed)
    lines = [f"{len(outcome.passed)} of {tried} passed in {outcome.seconds} s"]
    lines += [f"FAIL {name}: {why}" for name, why in outcome.failed.items()]
    lines += [f"not fitted: {', '.join(outcome.absent)}"] if outcome.absent else []
    return "\n".join(lines)
