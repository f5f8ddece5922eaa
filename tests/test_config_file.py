"""A wrong configuration stops with one line that names file, key, what was found, what was expected."""

import copy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from kiosk import config_file
from kiosk.config import ConfigError, Devices, NoDevice, TsplPrinter
from kiosk.seal import PrivateKeys

SHIPPED = Path(__file__).parent.parent / "config" / "kiosk.toml"


@pytest.fixture
def data() -> dict:
    data = tomllib.loads(SHIPPED.read_text("utf-8"))
    data["seal"]["public_key"] = PrivateKeys.generate().public.line()
    return data


def refusal(data: dict) -> str:
    with pytest.raises(ConfigError) as refused:
        config_file.check(data, Path("kiosk.toml"))
    text = str(refused.value)
    assert "\n" not in text
    assert text.startswith("kiosk.toml: ")
    return text.removeprefix("kiosk.toml: ")


def test_the_shipped_file_is_good_once_the_key_is_in(data):
    config = config_file.check(data, SHIPPED)
    assert isinstance(config.devices.printer, TsplPrinter)
    assert config.policy.group_size == 10


def test_the_shipped_values_are_the_defaults(data):
    """The file tells the technician what is used when a line is left out."""
    full = config_file.check(data, SHIPPED)
    bare = {key: data[key] for key in ("site", "kiosk", "seal", "health_code_formats", "devices", "mqtt")}
    bare = copy.deepcopy(bare)
    for device, keys in {
        "card": ("port", "driver"),
        "code": ("port", "driver"),
        "printer": ("port", "driver"),
        "panel": ("driver",),
    }.items():
        bare["devices"][device] = {key: bare["devices"][device][key] for key in keys}
    assert config_file.check(bare, SHIPPED) == full


def test_devices_may_be_left_out(data):
    del data["devices"], data["mqtt"]
    config = config_file.check(data, SHIPPED)
    assert config.devices == Devices()
    assert isinstance(config.devices.panel, NoDevice)
    assert config.mqtt is None


@pytest.mark.parametrize(
    ("where", "value", "expected"),
    [
        ("site.code", "3604", 'site.code: found "3604", expected six digits in quotes'),
        ("site.code", 360481, "site.code: found 360481, expected six digits in quotes"),
        ("site.nmae", "x", "site.nmae: unknown key, expected one of: code, name"),
        ("kiosk.number", 100, "kiosk.number: found 100, expected a whole number ≥ 1 ≤ 99"),
        ("kiosk.data_dir", 1, "kiosk.data_dir: found 1, expected a path in quotes"),
        ("policy.pool_size", 7, "policy.pool_size: found 7, expected one of: 1, 5, 10, 20"),
        (
            "policy.health_code",
            "maybe",
            'policy.health_code: found "maybe", expected one of: "off", "optional", "required"',
        ),
        ("policy.pair_window_s", -1, "policy.pair_window_s: found -1, expected a number > 0 ≤ 3600"),
        (
            "devices.card.driver",
            "sdt2",
            'devices.card.driver: found "sdt2", expected one of: "sdt", "none"',
        ),
        (
            "devices.card.baud",
            1200,
            "devices.card.baud: found 1200, expected one of: 9600, 19200, 38400, 57600, 115200",
        ),
        ("devices.card.bauds", 9600, "devices.card.bauds: unknown key, expected one of: baud, driver, newest_address"),
        ("devices.printer.label_mm", [50], "devices.printer.label_mm: found [50], expected a list of 2 values"),
        ("devices.panel.bar", [1, 2], "devices.panel.bar: found [1,2], expected a list of 10 values"),
        ("devices.panel.stop", 40, "devices.panel.stop: found 40, expected a whole number ≥ 0 ≤ 27"),
        ("mqtt.tls", "yes", 'mqtt.tls: found "yes", expected true or false'),
        ("seal.public_key", "kp1_abc", "seal.public_key: found"),
        (
            "queue.waiting_cap",
            9,
            "queue.waiting_cap: found 9, expected 0, or at least policy.group_size = 10: else no group ever fills",
        ),
        ("custody", {"warn_min": 240}, "custody.warn_min: found 240, expected less than custody.limit_min = 240"),
        ("custody", {"day_end": "25:00"}, 'custody.day_end: found "25:00"'),
        ("custody", {"labs": ["x" * 41]}, "custody.labs"),
        ("policy.group_size", 15, "policy.group_size: found 15, expected a multiple of policy.pool_size = 10"),
        ("site.name", "名" * 40, 'site.name: found "名名名'),
        ("site.name", "名" * 40, "expected a label that fits: site name '名名名"),
        ("site.name", "😀", "expected a label that fits: site name: the label font has no '😀'"),
        ("policy.specimen", "😀", 'policy.specimen: found "😀", expected a label that fits: '),
        (
            "devices.printer.port",
            "tcp://h:x",
            'devices.printer.port: found "tcp://h:x", expected a path or "tcp://host',
        ),
        (
            "devices.printer.port",
            "udp://h:1",
            'devices.printer.port: found "udp://h:1", expected a path or "tcp://host',
        ),
        ("devices.card.port", "", 'devices.card.port: found "", expected text in quotes, not empty'),
        ("kiosk.runtime_dir", "/run/" + "x" * 100, "expected a socket path of at most 107 bytes, not 118"),
        ("devices.panel.stop", 22, "devices.panel.go: found 22, expected a pin of its own: stop has it"),
        ("devices.panel.bar", [4] * 10, "devices.panel.bar: found 4, expected a pin of its own"),
        ("devices.printer.label_mm", [25, 15], "devices.printer.label_mm: found [25,15], expected a label that fits: "),
    ],
)
def test_a_wrong_value_is_named_with_its_key(data, where, value, expected):
    *path, last = where.split(".")
    table = data
    for key in path:
        table = table[key]
    table[last] = value
    assert expected in refusal(data)


