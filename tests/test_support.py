"""The support bundle tells much, and nothing about people: what a busy day leaves behind is looked for in it."""

import base64
import io
import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from kiosk import cli, data_folder, health, issue_folder, support
from kiosk.domain import Subject
from kiosk.facts import Entry
from kiosk.journal import Journal
from tests.support.people import AMINA
from tests.test_privacy import Trace, busy_day, canaries, found

MQTT = '[mqtt]\nhost = "post.example"\nusername = "canary-user"\npassword = "canary-password"\n'
SEAL = '[seal]\ntoken = "canary-token"\n'


def unpacked(bundle: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(bundle), mode="r:gz") as tar:
        return {member.name: tar.extractfile(member).read().decode() for member in tar}


def silent(*_: str) -> str:
    return ""


def test_everything_is_there_even_where_nothing_is(tmp_path: Path) -> None:
    files = unpacked(support.bundle(tmp_path / "missing.toml", tmp_path, silent))
    assert set(files) == {
        f"kiosk-support/{name}"
        for name in (
            "about.txt",
            "config.toml",
            "devices.txt",
            "issues.txt",
            "journal.json",
            "kernel.txt",
            "log.txt",
            "status.txt",
            "storage.txt",
            "units.txt",
        )
    }
    assert files["kiosk-support/config.toml"].startswith("not to be had: ConfigError: ")


def test_a_broken_part_does_not_cost_the_others(tmp_path: Path) -> None:
    def broken(*command: str) -> str:
        raise subprocess.TimeoutExpired(command, 60)

    files = unpacked(support.bundle(tmp_path / "missing.toml", tmp_path, broken))
    assert files["kiosk-support/log.txt"].startswith("not to be had: TimeoutExpired")
    assert "kiosk " in files["kiosk-support/about.txt"]


def test_the_same_findings_are_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/uptime").write_text("77.1 100")
    assert support.bundle(tmp_path / "x.toml", tmp_path, silent) == support.bundle(
        tmp_path / "x.toml", tmp_path, silent
    )


def test_what_the_machine_tells(tmp_path: Path) -> None:
    def put(path: str, content: bytes) -> None:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)

    put("proc/cmdline", b"console=tty1 kiosk.slot=B panic=10")
    put("proc/uptime", b"3600.5 1")
    put("proc/device-tree/model", b"Raspberry Pi 4 Model B\0")
    put("proc/device-tree/chosen/bootloader/partition", b"\0\0\0\3")
    put(
        "proc/self/mounts",
        b"/dev/mmcblk0p8 /data ext4 rw 0 0\nproc /proc proc rw 0 0\n//nas/x /mnt cifs password=hush 0 0\n",
    )
    put("sys/bus/usb/devices/1-1/idVendor", b"0403\n")
    put("sys/bus/usb/devices/1-1/idProduct", b"6001\n")
    put("dev/serial/by-id/usb-FTDI_FT232R-if00-port0", b"")
    put("sys/block/mmcblk0/device/life_time", b"0x02 0x01\n")
    parts = support.parts(tmp_path / "missing.toml", tmp_path, silent)
    for piece in ("slot        B", "Raspberry Pi 4 Model B", "partition 3", "up          36", "sqlite"):
        assert piece in parts["about.txt"]
    assert "1-1         0403 6001" in parts["devices.txt"]
    assert "/dev/serial/by-id/usb-FTDI_FT232R-if00-port0" in parts["devices.txt"]
    assert "/dev/mmcblk0p8 /data ext4 rw" in parts["storage.txt"]
    assert "/sys/block/mmcblk0/device/life_time: 0x02 0x01" in parts["storage.txt"]
    assert "hush" not in parts["storage.txt"]


def test_lines_of_the_log_lose_what_may_be_personal() -> None:
    def journalctl(*command: str) -> str:
        assert command[0] == "journalctl"
        return (
            "2026-11-26T21:00:00+0800 kiosk-360481-1 kiosk[312]: issue raised: storage: disk full\n"
            f"2026-11-26T21:00:01+0800 kiosk-360481-1 wpa_supplicant[99]: {AMINA.name} {AMINA.number}\n"
            f"   a line that follows: {AMINA.name}\n"
        )

    text = support._said(journalctl, "--unit=kiosk*")
    assert "2026-11-26T21:00:00+0800 kiosk-360481-1 kiosk[312]: issue raised: storage: disk full" in text
    assert "wpa_supplicant[99]: [withheld]" in text
    assert AMINA.name not in text


def test_a_long_part_keeps_its_end() -> None:
    assert len(support._made(lambda: "x" * 10**6 + "end")) == support.MAX_PART + 1
    assert support._made(lambda: "x" * 10**6 + "end").endswith("end\n")


