"""The remote shell: what is started, for whom, and what is left when it is over."""

import shutil
import subprocess
from pathlib import Path

import pytest

from kiosk import issue_folder, shell
from kiosk.commands import Shell
from kiosk.shell import Places
from tests.test_commands import SSH

PROGRAM = "/opt/kiosk/bin/kiosk"


class Machine:
    """Runs ssh-keygen, if there is one, and keeps the rest in mind."""

    def __init__(self, folder: Path) -> None:
        self.at = Places(folder / "ssh", folder / "run")
        self.ran: list[list[str]] = []
        self.fault = ""

    def run(self, command: list[str]) -> None:
        if command[0] == "ssh-keygen":
            if shutil.which("ssh-keygen") is None:
                pytest.skip("ssh-keygen is not installed")
            subprocess.run(command, check=True)
        elif command[:2] == ["systemctl", "stop"] and not self.ran:
            self.ran.append(command)
            raise OSError("Unit kiosk-shell.service not loaded.")
        else:
            self.ran.append(command)
            if command[0] == "systemd-run" and self.fault:
                shell.forget(self.at)  # what the unit does when it ends
                raise OSError("systemd-run: Job for kiosk-shell.service failed.")

    def open(self, hours: int = 4, key: str = f"{SSH} a comment") -> str:
        return shell.open_shell(Shell(hours, key), self.at, self.run, PROGRAM, lambda: self.fault)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_it_opens_for_one_key_and_some_hours(machine: Machine) -> None:
    told = machine.open()
    at, started = machine.at, machine.ran[-1]
    assert (at.folder / "authorized_keys").read_text() == f"{SSH}\n"
    assert (at.folder / "authorized_keys").stat().st_mode & 0o777 == 0o600
    assert at.folder.stat().st_mode & 0o777 == 0o700
    assert started[0] == "systemd-run"
    assert {"--property=RuntimeMaxSec=4h", "--property=KillMode=control-group"} < set(started)
    assert f"--property=ExecStopPost={PROGRAM} shell closed" in started
    assert started[started.index("/usr/sbin/sshd") :] == [
        "/usr/sbin/sshd",
        "-D",
        "-e",
        "-f",
        f"{at.folder}/sshd_config",
    ]
    config = (at.folder / "sshd_config").read_text()
    for line in ("PasswordAuthentication no", "UsePAM no", f"AuthorizedKeysFile {at.folder}/authorized_keys"):
        assert f"{line}\n" in config
    assert told.startswith("open for 4 h; host key ssh-ed25519 ")
    hint = issue_folder.read(at.issues)[shell.ISSUE]
    assert hint.endswith(f"to the key {shell.fingerprint(SSH)}")


def test_opened_again_the_one_before_is_closed_first_and_the_host_is_the_same(machine: Machine) -> None:
    first = machine.open()
    machine.ran.clear()
    machine.ran.append(["earlier"])
    assert machine.open(hours=1).split(" h;")[1] == first.split(" h;")[1]
    assert [command[0] for command in machine.ran[1:]] == ["systemctl", "systemd-run"]


def test_a_shell_whose_server_dies_at_once_is_not_open_and_the_reason_is_told(machine: Machine) -> None:
    machine.fault = "Bind to port 22 on 0.0.0.0 failed: Address already in use."
    with pytest.raises(OSError, match=r"Address already in use.*Job for kiosk-shell"):
        machine.open()
    assert "--service-type=notify" in machine.ran[-1], "it is open when sshd listens, no sooner"
    issues = issue_folder.read(machine.at.issues)
    assert list(issues) == [shell.NOT_OPENED]
    assert "Address already in use" in issues[shell.NOT_OPENED]
    assert not (machine.at.folder / "authorized_keys").exists()
    machine.fault = ""
    machine.open()
    assert list(issue_folder.read(machine.at.issues)) == [shell.ISSUE]


def test_a_shell_that_nobody_can_start_is_told_as_well(machine: Machine) -> None:
    def no(command: list[str]) -> None:
        raise OSError(f"{command[0]}: no such program")

    with pytest.raises(OSError, match="ssh-keygen: no such program"):
        shell.open_shell(Shell(4, SSH), machine.at, no, PROGRAM, lambda: "")
    assert "ssh-keygen: no such program" in issue_folder.read(machine.at.issues)[shell.NOT_OPENED]


def test_a_host_key_that_was_being_made_is_made_anew(machine: Machine) -> None:
    machine.at.keys.mkdir()
    (machine.at.keys / "new").write_text("half of a k")
    machine.open()
    assert (machine.at.keys / "ssh_host_ed25519_key").stat().st_mode & 0o777 == 0o600
    assert not (machine.at.keys / "new").exists()


def test_nothing_is_left_when_it_is_over(machine: Machine) -> None:
    machine.open()
    shell.close_shell(machine.at, machine.run)
    assert machine.ran[-1] == ["systemctl", "stop", "kiosk-shell.service"]
    assert issue_folder.read(machine.at.issues) == {}
    assert not (machine.at.folder / "authorized_keys").exists()
    shell.forget(machine.at)


def test_the_fingerprint_is_what_ssh_shows(tmp_path: Path) -> None:
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed")
    (tmp_path / "id.pub").write_text(SSH + "\n")
    shown = subprocess.run(["ssh-keygen", "-l", "-f", tmp_path / "id.pub"], capture_output=True, text=True, check=True)
    assert shown.stdout.split()[1] == shell.fingerprint(SSH)


def test_sshd_takes_the_configuration(machine: Machine) -> None:
    sshd = shutil.which("sshd", path="/usr/sbin:/sbin")
    if sshd is None:
        pytest.skip("sshd is not installed")
    machine.open()
    done = subprocess.run([sshd, "-t", "-f", machine.at.folder / "sshd_config"], capture_output=True, text=True)
    assert "Bad configuration" not in done.stderr
    assert "Unsupported option" not in done.stderr