def test_an_unknown_driver_lists_the_drivers(data):
    data["devices"]["printer"] = {"driver": "cpcl", "port": "x"}
    assert 'found "cpcl"' in refusal(data)
    assert "one of: " in refusal(data)
    for driver in ("none", "tspl", "escpos", "zpl"):
        assert f'"{driver}"' in refusal(data)


def test_a_missing_driver_lists_the_drivers(data):
    del data["devices"]["card"]["driver"]
    assert refusal(data) == 'devices.card.driver: missing, expected one of: "sdt", "none"'


def test_what_cannot_work_as_a_whole_is_warned_of(data, tmp_path):
    data["policy"]["health_code"] = "required"
    data["devices"] |= {"card": {"driver": "none"}, "code": {"driver": "none"}}
    data["mqtt"]["ca"] = str(tmp_path / "ca.pem")
    said = config_file.warnings(config_file.check(data, SHIPPED))
    assert [line.partition(" ")[0] for line in said] == ["devices.card.driver", "devices.code.driver", "mqtt.ca:"]


def test_a_missing_key_is_named(data):
    del data["site"]["code"]
    assert refusal(data) == "site.code: missing, expected six digits in quotes"
    del data["site"]
    assert refusal(data) == "site: missing, expected a table"


def test_a_health_code_format_is_checked_at_its_place(data):
    data["health_code_formats"].append({"name": "broken", "pattern": "(", "colours": {}})
    assert refusal(data).startswith('health_code_formats[1].pattern: found "(", expected ')
    data["health_code_formats"][1] = {"name": "x", "pattern": "x", "colours": {"1": "blue"}}
    assert "health_code_formats[1].colours" in refusal(data)
    assert '"blue"' in refusal(data)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"[site", "not valid TOML"),
        (b"[site]\nname = '\xff'", "is not UTF-8"),
        (None, "cannot be read"),
    ],
)
def test_the_command_stops_with_78_and_one_line(tmp_path, content, why):
    path = tmp_path / "kiosk.toml"
    if content is not None:
        path.write_bytes(content)
    for command in ("check", "run", "status"):
        done = subprocess.run(
            [sys.executable, "-m", "kiosk", command, "--config", str(path)], capture_output=True, text=True
        )
        assert done.returncode == 78
        assert done.stdout == ""
        assert len(done.stderr.splitlines()) == 1
        assert str(path) in done.stderr
        assert why in done.stderr


def test_a_speaker_that_will_keep_silent_is_warned_of(data, tmp_path, monkeypatch):
    from kiosk.drivers.speaker import clips

    def said() -> list[str]:
        return [line for line in config_file.warnings(config_file.check(data, SHIPPED)) if line.startswith("voice")]

    (tmp_path / "zh").mkdir()
    (tmp_path / "zh" / "ask.wav").write_bytes(b"not a clip")
    data["voice"]["folder"] = str(tmp_path)
    assert said() == []  # there is no speaker
    data["devices"]["speaker"] = {"driver": "alsa"}
    (fault,) = said()
    assert fault.startswith(f"voice.folder: not used: {tmp_path}/zh/ask.wav: no WAV file with plain samples, expected ")
    data["voice"] |= {"folder": str(tmp_path / "gone"), "volume": 0}
    assert [line[:14] for line in said()] == ["voice.folder: ", "voice: silent:"]
    del data["voice"]["folder"]
    data["voice"]["volume"] = 50
    assert said() == []
    monkeypatch.setattr(clips, "OWN", tmp_path / "not-made")
    chinese, english = said()
    assert chinese.startswith("voice: silent in 'zh' where a clip is missing: registered, flagged, other, …")
    assert english.startswith("voice: silent in 'en'")
