"""Personal data goes in and does not come out again without the command post's key."""

import logging
import stat
from pathlib import Path

import msgspec
import nacl.public
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.exceptions import BadSignatureError

from kiosk.domain import Person
from kiosk.seal import (
    PrivateKeys,
    PublicKeys,
    Sealer,
    SealError,
    device_key,
    digest_key,
    fingerprint,
    open_box,
    ram_file,
    write_pair,
)
from tests.support.people import EVERYBODY, MAX, ZHANG

PRIVATE = PrivateKeys.generate()
KEY = bytes(range(32))
SEALER = Sealer(PRIVATE.public, KEY)
LINES = (PRIVATE.public.line(), PRIVATE.line())
PARSE = {"kp1": PublicKeys.parse, "ks1": PrivateKeys.parse}

# Boxes ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("person", EVERYBODY, ids=lambda person: person.document)
@pytest.mark.parametrize("prepared", [False, True])
def test_a_box_holds_the_whole_person(person: Person, prepared: bool) -> None:
    if prepared:
        SEALER.prepare()
    box = SEALER.subject(person).box
    assert msgspec.convert(open_box(PRIVATE, box), Person) == person
    for word in (person.number, person.name, person.address):
        for encoding in ("utf-8", "utf-16-le", "gb18030"):
            assert not word or word.encode(encoding) not in box


def test_a_box_is_a_sealed_box_of_libsodium() -> None:
    box = SEALER.code("HC1:0:token", None, "demo").box
    opened = nacl.public.SealedBox(PRIVATE.unseal).decrypt(box)
    assert msgspec.msgpack.decode(opened.rstrip(b"\0").removesuffix(b"\x80")) == {
        "code": "HC1:0:token",
        "kind": "demo",
        "number": "",
    }


def test_every_box_has_a_key_of_its_own() -> None:
    boxes = []
    for _ in range(3):
        SEALER.prepare()
        SEALER.prepare()
        boxes += [SEALER.subject(ZHANG).box, SEALER.subject(ZHANG).box]
    assert len({box[:32] for box in boxes}) == len(boxes)


@given(st.text(max_size=40))
def test_the_length_of_a_box_tells_little(name: str) -> None:
    box = SEALER.subject(msgspec.structs.replace(ZHANG, name=name)).box
    assert (len(box) - 48) % 64 == 0


@pytest.mark.parametrize("at", [0, 31, 32, 60, -1])
def test_a_damaged_box_and_a_stranger_open_nothing(at: int) -> None:
    box = bytearray(SEALER.subject(ZHANG).box)
    with pytest.raises(SealError, match="sealed to another key, or is damaged"):
        open_box(PrivateKeys.generate(), bytes(box))
    box[at] ^= 1
    with pytest.raises(SealError, match="sealed to another key, or is damaged") as caught:
        open_box(PRIVATE, bytes(box))
    assert ZHANG.number not in str(caught.value)
    with pytest.raises(SealError):
        open_box(PRIVATE, b"")


# Digests --------------------------------------------------------------------------------------------------------------


def test_a_digest_is_the_same_for_every_way_to_show_a_number() -> None:
    assert len(SEALER.digest(ZHANG.number)) == 16
    for shown in (
        "11010519491231002x",
        "110105 19491231 002X",
        "１１０１０５１９４９１２３１００２Ｘ",
        "110105-19491231-002x",
    ):
        assert SEALER.digest(shown) == SEALER.subject(ZHANG).digest
    assert SEALER.code("HC2:0:…", ZHANG.number, "named").digest == SEALER.subject(ZHANG).digest


def test_digests_are_keyed_and_codes_are_no_numbers() -> None:
    assert Sealer(PRIVATE.public, bytes(32)).digest(ZHANG.number) != SEALER.digest(ZHANG.number)
    assert SEALER.digest(MAX.number) != SEALER.digest(ZHANG.number)
    assert SEALER.code(ZHANG.number, None, "unknown").digest != SEALER.digest(ZHANG.number)
    assert SEALER.code("one", None, "demo").digest != SEALER.code("two", None, "demo").digest
    with pytest.raises(SealError, match="32 bytes"):
        Sealer(PRIVATE.public, b"short")


def test_nothing_tells_of_itself(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for secret in (ZHANG, PRIVATE, SEALER):
        assert f"{secret} {secret!r}" == f"<{type(secret).__name__} withheld> <{type(secret).__name__} withheld>"
    subject = SEALER.subject(ZHANG)
    assert subject.box.hex() not in repr(subject)
    assert caplog.text == ""


# Keys -----------------------------------------------------------------------------------------------------------------


def test_keys_survive_being_written_as_a_line() -> None:
    public = PublicKeys.parse(f" {PRIVATE.public.line()}\n")
    assert public == PRIVATE.public
    assert public.kid == PRIVATE.public.kid != PrivateKeys.generate().public.kid
    private = PrivateKeys.parse(PRIVATE.line())
    assert open_box(private, SEALER.subject(ZHANG).box)["name"] == ZHANG.name
    public.verify.verify(private.sign.sign(b"frame"))
    with pytest.raises(BadSignatureError):
        PrivateKeys.generate().public.verify.verify(private.sign.sign(b"frame"))


@pytest.mark.parametrize("line", LINES, ids=["public", "private"])
@given(st.data())
def test_a_mistyped_key_is_refused_without_being_repeated(line: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(line) - 1))
    character = data.draw(st.characters(codec="ascii", exclude_categories=["Cc", "Zs"]).filter(lambda c: c != line[at]))
    for wrong in (line[:at] + character + line[at + 1 :], line[:at], line + character):
        with pytest.raises(SealError) as caught:
            PARSE[line[:3]](wrong)
        assert line[10:30] not in str(caught.value)


def test_a_key_of_the_other_kind_is_refused() -> None:
    with pytest.raises(SealError, match='must start with "kp1_"'):
        PublicKeys.parse(PRIVATE.line())


def test_a_pair_is_never_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    public = write_pair(folder)
    assert PublicKeys.parse((folder / "public.key").read_text()) == public
    private = (folder / "private.key").read_text()
    assert PrivateKeys.parse(private).public == public
    assert stat.S_IMODE((folder / "private.key").stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        write_pair(folder)
    (folder / "public.key").unlink()
    with pytest.raises(FileExistsError):
        write_pair(folder)
    assert (folder / "private.key").read_text() == private


def test_secrets_of_the_device_are_made_once(tmp_path: Path) -> None:
    device = device_key(tmp_path / "device.key")
    assert bytes(device_key(tmp_path / "device.key")) == bytes(device)
    digest = digest_key("file", tmp_path / "digest.key")
    assert digest_key("file", tmp_path / "digest.key") == digest
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    assert len(fingerprint(device.verify_key).split()) == 4
    with pytest.raises(SealError):
        digest_key("file")


@pytest.mark.parametrize("content", [b"", b"kg1_", b"\xff\xfe", LINES[0].encode()])
def test_a_damaged_secret_stays_for_whoever_can_mend_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "digest.key"
    path.write_bytes(content)
    with pytest.raises(SealError, match="is damaged"):
        digest_key("file", path)
    assert path.read_bytes() == content


def test_a_key_in_memory_lies_in_memory(tmp_path: Path) -> None:
    assert digest_key("ram") != digest_key("ram")
    path = ram_file(tmp_path, tmp_path / "data")
    assert path is None or path.parent in (tmp_path, Path("/dev/shm"))
    assert ram_file(tmp_path, tmp_path / "other") != path or path is None or path.parent == tmp_path
