"""What the daemon asks of root: root believes the signature alone, and does a thing once."""

import json
import os
from pathlib import Path

import pytest

from kiosk import commands, requests
from kiosk.commands import Command, Support
from kiosk.config import Config, Kiosk, Seal, Site
from kiosk.events import CommandAnswered
from kiosk.requests import RequestError, Root
from kiosk.seal import PrivateKeys

KEYS = PrivateKeys.generate()
NOW = 1_700_000_000_000


class Machine:
    def __init__(self, folder: Path, keys: PrivateKeys = KEYS) -> None:
        self.keys = keys
        self.etc, self.runtime = folder / "etc", folder / "run" / "kiosk"
        self.etc.mkdir()
        self.runtime.mkdir(parents=True)
        kiosk = Kiosk(7, data_dir=folder / "data", runtime_dir=self.runtime)
        self.config = Config(site=Site("360481", "x"), kiosk=kiosk, seal=Seal(keys.public.line()))

    def root(self, wall: int = NOW) -> Root:
        return Root(self.config, self.etc, wall)

    def ask(self, n: int = 1, *, do: str = "support", name: str = "", **changes: object) -> bytes:
        fields = {"site": "360481", "kiosk": 7, "n": n, "until": NOW + 1000, "do": do, "args": {}} | changes
        envelope = commands.pack(Command(**fields), self.keys.sign)
        requests.hand_over(self.runtime, name or do, envelope)
        return envelope

    @property
    def left(self) -> list[str]:
        return [path.name for path in (self.runtime / requests.FOLDER).iterdir()]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_request_is_taken_once_and_answered(machine: Machine) -> None:
    machine.ask()
    work = machine.root().take("support")
    assert work is not None
    assert (work.command.n, work.arguments, work.resumed, machine.left) == (1, Support(), False, [])
    machine.root().answer(work.command, "done", "all is well")
    assert requests.answers(machine.runtime) == [CommandAnswered(7, 1, "done", "all is well")]


def test_the_same_once_more_is_only_answered_also_after_a_start_of_the_machine(machine: Machine) -> None:
    machine.ask()
    work = machine.root().take("support")
    assert work is not None
    machine.root().answer(work.command, "done", "all is well")
    for path in (machine.runtime.parent / requests.ANSWERS).iterdir():
        path.unlink()  # RAM
    machine.ask()
    assert machine.root(NOW + 10**9).take("support") is None
    assert requests.answers(machine.runtime) == [CommandAnswered(7, 1, "done", "all is well")]


def test_what_was_not_ended_is_resumed_even_after_its_time(machine: Machine) -> None:
    machine.ask()
    machine.root().take("support")
    machine.ask()
    work = machine.root(NOW + 10**9).take("support")
    assert work is not None
    assert work.resumed


def test_an_expired_one_fails(machine: Machine) -> None:
    machine.ask()
    assert machine.root(NOW + 10**9).take("support") is None
    assert requests.answers(machine.runtime)[0].outcome == "failed"


def test_a_daemon_gone_mad_gets_no_older_one_done(machine: Machine) -> None:
    machine.ask(2)
    machine.root().take("support")
    machine.ask(1)
    with pytest.raises(RequestError, match="n: found 1, expected at least 2"):
        machine.root().take("support")
    machine.ask(1, kiosk=0)
    assert machine.root().take("support") is not None, "the site's own count"


BUNDLE = {"url": "http://x", "size": 1, "sha256": bytes(32)}


@pytest.mark.parametrize("changes", [{"site": "110000"}, {"kiosk": 8}, {"do": "update", "args": BUNDLE}])
def test_one_for_something_or_somebody_else(machine: Machine, changes: dict[str, object]) -> None:
    machine.ask(name="support", **changes)
    with pytest.raises(RequestError, match="for something or somebody else"):
        machine.root().take("support")
    assert machine.left == []


def test_one_nobody_signed(machine: Machine) -> None:
    machine.ask()
    path = machine.runtime / requests.FOLDER / "support"
    for content in (b"", b"\xc1" * 5000, path.read_bytes()[:-1] + b"!"):
        path.write_bytes(content)
        with pytest.raises(RequestError):
            machine.root().take("support")
        assert machine.left == []


def test_what_is_no_file_is_not_read(machine: Machine, tmp_path: Path) -> None:
    machine.ask()
    path = machine.runtime / requests.FOLDER / "support"
    secret = tmp_path / "secret"
    secret.write_text("of root")
    for make in (lambda: path.symlink_to(secret), lambda: os.mkfifo(path)):
        path.unlink(missing_ok=True)
        make()
        with pytest.raises((RequestError, OSError)):
            machine.root().take("support")
        assert machine.left == []
    assert secret.read_text() == "of root"


def test_a_damaged_ledger_or_answer_is_none(machine: Machine) -> None:
    (machine.etc / requests.LEDGER).write_text("[")
    (machine.runtime.parent / requests.ANSWERS).mkdir()
    (machine.runtime.parent / requests.ANSWERS / "7-1.json").write_text("{")
    machine.ask()
    assert machine.root().take("support") is not None
    assert requests.answers(machine.runtime) == []
    assert json.loads((machine.etc / requests.LEDGER).read_text())["7"]["n"] == 1
