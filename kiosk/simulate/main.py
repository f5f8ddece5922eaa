"""`kiosk simulate`: a site at work on one machine. Exit status 0 only if every check holds."""

import argparse
import asyncio
import contextlib
import logging
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec

from kiosk.provision import merge
from kiosk.simulate import checks, evidence
from kiosk.simulate.brokers import BrokerError, RunningBroker, open_broker
from kiosk.simulate.evidence import Evidence, Traces
from kiosk.simulate.folder import OutFolder
from kiosk.simulate.plan import GROUP, PowerCut, Step, Visit, Visitor, plan
from kiosk.simulate.rig import Rig, StartError
from kiosk.simulate.scene import Scene
from kiosk.simulate.screen import View, choose_view
from kiosk.simulate.story import Story, StoryError
from kiosk.simulate.summary import summary

POLICY = {"group_size": GROUP, "pool_size": GROUP}
PACE = {"pair_window_s": 2.5}
"""Residents of a simulation do not hesitate."""
_OUR_OWN = ("site", "kiosk", "seal", "devices", "health_code_formats")
"""Tables of a profile that tell of a place and its hardware."""
LAST_LINES = 15
_INTERRUPTED = 128 + signal.SIGINT


def simulate(options: argparse.Namespace) -> int:
    """Returns the exit status."""
    logging.getLogger().addHandler(logging.NullHandler())  # what goes wrong is told by the checks
    tables = tables_of(options.profile)
    group, phone = tables["policy"]["group_size"], tables["policy"].get("require_phone", False)
    steps = plan(options.residents, options.seed, demo=options.demo, group=group, phone=phone)
    try:
        out = OutFolder(options.out)
        found = asyncio.run(_run(steps, options, tables, out))
    except (StoryError, StartError, BrokerError) as error:
        print(f"kiosk simulate: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("kiosk simulate: stopped before the end", file=sys.stderr)
        return _INTERRUPTED
    judged = checks.judge(found)
    lines = list(summary(found, judged))
    out.place("summary.txt").write_text("\n".join(lines) + "\n", "utf-8")
    print("\n".join(["", *lines]))
    failed = sum(bool(wrong) for _, wrong in judged)
    print(f"\n{f'{failed} of {len(judged)} checks FAILED' if failed else f'all {len(judged)} checks hold'}")
    return 1 if failed else 0


def tables_of(name: str | None) -> dict[str, dict[str, Any]]:
    """What the site's profile says of how it works. Raises ConfigError."""
    tables: dict[str, dict[str, Any]] = {"policy": POLICY}
    if name is not None:
        told = merge.profile(name, "kiosk simulate", merge.PROFILES)
        tables = {key: table for key, table in told.items() if key not in _OUR_OWN}
    return tables | {"policy": tables["policy"] | PACE}


async def _run(
    steps: tuple[Step, ...], options: argparse.Namespace, tables: dict[str, dict[str, Any]], out: OutFolder
) -> Evidence:
    _end_on_signals()
    view = choose_view()
    with tempfile.TemporaryDirectory(prefix="kiosk-simulate-") as name:
        folder = Path(name)
        try:
            async with _open_broker(view) as broker, Rig(folder, tables, mqtt_port=broker.port) as rig:
                return await _story(steps, options, out, rig, broker, view)
        except (StoryError, StartError) as error:
            raise type(error)(f"{error}{_last_lines(folder / 'kiosk.log')}") from None
        finally:
            _keep_logs(folder, out)


async def _story(
    steps: tuple[Step, ...],
    options: argparse.Namespace,
    out: OutFolder,
    rig: Rig,
    broker: RunningBroker,
    view: View,
) -> Evidence:
    visitors = _visitors(steps)
    scene = Scene(rig, options.residents, broker.kind, view.tell)
    story = Story(rig, broker, scene, options.speed, traces := Traces(visitors))
    async with _watched(view, scene):
        await rig.start_hub()
        await story.start()
        await story.play(steps)
        await story.settle()
        paths = evidence.save_labels(rig, out)
        found = evidence.collect(rig, story.told, story.restarts, paths, traces, scene.acked)
        return msgspec.structs.replace(found, exit_status=await rig.stop())


def _keep_logs(folder: Path, out: OutFolder) -> None:
    for log in sorted(folder.glob("*.log")):
        out.place(log.name).write_bytes(log.read_bytes())


def _visitors(steps: tuple[Step, ...]) -> list[Visitor]:
    return [step.visitor for step in steps if isinstance(step, Visit | PowerCut)]


@contextlib.asynccontextmanager
async def _open_broker(view: View) -> AsyncIterator[RunningBroker]:
    """mosquitto, or the embedded one when there is none or it does not start. Raises BrokerError."""
    async with contextlib.AsyncExitStack() as stack:
        try:
            broker = await stack.enter_async_context(open_broker())
        except BrokerError as error:
            view.note(f"going on with the embedded broker: {error}")
            broker = await stack.enter_async_context(open_broker("embedded"))
        yield broker


@contextlib.asynccontextmanager
async def _watched(view: View, scene: Scene) -> AsyncIterator[None]:
    """The view follows the scene until the end."""
    with view.open(scene):
        task = asyncio.create_task(view.follow(scene))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _end_on_signals() -> None:
    """SIGTERM and a closed terminal end it as Ctrl-C does: everything that was started is stopped."""
    task = asyncio.current_task()
    if task is not None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)


def _last_lines(log: Path) -> str:
    try:
        lines = log.read_text("utf-8", "replace").splitlines()[-LAST_LINES:]
    except OSError:
        return ""
    return "".join(["\nthe last lines of its log:", *(f"\n  {line}" for line in lines)]) if lines else ""
