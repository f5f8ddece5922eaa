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
RECORDS = f"""\
Package: libc6
Architecture: arm64
Version: 2.41-12+deb13u5
SHA256: {"a" * 64}

Package: libc6
Architecture: arm64
Version: 2.41-12
SHA256: {"b" * 64}

Package: tzdata
Architecture: all
Version: 2026a-0+deb13u1
SHA256: {"c" * 64}
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
    found = packages.installed(STATUS)
    assert found == [("libc6", "2.41-12+deb13u5", "arm64"), ("tzdata", "2026a-0+deb13u1", "all")]
    assert packages.with_hashes(found, RECORDS) == [LIBC, TZDATA]


def test_a_package_the_lists_no_longer_name_is_told() -> None:
    with pytest.raises(LockError, match=r"libc6 3\.0: the mirror's lists no longer name it"):
        packages.with_hashes([("libc6", "3.0", "arm64")], RECORDS)


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


def test_what_the_mirror_no_longer_has_is_told_before_anything_is_built() -> None:
    old = LIBC._replace(version="2.40", sha256="9" * 64)
    assert packages.unavailable([LIBC, TZDATA], RECORDS) == []
    assert packages.unavailable([old], RECORDS) == [
        "libc6: locked 2.40, the mirror has 2.41-12+deb13u5, 2.41-12",
    ]
    assert packages.unavailable([Package("gone", "1", "all", "9" * 64)], RECORDS) == [
        "gone: locked 1, the mirror has none",
    ]


def test_apt_is_told_to_take_the_locked_version() -> None:
    assert packages.preferences([LIBC]) == "Package: libc6\nPin: version 2.41-12+deb13u5\nPin-Priority: 1001\n\n"
