"""Badges and command codes: their bytes, what is none, and what the intake makes of them. The bytes are those printed
in docs/protocol.md."""

import logging
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey
from PIL import Image, ImageFilter

from kiosk import badges, commands, seal
from kiosk.badges import Badge, CommandCode
from kiosk.config import HealthCodeFormat
from kiosk.domain import Colour, Do, Reason, Role
from kiosk.events import (
    BadgePresented,
    CardPresented,
    CardRead,
    CodePresented,
    CodeScanned,
    Event,
    OrderScanned,
    TubeScanned,
    Unusable,
)
from kiosk.frames import FrameError
from kiosk.intake import Intake
from kiosk.notices import QUIET, notice, qr_code
from kiosk.people import person
from kiosk.recognise import MAX_TEXT, STAFF_PREFIX
from kiosk.round_key import RoundKey
from tests.support.desk_story import Story
from tests.test_commands import POST, printed, stranger

SITE = "360481"
KEY = bytes(range(64, 96))
BADGE = Badge(
    site=SITE, badge=7, role=Role.REGISTRAR, since=1_700_000_000_000, until=1_700_014_400_000, drills=3, key=KEY
)
ORDER = CommandCode(site=SITE, sheet=1_700_000_000, do=Do.POOL, text="5")
PUBLIC = seal.PrivateKeys(seal.PrivateKeys.generate().unseal, POST).public
AT = Story().at


def intake(key: bytes | None = None, keys: RoundKey | None = None, sealer: seal.Sealer | None = None) -> Intake:
    formats = [HealthCodeFormat("demo", "^HC1:(?P<token>[a-z]+)$")]
    return Intake(formats, SITE, sealer or seal.Sealer(PUBLIC, key), POST.verify_key, keys)


def scanned(text: str) -> Event:
    return intake(bytes(32)).admit(CodeScanned(text), AT)


def payload(text: str) -> tuple[bytes, bytes]:
    return commands.from_payload(text.removeprefix(STAFF_PREFIX))


# The bytes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "what"), [("badge", BADGE), ("order", ORDER)])
def test_the_printed_code_is_what_we_read_and_write(name: str, what: Badge | CommandCode) -> None:
    text = printed(name, "text")
    assert badges.pack(what, POST) == text
    kind, data = payload(text)
    assert badges.unpack(kind, data, SITE, POST.verify_key) == what
    told = stranger(f"kiosk-{name}-1".encode(), data, bytes(POST.verify_key))
    assert told == msgspec.to_builtins(what, builtin_types=(bytes,))


roles, times = st.sampled_from(Role), st.integers(0, (1 << 62) - 1)
any_badge = st.builds(
    Badge,
    site=st.just(SITE),
    badge=st.integers(1, 9999),
    role=roles,
    since=times,
    until=times,
    drills=st.integers(0, 999),
    key=st.just(msgspec.UNSET) | st.binary(min_size=32, max_size=32),
)
any_order = st.builds(
    CommandCode,
    site=st.just(SITE),
    sheet=st.integers(1, (1 << 32) - 1),
    do=st.sampled_from(Do),
    text=st.text(max_size=40, alphabet=st.characters(exclude_categories=["Cs"])),
)


@given(any_badge | any_order)
def test_what_is_written_is_read(what: Badge | CommandCode) -> None:
    text = badges.pack(what, POST)
    assert len(text) <= MAX_TEXT
    assert text.isascii()
    assert text == text.upper()
    assert badges.unpack(*payload(text), SITE, POST.verify_key) == what


@given(st.data(), st.sampled_from([BADGE, ORDER]))
def test_no_changed_bit_and_no_cut_goes_unnoticed(data: st.DataObject, what: Badge | CommandCode) -> None:
    kind, whole = payload(badges.pack(what, POST))
    at, bit = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 7))
    for broken in (whole[:at], whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :]):
        with pytest.raises(FrameError):
            badges.unpack(kind, broken, SITE, POST.verify_key)


@given(st.data(), st.sampled_from([BADGE, ORDER]))
def test_no_changed_character_of_the_code_is_obeyed(data: st.DataObject, what: Badge | CommandCode) -> None:
    text = badges.pack(what, POST)
    at = data.draw(st.integers(len(STAFF_PREFIX), len(text) - 1))
    other = data.draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567 01*é"))
    heard = [scanned(text[:at] + other + text[at + 1 :]), scanned(text[:at])]
    same = scanned(text)  # base32 has spare bits in its last character
    assert all(each in (Unusable(Reason.NOT_NEEDED), same) for each in heard)
    assert heard[1] != same


