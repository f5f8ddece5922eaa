"""From the technician's file to the kiosk's configuration, whatever the file is like."""

import json
import os
import tomllib
from pathlib import Path

import pytest

from kiosk import config_file
from kiosk.provision import card, codes
from kiosk.provision.apply import Outcome, Places, apply
from kiosk.seal import PrivateKeys
from tests.support.provisioning import (
    BROKER_PASSWORD,
    EXAMPLE,
    ID,
    POST,
    SECRETS,
    WIFI_PASSWORD,
    places,
    put,
    tables,
    text,
)


@pytest.fixture
def at(tmp_path: Path) -> Places:
    return places(tmp_path)


def secrets_on(folder: Path) -> list[Path]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return [path for path in files if any(secret in path.read_bytes() for secret in SECRETS)]


def issue(at: Places, code: str = "provision-refused") -> str:
    path = at.run / "kiosk-issues" / f"{code}.json"
    return json.loads(path.read_text())["hint"] if path.exists() else ""


def reason(at: Places) -> str:
    path = at.boot / card.ERROR
    return path.read_bytes().decode("utf-8-sig") if path.exists() else ""


def refused(at: Places, why: str) -> None:
    assert apply(at) == Outcome(False, (why,))
    assert why in issue(at)
    raw = (at.boot / card.ERROR).read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    assert raw.count(b"\n") == raw.count(b"\r\n")
    assert reason(at).count(why) == 2
    assert not (at.etc / "kiosk.toml").exists()


# A good file ------------------------------------------------------------------------------------------------------


def test_a_good_file_becomes_the_whole_configuration(at: Places) -> None:
    put(at, text(id=ID))
    assert apply(at) == Outcome(True, ())
    config = config_file.load(at.etc / "kiosk.toml")
    assert (config.site.name, config.kiosk.number) == ("朝阳门社区 03号点", 1)
    assert config.mqtt is not None
    assert (config.mqtt.host, config.mqtt.port, config.mqtt.tls) == ("broker.example.org", 8883, True)
    assert config.mqtt.password_file is None, "the unit hands it over"
    assert (at.etc / "mqtt.password").read_text() == BROKER_PASSWORD
    assert modes(at.etc) == {
        "kiosk.toml": 0o644,
        "mqtt.password": 0o600,
        "ca.pem": 0o644,
        "provision.toml": 0o600,
        "provisioned-ids": 0o644,
    }
    assert (at.etc / "provisioned-ids").read_text() == f"{ID}\n"
    assert str(at.localtime.readlink()) == "/usr/share/zoneinfo/Asia/Shanghai"
    assert issue(at) == reason(at) == ""


def modes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


def test_no_secret_stays_on_the_card(at: Places) -> None:
    path = put(at, "\n".join(f"# {line}" for line in EXAMPLE.splitlines()) + "\n" + text(id=ID))
    size, inode = path.stat().st_size, path.stat().st_ino
    apply(at)
    done = at.boot / card.DONE
    assert [path.name for path in at.boot.iterdir()] == [card.DONE]
    assert (done.stat().st_size, done.stat().st_ino) == (size, inode), "the same bytes of the card, overwritten"
    assert secrets_on(at.boot) == []
    left = tomllib.loads(done.read_text("utf-8-sig"))
    assert left["site"] == tables()["site"]
    assert left["uplink"]["password"] == left["id"] == "(kept in the kiosk)"


@pytest.mark.parametrize("size", [0, 1, 30, 100, 131, 132, 133, 400])
def test_a_file_shorter_than_what_would_be_left_of_it_does_not_grow(at: Places, size: int) -> None:
    data = tables()
    (at.boot / card.DONE).write_bytes(WIFI_PASSWORD.encode().ljust(size, b"x")[:size])
    card.tidy(at.boot, data)
    left = (at.boot / card.DONE).read_bytes()
    assert len(left) == size
    left.decode("utf-8-sig")
    assert b"x" * 4 not in left


def test_only_what_changed_is_written(at: Places) -> None:
    put(at, text())
    apply(at)
    before = {path: path.lstat().st_mtime_ns for path in (*at.etc.parent.rglob("*"), *at.boot.rglob("*"))}
    assert apply(at) == Outcome(True, ())
    assert {path: path.lstat().st_mtime_ns for path in before} == before


