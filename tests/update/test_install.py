"""`kiosk update` as a technician meets it: a stick, a card, and what is said where."""

import hashlib
import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from kiosk import __version__, control
from kiosk.cli import main
from kiosk.seal import PrivateKeys
from kiosk.update import bundle, install, work
from kiosk.update.attempt import DAMAGED, FAILED, Attempt, Places
from kiosk.update.bundle import CHUNK
from kiosk.update.slots import Card
from kiosk.update.stick import ERROR, Stick
from tests.support.updates import KEYS, NEW, card_in, holds, issue, make, manifest_of, places_in, runs


class Daemon:
    """The far end of the control socket: keeps what it is asked."""

    def __init__(self, path: Path) -> None:
        self.asked: list[dict[str, object]] = []
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            peer, _ = self._socket.accept()
            with peer:
                if not (line := peer.makefile().readline()):
                    return
                self.asked.append(json.loads(line))
                peer.sendall(b'{"ok": true}\n')

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX) as last:
            last.connect(self._socket.getsockname())
        self._thread.join()
        self._socket.close()


class Site:
    """A kiosk with a card, and a stick in a technician's hand."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.card = card_in(folder / "card")
        self.at: Places = places_in(folder)
        self.stick = folder / "stick"
        self.stick.mkdir()
        self.restarts: list[list[str]] = []
        self.config = self.at.etc / "kiosk.toml"
        self.config.write_text(
            f'[site]\ncode = "360481"\nname = "x"\n[kiosk]\nnumber = 1\nruntime_dir = "{self.at.runtime}"\n'
            f'data_dir = "{folder / "data"}"\n[seal]\npublic_key = "{KEYS.public.line()}"\n'
        )
        patch.setattr(work, "Card", lambda: self.card)
        patch.setattr(work, "run", self.restarts.append)
        self.daemon = Daemon(self.at.runtime / control.NAME)

    def plug(self, *options: str) -> int:
        return self.update("install", *options, str(self.stick))

    def update(self, what: str, *options: str) -> int:
        return main(["update", what, "--config", str(self.config), "--run", str(self.at.run), *options])

    @property
    def error(self) -> str:
        """What a laptop shows."""
        path = self.stick / ERROR
        return path.read_text("utf-8-sig") if path.exists() else ""

    def told(self, words: str) -> None:
        """In all three places, and nothing was touched."""
        assert words in self.error
        assert words in issue(self.at, FAILED)
        assert words in str(self.daemon.asked[-1]["args"])
        assert self.daemon.asked[-1]["do"] == "print-notice"
        msgspec.convert(self.daemon.asked[-1]["args"], control.Notice)
        self.untouched()

    def untouched(self) -> None:
        assert self.restarts == []
        assert self.card.default() == "A"
        for slot in ("A", "B"):
            assert self.card.boot_partition(slot).read_bytes().startswith(f"boot of {slot}".encode())


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    site = Site(tmp_path, monkeypatch)
    yield site
    site.daemon.close()


def test_a_good_stick(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    path = make(site.stick)
    (site.stick / "holiday.jpg").write_bytes(b"photograph")
    (site.stick / "._update.kiosk").write_bytes(b"of a Mac")
    (site.stick / ERROR).write_text("of last time")
    assert site.plug() == 0
    assert "the kiosk restarts into it" in capsys.readouterr().out
    assert site.restarts == [["systemctl", "reboot", "--reboot-argument=0 tryboot"]]
    assert holds(site.card, "B", path)
    assert site.card.default() == "A"
    assert site.card.root_partition("A").read_bytes().startswith(b"root of A")
    assert site.at.attempt() == Attempt("B", NEW, manifest_of(path).root.sha256.hex(), __version__)
    assert (site.error, issue(site.at, FAILED)) == ("", "")


def test_from_b_into_a(site: Site) -> None:
    path = make(site.stick)
    site.card.set_default("B")
    runs(site.card, "B")
    assert site.plug() == 0
    assert holds(site.card, "A", path)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda raw: raw[: len(raw) // 2], "cut short"),
        (lambda raw: raw[:-9] + b"!" + raw[-8:], "root is damaged at byte"),
        (lambda _: b"", "no bundle of a kiosk"),
        (lambda _: b"photograph" * 1000, "no bundle of a kiosk"),
    ],
)
def test_a_spoilt_bundle(site: Site, spoil: object, says: str) -> None:
    path = make(site.stick)
    path.write_bytes(spoil(path.read_bytes()))  # type: ignore[operator]
    assert site.plug() == 1
    site.told(says)


def test_one_of_another_command_post(site: Site) -> None:
    make(site.stick, keys=PrivateKeys.generate())
    assert site.plug() == 1
    site.told("expected one of the command post this kiosk belongs to")


def test_an_older_one_and_leave_for_it(site: Site) -> None:
    make(site.stick, version="0.0.9")
    assert site.plug() == 1
    site.told(f"version: found 0.0.9, this kiosk runs {__version__}: going back takes a bundle made for it")
    assert site.plug("--older") == 0
    site.restarts.clear()
    make(site.stick, version="0.0.9", older=True)
    assert site.plug() == 0


def test_one_whose_program_cannot_read_the_records(site: Site) -> None:
    make(site.stick, schema=0)
    assert site.plug() == 1
    site.told("schema: found 0, this kiosk's records have 2")


def test_one_for_another_board(site: Site) -> None:
    make(site.stick, boards=("brcm,bcm2712",))
    assert site.plug() == 1
    site.told("boards: found one for brcm,bcm2712, this board is raspberrypi,4-model-b, brcm,bcm2711")


def test_one_that_needs_a_step_between(site: Site) -> None:
    make(site.stick, from_version="98.0")
    assert site.plug() == 1
    site.told(f"from_version: found {__version__} on this kiosk, expected 98.0: install that one first")


def test_one_that_is_too_large(site: Site) -> None:
    make(site.stick)
    os.truncate(site.card.root_partition("B"), CHUNK)
    assert site.plug() == 1
    site.told(f"its partition holds {CHUNK}: the card must be written anew")


def test_two_on_one_stick_or_none(site: Site) -> None:
    assert site.plug() == 1
    site.told("no update: expected one file *.kiosk")
    make(site.stick)
    make(site.stick, name="ANOTHER.KIOSK")
    assert site.plug() == 1
    site.told("found ANOTHER.KIOSK, update.kiosk, expected one file *.kiosk: delete the others")


def test_the_version_that_runs(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    make(site.stick, version=__version__)
    assert site.plug() == 0
    assert f"this kiosk runs version {__version__} already" in capsys.readouterr().out
    site.untouched()
    assert site.daemon.asked == []


def test_a_slot_on_trial_takes_none(site: Site) -> None:
    make(site.stick)
    runs(site.card, "B")
    assert site.plug() == 1
    assert "slot B runs on trial" in issue(site.at, FAILED)


def test_a_stick_pulled_out_in_the_middle(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    path, chunks = make(site.stick), bundle.Bundle.chunks
    reads = 0

    def pulled(self: bundle.Bundle, part: bundle.Part) -> Iterator[tuple[int, bytes]]:
        nonlocal reads
        for each in chunks(self, part):
            reads += 1
            if reads == 7:
                raise OSError(5, "Input/output error")
            yield each

    monkeypatch.setattr(bundle.Bundle, "chunks", pulled)
    assert site.plug() == 1
    assert "the stick failed or was pulled out: plug it in again" in issue(site.at, FAILED)
    assert site.card.boot_partition("B").read_bytes()[:512] == bytes(512), "what is half written does not start"
    assert site.card.default() == "A"
    assert site.plug() == 0
    assert holds(site.card, "B", path)


def test_a_full_data_partition(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    make(site.stick)

    def full(_at: Places, attempt: Attempt | None) -> None:
        if attempt is not None:
            raise OSError(28, "No space left on device", "update.json")

    with monkeypatch.context() as patch:
        patch.setattr(Places, "keep", full)
        assert site.plug() == 1
    assert "no room left on the data partition" in issue(site.at, FAILED)
    assert (site.restarts, site.card.default()) == ([], "A")


def test_a_stick_that_stays_in_is_not_tried_for_ever(site: Site) -> None:
    path = make(site.stick)
    failed = Attempt("B", NEW, manifest_of(path).root.sha256.hex(), __version__, failed="no answer from printer")
    site.at.keep(failed)
    for _ in range(3):
        assert site.plug() == 1
        site.untouched()
    assert "no answer from printer. To try it once more delete this file" in site.error
    assert len(site.daemon.asked) == 1, "one label is enough"
    (site.stick / ERROR).unlink()
    assert site.plug() == 0
    assert holds(site.card, "B", path)


def test_a_stick_that_stays_in_after_it_was_kept_is_left_alone(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    path = make(site.stick)
    site.card.set_default("B")
    runs(site.card, "B")
    site.at.keep(Attempt("B", NEW, manifest_of(path).root.sha256.hex(), __version__, kept=True))
    assert site.plug() == 0
    assert f"runs version {NEW} already" in capsys.readouterr().out
    assert site.restarts == []


def test_another_bundle_after_a_failed_one_is_tried(site: Site) -> None:
    site.at.keep(Attempt("B", NEW, "ab" * 32, __version__, failed="no answer from printer"))
    make(site.stick)
    assert site.plug() == 0


def test_a_stick_that_cannot_be_written_is_no_reason_to_stop(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def protected(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    (site.stick / "update.kiosk").write_bytes(b"photograph")
    monkeypatch.setattr("kiosk.files.put", protected)
    assert site.plug() == 1
    assert site.error == ""
    assert "no bundle of a kiosk" in str(site.daemon.asked[-1]["args"])


def test_a_device_is_mounted_for_reading_and_for_a_moment_for_writing(tmp_path: Path) -> None:
    ran: list[str] = []
    stick = Stick(tmp_path / "mounted", Path("/dev/sda1"), lambda command: ran.append(" ".join(command)))
    with stick.opened():
        stick.tell("why")
    at, options = tmp_path / "mounted", "nosuid,nodev,noexec"
    assert ran == [
        f"mount -o ro,{options} /dev/sda1 {at}",
        f"mount -o remount,rw,{options} {at}",
        f"mount -o remount,ro,{options} {at}",
        f"umount --lazy {at}",
    ]


def test_commands_on_a_stick_are_handed_to_the_daemon(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    (site.stick / "open.command").write_bytes(b"signed")
    assert site.plug() == 0
    assert site.daemon.asked == [{"do": "command", "args": {"envelope": "c2lnbmVk"}}]
    assert "open.command: handed over" in capsys.readouterr().out


def test_show_and_status(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = make(site.stick, boards=("brcm,bcm2711",), older=True)
    (tmp_path / "public.key").write_text(KEYS.public.line() + "\n")
    assert main(["update", "show", "--public-key", str(tmp_path / "public.key"), str(path)]) == 0
    shown = capsys.readouterr().out
    assert f"version  {NEW}, made 1970-01-01 00:00 UTC\nfor      kiosks from version 0 on, also newer ones" in shown
    site.at.keep(Attempt("B", NEW, "", __version__, failed="no answer from printer"))
    assert site.update("status") == 0
    out = capsys.readouterr().out
    assert "running  slot A\n" in out
    assert f"update   version {NEW} in slot B: given up: no answer from printer" in out
    path.write_bytes(b"photograph")
    assert main(["update", "show", "--public-key", str(tmp_path / "public.key"), str(path)]) == 1


def test_the_running_slot_is_compared_with_what_was_written(site: Site, tmp_path: Path) -> None:
    root, boot = site.card.root_partition("A"), tmp_path / "boot"
    boot.mkdir()
    content = b"root of A" + b"." * 991
    sha256 = hashlib.sha256(content).hexdigest()
    (boot / "slot.json").write_text(json.dumps({"version": "1", "root_size": 1000, "root_sha256": sha256}))
    assert site.update("check-slot", "--boot", str(boot)) == 0
    assert issue(site.at, DAMAGED) == ""
    root.write_bytes(b"ROOT" + root.read_bytes()[4:])
    assert site.update("check-slot", "--boot", str(boot)) == 1
    assert "slot A: the root reads otherwise than it was written: bring an update" in issue(site.at, DAMAGED)
    (boot / "slot.json").write_text("[")
    assert site.update("check-slot", "--boot", str(boot)) == 1
    assert "slot.json cannot be used" in issue(site.at, DAMAGED)


def commit(site: Site, *, within: float = 0.0) -> int:
    return site.update("commit", "--within", str(within))


def test_a_trial_is_given_up_with_its_reason_and_the_default_stays(site: Site) -> None:
    site.at.keep(Attempt("B", NEW, "", __version__))
    runs(site.card, "B")
    site.at.trial.touch()
    assert commit(site) == 1
    kept = site.at.attempt()
    assert kept is not None
    assert "the kiosk does not run" in kept.failed
    assert (site.card.default(), site.at.trial.exists()) == ("A", True), "its unit starts the other slot"


def test_a_trial_that_goes_well_is_kept_and_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.at.keep(Attempt("B", NEW, "", __version__))
    runs(site.card, "B")
    site.at.trial.touch()
    monkeypatch.setattr(work.trial, "judge", lambda *_args, **_options: "")
    assert commit(site) == 0
    assert (site.card.default(), site.at.trial.exists()) == ("B", False)
    assert "更新完成 Updated" in str(site.daemon.asked[-1])


def test_in_the_slot_of_before_one_label_tells_why(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.at.keep(Attempt("B", NEW, "", __version__, failed="no answer from printer"))
    monkeypatch.setattr(work.trial, "wait_until_up", lambda _at: True)
    for _ in range(3):
        assert commit(site) == 0
    assert len(site.daemon.asked) == 1
    assert "no answer from printer" in str(site.daemon.asked[0])


def test_a_machine_without_slots(site: Site, tmp_path: Path) -> None:
    make(site.stick)
    site.card = Card(tmp_path / "none", tmp_path / "none", site.card.cmdline)
    assert site.plug() == 1
    assert "the first partition cannot be read" in site.error


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(5, "Input/output error"), "the stick failed or was pulled out"),
        (OSError(28, "No space left", "x"), "x: no room left on the data partition"),
        (FileNotFoundError(2, "No such file", "x"), "this machine does not run from a card"),
        (OSError(13, "Permission denied", "x"), "x: Permission denied"),
        (OSError("mount: wrong fs type"), "mount: wrong fs type"),
    ],
)
def test_faults_in_words_of_advice(error: OSError, says: str) -> None:
    assert says in install.advice(error)
