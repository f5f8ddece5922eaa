"""The units: systemd reads them, each asks for little and says why it asks for more, and they fit each other."""

import itertools
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from kiosk import cli
from tests.support.units import FOLDER, UNITS, Unit, read, systemd_version, units

ALL = units()
BY_NAME = {unit.name: unit for unit in ALL}
SERVICES = [unit for unit in ALL if unit.name.endswith(".service")]
EXPOSURE = {
    "kiosk.service": 1.5,
    "kiosk-safe.service": 1.0,
    "kiosk-provision-wait.service": 1.5,
    # Root's own: what they must do with the card is what is left.
    "kiosk-commit.service": 2.0,
    "kiosk-data.service": 2.0,
    "kiosk-export@.service": 2.5,
    "kiosk-folders.service": 2.0,
    "kiosk-names.service": 2.0,
    "kiosk-provision.service": 2.0,
    "kiosk-slot-check.service": 2.0,
    "kiosk-trial.service": 2.0,
    "kiosk-update@.service": 2.5,
    "kiosk-request@.service": 3.0,  # it fetches updates from the network
    "kiosk-wifi.service": 3.0,  # it is the network
}
"""systemd-analyze security, at most."""
DISTRIBUTION = Path("/usr/lib/systemd/system")
OLDEST, NEWER_KEYS = 252, {"RestartMode": 254}
"""The oldest systemd a hand-made installation may have, and keys that it passes over, with the version that knows them.
In kiosk.service it is told why that is right."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with our units, the distribution's, and every program that ours start."""
    root = tmp_path_factory.mktemp("root")
    place = root / DISTRIBUTION.relative_to("/")
    place.mkdir(parents=True)
    for path in itertools.chain(DISTRIBUTION.glob("*"), UNITS.iterdir()):
        if path.is_file():
            shutil.copyfile(path, place / path.name)
    for unit in ALL:
        for program in programs(unit):
            stub = root / program.lstrip("/")
            stub.parent.mkdir(parents=True, exist_ok=True)
            stub.touch(mode=0o755)
    return root


def commands(unit: Unit) -> list[list[str]]:
    """Of all Exec…= lines, without the marks in front of the program."""
    lines = [setting.value for setting in unit.settings if setting.key.startswith("Exec")]
    return [shlex.split(line.lstrip("-+@:!")) for line in lines]


def programs(unit: Unit) -> set[str]:
    return {command[0] for command in commands(unit)}


def an_instance(unit: Unit) -> str:
    return unit.name.replace("@.", "@update.")


@pytest.mark.parametrize("unit", ALL, ids=lambda unit: unit.name)
def test_systemd_finds_nothing_wrong(unit: Unit, root: Path) -> None:
    command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", f"--root={root}", an_instance(unit)]
    said = subprocess.run(command, capture_output=True, text=True).stderr.splitlines()
    known = [key for key, since in NEWER_KEYS.items() if systemd_version() < since]
    assert [line for line in said if not any(f"Unknown key name '{key}'" in line or f"Unknown key '{key}'" in line
                                             for key in known)] == []  # fmt: skip