def test_the_network_is_made_anew_at_each_start(at: Places) -> None:
    put(at, text())
    apply(at)
    files = {path.relative_to(at.run): path.read_text() for path in at.run.rglob("*") if path.is_file()}
    supplicant = at.run / "wpa_supplicant" / "wpa_supplicant-wlan0.conf"
    assert supplicant.stat().st_mode & 0o777 == 0o600
    assert f'psk="{WIFI_PASSWORD}"' in supplicant.read_text()
    assert f"ssid={'采样点'.encode().hex()}" in supplicant.read_text()
    for path in files:
        (at.run / path).unlink()
    apply(at)
    assert {path.relative_to(at.run): path.read_text() for path in at.run.rglob("*") if path.is_file()} == files


def test_a_fixed_address(at: Places) -> None:
    wired = {"address": "192.0.2.10/24", "gateway": "192.0.2.1", "dns": ["192.0.2.1"], "ntp": ["192.0.2.2"]}
    put(at, text(network={"wired": wired}))
    apply(at)
    lines = (at.run / "systemd/network/70-kiosk-wired.network").read_text().splitlines()
    wanted = {"DHCP=no", "Address=192.0.2.10/24", "Gateway=192.0.2.1", "DNS=192.0.2.1", "NTP=192.0.2.2"}
    assert wanted <= set(lines)
    assert not (at.run / "wpa_supplicant").exists()


def test_a_new_file_replaces_what_was_told_before(at: Places) -> None:
    put(at, text())
    apply(at)
    data = tables(kiosk={"number": 7})
    del data["uplink"], data["network"]
    from kiosk.provision import toml

    put(at, toml.dumps(data))
    assert apply(at) == Outcome(True, ())
    assert config_file.load(at.etc / "kiosk.toml").kiosk.number == 7
    assert (at.etc / "mqtt.password").read_bytes() == b""
    assert not (at.run / "wpa_supplicant" / "wpa_supplicant-wlan0.conf").exists()
    assert secrets_on(at.etc) == secrets_on(at.run) == []


def test_a_hand_made_configuration_is_left_alone(at: Places) -> None:
    (at.etc / "kiosk.toml").write_text("by hand")
    assert apply(at) == Outcome(True, ())
    assert (at.etc / "kiosk.toml").read_text() == "by hand"
    assert (at.etc / "mqtt.password").read_bytes() == b"", "its unit hands it over, be there one or not"


def test_rules_for_the_sockets_of_this_kiosk_are_installed(at: Places) -> None:
    (at.etc / "udev.rules").write_text("rule")
    apply(at)
    assert (at.run / "udev/rules.d/71-kiosk.rules").read_text() == "rule"


def test_nothing_there_is_no_error(at: Places) -> None:
    assert apply(at) == Outcome(False, ())
    assert list(at.boot.iterdir()) == []
    at.boot.rmdir()
    assert apply(at) == Outcome(False, ())


# What editors and people do ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "encoded",
    [
        pytest.param(lambda t: t.encode("utf-8-sig"), id="BOM"),
        pytest.param(lambda t: t.replace("\n", "\r\n").encode(), id="CRLF"),
        pytest.param(lambda t: t.replace("\n", "\r\n").encode("utf-16"), id="Unicode of Notepad"),
        pytest.param(lambda t: b"\xfe\xff" + t.encode("utf-16-be"), id="Unicode big endian"),
        pytest.param(lambda t: t.encode("utf-16-le"), id="UTF-16 without BOM"),
        pytest.param(lambda t: t.encode("utf-16-be"), id="UTF-16 big endian without BOM"),
        pytest.param(lambda t: t.encode("gb18030"), id="ANSI of a Chinese Notepad"),
    ],
)
def test_the_encodings_editors_save_in(at: Places, encoded) -> None:
    put(at, encoded(text()))
    assert apply(at) == Outcome(True, ())
    assert config_file.load(at.etc / "kiosk.toml").site.name == "朝阳门社区 03号点"
    assert secrets_on(at.boot) == []
    assert not any(secret.decode().encode("utf-16-le") in (at.boot / card.DONE).read_bytes() for secret in SECRETS)


@pytest.mark.parametrize("name", ["KIOSK-PROVISION.TOML", "Kiosk-Provision.toml.txt", "kiosk-provision.txt"])
def test_the_names_people_give(at: Places, name: str) -> None:
    put(at, text(), name)
    assert apply(at) == Outcome(True, ())
    assert [path.name for path in at.boot.iterdir()] == [card.DONE]


