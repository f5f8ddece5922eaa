"""A slot on trial: kept when the kiosk is well in it, given up with a reason when it is not."""

import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kiosk import __version__, health
from kiosk.update import trial
from kiosk.update.attempt import FAILED, TRIAL, Attempt, Places
from kiosk.update.slots import Card
from tests.support.updates import card_in, issue, places_in, runs

TRIED = Attempt("B", "99.1.0", "ab" * 32, "0.1.0", ("card", "printer"), 41)


class World:
    """A daemon as its status file shows it, and time that goes on only when somebody waits. ``then``: what happens at
    which second."""

    def __init__(self, at: Places) -> None:
        self.at, self.seconds = at, 0
        self.then: dict[int, Callable[[], None]] = {}
        self.told: dict[str, Any] = {"devices": {"card": "online", "printer": "online", "code": "offline"}}
        self.pid = os.getpid()

    @property
    def times(self) -> trial.Times:
        return trial.Times(lambda: float(self.seconds), self._wait)

    def _wait(self, seconds: float) -> None:
        self.seconds += round(seconds)
        if happens := self.then.pop(self.seconds, None):
            happens()
        self.refresh()

    def refresh(self) -> None:
        path = self.at.runtime / health.STATUS_NAME
        if path.exists():
            self.up()

    def up(self, seq: int | None = None, issues: dict[str, str] | None = None, **devices: str) -> None:
        self.told["devices"] |= devices
        if issues is not None:
            self.told["issues"] = [{"code": code, "since": 0, "hint": hint} for code, hint in issues.items()]
        self.told.setdefault("issues", [])
        before = self.told.get("journal", {"seq": 41})["seq"]
        self.told["journal"] = {"seq": before if seq is None else seq, "acked": 0}
        started = health._started(self.pid)
        now = time.monotonic_ns() // 1_000_000
        whole = {"pid": self.pid, "started": started, "written": now, "ready": False} | self.told
        (self.at.runtime / health.STATUS_NAME).write_text(json.dumps(whole))

    def down(self) -> None:
        (self.at.runtime / health.STATUS_NAME).unlink(missing_ok=True)


@pytest.fixture
def card(tmp_path: Path) -> Card:
    return card_in(tmp_path / "card")


@pytest.fixture
def at(tmp_path: Path) -> Places:
    return places_in(tmp_path)


@pytest.fixture
def world(at: Places) -> World:
    return World(at)


def judge(world: World) -> str:
    return trial.judge(world.at, times=world.times)


def test_a_kiosk_that_is_well_for_a_while_is_kept(world: World, at: Places) -> None:
    at.keep(TRIED)
    world.then = {60: world.up}
    assert judge(world) == ""
    assert world.seconds == 60 + trial.STEADY_S


def test_one_that_never_comes_up_is_not(world: World, at: Places) -> None:
    at.keep(TRIED)
    assert "the kiosk does not run" in judge(world)
    assert world.seconds == trial.WITHIN_S


def test_one_that_comes_and_goes_is_not(world: World, at: Places) -> None:
    at.keep(TRIED)
    world.then = {second: world.down if second % 30 == 0 else world.up for second in range(15, 320, 15)}
    assert judge(world) != ""


def test_one_that_starts_over_and_over_is_not(world: World, at: Places) -> None:
    at.keep(TRIED)
    others = [1, os.getpid()] * 200

    def again() -> None:
        world.pid = others.pop()
        world.up()

    world.then = dict.fromkeys(range(10, 320, 10), again)
    assert judge(world) == "it does not stay up"


def test_a_device_that_is_silent_now_is_named(world: World, at: Places) -> None:
    at.keep(TRIED)
    world.up(printer="offline")
    assert judge(world) == "no answer from printer, which answered before"


def test_a_device_that_was_silent_before_does_not_count(world: World, at: Places) -> None:
    at.keep(TRIED)
    world.up(code="offline")
    assert judge(world) == ""


def test_a_device_may_take_its_time(world: World, at: Places) -> None:
    at.keep(TRIED)
    world.up(printer="offline")
    world.then = {100: lambda: world.up(printer="online")}
    assert judge(world) == ""


@pytest.mark.parametrize("code", ["storage", "safe-mode", "journal-set-aside"])
def test_a_kiosk_in_need_is_not_kept(world: World, at: Places, code: str) -> None:
    at.keep(TRIED)
    world.up(issues={code: "why"})
    assert judge(world) == f"{code}: why"


def test_a_journal_that_has_lost_facts_is_a_reason(world: World, at: Places) -> None:
    at.keep(TRIED)
    world.up(seq=40)
    assert judge(world) == "the journal has 40 facts, it had 41"


def test_a_trial_nobody_wrote_down_is_judged_by_the_daemon_alone(world: World) -> None:
    world.up(seq=0, printer="offline")
    assert judge(world) == ""


def test_a_start_on_trial_is_said_and_kept(card: Card, at: Places) -> None:
    at.keep(TRIED)
    runs(card, "B")
    assert trial.begin(card, at)
    assert at.trial.exists()
    assert "runs on trial in slot B" in issue(at, TRIAL)
    trial.keep(card, at)
    assert (card.default(), at.trial.exists(), issue(at, TRIAL)) == ("B", False, "")
    assert at.attempt() == msgspec.structs.replace(TRIED, kept=True)
    assert not trial.begin(card, at)


def test_what_was_given_up_is_told_in_the_slot_of_before(card: Card, at: Places) -> None:
    at.keep(TRIED)
    runs(card, "B")
    trial.begin(card, at)
    trial.give_up(card, at, "no answer from printer, which answered before")
    assert card.default() == "A"
    runs(card, "A")
    at.trial.unlink()  # RAM
    assert not trial.begin(card, at)
    hint = f"version 99.1.0 was given up: no answer from printer, which answered before; version {__version__} goes on"
    assert issue(at, FAILED) == hint


def test_a_slot_that_never_started_is_told_too(card: Card, at: Places) -> None:
    at.keep(TRIED)
    assert not trial.begin(card, at)
    assert "it did not come up" in issue(at, FAILED)
    kept = at.attempt()
    assert kept is not None
    assert kept.failed.startswith("it did not come up")


def test_power_lost_right_after_it_was_kept_changes_nothing(card: Card, at: Places) -> None:
    at.keep(TRIED)
    runs(card, "B")
    card.set_default("B")
    assert not trial.begin(card, at)
    assert at.attempt() == msgspec.structs.replace(TRIED, kept=True)
    assert issue(at, FAILED) == ""


def test_a_damaged_note_is_none(card: Card, at: Places) -> None:
    (at.etc / "update.json").write_bytes(b'{"slot": "C"')
    assert at.attempt() is None
    assert not trial.begin(card, at)


def test_damage_of_the_root(card: Card) -> None:
    root = card.root_partition("A")
    content = root.read_bytes()[:100_000]
    sha256 = hashlib.sha256(content).hexdigest()
    assert trial.damage(root, 100_000, sha256) == ""
    assert "ends" in trial.damage(root, root.stat().st_size + 5, sha256)
    with root.open("r+b") as file:
        file.seek(70_000)
        file.write(b"!")
    assert trial.damage(root, 100_000, sha256) == "the root reads otherwise than it was written"
