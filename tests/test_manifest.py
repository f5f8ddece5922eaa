"""The manifest of a box: what a laboratory reads without a network is what the kiosk signed, and nothing else is."""

import json
import random
import zlib
from pathlib import Path

import msgspec
import pytest
from nacl.signing import SigningKey

from hub.cli import main as hub
from kiosk import box_label, manifest
from kiosk.domain import Handover, PackedTube, Specimen, Stamp, Trust
from kiosk.frames import FrameError
from kiosk.labels import SIZES_MM
from kiosk.notices import notice, read
from kiosk.seal import fingerprint
from kiosk.tube import TubeNumber

KEY = SigningKey(bytes(range(32)))
HEX = bytes(KEY.verify_key).hex()
PLACE = "朝阳门社区 03号点"
AT = Stamp(1_700_010_000_000, 10_000_000, b"12345678", Trust.NTP)
PROTOCOL = Path(__file__).parents[1] / "docs/protocol.md"


def box(count: int, seed: int = 1) -> Handover:
    """A box as a table fills it: a tube every 90 s, some short, some of households, nasal, or without a clock."""
    dice = random.Random(seed)
    tubes = []
    for place in range(count):
        since = AT.wall - (count - place) * 90_000 - dice.randrange(60_000)
        trust = Trust.NONE if dice.random() < 0.1 else Trust.NTP
        size = dice.choice([1, 5, 10, 10, 10, 20])
        tubes.append(
            PackedTube(
                str(TubeNumber("360481", 1, 676, place + 1)),
                place // 20 + 1,
                Stamp(since, 0, trust=trust),
                size,
                dice.randint(1, size),
                household=dice.random() < 0.1,
                specimen=Specimen.NASAL if size == 1 and dice.random() < 0.5 else Specimen.THROAT,
                absent=int(dice.random() < 0.05),
            )
        )
    return Handover(3, AT, "县疾控中心", "赣A12345", 71, 72, tuple(tubes), left=2)


def packed(count: int = 80) -> bytes:
    return manifest.pack(box(count), "360481", PLACE, 1, KEY)


def shown(data: bytes, drill: bool = False) -> list[box_label.Page]:
    return list(box_label.pages(box(80), "360481-01-3", PLACE, data, 240, drill=drill))


@pytest.mark.parametrize("count", [1, 2, 80, 500])
def test_what_comes_out_is_what_went_in(count: int) -> None:
    got = manifest.unpack(packed(count), [HEX])
    given = box(count)
    assert (got.name, got.place, got.lab, got.vehicle) == ("360481-01-3", PLACE, given.lab, given.vehicle)
    assert (got.at, got.zone, got.courier, got.witness, got.left) == (AT.wall, AT.zone, 71, 72, 2)
    rows = got.unfold()
    assert [row.tube for row in rows] == [tube.tube for tube in given.tubes]
    for row, tube in zip(rows, given.tubes, strict=True):
        assert (row.bag, row.size, row.members, row.household) == (tube.bag, tube.size, tube.members, tube.household)
        assert (row.specimen, row.absent) == (tube.specimen, tube.absent)
        assert row.trusted is (tube.since.trust >= Trust.RTC)
        assert 0 <= row.first - tube.since.wall < 1000


def test_eighty_tubes_fit_in_a_few_codes() -> None:
    codes = manifest.pieces(packed(80))
    assert len(codes) <= 4
    assert all(len(code) <= manifest.MAX_CODE for code in codes)


def test_a_tube_that_came_with_a_barcode_of_its_own_is_listed_by_it() -> None:
    tube = msgspec.structs.replace(box(1).tubes[0], tube="QD123456789")
    given = msgspec.structs.replace(box(1), tubes=(tube,))
    assert manifest.unpack(manifest.pack(given, "360481", PLACE, 1, KEY), [HEX]).unfold()[0].tube == "QD123456789"


@pytest.mark.parametrize("trusted", [[HEX], [HEX.upper()], [fingerprint(KEY.verify_key)], ["00" * 32, HEX]])
def test_a_kiosk_is_trusted_by_its_key_or_its_fingerprint(trusted: list[str]) -> None:
    assert manifest.unpack(packed(), trusted).number == 3