@pytest.mark.parametrize(
    "name", ["kiosk-provision (1).toml", "kiosk_provision.toml", "Provision.TXT", "kiosk-provision.rtf"]
)
def test_a_name_that_is_nearly_right_is_told(at: Places, name: str) -> None:
    put(at, text(), name)
    refused(at, f"{name}: found this name, expected kiosk-provision.toml: rename it")


def test_what_has_nothing_to_do_with_it_is_passed_over(at: Places) -> None:
    for name in ("IMG_0001.JPG", "provisions.jpg", "kiosks.csv", "._kiosk-provision.toml", "README.txt"):
        put(at, b"photo" * 1000, name)
    (at.boot / "DCIM").mkdir()
    assert apply(at) == Outcome(False, ())


def test_the_example_filled_in_is_told(at: Places) -> None:
    put(at, EXAMPLE, card.EXAMPLE)
    assert apply(at) == Outcome(False, ())
    put(at, EXAMPLE.replace('public_key = ""', f'public_key = "{POST.public.line()}"'), card.EXAMPLE)
    refused(at, f"{card.EXAMPLE}: it is filled in, but only kiosk-provision.toml is read: rename it")


def test_two_files_that_differ_are_told_and_two_equal_ones_both_go(at: Places) -> None:
    put(at, text())
    put(at, text(kiosk={"number": 2}), "kiosk-provision.toml.txt")
    refused(
        at,
        "kiosk-provision.toml: found kiosk-provision.toml.txt beside it, with other content: delete one of them",
    )
    put(at, text(), "kiosk-provision.toml.txt")
    put(at, text(), "kiosk-provision.toml~")
    put(at, text(), "._kiosk-provision.toml.swp")
    assert apply(at) == Outcome(True, ())
    assert [path.name for path in at.boot.iterdir()] == [card.DONE]


def test_a_folder_of_that_name_is_told(at: Places) -> None:
    (at.boot / card.NAME).mkdir()
    refused(at, "kiosk-provision.toml: found a folder, expected a file")


# A bad file -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"version": 2}, "version: found 2, expected 1: it was made by a newer program: update this kiosk"),
        ({"version": "1"}, 'version: found "1", expected one of: 1'),
        ({"site": {"code": "3604", "name": "a"}}, 'site.code: found "3604", expected six digits in quotes'),
        ({"site": {"code": "360481"}}, "site.name: missing, expected text of 1 to 40 characters in quotes"),
        ({"kiosk": {"number": 100}}, "kiosk.number: found 100, expected a whole number ≥ 1 ≤ 99"),
        ({"kiosk": {"nubmer": 1}}, "kiosk.nubmer: unknown key, expected one of: number"),
        (
            {"profile": "gold"},
            'profile: found "gold", expected one of: city-routine, drill',
        ),
        ({"profile": "../x"}, 'profile: found "../x", expected the name of a profile, such as "standard"'),
        ({"time_zone": "Beijing"}, 'time_zone: found "Beijing", expected a time zone such as "Asia/Shanghai"'),
        (
            {"seal": {"public_key": ""}},
            'seal.public_key: found "", expected the line in the command post\'s public.key',
        ),
        (
            {"network": {"wired": {"address": "192.0.2.10"}}},
            'network.wired.address: found "192.0.2.10", expected an address such as "192.0.2.10/24"',
        ),
        (
            {"network": {"wired": {"gateway": "192.0.2.1"}}},
            'network.wired.gateway: found "192.0.2.1", expected network.wired.address beside it',
        ),
        (
            {"network": {"wifi": {"ssid": "x", "password": "short"}}},
            "network.wifi.password: found (withheld), expected text of 8 to 63 characters in quotes",
        ),
        (
            {"network": {"wifi": {"ssid": "x", "password": "不是英文的密码密码"}}},
            'network.wifi.password: found "(withheld)", expected 8 to 63 ASCII characters',
        ),
        ({"uplink": {"host": "a:b/c"}}, 'uplink.host: found "a:b/c", expected an address or a host name'),
        ({"uplink": {"host": "h", "ca": "nonsense"}}, 'uplink.ca: found "nonsense", expected a certificate in PEM'),
        ({"uplink": {"host": "h", "ca": "x", "tls": False}}, "uplink.tls: found false, expected true"),
        ({"policy": {"pool_size": 7}}, "policy.pool_size: found 7, expected one of: 1, 5, 10, 20"),
        ({"devices": {"printer": {"dpi": 600}}}, "devices.printer.dpi: found 600, expected one of: 203, 300"),
        (
            {"devices": {"prnter": {"dpi": 203}}},
            "devices.prnter: unknown key, expected one of: card, code, keypad",
        ),
        ({"site": {"code": "360481", "name": "名" * 40}}, "expected a label that fits: site name '名名名"),
    ],
)
def test_a_wrong_value_is_told_as_by_kiosk_check(at: Places, changes: dict, why: str) -> None:
    put(at, text(**changes))
    outcome = apply(at)
    assert not outcome.provisioned
    assert len(outcome.told) == 1
    assert outcome.told[0].startswith("kiosk-provision.toml: ")
    assert why in outcome.told[0]
    assert reason(at).count(outcome.told[0]) == 2
    assert [path.name for path in at.etc.iterdir()] == []
    assert secrets_on(at.run) == []