def test_keys_that_an_older_systemd_passes_over_are_explained() -> None:
    used = {(unit.name, setting.key): setting.why for unit in ALL for setting in unit.settings}
    newer = {place: why for place, why in used.items() if place[1] in NEWER_KEYS}
    assert newer
    for (_, key), why in newer.items():
        assert f"systemd {NEWER_KEYS[key]}" in why
    assert max(NEWER_KEYS.values()) > OLDEST


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_a_service_is_closed_as_far_as_it_can_be(unit: Unit) -> None:
    most = round(EXPOSURE[unit.name] * 10)
    command = ["systemd-analyze", "security", "--offline=yes", f"--threshold={most}", "--no-pager", str(unit.path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def exceptions(unit: Unit) -> set[str]:
    """The keys that `systemd-analyze security` would rather see otherwise."""
    command = ["systemd-analyze", "security", "--offline=yes", "--json=short", "--no-pager", str(unit.path)]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    names = [each["name"] for each in found if each["exposure"] not in (None, "0.0") and not each["set"]]
    return {re.match(r"\w+", name)[0] for name in names}  # type: ignore[index]


def test_whatever_the_daemon_leaves_open_is_explained() -> None:
    unit = BY_NAME["kiosk.service"]
    explained = unit.comments() + " ".join(setting.key for setting in unit.settings if setting.why)
    assert {key for key in exceptions(unit) if key not in explained} == set()
    assert "PrivateDevices" in exceptions(unit), "or this test looks at nothing"


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_what_a_unit_of_root_may_is_explained(unit: Unit) -> None:
    if unit.all("User"):
        assert unit.all("CapabilityBoundingSet") == [""]
        return
    assert unit.all("NoNewPrivileges") == ["yes"]
    for setting in unit.settings:
        if setting.key == "CapabilityBoundingSet" and setting.value:
            assert setting.why or "CAP_NET_ADMIN" in setting.value or "CAP_CHOWN" in setting.value


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_the_program_knows_what_it_is_started_with(unit: Unit) -> None:
    for command in commands(unit):
        if command[0] == "/opt/kiosk/bin/kiosk":
            told = [word.replace("%i", "update").replace("%I", "sda1") for word in command[1:]]
            cli._parser().parse_args(told)


def test_nothing_waits_for_the_network_or_the_time() -> None:
    waited = {"network-online.target", "time-sync.target", "time-set.target", "systemd-time-wait-sync.service"}
    for unit in ALL:
        assert waited.isdisjoint(unit.words("After", "Wants", "Requires", "BindsTo")), unit.name


def test_units_that_are_named_exist() -> None:
    keys = ("After", "Before", "Wants", "Requires", "BindsTo", "Conflicts", "OnFailure", "OnSuccess", "Unit")
    for unit in ALL:
        for name in unit.words(*keys):
            if name.startswith(("kiosk", "boot-kiosk", "data.", "etc-kiosk", "var-")):
                assert re.sub(r"@.*\.", "@.", name) in BY_NAME, f"{unit.name}: {name}"
    for unit in ALL:
        if unit.name.endswith((".path", ".timer", ".automount")):
            ends = ".mount" if unit.name.endswith(".automount") else ".service"
            assert unit.path.stem + ends in BY_NAME


def preset() -> dict[str, str]:
    """Unit to "enable" or "disable"; a template with the instances behind it."""
    lines = (FOLDER / "system-preset/00-kiosk.preset").read_text().splitlines()
    words = [line.split() for line in lines if line and not line.startswith("#")]
    return {unit: verb for verb, unit, *_ in words}


def test_the_preset_turns_on_what_can_be_and_all_else_off() -> None:
    told = preset()
    assert told.pop("*") == "disable"
    assert set(told.values()) == {"enable"}
    ours = {name for name in told if name in BY_NAME}
    assert ours == {unit.name for unit in ALL if unit.has("Install")}
    theirs = told.keys() - ours
    assert theirs == {
        *("systemd-networkd.service", "systemd-networkd.socket", "systemd-resolved.service"),
        "systemd-timesyncd.service",
    }


def test_a_request_of_the_daemon_finds_its_unit() -> None:
    line = next(
        line for line in (FOLDER / "system-preset/00-kiosk.preset").read_text().splitlines() if "request" in line
    )
    instances = line.split()[2:]
    actions = next(a for a in cli._parser()._actions if a.dest == "name").choices["carry-out"]  # type: ignore[index]
    assert isinstance(actions, cli.argparse.ArgumentParser)
    what = next(action.choices for action in actions._actions if action.dest == "what")
    assert set(what or ()) == set(instances)


def test_mounts_lie_on_the_data_partition_and_their_folders_are_made() -> None:
    made = {
        line.split()[1]
        for line in (FOLDER / "tmpfiles.d/kiosk.conf").read_text().splitlines()
        if line and not line.startswith("#")
    }
    binds = [unit for unit in ALL if unit.all("Options") == ["bind"]]
    assert len(binds) == 4
    for unit in binds:
        assert unit.all("What")[0] in made
        assert unit.name == unit.all("Where")[0].strip("/").replace("/", "-") + ".mount"
        assert unit.all("RequiresMountsFor") == ["/data"]
        assert "kiosk-folders.service" in unit.words("Requires")
        assert unit.name in read(UNITS / "kiosk-folders.service").words("Before")


def test_the_daemon_never_runs_without_the_data_partition() -> None:
    needed = BY_NAME["kiosk.service"].words("RequiresMountsFor")
    assert {"/etc/kiosk", "/var/lib/kiosk"} == set(needed)


def test_safe_mode_is_where_a_daemon_ends_that_cannot_run() -> None:
    daemon = BY_NAME["kiosk.service"]
    assert daemon.all("StartLimitIntervalSec") == ["10min"]
    assert daemon.all("StartLimitBurst") == ["5"]
    assert daemon.all("OnFailure") == ["kiosk-safe.service"]
    assert daemon.all("Conflicts") == ["kiosk-safe.service"]
    assert daemon.all("RestartPreventExitStatus") == [str(cli.BAD_CONFIG)]
    assert daemon.all("Restart") == ["always"]
    assert daemon.all("RestartMode") == ["direct"]