def test_another_kiosk_than_those_that_were_named_is_refused() -> None:
    other = SigningKey(bytes(32))
    signed = manifest.pack(box(1), "360481", PLACE, 1, other)
    with pytest.raises(FrameError, match="none of the keys that were named"):
        manifest.unpack(signed, [HEX])
    with pytest.raises(FrameError, match="none of the keys that were named"):
        manifest.unpack(packed(), [])


def test_a_flipped_bit_anywhere_is_refused() -> None:
    data = packed(3)
    for place in range(0, len(data), 7):
        damaged = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        with pytest.raises(FrameError):
            manifest.unpack(damaged, [HEX]).unfold()


@pytest.mark.parametrize("data", [b"", b"\xc0", b"\x92\xc4\x00\xc4\x00", packed()[:-1], b"x" * 5000])
def test_what_is_no_manifest_is_refused_and_said_so(data: bytes) -> None:
    with pytest.raises(FrameError):
        manifest.unpack(data, [HEX])


@pytest.mark.parametrize("tubes", [b"", b"x", zlib.compress(b"\xc0"), zlib.compress(bytes(2 << 20))])
def test_a_list_that_cannot_be_unfolded_is_refused(tubes: bytes) -> None:
    with pytest.raises(FrameError, match="tubes"):
        msgspec.structs.replace(manifest.unpack(packed(), [HEX]), tubes=tubes).unfold()


def test_columns_of_different_lengths_are_refused() -> None:
    plain = zlib.compress(msgspec.msgpack.encode([["1"], [1], [1], [1], [1], [0], []]))
    with pytest.raises(FrameError, match="different lengths"):
        msgspec.structs.replace(manifest.unpack(packed(), [HEX]), tubes=plain).unfold()


# As codes -------------------------------------------------------------------------------------------------------------


def test_the_codes_may_be_scanned_in_any_order_twice_and_in_small_letters() -> None:
    codes = manifest.pieces(packed())
    scanned = [*codes, *codes[:2]]
    random.Random(1).shuffle(scanned)
    assert manifest.join(code.lower() for code in scanned) == packed()


def test_a_code_that_is_missing_is_named() -> None:
    codes = manifest.pieces(packed())
    with pytest.raises(FrameError, match=f"codes: 2 of {len(codes)} not scanned yet"):
        manifest.join([*codes[:1], *codes[2:]])


def test_codes_of_two_manifests_are_not_mixed() -> None:
    with pytest.raises(FrameError, match="2 manifests"):
        manifest.join([*manifest.pieces(packed(80)), *manifest.pieces(packed(79))])


def test_a_dropped_or_changed_character_is_noticed_in_the_code_it_is_in() -> None:
    code = manifest.pieces(packed())[1]
    for place in range(20, len(code), 13):
        for wrong in (code[:place] + code[place + 1 :], code[:place] + "A7"[code[place] == "A"] + code[place + 1 :]):
            if wrong != code:
                with pytest.raises(FrameError, match=r"code 2 of|no code of a manifest"):
                    manifest.join([wrong])


@pytest.mark.parametrize("text", ["", "KM1:", "KP1:AAAAAAAA:1/1:AAAA", "KM1:AAAAAAAA:0/1:AAAAAAAA", "6901234567892"])
def test_another_text_is_no_code_of_a_manifest(text: str) -> None:
    with pytest.raises(FrameError):
        manifest.join([text])


# On paper -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("label_mm", "dpi"), [((50, 30), 203), ((50, 30), 300)])
def test_the_printed_codes_are_read_back_into_the_very_manifest(label_mm: tuple[int, int], dpi: int) -> None:
    texts = [
        text for page in shown(packed()) for text in read(notice(page.title, page.lines, label_mm, dpi, code=page.code))
    ]
    assert texts[0] == "360481-01-3"
    assert manifest.join(texts[1:]) == packed()


@pytest.mark.parametrize("label_mm", SIZES_MM)
def test_every_page_comes_out_on_every_label(label_mm: tuple[int, int]) -> None:
    for page in shown(packed()):
        assert notice(page.title, page.lines, label_mm, 203, code=page.code).mode == "1"


