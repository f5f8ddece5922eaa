"""`kiosk provision apply` as root calls it, and the example beside the technician's file."""

import tomllib
from pathlib import Path

import pytest

from kiosk.cli import main
from kiosk.provision import card
from kiosk.provision.merge import PROFILES, make
from kiosk.provision.schema import check
from tests.support.provisioning import EXAMPLE, POST, ROOT, places, put, text


def apply(tmp_path: Path) -> int:
    at = places(tmp_path)
    return main(["provision", "apply", "--boot", str(at.boot), "--etc", str(at.etc), "--run", str(at.run)])


def test_status_and_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert apply(tmp_path) == 1
    assert capsys.readouterr().err == ""
    put(places(tmp_path), text(kiosk={"number": 0}))
    assert apply(tmp_path) == 1
    why = "kiosk-provision.toml: kiosk.number: found 0, expected a whole number ≥ 1 ≤ 99\n"
    assert capsys.readouterr().err == why
    put(places(tmp_path), text())
    assert apply(tmp_path) == 0
    assert capsys.readouterr().err == ""
    put(places(tmp_path), text(kiosk={"number": 0}))
    assert apply(tmp_path) == 0, "it goes on as it was"
    assert capsys.readouterr().err == why


def test_the_example_needs_the_key_alone() -> None:
    filled = EXAMPLE.replace('public_key = ""', f'public_key = "{POST.public.line()}"')
    provision = check(tomllib.loads(filled), card.NAME)
    assert make(provision, card.NAME).config.kiosk.enrolment_label


def test_everything_in_the_example_can_be_used() -> None:
    """The commented lines too, as a technician would uncomment them."""
    lines = EXAMPLE.replace('public_key = ""', f'public_key = "{POST.public.line()}"').splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("# [network.wired]"))
    keys = ("[", "address", "gateway", "dns", "ntp", "ssid", "password", "country", "host", "port", "tls", "username")
    keys += ("pool_size", "group_size", "label_mm", "driver", "device")
    used = [line.removeprefix("# ") for line in lines[start:] if line.removeprefix("# ").startswith(keys)]
    provision = check(tomllib.loads("\n".join([*lines[:start], *used])), card.NAME)
    assert provision.network.wifi is not None
    assert provision.uplink is not None
    make(provision, card.NAME)


def test_the_profile_says_what_the_shipped_configuration_says() -> None:
    profile = tomllib.loads((PROFILES[-1] / "standard.toml").read_text("utf-8"))
    shipped = tomllib.loads((ROOT / "config" / "kiosk.toml").read_text("utf-8"))
    assert profile["health_code_formats"] == shipped["health_code_formats"]
    for table in ("policy", "devices"):
        assert profile[table].items() <= shipped[table].items()
