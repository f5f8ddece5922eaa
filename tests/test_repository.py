"""What holds for the repository as a whole."""

import configparser
import re
import shlex
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOCK = (ROOT / "requirements.lock").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
SCRIPTS: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]

# The brackets keep this file from matching itself.
REGISTRIES = re.compile(r"\b(?:py[p]i|python[h]osted|np[m]js|crate[s]\.io|docke[r]\.io|de[b]\.debian)\b", re.IGNORECASE)
MACHINE_PATHS = re.compile(r"(?<![\w.$}])/(?:wor[k]|roo[t]|hom[e]|User[s]|tm[p])/")


def files_of_the_project() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def test_no_registry_and_no_machine_path_in_the_tree() -> None:
    found = []
    for path in files_of_the_project():
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(ROOT)}:{number}: {match[0]}"
            for number, line in enumerate(lines, 1)
            for match in (REGISTRIES.search(line), MACHINE_PATHS.search(line))
            if match
        ]
    assert found == []


def check_lock(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "scripts/check_lock.py", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_the_lock_is_fresh() -> None:
    result = check_lock()
    assert (result.returncode, result.stderr) == (0, "")


FIRST_PIN = LOCK.splitlines()[0]


@pytest.mark.parametrize(
    ("found", "put", "said"),
    [
        (FIRST_PIN, "--index-url https://example.org/simple\n" + FIRST_PIN, "line 1: neither a pinned name nor a hash"),
        (FIRST_PIN, "one @ https://example.org/one.whl \\", "line 1: neither a pinned name nor a hash"),
        (FIRST_PIN, FIRST_PIN + "\n" + FIRST_PIN, "line 2: a hash was expected"),
        ("--hash=sha256:", "--hash=md5:", "line 2: a hash was expected"),
        ("pillow==", "pillow-other==", "asks for pillow, which is not locked"),
        ("\npaho-mqtt==2", "\npaho-mqtt==3", "asks for paho-mqtt<3,>=2.1, locked is 3."),
        ("\nmsgspec==0.", "\nmsgspec==1.", "this environment asks for msgspec==0."),
    ],
)
def test_a_bad_lock_is_told(tmp_path: Path, found: str, put: str, said: str) -> None:
    assert found in LOCK
    bad = tmp_path / "requirements.lock"
    bad.write_text(LOCK.replace(found, put, 1))
    result = check_lock("pyproject.toml", str(bad))
    assert result.returncode == 1
    assert said in result.stderr


def documented_commands() -> list[tuple[str, str]]:
    """(file, command) from every fenced sh block of the documents."""
    commands = []
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md")):
        for block in re.findall(r"^```(?:sh|bash|console)\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL):
            lines = block.replace("\\\n", " ").splitlines()
            commands += [(path.relative_to(ROOT).as_posix(), line.strip().removeprefix("$ ")) for line in lines]
    return commands


def test_documented_make_targets_exist() -> None:
    unknown = []
    for file, command in documented_commands():
        words = shlex.split(command, comments=True)
        if "make" in words[:2]:
            goals = [word for word in words[words.index("make") + 1 :] if "=" not in word and not word.startswith("-")]
            unknown += [f"{file}: {command}" for goal in goals if goal not in TARGETS]
    assert unknown == []


def test_documented_subcommands_exist() -> None:
    wanted: dict[tuple[str, str], str] = {}
    for file, command in documented_commands():
        words = [Path(word).name for word in shlex.split(command, comments=True)]
        called = next(((one, two) for one, two in pairwise(words) if one in SCRIPTS), None)
        if called is not None and words.index(called[0]) < 2 and not called[1].startswith("-"):
            wanted.setdefault(called, f"{file}: {command}")
    unknown = []
    for (script, subcommand), where in wanted.items():
        module, function = SCRIPTS[script].split(":")
        code = f"import sys; from {module} import {function}; sys.exit({function}())"
        ran = subprocess.run(
            [sys.executable, "-c", code, subcommand, "--help"], cwd=ROOT, capture_output=True, text=True
        )
        if ran.returncode != 0:
            unknown.append(where)
    assert unknown == []


def test_every_target_is_phony_and_explained() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    explained = set(re.findall(r"^([a-z-]+):.*## \S", MAKEFILE, re.MULTILINE))
    assert phony is not None
    assert set(phony[1].split()) == TARGETS == explained


def test_ci_runs_what_a_developer_runs() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert {"make check", "make test"} <= set(script.splitlines())


def test_the_unit_fits_the_daemon() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(ROOT / "systemd/system/kiosk.service")
    service = unit["Service"]
    assert service["Type"] == "notify"
    assert service["RestartPreventExitStatus"] == "78"
    assert service["WorkingDirectory"] == "/run/" + service["RuntimeDirectory"] == "/run/kiosk"
    assert service["StateDirectory"] == "kiosk"
    assert shlex.split(service["ExecStart"])[1:3] == ["run", "--config"]
