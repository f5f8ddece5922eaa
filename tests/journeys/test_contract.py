"""What others may rely on, seen from outside: the configuration's names, the command line, the status, the panel's
lines, the labels. Driven by far sides of our own (tests/support/raw.py), on a daemon that knows nothing of them."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from kiosk.cli import main
from tests.support.raw import (
    Daemon,
    Panel,
    Reader,
    SerialPrinter,
    TcpPrinter,
    Terminal,
    TsplPrinter,
    card,
    number,
    until,
)

CONFIG = """
[site]
code = "360481"
name = "朝阳门社区 03号点"
[kiosk]
number = 1
data_dir = "{folder}/data"
runtime_dir = "{folder}/run"
[policy]
group_size = {size}
pool_size = {size}
health_code = "{health_code}"
unknown_code = "{unknown_code}"
round = "daily"
[[health_code_formats]]
name = "demo"
pattern = '^HC1:(?P<colour>[012]):(?P<token>[A-Za-z0-9_-]+)$'
colours = {{ "0" = "green", "1" = "yellow", "2" = "red" }}
[[health_code_formats]]
name = "named"
pattern = '^HC2:(?P<colour>[012]):(?P<id>[0-9X]{{18}})$'
colours = {{ "0" = "green", "1" = "yellow", "2" = "red" }}
[devices.card]
driver = "sdt"
port = "{card}"
baud = 115200
[devices.code]
driver = "serial"
port = "{code}"
baud = 9600
[devices.printer]
driver = "tspl"
port = "{printer}"
label_mm = [50, 30]
dpi = 203
[devices.panel]
driver = "socket"
path = "{folder}/panel.sock"
[seal]
public_key = "{key}"
"""
ANSWERS = ("accepted", "flagged", "repeat", "refused", "retry", "denied")
LAMPS = {"stop", "wait", "go", "release", "alarm", "fault", "door"}


class Site:
    """A kiosk with devices of our own, and the people before it."""

    def __init__(self, folder: Path, printer: Any = None, reader: Reader | None = None, **policy: Any) -> None:
        self.kiosk = Daemon(folder)
        self._panels: list[Panel] = []
        self.reader, self.scanner = reader or Reader(), Terminal()
        self.printer = printer or TcpPrinter()
        assert main(["keys", str(folder / "keys")]) == 0
        values = {"size": 10, "health_code": "off", "unknown_code": "flag"} | policy
        self.kiosk.config.write_text(
            CONFIG.format(
                folder=folder,
                card=self.reader.port,
                code=self.scanner.port,
                printer=getattr(self.printer, "port", self.printer),
                key=(folder / "keys" / "public.key").read_text().strip(),
                **values,
            ),
            "utf-8",
        )

    def start(self) -> None:
        self.panel: Panel = self.kiosk.start()
        self._panels.append(self.panel)

    def close(self) -> None:
        self.kiosk.kill()
        for side in (*self._panels, self.reader, self.scanner, self.printer):
            if hasattr(side, "close"):
                side.close()

    def status(self, *keys: str) -> Any:
        whole = self.kiosk.status()
        return [whole[key] for key in keys] if len(keys) > 1 else whole[keys[0]] if keys else whole

    def show(self, text: bytes = b"", code: str = "") -> str:
        """What the panel answers; the card is lifted then."""
        before, since = self.panel.now["signal"], len(self.panel.history)
        if text:
            self.reader.place(text)
        if code:
            self.scanner.send(code.encode() + b"\r\n")
        answer = self.panel.wait(lambda state: state["signal"] != before and state["buzzer"] in ANSWERS, since=since)
        self.reader.lift()
        return str(answer["buzzer"])

    def press(self, seconds: float) -> None:
        self.panel.press(seconds)

    def lamp(self, name: str, state: str) -> None:
        self.panel.wait(lambda now: now["lamps"][name] == state, since=len(self.panel.history) - 1)

    def release(self) -> None:
        self.lamp("release", "blink")
        since = len(self.panel.history)
        self.press(0.4)
        self.panel.wait(lambda state: state["buzzer"] == "released", since=since)

    def facts(self, kind: str) -> list[dict[str, Any]]:
        lines = map(json.loads, self.kiosk.call("journal").stdout.splitlines())
        return [fact for fact in lines if fact["t"] == kind]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Any]:
    with ExitStack() as stack:

        def make(**settings: Any) -> Site:
            site = Site(tmp_path, **settings)
            stack.enter_context(closing(site))
            site.start()
            return site

        yield make


def test_ten_people_a_tube_a_group_and_a_power_cut(opened: Any) -> None:
    site = opened()
    fresh = site.status()
    assert fresh["ready"] is True
    assert fresh["group"] == {"members": 0, "size": 10}
    assert fresh["journal"].keys() == {"seq", "acked"}
    assert fresh["devices"] == dict.fromkeys(("card", "code", "printer", "panel"), "online")
    counts = ("people", "waiting", "tubes_closed", "unlabelled", "groups_released")
    assert [fresh[key] for key in counts] == [0] * 5
    assert all({"code", "since", "hint"} == issue.keys() for issue in fresh["issues"])
    for n in range(6):
        assert site.show(card(n)) == "accepted"
        assert site.status("people") == n + 1
    assert site.panel.now["lamps"].keys() == LAMPS
    assert site.panel.now["bar"] == 6

    site.kiosk.kill()
    site.start()
    assert site.show(card(5)) == "repeat"
    for n in range(6, 10):
        assert site.show(card(n)) == "accepted"
    site.lamp("release", "blink")
    (tube,) = site.printer.tubes
    assert site.status(*counts) == [10, 10, 1, 0, 0]
    site.release()
    assert site.status(*counts) == [10, 0, 1, 0, 1]
    assert site.show(card(3)) == "repeat"

    assert tube.startswith("36048101")
    assert site.kiosk.call("tube", tube, config=False).returncode == 0
    assert [fact["position"] for fact in site.facts("bound")] == [*range(1, 11)]
    assert {fact["tube"] for fact in site.facts("bound")} == {tube}
    assert site.kiosk.stop() == 0
    everything = b"".join(path.read_bytes() for path in site.kiosk.folder.rglob("*") if path.is_file())
    for n in range(10):
        for secret in (number(n), f"居民{n}"):
            for encoding in ("utf-8", "utf-16-le", "gb18030"):
                assert secret.encode(encoding) not in everything + site.printer.received


def test_codes_and_cards_in_either_order(opened: Any) -> None:
    site = opened(health_code="optional")
    site.scanner.send(b"HC1:0:first\r")
    site.panel.wait(lambda state: state["buzzer"] == "held" and state["lamps"]["wait"] == "blink")
    assert site.show(card(1)) == "accepted"
    assert site.show(card(2), "HC1:0:second") == "accepted"
    assert site.show(card(3)) == "accepted"
    assert site.status("people") == 3
    assert site.show(card(4), "HC1:2:red") == "refused"
    site.lamp("alarm", "blink")
    assert site.show(card(5), "HC1:1:yellow") == "refused"
    assert site.show(card(6), "HC2:0:" + number(7)) == "refused"
    assert site.status("people", "group") == [3, {"members": 3, "size": 10}]
    assert site.show(card(8), "HC1:7:colour") == "flagged"
    assert site.panel.now["lamps"]["go"] == "off"
    assert site.show(card(9), "nobody knows this one") == "flagged"
    assert site.show(card(7), "HC2:0:" + number(7)) == "accepted"
    assert site.show(card(10, document=number(10)[:-1] + ("1" if number(10)[-1] != "1" else "2"))) == "retry"
    assert site.status("people") == 6
    assert [fact["reason"] for fact in site.facts("refused")] == ["red", "yellow", "mismatch", "bad-number"]
    assert [fact["colour"] for fact in site.facts("registered")] == [
        *("green", "green", "none", "unknown", "unknown", "green")
    ]


def test_required_and_unknown_codes_by_policy(opened: Any) -> None:
    site = opened(health_code="required", unknown_code="refuse")
    assert site.show(card(1), "nobody knows this one") == "refused"
    assert site.show(card(2), "HC1:0:green") == "accepted"
    assert site.status("people") == 1


def test_no_paper_holds_the_groups_and_loses_no_label(opened: Any) -> None:
    site = opened(size=5, printer=SerialPrinter())
    site.printer.state = 0x04
    until(lambda: site.status("devices")["printer"] == "offline")
    site.lamp("fault", "on")
    for n in range(10):
        assert site.show(card(n)) == "accepted"
    assert site.show(card(10)) == "refused"
    assert site.status("people", "waiting", "tubes_closed", "unlabelled") == [10, 10, 2, 2]
    assert site.panel.now["lamps"]["release"] == "off"
    site.press(0.4)
    site.panel.wait(lambda state: state["buzzer"] == "denied")
    assert site.printer.labels == []

    site.printer.state = 0x00
    site.release()
    site.release()
    assert site.printer.tubes == [fact["tube"] for fact in site.facts("tube-closed")]
    assert site.status("waiting", "unlabelled", "groups_released") == [0, 0, 2]


def test_a_long_press_closes_a_short_group(opened: Any) -> None:
    site = opened(printer=SerialPrinter(None))  # a printer that never answers
    site.show(card(1))
    site.press(0.4)
    site.panel.wait(lambda state: state["buzzer"] == "denied")
    site.press(3.1)
    site.lamp("release", "blink")
    assert site.status("tubes_closed", "unlabelled") == [1, 0]
    (closed,) = site.facts("tube-closed")
    assert (closed["members"], closed["size"]) == (1, 10)
    assert site.printer.tubes == [closed["tube"]]
    site.release()


def test_a_card_left_on_the_reader_counts_once(opened: Any) -> None:
    reader = Reader()
    reader.knows = frozenset({"2001", "2002", "3001", "3003"})  # it does not even tell how it is
    site = opened(reader=reader)
    reader.place(card(1))
    until(lambda: reader.reads > 9)  # for longer than the hold-off
    assert [state["signal"] for state in site.panel.history[-2:]] == [1, 1]
    assert site.show(card(2)) == "accepted"
    assert site.status("people") == 2


def test_noise_on_every_line_and_the_next_person_is_read(opened: Any) -> None:
    site = opened(health_code="optional")
    noise = bytes(n * n * 7 % 251 for n in range(50_000)).translate(None, b"\r\n\x03")
    site.reader.send(noise)
    site.scanner.send(noise + b"\r\n")
    site.panel.wait(lambda state: state["buzzer"] == "retry")
    assert site.show(card(1), "HC1:0:green") == "accepted"
    assert (site.kiosk.folder / "kiosk.log").stat().st_size < 20_000


def test_labels_into_a_plain_file(opened: Any, tmp_path: Path) -> None:
    site = opened(size=1, printer=str(tmp_path / "labels.tspl"))
    for n in range(3):
        site.show(card(n))
        site.release()
    paper = TsplPrinter()
    paper.heard((tmp_path / "labels.tspl").read_bytes())
    assert paper.tubes == [fact["tube"] for fact in site.facts("tube-closed")]
    assert len(set(paper.tubes)) == 3


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ('code = "36048"', "site.code"),
        ("number = 100", "kiosk.number"),
        ("pool_size = 7", "policy.pool_size"),
        ('health_code = "maybe"', "policy.health_code"),
        ('unknown_code = "guess"', "policy.unknown_code"),
        ('round = "weekly"', "policy.round"),
        ('driver = "sdt2"', "devices.card.driver"),
        ("baud = 12", "devices.card.baud"),
        ("dpi = 100", "devices.printer.dpi"),
        ("colour = 1", "site.colour"),
    ],
)
def test_a_wrong_configuration_is_one_line_and_78(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], wrong: str, key: str
) -> None:
    site = Site(tmp_path, printer=str(tmp_path / "labels"))
    with closing(site):
        good = site.kiosk.config.read_text("utf-8").splitlines()
        name = wrong.partition(" = ")[0]
        at = next((n for n, line in enumerate(good) if line.startswith(f"{name} = ")), 2)
        site.kiosk.config.write_text("\n".join([*good[:at], wrong, *good[at + (name != "colour") :]]), "utf-8")
        capsys.readouterr()
        assert main(["check", "--config", str(site.kiosk.config)]) == 78
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith(f"{site.kiosk.config}: {key}: ")
        assert said.err.count("\n") == 1
        assert "expected" in said.err


def test_the_files_and_exit_statuses_of_the_command_line(tmp_path: Path) -> None:
    site = Site(tmp_path, printer=str(tmp_path / "labels"))
    with closing(site):
        for name in ("public.key", "private.key"):
            assert (tmp_path / "keys" / name).read_text().count("\n") == 1
        config = ["--config", str(site.kiosk.config)]
        assert main(["keys", str(tmp_path / "keys")]) == 1
        assert main(["check", *config]) == 0
        assert main(["status", *config]) == 3
        assert main(["round", "new", *config]) == 3
        assert main(["journal", *config]) == 1
        assert main(["label", "--png", str(tmp_path / "label.png"), *config]) == 0
        assert main(["tube", "3604 8101 7790 0016"]) == 0
        assert main(["tube", "3604810177900017"]) == 1
        with pytest.raises(SystemExit) as wrong:
            main(["tube"])
        assert wrong.value.code == 2