@pytest.mark.parametrize("cut", [0, 1, 10, 100, 200, 300, 400])
def test_a_truncated_file_is_told(at: Places, cut: int) -> None:
    put(at, text().encode()[:cut])
    outcome = apply(at)
    assert not outcome.provisioned
    assert len(outcome.told) == 1
    assert outcome.told[0] in reason(at)


def test_flipped_bits_are_told_or_are_another_good_file_and_nothing_crashes(at: Places) -> None:
    good = text().encode()
    for place in range(0, len(good), 7):
        damaged = bytearray(good)
        damaged[place] ^= 1 << place % 8
        path = put(at, bytes(damaged))
        outcome = apply(at)
        assert outcome.provisioned == (not outcome.told)
        assert path.exists() != outcome.provisioned
        for left in (*at.etc.iterdir(), *at.boot.iterdir()):
            left.unlink()


@pytest.mark.parametrize("noise", [b"\0" * 600, bytes(range(256)) * 3, b"\xff\xd8\xff\xe0" + b"\x81" * 900])
def test_noise_is_told(at: Places, noise: bytes) -> None:
    put(at, noise)
    outcome = apply(at)
    assert (outcome.provisioned, len(outcome.told)) == (False, 1)


def test_a_huge_file_is_told(at: Places) -> None:
    put(at, b"#" * 100_000)
    refused(at, "kiosk-provision.toml: found 100000 bytes, expected at most 65536")


def test_a_better_file_ends_the_waiting(at: Places) -> None:
    put(at, text(kiosk={"number": 0}))
    apply(at)
    assert reason(at)
    put(at, text())
    assert apply(at) == Outcome(True, ())
    assert issue(at) == reason(at) == ""


def test_a_bad_file_leaves_a_provisioned_kiosk_as_it_is(at: Places) -> None:
    put(at, text())
    apply(at)
    before = (at.etc / "kiosk.toml").read_bytes()
    put(at, text(kiosk={"number": 0}))
    outcome = apply(at)
    assert outcome.provisioned
    assert outcome.told[0] in issue(at)
    assert outcome.told[0] in reason(at)
    assert (at.etc / "kiosk.toml").read_bytes() == before


def test_a_profile_that_changed_its_mind_leaves_the_last_configuration(at: Places, tmp_path: Path) -> None:
    put(at, text())
    apply(at)
    before = (at.etc / "kiosk.toml").read_bytes()
    later = Places(boot=at.boot, etc=at.etc, run=at.run, profiles=(tmp_path / "none",))
    outcome = apply(later)
    assert outcome == Outcome(True, ('provision.toml: profile: found "standard", expected one of: none is installed',))
    assert outcome.told[0] in issue(at)
    assert (at.etc / "kiosk.toml").read_bytes() == before


def test_a_damaged_memory_is_told(at: Places) -> None:
    put(at, text())
    apply(at)
    (at.etc / "provision.toml").write_bytes(b"\0" * 100)
    assert apply(at) == Outcome(True, ("provision.toml: damaged: provision this kiosk again",))


# Codes ------------------------------------------------------------------------------------------------------------


def show(at: Places, content: str, key: PrivateKeys = POST) -> None:
    (at.run / "kiosk").mkdir(exist_ok=True)
    (at.run / "kiosk" / "provision.kp1").write_bytes(codes.seal(content, key.sign))


def test_a_code_provisions_once(at: Places) -> None:
    show(at, text(id=ID))
    assert apply(at) == Outcome(True, ())
    assert not (at.run / "kiosk" / "provision.kp1").exists()
    show(at, text(id=ID))
    assert apply(at) == Outcome(True, ()), "shown again before anything else: nothing to do"
    show(at, text(id="B" * 16, kiosk={"number": 2}))
    assert apply(at) == Outcome(True, ())
    show(at, text(id=ID))
    outcome = apply(at)
    assert outcome.told == ("code: id: this code was used on this kiosk before: make a new one",)
    assert config_file.load(at.etc / "kiosk.toml").kiosk.number == 2
    assert (at.etc / "provisioned-ids").read_text().split() == [ID, "B" * 16]


