"""Users, folders and settings of the system around the units."""

import configparser
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.units import FOLDER

IMAGE = (FOLDER.parent / "image-build/system.py").read_text()


def settings(name: str) -> configparser.SectionProxy:
    """The one section of a drop-in."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string((FOLDER / name).read_text())
    (section,) = parser.sections()
    return parser[section]


def lines(name: str) -> list[str]:
    return [line for line in (FOLDER / name).read_text().splitlines() if line and not line.startswith("#")]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with the users that the distribution makes, and ours."""
    place = tmp_path / "usr/lib/sysusers.d"
    place.mkdir(parents=True)
    shutil.copyfile(FOLDER / "sysusers.d/kiosk.conf", place / "kiosk.conf")
    names = ("dialout", "lp", "input", "audio", "systemd-journal", "systemd-timesync")
    (place / "base.conf").write_text(
        "u root 0\n" + "".join(f"g {name} -\n" for name in names) + "u systemd-timesync -\n"
    )
    (tmp_path / "etc").mkdir()
    subprocess.run(["systemd-sysusers", f"--root={tmp_path}"], check=True, capture_output=True)
    return tmp_path


def entries(path: Path) -> dict[str, list[str]]:
    return {line.split(":")[0]: line.split(":")[1:] for line in path.read_text().splitlines()}


def test_the_kiosks_user_is_the_same_on_every_card(root: Path) -> None:
    users, groups = entries(root / "etc/passwd"), entries(root / "etc/group")
    assert users["kiosk"][1:3] == ["950", "950"]
    assert users["kiosk"][-1] == "/usr/sbin/nologin"
    assert groups["gpio"][1] == "951"
    assert {name for name, entry in groups.items() if "kiosk" in entry[2].split(",")} == {
        "dialout",
        "lp",
        "input",
        "gpio",
        "audio",
    }


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a folder away")
def test_the_folders_of_the_data_partition(root: Path) -> None:
    shutil.copyfile(FOLDER / "tmpfiles.d/kiosk.conf", root / "kiosk.conf")
    subprocess.run(["systemd-tmpfiles", "--create", f"--root={root}", str(root / "kiosk.conf")], check=True)
    found = {
        path.relative_to(root).as_posix(): (path.stat().st_mode & 0o7777, path.stat().st_uid)
        for path in [*root.glob("data/*"), root / "run/kiosk-issues"]
    }
    clock = int(entries(root / "etc/passwd")["systemd-timesync"][1])
    assert found == {
        "data/etc": (0o755, 0),
        "data/kiosk": (0o700, 950),
        "data/log": (0o2755, 0),
        "data/ssh": (0o700, 0),
        "data/timesync": (0o755, clock),
        "data/update": (0o700, 0),
        "run/kiosk-issues": (0o755, 0),
    }


def test_a_keyboard_has_no_power_over_the_system() -> None:
    """A scanner is a keyboard, and anybody may hold a code in front of it."""
    kernel = dict(line.split(" = ") for line in lines("sysctl.d/50-kiosk.conf"))
    assert kernel["kernel.sysrq"] == kernel["kernel.ctrl-alt-del"] == "0"
    assert settings("system.conf.d/50-kiosk.conf")["CtrlAltDelBurstAction"] == "none"
    login = settings("logind.conf.d/50-kiosk.conf")
    assert login["NAutoVTs"] == login["ReserveVT"] == "0"
    keys = {key for key in login if key.startswith("Handle")}
    assert keys >= {"HandlePowerKey", "HandleRebootKey", "HandleSuspendKey", "HandleHibernateKey", "HandleLidSwitch"}
    assert {login[key] for key in keys} == {"ignore"}


def test_no_console_takes_a_login() -> None:
    masked = re.search(r"^MASKED = \((.*?)^\)", IMAGE, re.MULTILINE | re.DOTALL)
    assert masked is not None
    for unit in ("getty@.service", "serial-getty@.service", "autovt@.service", "ctrl-alt-del.target"):
        assert f'"{unit}"' in masked[1]
    for unit in ("emergency.service", "rescue.service", "console-getty.service"):
        assert f'"{unit}"' in masked[1]


def test_a_machine_that_stops_starts_anew() -> None:
    kernel = dict(line.split(" = ") for line in lines("sysctl.d/50-kiosk.conf"))
    assert int(kernel["kernel.panic"]) > 0
    assert kernel["kernel.panic_on_oops"] == "1"
    assert settings("system.conf.d/50-kiosk.conf")["RuntimeWatchdogSec"] == "15s"


def test_little_is_lost_with_the_power_and_little_is_written() -> None:
    kernel = dict(line.split(" = ") for line in lines("sysctl.d/50-kiosk.conf"))
    assert int(kernel["vm.dirty_background_bytes"]) < int(kernel["vm.dirty_bytes"]) <= 4 << 20
    log = settings("journald.conf.d/50-kiosk.conf")
    assert (log["Storage"], log["SystemMaxUse"], log["SyncIntervalSec"]) == ("persistent", "64M", "5min")
    assert settings("timesyncd.conf.d/50-kiosk.conf")["SaveIntervalSec"] == "10min"


def test_no_memory_of_the_daemon_gets_into_a_file() -> None:
    kernel = dict(line.split(" = ") for line in lines("sysctl.d/50-kiosk.conf"))
    assert kernel["fs.suid_dumpable"] == "0"
    assert settings("system.conf.d/50-kiosk.conf")["DefaultLimitCORE"] == "0"


def test_every_folder_has_its_place_in_the_image() -> None:
    places = set(re.findall(r'^    "([a-z.-]+)": "usr/lib/', IMAGE, re.MULTILINE))
    assert {path.name for path in FOLDER.iterdir() if path.is_dir()} <= places
