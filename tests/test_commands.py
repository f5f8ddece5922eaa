"""Orders of the command post: their bytes, and what is none. The bytes are those printed in docs/protocol.md."""

import re
from pathlib import Path

import msgspec
import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey, VerifyKey
from PIL import Image

from kiosk import commands, frames
from kiosk.commands import Command, Result
from kiosk.frames import FrameError
from kiosk.recognise import MAX_TEXT, STAFF_PREFIX

PAGE = (Path(__file__).parents[1] / "docs" / "protocol.md").read_text()
DEVICE = SigningKey(bytes(range(32)))
POST = SigningKey(bytes(range(32, 64)))
SSH = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
UNTIL = 1_700_003_600_000
SHELL = Command(site="360481", kiosk=1, n=1_700_000_000, until=UNTIL, do="shell", args={"hours": 4, "key": SSH})
DONE = Result(site="360481", kiosk=1, to=1, n=1_700_000_000, outcome="done", text="open for 4 h", at=1_700_000_002_000)


def printed(name: str, kind: str = "hex") -> str:
    found = re.search(rf"```{kind} {name}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1].replace("\n", "")


# Written from the page: nothing of kiosk.commands in here.
def stranger(label: bytes, data: bytes, key: bytes) -> dict[str, object]:
    payload, signature = msgspec.msgpack.decode(data)
    VerifyKey(key).verify(label + b"\0" + payload, signature)
    return msgspec.msgpack.decode(payload)


def changed(**changes: object) -> bytes:
    payload = msgspec.msgpack.encode(msgspec.to_builtins(SHELL) | changes)
    return msgspec.msgpack.encode([payload, POST.sign(b"kiosk-command-1\0" + payload).signature])


def test_the_printed_command_is_what_we_read_and_write() -> None:
    data = bytes.fromhex(printed("command"))
    assert commands.unpack(data, POST.verify_key) == SHELL
    assert commands.pack(SHELL, POST) == data
    told = stranger(b"kiosk-command-1", data, bytes(POST.verify_key))
    assert told["args"] == {"hours": 4, "key": SSH}


def test_the_printed_code_is_the_printed_command() -> None:
    text = printed("command", "text")
    assert commands.to_text(commands.pack(SHELL, POST)) == text
    assert commands.from_payload(text.removeprefix(STAFF_PREFIX)) == (b"\x01", bytes.fromhex(printed("command")))


def test_the_printed_result_is_what_we_read_and_write() -> None:
    data = bytes.fromhex(printed("result"))
    assert commands.unpack_result(data, DEVICE.verify_key) == DONE == commands.peek_result(data)
    assert commands.pack_result(DONE, DEVICE) == data
    assert stranger(b"kiosk-result-1", data, bytes(DEVICE.verify_key))["outcome"] == "done"


def test_a_scanner_reads_the_code_of_a_command() -> None:
    text = commands.to_text(commands.pack(SHELL, POST))
    drawn = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode, ec_level="M")
    picture = Image.fromarray(zxingcpp.write_barcode_to_image(drawn, scale=3))
    assert [found.text for found in zxingcpp.read_barcodes(picture)] == [text]


@given(st.data())
def test_no_changed_byte_goes_unnoticed(data: st.DataObject) -> None:
    whole = commands.pack(SHELL, POST)
    at, flip = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(1, 255))
    for broken in (whole[:at], whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :]):
        with pytest.raises(FrameError):
            commands.arrived(broken, POST.verify_key, "uplink")


