"""The units under a real systemd: the daemon works in its sandbox, and what cannot run ends in safe mode."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kiosk import commands
from kiosk.seal import PrivateKeys
from tests.support.system import NoSystemError, System

CONFIG = """
[site]
code = "360481"
name = "朝阳门社区"
[kiosk]
number = {number}
[seal]
public_key = "{key}"
[devices.panel]
driver = "gpio"
factory = "mock"
[devices.code]
driver = "hid"
device = "/dev/input/kiosk-code"
[mqtt]
host = "127.0.0.1"
username = "kiosk"
"""
DAEMON, SAFE, WAIT = "kiosk.service", "kiosk-safe.service", "kiosk-provision-wait.service"


@pytest.fixture(scope="module")
def post() -> PrivateKeys:
    """The command post."""
    return PrivateKeys.generate()


@pytest.fixture(scope="module")
def key(post: PrivateKeys) -> str:
    return post.public.line()


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    try:
        with System(tmp_path) as system:
            yield system
    except NoSystemError as error:
        pytest.skip(f"no system can be made here: {error}")


def configure(system: System, key: str, number: int = 1) -> None:
    (system.root / "etc/kiosk/kiosk.toml").write_text(CONFIG.format(number=number, key=key), "utf-8")


def status(system: System) -> dict[str, Any]:
    path = system.root / "run/kiosk/status.json"
    told: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {"ready": False, "issues": []}
    return told


def test_the_daemon_works_in_its_sandbox(system: System, key: str) -> None:
    configure(system, key)
    password = system.root / "etc/kiosk/mqtt.password"
    password.write_text("a good password\n")
    password.chmod(0o600)
    system.run("systemctl", "start", DAEMON)
    assert system.is_active(DAEMON), system.log(DAEMON)
    system.until(lambda: status(system)["ready"], "people may come")
    told = status(system)
    assert told["journal"]["seq"] > 0, "the journal is written"
    assert told["devices"] == {"code": "offline", "panel": "online"}
    assert "storage" not in {issue["code"] for issue in told["issues"]}

    process = Path(f"/proc/{system.show(DAEMON, 'MainPID')['MainPID']}")
    inside = system.run("cat", f"{process}/status")
    fields = dict(line.split(":\t", 1) for line in inside.splitlines() if ":\t" in line)
    assert fields["Uid"].split() == ["950"] * 4
    assert int(fields["CapBnd"], 16) == int(fields["CapEff"], 16) == 0
    assert (fields["NoNewPrivs"], fields["Seccomp"]) == ("1", "2")
    handed_over = f"{process}/root/run/credentials/kiosk.service/mqtt.password"
    assert system.run("cat", handed_over) == "a good password"
    assert (system.root / "var/lib/kiosk").stat().st_mode & 0o777 == 0o700

    system.run("systemctl", "stop", DAEMON)
    assert (system.root / "run/kiosk/digest.key").exists(), "the next start knows who was there"
    assert system.show(DAEMON, "Result")["Result"] == "success"


def test_no_password_is_no_hindrance(system: System, key: str) -> None:
    configure(system, key)
    system.run("systemctl", "start", DAEMON)
    assert system.is_active(DAEMON), system.log(DAEMON)


def test_five_failed_starts_end_in_safe_mode_and_a_start_by_hand_leaves_it(system: System, key: str) -> None:
    configure(system, key)
    system.run("systemctl", "start", DAEMON)
    for count in range(1, 6):
        assert not system.is_active(SAFE), f"after {count - 1} failures"
        system.run("systemctl", "kill", "--signal=KILL", DAEMON)
        system.until(lambda count=count: restarted(system, count) or system.is_active(SAFE), f"restart {count}")
    system.until(lambda: system.is_active(SAFE), "safe mode")
    system.until(lambda: "safe-mode" in hints(system), "the status says it")
    assert "ended by signal KILL" in hints(system)["safe-mode"]
    assert status(system)["ready"] is False
    assert "SAFE" not in system.show(DAEMON, "ActiveState")["ActiveState"]

    system.run("systemctl", "reset-failed", DAEMON)
    system.run("systemctl", "start", DAEMON)
    assert system.is_active(DAEMON)
    assert not system.is_active(SAFE)


def restarted(system: System, count: int) -> bool:
    shown = system.show(DAEMON, "NRestarts", "ActiveState")
    return shown == {"NRestarts": str(count), "ActiveState": "active"}


def hints(system: System) -> dict[str, str]:
    return {issue["code"]: issue["hint"] for issue in status(system)["issues"]}


def test_a_wrong_configuration_is_not_tried_again(system: System, key: str) -> None:
    configure(system, key, number=100)
    system.run("systemctl", "start", DAEMON)
    system.until(lambda: system.is_active(SAFE), "safe mode")
    system.until(lambda: "safe-mode" in hints(system), "the status says it")
    assert system.show(DAEMON, "NRestarts", "Result") == {"NRestarts": "0", "Result": "exit-code"}
    assert "kiosk.number: found 100, expected" in hints(system)["safe-mode"]


def test_a_command_goes_through_the_daemons_door_to_root(system: System, key: str, post: PrivateKeys) -> None:
    configure(system, key)
    system.run("systemctl", "start", DAEMON, "kiosk-request@support.path")
    system.until(lambda: status(system)["ready"], "people may come")
    until = time.time_ns() // 10**6 + 3_600_000
    command = commands.Command(site="360481", kiosk=1, n=7, until=until, do="support", args={})
    requests = system.root / "run/kiosk/requests"
    requests.mkdir(mode=0o700)
    (requests / "new").write_bytes(commands.pack(command, post.sign))
    for path in (requests, requests / "new"):
        os.chown(path, 950, 950)
    (requests / "new").rename(requests / "support")
    answer = system.root / "run/kiosk-answers/1-7.json"
    system.until(answer.exists, "root answers")
    system.until(lambda: json.loads(answer.read_text())["outcome"] != "", "root has done it")
    told = json.loads(answer.read_text())
    assert told["outcome"] == "done", system.log("kiosk-request@support.service")
    assert "running, ready" in told["text"], "root sees the daemon at work"


def test_a_kiosk_that_was_told_nothing_waits(system: System) -> None:
    system.run("systemctl", "start", "kiosk-provision.service")
    system.until(lambda: system.is_active(WAIT), "it waits")
    assert not system.is_active(DAEMON)
    assert not system.is_active(SAFE)
    assert system.run("systemctl", "--failed", "--no-legend") == ""


def test_the_folders_of_a_new_data_partition(system: System) -> None:
    rules = system.root / "usr/lib/tmpfiles.d"
    (rules / "kiosk.conf").write_text((Path(__file__).parents[2] / "systemd/tmpfiles.d/kiosk.conf").read_text())
    system.run("systemctl", "start", "kiosk-folders.service")
    assert system.is_active("kiosk-folders.service"), system.log("kiosk-folders.service")
    assert (system.root / "data/kiosk").stat().st_uid == 950
    assert (system.root / "data/log").stat().st_mode & 0o7777 == 0o2755