@pytest.mark.parametrize("key", ["passwrod", "psk", "note"])
def test_values_of_unknown_keys_are_withheld(tmp_path: Path, key: str) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text(
        f'# canary\n[site]\ncode = "360481"\n[mqtt]\n{key} = "canary"\nlist = ["canary"]\n[{key}.x]\ny = 1\n'
    )
    text = support.parts(config, tmp_path, silent)["config.toml"]
    assert "canary" not in text
    assert 'code = "360481"' in text
    assert f'{key} = "{support.WITHHELD}"' in text


def hidden(folder: Path) -> Iterator[str]:
    """What identifies a person or opens something: digests, boxes, keys, as text and as numbers."""
    raw = []
    with Journal.open_readonly(data_folder.journal(folder / "data")) as journal:
        for row in journal.read(0, 10_000, 1 << 30):
            fact = msgspec.msgpack.decode(row.body, type=Entry).fact
            for name in fact.__struct_fields__:
                value = getattr(fact, name)
                raw += [value] if isinstance(value, bytes) else []
                raw += [value.digest, value.box] if isinstance(value, Subject) else []
    for value in filter(None, raw):
        yield from (value.hex(), base64.b64encode(value).decode(), base64.urlsafe_b64encode(value).decode())
    for path in ("data/device.key", "data/digest.key", "keys/private.key"):
        yield (folder / path).read_text().strip()


async def test_a_busy_day_leaves_no_trace_in_it(tmp_path: Path) -> None:
    day = await busy_day(tmp_path)
    config = tmp_path / "kiosk.toml"
    text = config.read_text("utf-8")
    config.write_text(text.replace("[seal]\n", SEAL) + (MQTT if "[mqtt]" not in text else 'username = "canary-user"\n'))
    issue_folder.tell(tmp_path / issue_folder.NAME, "data-repaired", "export, then change the card")

    def journalctl(*command: str) -> str:
        if "--unit=kiosk*" not in command:
            return ""
        head = "2026-11-26T21:00:00+0800 kiosk kiosk[1]: "
        said = (tmp_path / "kiosk.log").read_text("utf-8").splitlines()
        leaked = [f"{who.name} {who.number} {who.address} {who.latin_name}" for who in day.registered + day.turned_away]
        return "\n".join(head + line for line in [*said, *leaked, *(f"code {code}" for code in canaries(day)[-8:])])

    bundle = support.bundle(config, Path("/"), journalctl)
    files = unpacked(bundle)
    traces = [Trace(name, content.encode()) for name, content in files.items()]
    latin = {who.latin_name for who in day.registered + day.turned_away}  # the log's own known limit
    words = [word for word in canaries(day) if word not in latin and word != "canary"]
    assert found([*words, *hidden(tmp_path), "canary-user", "canary-password", "canary-token"], traces) == {}

    told = json.loads(files["kiosk-support/journal.json"])["v2/journal.db"]
    assert told["facts"]["registered"] == len(day.registered)
    assert told["head"] == sum(told["facts"].values()) == told["acked"]
    assert "issue" in files["kiosk-support/log.txt"]
    assert "data-repaired: export, then change the card" in files["kiosk-support/issues.txt"]
    assert 'public_key = "kp1_' in files["kiosk-support/config.toml"]


def test_a_summary_fits_into_an_answer(tmp_path: Path) -> None:
    def talkative(*command: str) -> str:
        line = "2026-11-26T21:00:00+0800 kiosk kiosk[1]: issue raised: storage\n"
        return line * 1000 + "the end" if command[0] == "journalctl" else "kiosk-x.service failed\n"

    text = support.summary(tmp_path / "missing.toml", 2000, tmp_path, talkative)
    assert len(text) == 2000
    assert text.endswith("the end\n")
    for piece in ("not to be had: StatusError", "none was told", "sqlite", "kiosk-x.service failed"):
        assert piece in text


def test_the_search_would_find_them(tmp_path: Path) -> None:
    planted = [Trace("here", b"digest " + bytes(range(16)).hex().encode())]
    assert found([bytes(range(16)).hex()], planted) == {"here": [bytes(range(16)).hex()]}


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(support, "run", silent)
    config = tmp_path / "kiosk.toml"
    config.write_text("")
    for target, path in ((tmp_path, tmp_path / "kiosk-support.tar.gz"), (tmp_path / "x.tar.gz", tmp_path / "x.tar.gz")):
        assert cli.main(["support-bundle", "--config", str(config), str(target)]) == 0
        assert capsys.readouterr().out == f"{path}\n"
        assert "kiosk-support/about.txt" in unpacked(path.read_bytes())
    assert cli.main(["support-bundle", "--config", str(config), str(tmp_path / "no" / "x.tar.gz")]) == 1
    assert health.STATUS_NAME in unpacked(path.read_bytes())["kiosk-support/status.txt"]