def test_a_file_uses_up_its_code_too(at: Places) -> None:
    put(at, text(id=ID))
    apply(at)
    put(at, text())
    apply(at)
    show(at, text(id=ID))
    assert "was used on this kiosk before" in apply(at).told[0]


def test_a_stranger_can_tell_a_fresh_kiosk_and_no_other(at: Places) -> None:
    stranger = PrivateKeys.generate()
    theirs = text(id=ID, seal={"public_key": stranger.public.line()})
    show(at, text(id=ID), key=stranger)
    refused_by_code(at, "code: signature: not made by the command post this kiosk belongs to")
    put(at, text())
    apply(at)
    show(at, theirs, key=stranger)
    refused_by_code(at, "code: signature: not made by the command post this kiosk belongs to")
    show(at, theirs)
    assert apply(at) == Outcome(True, ()), "its own command post may hand it over"
    assert config_file.load(at.etc / "kiosk.toml").seal.public_key == stranger.public.line()


def refused_by_code(at: Places, why: str) -> None:
    outcome = apply(at)
    assert outcome.told == (why,)
    assert why in issue(at)
    assert reason(at) == "", "the card has nothing to do with it"


@pytest.mark.parametrize("damage", [lambda d: d[:-1], lambda d: b"", lambda d: d[:50] + b"x" + d[51:], lambda d: d * 2])
def test_a_damaged_request_is_told(at: Places, damage) -> None:
    show(at, text(id=ID))
    request = at.run / "kiosk" / "provision.kp1"
    request.write_bytes(damage(request.read_bytes()))
    outcome = apply(at)
    assert (outcome.provisioned, len(outcome.told)) == (False, 1)
    assert outcome.told[0].startswith("code: ")
    assert not request.exists()


def test_a_code_without_its_id_is_refused(at: Places) -> None:
    show(at, text())
    refused_by_code(at, "code: id: missing, expected the one-time id that `kiosk provision make` writes")


# What does not work ---------------------------------------------------------------------------------------------------


def fails(monkeypatch: pytest.MonkeyPatch, below: Path, error: int) -> None:
    """Nothing under this folder can be written any more."""
    real = os.open

    def refuse(path, flags, *rest, **named):
        if str(path).startswith(str(below)) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise OSError(error, os.strerror(error), str(path))
        return real(path, flags, *rest, **named)

    def refuse_names(self, *_):
        if str(self).startswith(str(below)):
            raise OSError(error, os.strerror(error), str(self))
        return rename(self, *_)

    rename = Path.rename
    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(Path, "rename", refuse_names)


def test_a_read_only_card_provisions_and_the_secrets_on_it_are_told(at: Places, monkeypatch) -> None:
    put(at, text())
    fails(monkeypatch, at.boot, 30)
    outcome = apply(at)
    assert outcome.provisioned
    assert len(outcome.told) == 1
    assert "passwords may lie readable on the card's KIOSK partition" in outcome.told[0]
    assert "Read-only file system" in issue(at, "provision-not-wiped")
    assert issue(at) == ""
    monkeypatch.undo()
    assert apply(at) == Outcome(True, ())
    assert issue(at, "provision-not-wiped") == ""
    assert secrets_on(at.boot) == []


def test_a_card_full_of_photos_keeps_the_reason_where_there_is_room(at: Places, monkeypatch) -> None:
    put(at, text(kiosk={"number": 0}))
    fails(monkeypatch, at.boot, 28)
    outcome = apply(at)
    assert not outcome.provisioned
    assert "kiosk.number: found 0" in outcome.told[0]
    assert outcome.told[0] in issue(at)
    assert "No space left on device" in outcome.told[1]


def test_a_data_partition_that_cannot_be_written_leaves_the_file_on_the_card(at: Places, monkeypatch) -> None:
    path = put(at, text())
    fails(monkeypatch, at.etc, 30)
    outcome = apply(at)
    assert not outcome.provisioned
    assert "Read-only file system" in outcome.told[0]
    assert WIFI_PASSWORD in path.read_text()
    monkeypatch.undo()
    assert apply(at) == Outcome(True, ())
