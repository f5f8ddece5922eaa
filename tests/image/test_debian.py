"""Where packages come from: the build host's own apt configuration, or what the caller says."""

import subprocess
from pathlib import Path
from typing import Any

import debian
import pytest

ONE = "http://mirror.example.org/debian"


def apt_says(
    monkeypatch: pytest.MonkeyPatch, lines: str, files: dict[str, str] | None = None, at: Path = Path()
) -> None:
    """A host whose ``apt-get indextargets`` prints ``lines`` and whose sources are ``files`` below ``at``."""

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        assert command[:2] == ["apt-get", "indextargets"]
        return subprocess.CompletedProcess(command, 0, lines, "")

    monkeypatch.setattr(debian.subprocess, "run", run)
    for name, text in (files or {}).items():
        (at / name).parent.mkdir(parents=True, exist_ok=True)
        (at / name).write_text(text)
    real = debian.Path
    monkeypatch.setattr(debian, "Path", lambda path: real(str(path).replace("/etc/apt", str(at), 1)))


def test_the_mirror_is_that_of_the_hosts_apt(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = (
        f"https://docker.example.org/linux Docker Packages\n{ONE}-security Debian Packages\n{ONE}/ Debian Packages\n"
    )
    apt_says(monkeypatch, lines)
    assert debian.host_mirror() == ONE


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sources.list", f"# deb http://old.example.org/debian bookworm main\ndeb {ONE} trixie main\n"),
        ("sources.list", f"deb [signed-by=/usr/share/keyrings/x.gpg arch=amd64] {ONE}/ trixie main\n"),
        ("sources.list.d/debian.sources", f"Types: deb\nURIs: {ONE}\nSuites: trixie\n"),
    ],
)
def test_where_apt_says_nothing_its_files_are_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, text: str
) -> None:
    apt_says(monkeypatch, "", {name: text}, tmp_path)
    assert debian.host_mirror() == ONE


def test_no_mirror_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    apt_says(monkeypatch, "https://docker.example.org/linux Docker Packages\n", {"sources.list": "# none\n"}, tmp_path)
    with pytest.raises(debian.FetchError, match="give one with --mirror URL"):
        debian.host_mirror()


def test_all_suites_come_from_one_mirror_and_are_signed() -> None:
    lines = debian.sources(ONE)
    assert [line.split()[2:4] for line in lines] == [
        [ONE, debian.SUITE],
        [ONE, debian.BACKPORTS],
        [f"{ONE}-security", f"{debian.SUITE}-security"],
    ]
    assert all(f"[signed-by={debian.KEYRING}]" in line for line in lines)
