"""`kiosk provision make`: one kiosk or a hundred; nothing is written when any row is wrong."""

import csv
import tomllib
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image

from kiosk.cli import main
from kiosk.provision import codes
from kiosk.provision.apply import Outcome, apply
from kiosk.seal import PrivateKeys
from tests.support.provisioning import POST, places

SITE = """\
version = 1
[site]
code = "360481"
name = "朝阳门社区 03号点"
[uplink]
host = "broker.example.org"
"""


class Desk:
    """A laptop at the command post."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.out = folder, folder / "out"
        self._capsys = capsys
        (folder / "site.toml").write_text(SITE, "utf-8")
        (folder / "private.key").write_text(POST.line() + "\n")

    def make(self, *which: str) -> tuple[int, str]:
        """Exit status, and what was said on standard error."""
        files = ("--site-file", str(self.folder / "site.toml"), "--private-key", str(self.folder / "private.key"))
        status = main(["provision", "make", *files, *which, str(self.out)])
        return status, self._capsys.readouterr().err

    def csv(self, content: str | bytes) -> tuple[int, str]:
        path = self.folder / "kiosks.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return self.make("--csv", str(path))

    def refused(self, content: str | bytes, *said: str) -> None:
        status, err = self.csv(content)
        assert status == 78
        assert err.splitlines() == list(said)
        assert not self.out.exists()

    def told(self, folder: str) -> dict:
        return tomllib.loads((self.out / folder / "kiosk-provision.toml").read_text("utf-8"))


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, capsys)


def test_one_kiosk_by_file_and_by_code(desk: Desk, tmp_path: Path) -> None:
    status, _ = desk.make("--number", "3")
    assert status == 0
    folder = desk.out / "360481-03"
    told = desk.told("360481-03")
    assert (told["kiosk"]["number"], told["seal"]["public_key"]) == (3, POST.public.line())
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir()), "they hold passwords"

    collector = codes.Collector()
    pictures = sorted(folder.glob("code-*.png"))
    scanned = [collector.feed(zxingcpp.read_barcode(Image.open(path)).text) for path in pictures]
    assert tomllib.loads(codes.unseal(scanned[-1].data).text) == told

    by_file, by_code = places(tmp_path / "one"), places(tmp_path / "two")
    (by_file.boot / "kiosk-provision.toml").write_bytes((folder / "kiosk-provision.toml").read_bytes())
    (by_code.run / "kiosk").mkdir()
    (by_code.run / "kiosk" / "provision.kp1").write_bytes(scanned[-1].data)
    assert apply(by_file) == apply(by_code) == Outcome(True, ())
    assert (by_file.etc / "kiosk.toml").read_bytes() == (by_code.etc / "kiosk.toml").read_bytes()


def test_every_code_on_the_sheet_reads(desk: Desk) -> None:
    from kiosk.provision import make, sheet

    (desk.folder / "site.toml").write_text(SITE + 'ca = """\n' + CERTIFICATE + '"""\n', "utf-8")
    (made,) = make.one(desk.folder / "site.toml", 7, POST)
    pages = list(sheet.pages(made.provision, made.codes))
    assert {page.size for page in pages} == {sheet.A4}
    read = [found.text for page in pages for found in zxingcpp.read_barcodes(page)]
    assert sorted(read) == sorted(made.codes)
    assert 3 <= len(made.codes) <= 8


def test_a_hundred_kiosks(desk: Desk) -> None:
    sites = [(f"36048{site}", number) for site in (1, 2) for number in range(1, 51)]
    lines = [f'{site},站点 {site},{number},kiosk-{number},"a, b{number}",192.0.2.{number}/24' for site, number in sites]
    head = "site.code,site.name,kiosk.number,uplink.username,uplink.password,network.wired.address\n"
    status, err = desk.csv(head + "\n".join(lines) + "\n\n")
    assert (status, err) == (0, "These files hold passwords. A code serves once.\n")
    told = desk.told("360482-17")
    assert told["uplink"] == {"host": "broker.example.org", "username": "kiosk-17", "password": "a, b17"}
    assert told["network"] == {"wired": {"address": "192.0.2.17/24"}}
    with (desk.out / "expected.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["site"], int(row["number"])) for row in rows] == sites
    assert len({row["id"] for row in rows}) == 100
    assert rows[66]["id"] == told["id"]


@pytest.mark.parametrize(
    "encoded",
    [
        lambda t: t.encode("utf-8-sig"),
        lambda t: t.replace(",", ";").encode("gb18030"),
        lambda t: t.replace(",", "\t").replace("\n", "\r\n").encode("utf-16"),
    ],
)
def test_what_spreadsheets_save(desk: Desk, encoded) -> None:
    assert desk.csv(encoded("kiosk.number,site.name\n1,一号\n2,\n"))[0] == 0
    assert desk.told("360481-01")["site"]["name"] == "一号"
    assert desk.told("360481-02")["site"]["name"] == "朝阳门社区 03号点"


def test_values_have_the_type_of_their_key(desk: Desk) -> None:
    head = "kiosk.number,uplink.tls,uplink.username,devices.printer.label_mm,policy.pool_size"
    head += ",devices.code.driver,devices.code.device"
    assert desk.csv(f'{head}\n4,false,0012,"[40, 30]",5,hid,/dev/input/kiosk-code\n')[0] == 0
    told = desk.told("360481-04")
    assert told["uplink"] | told["policy"] == {
        "host": "broker.example.org",
        "tls": False,
        "username": "0012",
        "pool_size": 5,
    }
    assert told["devices"]["printer"] == {"label_mm": [40, 30]}
    assert told["devices"]["code"] == {"driver": "hid", "device": "/dev/input/kiosk-code"}


def test_every_wrong_row_is_told_with_line_and_column(desk: Desk) -> None:
    desk.refused(
        "site.code,kiosk.number,policy.pool_size\n"
        "360481,1,10\n"
        "36048,2,10\n"
        "360481,many,10\n"
        "\n"
        "360481,100,10\n"
        "360481,3,7\n"
        "360481,,10\n"
        "360481,1,10\n",
        'kiosks.csv:3:1: site.code: found "36048", expected six digits in quotes',
        'kiosks.csv:4:2: kiosk.number: found "many", expected a whole number ≥ 1 ≤ 99',
        "kiosks.csv:6:2: kiosk.number: found 100, expected a whole number ≥ 1 ≤ 99",
        "kiosks.csv:7:3: policy.pool_size: found 7, expected one of: 1, 5, 10, 20",
        "kiosks.csv:8:2: kiosk.number: missing, expected a whole number ≥ 1 ≤ 99",
        "kiosks.csv:9:2: kiosk.number: found 1 again, expected each number once: line 2 has it",
        "kiosks.csv: 6 of 7 rows are wrong, nothing is written",
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "kiosks.csv:1: found nothing, expected a line of columns such as kiosk.number"),
        ("kiosk.number\n", "kiosks.csv: found no kiosk, expected a line for each below the columns"),
        (
            "kiosk.number,uplink.x\n1,a\n",
            'kiosks.csv:1:2: found the column "uplink.x", expected a key of kiosk-provision.toml, such as kiosk.number',
        ),
        ("kiosk.number,kiosk.number\n1,2\n", 'kiosks.csv:1:2: found the column "kiosk.number" twice, expected it once'),
        (
            "kiosk.number,site.name\n1,a,b\n",
            "kiosks.csv:2:3: found 3, expected 2 cells, as many as columns",
        ),
        ('kiosk.number,site.name\n1,"a\n', "kiosks.csv:2: not valid CSV: unexpected end of data"),
    ],
)
def test_a_list_that_is_none_is_told(desk: Desk, content: str, said: str) -> None:
    desk.refused(content, said)


def test_a_fault_of_the_site_file_is_told(desk: Desk) -> None:
    (desk.folder / "site.toml").write_text(SITE.replace("360481", "3604"), "utf-8")
    status, err = desk.make("--number", "1")
    assert (status, err) == (78, 'site.toml: site.code: found "3604", expected six digits in quotes\n')


def test_another_key_than_the_private_one_is_told(desk: Desk) -> None:
    other = PrivateKeys.generate().public.line()
    (desk.folder / "site.toml").write_text(SITE + f'[seal]\npublic_key = "{other}"\n', "utf-8")
    status, err = desk.make("--number", "1")
    assert status == 78
    assert "seal.public_key: found another key than that of the private key" in err


def test_nothing_is_overwritten(desk: Desk) -> None:
    assert desk.make("--number", "1")[0] == 0
    before = {path: path.read_bytes() for path in desk.out.rglob("*") if path.is_file()}
    status, err = desk.make("--number", "1")
    assert status == 1
    assert "it is there and is not overwritten" in err
    assert {path: path.read_bytes() for path in desk.out.rglob("*") if path.is_file()} == before


def test_a_private_key_that_is_none_is_told(desk: Desk) -> None:
    (desk.folder / "private.key").write_text("ks1_nonsense")
    status, err = desk.make("--number", "1")
    assert (status, err.startswith("kiosk provision: key ks1_…")) == (1, True)


CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBlDCCATugAwIBAgIUR+sRK7IGLD1XLtmh3HhufD6rK2EwCgYIKoZIzj0EAwIw
HzEdMBsGA1UEAwwURXhhbXBsZSBjb21tYW5kIHBvc3QwIBcNMjYxMTI2MjEzOTEy
WhgPMjEyNjExMDIyMTM5MTJaMB8xHTAbBgNVBAMMFEV4YW1wbGUgY29tbWFuZCBw
b3N0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEAQSDaFtyIAMtHbMtg11kMD1w
1gS+CEKOo9u2MdMIc2Tm9Os6o6+/NSw4RhA46dqAWI2WXwjWk07K5GqlUgyWtqNT
MFEwHQYDVR0OBBYEFFitqKIFi56k/stitkVoV+CsDbu8MB8GA1UdIwQYMBaAFFit
qKIFi56k/stitkVoV+CsDbu8MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwID
RwAwRAIgckCOHC1ORp33LNS16fSchXon3/lJy/mqzNiRV9Yf9wICIAq/k3SmEGW6
10jYVTzIsH3QigocxElaECKIeLDUl6AV
-----END CERTIFICATE-----
"""
"""Of an authority that was made for this and forgotten."""
