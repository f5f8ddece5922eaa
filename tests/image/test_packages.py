"""Which Debian packages an image is made of, and what a lock says about them."""

import packages
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packages import LockError, Package

STATUS = """\
Package: libc6
Status: install ok installed
Architecture: arm64
Multi-Arch: same
Version: 2.41-12+deb13u5
Description: GNU C Library
 Shared libraries, with a line that looks like a field:
 Version: 1.0

Package: tzdata
Status: install ok installed
Architecture: all
Version: 2026a-0+deb13u1

Package: gone
Status: deinstall ok config-files
Architecture: arm64
Version: 1.0
"""
URIS = f"""\
'http://m.example.org/libc6_2.41-12%2bdeb13u5_arm64.deb' libc6_2.41-12+deb13u5_arm64.deb 2488872 SHA256:{"a" * 64}
'http://m.example.org/tzdata_2026a-0%2bdeb13u1_all.deb' tzdata_2026a-0+deb13u1_all.deb 250000 SHA256:{"c" * 64}
'http://m.example.org/zlib1g_1.3.1-1_arm64.deb' zlib1g_1%3a1.3.1-1_arm64.deb 90000 SHA256:{"d" * 64}
"""
LIBC = Package("libc6", "2.41-12+deb13u5", "arm64", "a" * 64)
TZDATA = Package("tzdata", "2026a-0+deb13u1", "all", "c" * 64)

versions = st.from_regex(r"([0-9]:)?[0-9][A-Za-z0-9.+~-]{0,12}", fullmatch=True)
some_packages = st.lists(
    st.builds(
        Package,
        st.from_regex(r"[a-z0-9][a-z0-9+.-]{1,12}", fullmatch=True),
        versions,
        st.sampled_from(["all", "amd64", "arm64"]),
        st.binary(min_size=32, max_size=32).map(bytes.hex),
    ),
    unique_by=lambda package: (package.name, package.architecture),
)


def test_only_what_dpkg_calls_installed_counts() -> None:
    assert packages.installed(STATUS) == [LIBC[:3], TZDATA[:3]]


def test_apt_tells_files_and_hashes() -> None:
    assert packages.offered(URIS) == [LIBC, TZDATA, Package("zlib1g", "1:1.3.1-1", "arm64", "d" * 64)]


@pytest.mark.parametrize("line", ["'http://x/a_1_all.deb' a_1_all.deb 5 MD5Sum:abc", "E: no such package", "'x' y"])
def test_a_package_without_a_hash_is_refused(line: str) -> None:
    with pytest.raises(LockError, match="apt names no SHA-256"):
        packages.offered(f"{URIS}{line}\n")


@given(some_packages)
def test_a_lock_says_what_it_was_told(some: list[Package]) -> None:
    text = packages.lock_text(some)
    assert packages.parse(text, "packages.lock") == sorted(some)
    assert packages.lock_text(packages.parse(text, "packages.lock")) == text
    assert packages.differences(some, packages.parse(text, "packages.lock")) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("libc6 2.41 arm64", "line 2: expected NAME VERSION ARCHITECTURE SHA256, found 'libc6 2.41 arm64'"),
        (f"libc6 2.41 arm64 {'A' * 64}", "line 2: expected NAME"),
        (f"Libc6 2.41 arm64 {'a' * 64}", "line 2: expected NAME"),
        (f"libc6 2.41 arm64 {'a' * 64} https://example.org", "line 2: expected NAME"),
        (f"x1 1 all {'a' * 64}\nx1 2 all {'a' * 64}", "line 3: x1 is named twice for all"),
    ],
)
def test_a_bad_line_is_named(line: str, said: str) -> None:
    with pytest.raises(LockError) as raised:
        packages.parse(f"# a lock\n{line}\n", "packages.lock")
    assert f"packages.lock, {said}" in str(raised.value)


def test_differences_name_each_package_and_both_versions() -> None:
    found = [
        LIBC._replace(version="2.41-13"),
        TZDATA._replace(sha256="d" * 64),
        Package("zstd", "1", "arm64", "e" * 64),
    ]
    lines = packages.differences([LIBC, TZDATA, Package("apt", "3", "arm64", "f" * 64)], found)
    assert lines == [
        "apt:arm64: locked 3, not in this image",
        "libc6:arm64: locked 2.41-12+deb13u5, found 2.41-13",
        f"tzdata:all: 2026a-0+deb13u1 has another content: sha256 {'d' * 64}, locked {'c' * 64}",
        "zstd:arm64: 1, not locked",
    ]