@given(st.binary(max_size=200), st.integers(0, 255))
def test_noise_behind_a_kind_is_a_code_that_is_not_obeyed(noise: bytes, kind: int) -> None:
    assert scanned(commands.code_text(bytes([kind]), noise)) == Unusable(Reason.NOT_NEEDED)


@given(st.text(max_size=300))
def test_any_text_behind_the_prefix_is_answered(text: str) -> None:
    assert scanned(STAFF_PREFIX + text) == Unusable(Reason.NOT_NEEDED)


def test_another_kind_behind_the_prefix_is_for_a_later_version() -> None:
    with pytest.raises(FrameError, match="found kind 04, which this version does not know: update this kiosk"):
        badges.unpack(b"\x04", b"", SITE, POST.verify_key)


def test_one_kind_is_never_taken_for_another() -> None:
    for what in (BADGE, ORDER):
        _, data = payload(badges.pack(what, POST))
        for kind in (b"\x01", badges.BADGE, badges.ORDER, b"\x04", b""):
            if (kind == badges.BADGE) is not isinstance(what, Badge) or kind not in (badges.BADGE, badges.ORDER):
                with pytest.raises(FrameError):
                    badges.unpack(kind, data, SITE, POST.verify_key)


@pytest.mark.parametrize(
    "change",
    [
        {"site": "36048"},
        {"badge": 0},
        {"badge": 10_000},
        {"role": "chief"},
        {"key": b"short"},
        {"drills": -1},
        {"v": 2},
    ],
)
def test_what_no_kiosk_would_take_is_not_made(change: dict[str, Any]) -> None:
    with pytest.raises(FrameError):
        badges.pack(msgspec.structs.replace(BADGE, **change), POST)


def test_a_badge_tells_nothing_of_its_key_in_a_log() -> None:
    assert repr(BADGE) == str(BADGE) == "<Badge withheld>"


# On paper -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", Role)
def test_a_badge_fits_a_square_of_an_inch_in_dots_a_cheap_scanner_reads(role: Role) -> None:
    """At 203 dpi, 3 dots a module are 0.375 mm (15 mil); with its quiet zone the code is 195 dots, 24.4 mm."""
    largest = msgspec.structs.replace(BADGE, badge=9999, role=role, drills=999)
    drawn = qr_code(text := badges.pack(largest, POST), 3)
    assert (drawn.width + 2 * QUIET * 3) / 8 <= 25
    assert [found.text for found in zxingcpp.read_barcodes(drawn)] == [text]


@pytest.mark.parametrize("turned", range(3, 180, 19))
def test_a_badge_printed_at_203_dpi_is_read_askew_and_grey_at_three_pixels_a_module(turned: int) -> None:
    """As a camera of 640 pixels sees it in a field 80 mm wide."""
    text = badges.pack(msgspec.structs.replace(BADGE, badge=9999, role=Role.TECHNICIAN, drills=999), POST)
    label = notice("9999 号 技术员", ["No. 9999 Technician"], (50, 30), 203, code=text).convert("L")
    seen = label.rotate(turned, resample=Image.Resampling.BICUBIC, fillcolor=255, expand=True)
    seen = seen.filter(ImageFilter.GaussianBlur(0.5)).point([round(value * 0.5 + 60) for value in range(256)])
    assert [found.text for found in zxingcpp.read_barcodes(seen)] == [text]


@pytest.mark.parametrize("do", Do)
def test_a_command_code_is_no_larger_than_a_badge(do: Do) -> None:
    order = CommandCode(site=SITE, sheet=(1 << 32) - 1, do=do, text="returnee")
    assert qr_code(badges.pack(order, POST), 1).width <= qr_code(badges.pack(BADGE, POST), 1).width


# The intake -----------------------------------------------------------------------------------------------------------


def test_the_intake_says_what_was_shown() -> None:
    assert scanned(badges.pack(BADGE, POST)) == BadgePresented(
        7, Role.REGISTRAR, 1_700_000_000_000, 1_700_014_400_000, 3
    )
    assert scanned(badges.pack(ORDER, POST)) == OrderScanned(Do.POOL, "5")