@given(st.text(alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZ234567=aé ", max_size=80))
def test_noise_behind_the_prefix_is_an_error(noise: str) -> None:
    with pytest.raises(FrameError):
        commands.arrived(commands.from_payload(noise)[1], POST.verify_key, "code")


def test_another_key_or_another_kind_of_message_is_no_order() -> None:
    with pytest.raises(FrameError, match="signature"):
        commands.unpack(commands.pack(SHELL, DEVICE), POST.verify_key)
    ack = frames.pack_ack(frames.Ack(epoch=bytes(8), upto=1, hub=bytes(8), now=0), POST)
    with pytest.raises(FrameError, match="signature"):
        commands.unpack(ack, POST.verify_key)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"v": 2}, "v: version 2"),
        ({"site": "36048"}, r"\$.site"),
        ({"kiosk": 100}, r"\$.kiosk"),
        ({"n": 0}, r"\$.n"),
        ({"do": "rm -rf"}, r"\$.do"),
        ({"args": None}, r"\$.args"),
    ],
)
def test_a_wrong_form_is_named(changes: dict[str, object], says: str) -> None:
    with pytest.raises(FrameError, match=says):
        commands.unpack(changed(**changes), POST.verify_key)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"do": "dance"}, "do: found dance, this version knows shell, update, support"),
        ({"args": {"hours": 73, "key": SSH}}, "hours"),
        ({"args": {"hours": 0, "key": SSH}}, "hours"),
        ({"args": {"hours": 4, "key": SSH, "user": "x"}}, "user"),
        ({"args": {"hours": 4, "key": f'command="true" {SSH}'}}, "key: expected one line"),
        ({"args": {"hours": 4, "key": f"{SSH}\n{SSH}"}}, "key: expected one line"),
        ({"args": {"hours": 4, "key": "ssh-ed25519 AAAA"}}, "key: expected one line"),
        ({"args": {"hours": 4, "key": SSH.replace("ssh-ed25519", "ssh-rsa", 1)}}, "key: expected one line"),
        ({"do": "update", "args": {"url": "file:///etc/shadow", "size": 1, "sha256": bytes(32)}}, "url"),
        ({"do": "update", "args": {"url": "http://a b", "size": 1, "sha256": bytes(32)}}, "url"),
        ({"do": "update", "args": {"url": "http://x/y", "size": 0, "sha256": bytes(32)}}, "size"),
        ({"do": "update", "args": {"url": "http://x/y", "size": 1, "sha256": bytes(31)}}, "sha256"),
        ({"do": "support", "args": {"all": True}}, "all"),
    ],
)
def test_what_a_signed_command_cannot_mean_reaches_the_flows_as_a_fault(changes: dict[str, object], says: str) -> None:
    assert says in commands.arrived(changed(**changes), POST.verify_key, "uplink").fault


def test_nothing_wrong_is_packed() -> None:
    with pytest.raises(FrameError, match="hours"):
        commands.pack(msgspec.structs.replace(SHELL, args={"hours": 99, "key": SSH}), POST)
    with pytest.raises(FrameError, match="expected at most"):
        commands.unpack(bytes(commands.MAX_COMMAND + 1), POST.verify_key)


def test_a_comment_never_reaches_sshd() -> None:
    assert commands.public_key(f"{SSH} somebody@somewhere, a comment\n") == SSH


def test_a_long_command_takes_another_way_than_a_code() -> None:
    url = "https://" + "a" * 192
    long = Command(
        site="360481", kiosk=0, n=2, until=UNTIL, do="update", args={"url": url, "size": 1, "sha256": bytes(32)}
    )
    with pytest.raises(FrameError, match=f"a code holds {MAX_TEXT}: send it by the broker or a file"):
        commands.to_text(commands.pack(long, POST))


def test_a_revocation_names_the_badges() -> None:
    order = msgspec.structs.replace(SHELL, do="revoke", args={"badges": [7, 9]})
    heard = commands.arrived(commands.pack(order, POST), POST.verify_key, "uplink")
    assert (heard.revoked, heard.fault) == ((7, 9), "")


@pytest.mark.parametrize("badges", [[], [0], [10_000], ["7"], list(range(1, 502))])
def test_a_revocation_of_no_badge_is_not_made(badges: list[object]) -> None:
    with pytest.raises(FrameError, match="args"):
        commands.pack(msgspec.structs.replace(SHELL, do="revoke", args={"badges": badges}), POST)
