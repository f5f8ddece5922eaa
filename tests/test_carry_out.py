"""A command on root's side, from the request to the answer."""

from pathlib import Path

import pytest

from kiosk import carry_out, requests, shell
from kiosk.cli import main
from kiosk.config import Config
from kiosk.events import CommandAnswered
from kiosk.update import fetch
from tests.support.updates import KEYS, NEW, card_in, holds, make
from tests.test_commands import SSH
from tests.test_requests import Machine


class Root(Machine):
    """A machine that has a card, and never really starts anew."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        super().__init__(folder, KEYS)
        self.card = card_in(folder / "card")
        self.ran: list[list[str]] = []
        patch.setattr(carry_out, "Card", lambda: self.card)
        patch.setattr(carry_out, "run", self.ran.append)
        patch.setattr(carry_out, "DOWNLOADS", folder / "update")

    def ask(self, n: int = 1, **changes: object) -> bytes:  # type: ignore[override]
        return super().ask(n, **({"until": 1 << 50} | changes))  # type: ignore[arg-type]

    def carry_out(self, do: str) -> int:
        return carry_out.carry_out(do, self.config, self.etc)

    @property
    def answers(self) -> list[CommandAnswered]:
        return requests.answers(self.runtime)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Root:
    return Root(tmp_path, monkeypatch)


def update(root: Root, path: Path, patch: pytest.MonkeyPatch, **changes: object) -> None:
    """The bundle lies at the end of a line that needs no time."""

    def fetched(_url: str, size: int, _sha256: bytes, folder: Path) -> Path:
        folder.mkdir(exist_ok=True)
        copy = folder / "fetched.kiosk"
        copy.write_bytes(path.read_bytes())
        assert size == path.stat().st_size
        return copy

    patch.setattr(fetch, "fetch", fetched)
    args = {"url": "http://post/u.kiosk", "size": path.stat().st_size, "sha256": bytes(32)} | changes
    root.ask(do="update", args=args)


def test_an_update_is_fetched_written_answered_and_tried(
    root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make(tmp_path / "post")
    update(root, path, monkeypatch)
    assert root.carry_out("update") == 0
    assert holds(root.card, "B", path)
    said = f"slot B holds version {NEW}; it is tried when nobody is at the desk"
    assert root.answers == [CommandAnswered(7, 1, "done", said)]
    assert root.ran == [["systemctl", "reboot", "--reboot-argument=0 tryboot"]]
    assert list((tmp_path / "update").iterdir()) == []


@pytest.mark.parametrize(("older", "outcome"), [(False, "failed"), (True, "done")])
def test_going_back_takes_leave(
    root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, older: bool, outcome: str
) -> None:
    update(root, make(tmp_path / "post", version="0.0.1"), monkeypatch, older=older)
    root.carry_out("update")
    assert root.answers[0].outcome == outcome
    assert bool(root.ran) == older


def test_a_bundle_that_is_none_fails_and_nothing_is_touched(
    root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "post"
    path.write_bytes(b"photograph" * 100)
    update(root, path, monkeypatch)
    assert root.carry_out("update") == 1
    assert root.answers[0].outcome == "failed"
    assert "no bundle of a kiosk" in root.answers[0].text
    assert root.card.boot_partition("B").read_bytes().startswith(b"boot of B")
    assert root.ran == []


def test_a_shell(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(shell, "open_shell", lambda wanted, *_: asked.append(wanted) or "open for 2 h")
    root.ask(do="shell", args={"hours": 2, "key": SSH})
    assert root.carry_out("shell") == 0
    assert [each.hours for each in asked] == [2]
    assert root.answers == [CommandAnswered(7, 1, "done", "open for 2 h")]
    root.ask(do="shell", args={"hours": 2, "key": SSH})
    assert root.carry_out("shell") == 0
    assert len(asked) == 1, "once"


def test_what_cannot_be_done_is_answered(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> str:
        raise OSError("systemd-run: no")

    monkeypatch.setattr(shell, "open_shell", fails)
    root.ask(do="shell", args={"hours": 2, "key": SSH})
    assert root.carry_out("shell") == 1
    assert root.answers == [CommandAnswered(7, 1, "failed", "systemd-run: no")]


def test_support_tells_the_status(root: Root) -> None:
    root.ask()
    assert root.carry_out("support") == 0
    assert "the kiosk was not started since the last boot" in root.answers[0].text


def test_a_request_that_is_not_there_or_not_signed(root: Root, capsys: pytest.CaptureFixture[str]) -> None:
    assert root.carry_out("shell") == 1
    (root.runtime / requests.FOLDER).mkdir()
    (root.runtime / requests.FOLDER / "shell").write_bytes(b"open")
    assert root.carry_out("shell") == 1
    assert "request shell: envelope" in capsys.readouterr().err
    assert root.answers == []


def test_the_command_line_finds_its_way(root: Root, config_file: Path) -> None:
    root.ask()
    assert main(["carry-out", "--config", str(config_file), "support"]) == 0
    assert root.answers[0].outcome == "done"


@pytest.fixture
def config_file(root: Root) -> Path:
    path, config = root.etc / "kiosk.toml", root.config
    assert isinstance(config, Config)
    path.write_text(
        f'[site]\ncode = "{config.site.code}"\nname = "x"\n[kiosk]\nnumber = 7\n'
        f'runtime_dir = "{config.kiosk.runtime_dir}"\n[seal]\npublic_key = "{config.seal.public_key}"\n'
    )
    return path