@pytest.mark.parametrize("what", [BADGE, ORDER])
def test_a_code_of_another_site_or_another_post_is_refused_and_logged(
    what: Badge | CommandCode, caplog: pytest.LogCaptureFixture
) -> None:
    elsewhere = badges.pack(msgspec.structs.replace(what, site="110101"), POST)
    foreign = badges.pack(what, SigningKey(bytes(32)))
    with caplog.at_level(logging.WARNING):
        assert scanned(elsewhere) == scanned(foreign) == Unusable(Reason.NOT_NEEDED)
    assert "found 110101, expected 360481" in caplog.text
    assert "signature: not made by this key" in caplog.text


def test_no_code_is_obeyed_where_no_command_post_is_known() -> None:
    nobody = Intake([], SITE, seal.Sealer(PUBLIC, bytes(32)))
    assert nobody.admit(CodeScanned(badges.pack(BADGE, POST)), AT) == Unusable(Reason.NOT_NEEDED)


# The round's key ------------------------------------------------------------------------------------------------------


def test_nobody_is_known_before_a_badge_has_brought_the_key(tmp_path: Path) -> None:
    sealer = seal.Sealer(PUBLIC, None)
    keys = RoundKey(sealer, tmp_path / "digest.key", b"")
    desk = intake(keys=keys, sealer=sealer)
    for shown in (CardRead(person(1)), CodeScanned("HC1:abc"), CodeScanned("something else")):
        assert desk.admit(shown, AT) == Unusable(Reason.NO_BADGE)
    assert isinstance(desk.admit(CodeScanned("3604810100750001"), AT), TubeScanned | Unusable)
    shown = desk.admit(CodeScanned(badges.pack(BADGE, POST)), AT)
    assert isinstance(shown, BadgePresented)
    assert shown.key == seal.key_name(KEY)
    assert desk.admit(CardRead(person(1)), AT) == Unusable(Reason.NO_BADGE)
    desk.use_key(shown.key)
    card, code = desk.admit(CardRead(person(1)), AT), desk.admit(CodeScanned("HC1:abc"), AT)
    assert isinstance(card, CardPresented)
    assert isinstance(code, CodePresented)
    assert (card.subject.digest, code.colour) == (seal.Sealer(PUBLIC, KEY).digest(person(1).number), Colour.UNKNOWN)


def test_the_key_outlives_the_daemon_but_not_its_round(tmp_path: Path) -> None:
    path, name = tmp_path / "digest.key", seal.key_name(KEY)
    keys = RoundKey(seal.Sealer(PUBLIC, None), path, b"")
    keys.use(keys.offer(KEY))
    assert path.stat().st_mode & 0o777 == 0o600
    again = seal.Sealer(PUBLIC, None)
    keys = RoundKey(again, path, name)
    assert (again.ready, keys.missing) == (True, False)
    keys.use(b"")
    assert (keys.missing, path.exists()) == (True, False)


@pytest.mark.parametrize("kept", ["", "kg1_damaged", None])
def test_what_is_left_of_another_round_or_damaged_is_not_used(tmp_path: Path, kept: str | None) -> None:
    path = tmp_path / "digest.key"
    if kept is None:
        seal.keep_digest_key(path, bytes(32))
    else:
        path.write_text(kept)
    keys = RoundKey(seal.Sealer(PUBLIC, None), path, seal.key_name(KEY))
    assert (keys.missing, path.exists()) == (True, False)


def test_without_memory_for_it_the_key_ends_with_the_daemon(tmp_path: Path) -> None:
    for path in (None, Path("/dev/null/digest.key")):
        keys = RoundKey(sealer := seal.Sealer(PUBLIC, None), path, b"")
        keys.use(keys.offer(KEY))
        assert sealer.ready
        assert RoundKey(seal.Sealer(PUBLIC, None), path, seal.key_name(KEY)).missing


def test_a_name_tells_keys_apart_and_is_no_part_of_them() -> None:
    names = {seal.key_name(bytes([number]) * 32) for number in range(100)}
    assert len(names) == 100
    assert seal.key_name(KEY) not in (KEY[:8], KEY[-8:])
