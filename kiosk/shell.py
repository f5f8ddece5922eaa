"""The remote shell: closed, unless the command post opens it by a signed command, for some hours, to one key.

It is an sshd of its own, with a configuration in RAM and no password of any kind, in a unit that systemd ends after its
time with everybody in it. A restart of the machine closes it, too.
"""

import base64
import contextlib
import hashlib
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from kiosk import commands, files, issue_folder

ISSUE = "shell-open"
NOT_OPENED = "shell-failed"
_TOLD_S = 3600
"""So long a shell that did not open is an issue."""
UNIT = "kiosk-shell"
_MAX_HINT = 500
_CONFIG = """\
Port 22
HostKey {host_key}
AuthorizedKeysFile {keys}
AllowUsers root
PermitRootLogin prohibit-password
PubkeyAuthentication yes
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
AllowAgentForwarding no
AllowTcpForwarding no
X11Forwarding no
PermitTunnel no
PrintMotd no
Subsystem sftp internal-sftp
ClientAliveInterval 60
ClientAliveCountMax 3
"""

Run = Callable[[list[str]], None]
"""Runs a program. Raises OSError with its own words."""

Said = Callable[[], str]
"""The last lines of sshd. Never raises."""


def said() -> str:
    command = (
        *("journalctl", f"--unit={UNIT}", "--since=-2min", "--no-pager", "--quiet"),
        *("--output=cat", "--lines=3", "_COMM=sshd"),
    )
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=30, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        return f"its log cannot be read: {error}"
    return "; ".join(done.stdout.splitlines())


class Places(msgspec.Struct, frozen=True):
    """``keys``: the folder of the host key, on the data partition; ``run``: RAM."""

    keys: Path = Path("/data/ssh")
    run: Path = Path("/run")

    @property
    def folder(self) -> Path:
        return self.run / UNIT

    @property
    def issues(self) -> Path:
        return self.run / issue_folder.NAME


def open_shell(wanted: commands.Shell, at: Places, run: Run, program: str, said: Said = said) -> str:
    """Opens it, or opens it anew with other hours and another key. Returns what the command post should know: when it
    closes, and the key of this host. Raises OSError, also when sshd ends before it listens, and leaves an issue then.
    ``program``: the path of `kiosk`."""
    try:
        answer = _open(wanted, at, run, program, said)
    except OSError as error:
        forget(at)
        issue_folder.tell(at.issues, NOT_OPENED, f"the remote shell did not open: {error}"[:_MAX_HINT], _TOLD_S)
        raise
    issue_folder.take_back(at.issues, NOT_OPENED)
    return answer


def _open(wanted: commands.Shell, at: Places, run: Run, program: str, said: Said) -> str:
    host_key = _host_key(at, run)
    keys, config = at.folder / "authorized_keys", at.folder / "sshd_config"
    close_shell(at, run)
    files.put(keys, f"{commands.public_key(wanted.key)}\n".encode(), 0o600)
    files.put(config, _CONFIG.format(host_key=host_key, keys=keys).encode(), 0o600)
    at.folder.chmod(0o700)
    start = [
        *("systemd-run", f"--unit={UNIT}", "--collect", "--quiet", "--description=Remote shell"),
        "--service-type=notify",  # sshd says so when it listens, and systemd-run waits for that
        *(f"--property=RuntimeMaxSec={wanted.hours}h", "--property=KillMode=control-group"),
        *("--property=RuntimeDirectory=sshd", f"--property=ExecStopPost={program} shell closed"),
        *("/usr/sbin/sshd", "-D", "-e", "-f", str(config)),
    ]
    try:
        run(start)
    except OSError as error:
        raise OSError(f"{said() or 'sshd said nothing'} ({error})") from None
    until = time.strftime("%Y-%m-%d %H:%M", time.localtime(time.time() + wanted.hours * 3600))
    hint = f"a remote shell is open until {until} to the key {fingerprint(wanted.key)}"
    issue_folder.tell(at.issues, ISSUE, hint, wanted.hours * 3600)
    return f"open for {wanted.hours} h; host key {host_key.with_suffix('.pub').read_text('utf-8').strip()}"


def close_shell(at: Places, run: Run) -> None:
    """Ends it and everybody in it; nothing happens where it is closed. Raises OSError."""
    with contextlib.suppress(OSError):  # there is no such unit
        run(["systemctl", "stop", f"{UNIT}.service"])
    forget(at)


def forget(at: Places) -> None:
    """Nobody's key is left, and no issue. Raises OSError."""
    (at.folder / "authorized_keys").unlink(missing_ok=True)
    issue_folder.take_back(at.issues, ISSUE)


def _host_key(at: Places, run: Run) -> Path:
    """Made at the first use; it is no part of the image, or all kiosks would have the same."""
    path = at.keys / "ssh_host_ed25519_key"
    if not path.exists():
        at.keys.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_name("new")
        for old in (fresh, fresh.with_suffix(".pub")):
            old.unlink(missing_ok=True)
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "kiosk", "-f", str(fresh)])
        fresh.with_suffix(".pub").rename(path.with_suffix(".pub"))
        fresh.rename(path)
        files.sync(at.keys)
    return path


def fingerprint(line: str) -> str:
    """As ssh-keygen(1) prints it. Raises FrameError."""
    raw = base64.b64decode(commands.public_key(line).split()[1])
    return "SHA256:" + base64.b64encode(hashlib.sha256(raw).digest()).decode().rstrip("=")