def test_the_box_says_where_to_by_when_and_by_whom() -> None:
    first = shown(packed())[0]
    text = "\n".join(first.lines)
    assert "80 管 tubes   4 袋 bags" in text
    assert "县疾控中心" in text
    assert "赣A12345" in text
    assert "courier 71" in text
    assert "handed over 72" in text
    assert "by 11-15 " in text
    assert "2 without label stay" in text


def test_the_list_names_every_tube_once_with_its_swabs() -> None:
    lists = [page for page in shown(packed()) if "List" in page.title]
    assert [len(page.lines) for page in lists] == [8] * 4
    text = "  ".join(line for page in lists for line in page.lines[1:])
    for tube in box(80).tubes:
        assert text.count(f"{tube.tube[8:11]} {tube.tube[11:]} {tube.members}/{tube.size}") == 1


def test_a_drill_says_so_on_every_page() -> None:
    assert all("演练" in page.title for page in shown(packed(), drill=True))


def test_what_is_missing_is_listed_in_clear_alone() -> None:
    tubes = [tube.tube for tube in box(30).tubes]
    pages = list(box_label.missing(tubes, ("lab", "witness")))
    assert not any(page.code for page in pages)
    text = "\n".join(line for page in pages for line in page.lines)
    assert all(tube in text for tube in tubes)
    assert "laboratory" in text
    assert "sign-off" in text
    assert "缺 30 管" in pages[-1].title


# At the laboratory ----------------------------------------------------------------------------------------------------


def test_a_laboratory_reads_file_and_codes_with_the_key_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = packed()
    (tmp_path / "box.manifest").write_bytes(data)
    (tmp_path / "scanned.txt").write_text("\r\n".join(manifest.pieces(data)) + "\r\n")
    answers = []
    for what in ([str(tmp_path / "box.manifest")], [str(tmp_path / "scanned.txt")], manifest.pieces(data)):
        assert hub(["manifest", "read", *what, "--key", fingerprint(KEY.verify_key), "--json"]) == 0
        answers.append(json.loads(capsys.readouterr().out))
    assert answers[0] == answers[1] == answers[2]
    assert (answers[0]["box"], answers[0]["lab"], len(answers[0]["tubes"])) == ("360481-01-3", "县疾控中心", 80)
    assert answers[0]["tubes"][0]["tube"] == box(80).tubes[0].tube


def test_the_same_as_a_text_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "box.manifest").write_bytes(packed())
    assert hub(["manifest", "read", str(tmp_path / "box.manifest"), "--key", HEX]) == 0
    text = capsys.readouterr().out
    assert "80 in 4 bags" in text
    assert all(tube.tube in text for tube in box(80).tubes)


def test_a_manifest_nobody_trusts_is_not_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "box.manifest").write_bytes(packed())
    assert hub(["manifest", "read", str(tmp_path / "box.manifest"), "--key", "00" * 32]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "none of the keys that were named" in told.err


def test_the_bytes_on_the_page_of_the_protocol_are_what_a_reader_of_that_page_makes_of_them() -> None:
    """Decoded with msgpack, zlib and Ed25519 alone, as the page says."""
    text = PROTOCOL.read_text("utf-8")
    data = bytes.fromhex("".join(text.split("```hex manifest\n")[1].split("```")[0].split()))
    payload, signature = msgspec.msgpack.decode(data)
    told = msgspec.msgpack.decode(payload)
    assert told["key"].hex() == HEX
    KEY.verify_key.verify(b"kiosk-manifest-1\0" + payload, signature)
    tubes, bags, ages, sizes, members, kinds, absent = msgspec.msgpack.decode(zlib.decompress(told["tubes"]))
    assert (tubes, bags) == (["3604810167600017", "3604810167600025"], [1, 1])
    assert (ages, sizes, members, kinds, absent) == ([7200, 5400], [10, 1], [7, 1], [0, 6], [0, 0])
    assert (told["lab"], told["vehicle"], told["courier"], told["witness"]) == ("LAB-1", "赣A12345", 71, 72)
    codes = text.split("```text manifest\n")[1].split("```")[0].split()
    assert manifest.join(codes) == data
