"""How far a clock is believed, from injected evidence; and that the daemon waits for no clock."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kiosk.clock import Evidence, SystemClock, kernel_is_synchronised
from kiosk.domain import Trust

BUILD = 1_790_000_000
NOW = BUILD + 90 * 86_400


@pytest.fixture
def evidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Evidence:
    """A board without a chip, switched on for the first time."""
    found = Evidence(*(tmp_path / name for name in Evidence._fields))
    found.boot_id.write_text("01234567-89ab-cdef-0123-456789abcdef\n")
    for path in (found.epoch, found.build):
        made(path, BUILD)
    wall(monkeypatch, BUILD + 30)
    return found


def made(path: Path, at: float) -> None:
    path.touch()
    os.utime(path, (at, at))


def wall(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr("time.time_ns", lambda: int(seconds * 1e9))


def chip(evidence: Evidence, set_the_clock: str, seconds: str, name: str = "rtc0") -> None:
    (evidence.rtc / name).mkdir(parents=True)
    (evidence.rtc / name / "hctosys").write_text(set_the_clock + "\n")
    (evidence.rtc / name / "since_epoch").write_text(seconds + "\n")


def trust(evidence: Evidence, *, network: bool = False) -> Trust:
    return SystemClock(evidence, lambda: network).now().trust


def test_the_first_start_knows_nothing(evidence: Evidence) -> None:
    assert trust(evidence) == Trust.NONE
    made(evidence.saved, BUILD)  # timesyncd makes it at once, with the time it begins from
    assert trust(evidence) == Trust.NONE


def test_a_saved_time_that_was_restored(evidence: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    made(evidence.saved, NOW)
    assert trust(evidence) == Trust.NONE, "saved, but nobody has restored it"
    wall(monkeypatch, NOW + 1)
    assert trust(evidence) == Trust.RESTORED


def test_without_an_epoch_file_the_program_tells_when_it_was_built(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence.epoch.unlink()
    wall(monkeypatch, NOW + 1)
    made(evidence.saved, NOW)
    assert trust(evidence) == Trust.RESTORED
    made(evidence.build, NOW + 1)
    assert trust(evidence) == Trust.NONE


@pytest.mark.parametrize(
    ("set_the_clock", "seconds", "expected"),
    [
        ("1", str(NOW), Trust.RTC),
        ("0", str(NOW), Trust.NONE),  # the kernel did not take its time
        ("1", "946684800", Trust.NONE),  # no battery: it counts from the year 2000
        ("1", str(BUILD), Trust.NONE),
        ("1", "", Trust.NONE),
        ("", str(NOW), Trust.NONE),
    ],
)
def test_a_chip_counts_when_it_has_set_the_clock(
    evidence: Evidence, set_the_clock: str, seconds: str, expected: Trust
) -> None:
    chip(evidence, set_the_clock, seconds)
    assert trust(evidence) == expected


def test_the_second_chip_may_be_the_good_one(evidence: Evidence) -> None:
    chip(evidence, "0", "5")
    chip(evidence, "1", str(NOW), "rtc1")
    assert trust(evidence) == Trust.RTC


def test_a_folder_without_files_is_no_chip(evidence: Evidence) -> None:
    (evidence.rtc / "rtc0").mkdir(parents=True)
    assert trust(evidence) == Trust.NONE


def test_the_network_comes_and_goes(evidence: Evidence) -> None:
    network = [False]
    clock = SystemClock(evidence, lambda: network[0])
    assert clock.now().trust == Trust.NONE
    network[0] = True
    evidence.synchronised.touch()
    assert clock.now().trust == Trust.NTP
    network[0] = False
    assert clock.now().trust == Trust.RTC, "it was right this morning"
    assert trust(evidence) == Trust.RTC, "also for a daemon that was restarted"


def test_where_the_kernel_must_not_be_asked_the_time_servers_word_counts(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SystemClock(evidence, lambda: False)
    wall(monkeypatch, NOW)
    assert clock.now().trust == Trust.NONE
    made(evidence.synchronised, NOW)
    assert clock.now().trust == Trust.NTP
    wall(monkeypatch, NOW + 8 * 3600)
    assert clock.now().trust == Trust.NTP
    wall(monkeypatch, NOW + 10 * 3600)
    assert clock.now().trust == Trust.RTC, "as the kernel would say: that was long ago"


def test_a_stamp(evidence: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    stamp = SystemClock(evidence, lambda: True).now()
    monkeypatch.undo()
    time.tzset()
    assert (stamp.wall, stamp.boot, stamp.zone) == ((BUILD + 30) * 1000, bytes.fromhex("0123456789abcdef"), 8 * 3600)
    assert 0 < stamp.mono <= time.monotonic_ns() // 10**6


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_text("no boot id")])
def test_without_a_boot_id_each_start_is_one_boot(evidence: Evidence, spoil: Callable[[Path], object]) -> None:
    spoil(evidence.boot_id)
    clock = SystemClock(evidence, lambda: False)
    assert clock.now().boot == clock.now().boot != SystemClock(evidence, lambda: False).now().boot


def test_nothing_at_all_is_no_fault(tmp_path: Path) -> None:
    nowhere = Evidence(*(tmp_path / name for name in Evidence._fields))
    assert trust(nowhere) == Trust.NONE


def test_this_machine() -> None:
    assert kernel_is_synchronised() in (True, False)
    assert SystemClock().now().trust in Trust
