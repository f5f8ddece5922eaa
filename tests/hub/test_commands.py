"""Orders to kiosks: made at the command post, sent until their end is known, and what is told of them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest
import zxingcpp
from PIL import Image

from hub import commands as outbox
from hub.cli import main
from hub.intake import Intake
from hub.report import report
from hub.store import Store
from kiosk import commands, frames
from kiosk.commands import Result
from kiosk.config import Mqtt
from kiosk.frames import State
from kiosk.journal import FORMAT
from kiosk.update import bundle
from kiosk.uplink import Uplink
from tests.support.mosquitto import Mosquitto, mosquitto
from tests.support.post import DEVICE, NUMBER, PRIVATE, SITE, AsyncRows, Client, Rows, hub, running, until
from tests.support.updates import boot_image, make, root_image
from tests.test_commands import SSH

NOW, HOUR = 1_700_000_000_000, 3_600_000
TOPIC = frames.topic(SITE, NUMBER, "command")
RESULT = frames.topic(SITE, NUMBER, "result")


class Post:
    def __init__(self, path: Path) -> None:
        self.store = Store(path, create=True)
        self.intake = Intake(self.store, PRIVATE.public.kid, lambda: NOW)

    def order(self, kiosk: int = NUMBER, *, until: int = NOW + HOUR, now: int = NOW) -> bytes:
        with self.store.transaction():
            return outbox.make(self.store, PRIVATE.sign, SITE, kiosk, "support", {}, until, now)

    def revokes(self, *badges: int, kiosk: int = NUMBER) -> bytes:
        with self.store.transaction():
            args = {"badges": list(badges)}
            return outbox.make(self.store, PRIVATE.sign, SITE, kiosk, "revoke", args, NOW + HOUR, NOW)

    def enrolled(self, *kiosks: int) -> None:
        with self.store.transaction():
            for kiosk in kiosks:
                self.store.enrol(SITE, kiosk, bytes(DEVICE.verify_key), NOW)

    def due(self, kiosk: int = NUMBER, now: int = NOW) -> list[bytes]:
        return [message.data for message in outbox.due(self.store, SITE, kiosk, now)]

    def answers(self, envelope: bytes, outcome: str, text: str = "", kiosk: int = NUMBER, topic: str = RESULT) -> None:
        command = commands.unpack(envelope, PRIVATE.public.verify)
        result = Result(site=SITE, kiosk=kiosk, to=command.kiosk, n=command.n, outcome=outcome, text=text, at=NOW)
        self.take(topic, commands.pack_result(result, DEVICE))

    def take(self, topic: str, data: bytes) -> None:
        with self.store.transaction():
            self.intake.take(topic, data)

    @property
    def told(self) -> list[tuple[int, str, list[tuple[int, str, str]]]]:
        return [
            (each.kiosk, each.do, [(result.kiosk, result.outcome, result.text) for result in each.results])
            for each in report(self.store).commands
        ]


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    post = Post(tmp_path / "hub.db")
    yield post
    post.store.close()


def test_numbers_rise_for_each_addressee_also_over_a_lost_database(post: Post) -> None:
    def number(envelope: bytes) -> int:
        return commands.unpack(envelope, PRIVATE.public.verify).n

    first, second, everybody = (number(post.order(kiosk)) for kiosk in (1, 1, 0))
    assert (first, second, everybody) == (NOW // 1000, NOW // 1000 + 1, NOW // 1000)
    assert number(post.order(now=NOW - 10 * HOUR)) == second + 1
    with post.store.transaction():
        post.store.rows("DELETE FROM command")
    assert number(post.order(now=NOW + 60_000)) > second


def test_a_command_is_due_until_its_end_is_known(post: Post) -> None:
    envelope = post.order()
    post.enrolled(NUMBER)
    assert post.due() == [envelope]
    post.answers(envelope, "accepted")
    assert post.due() == [envelope]
    post.answers(envelope, "done", "all is well")
    post.answers(envelope, "accepted")
    assert post.due() == []
    assert post.told == [(NUMBER, "support", [(NUMBER, "done", "all is well")])]


def test_it_is_due_no_longer_than_it_may_be_obeyed_and_only_the_last_one_is(post: Post) -> None:
    post.order(until=NOW + HOUR)
    last = post.order(until=NOW + HOUR)
    assert post.due() == [last]
    assert post.due(now=NOW + HOUR) == []


def badges_of(envelope: bytes) -> list[int]:
    return commands.unpack(envelope, PRIVATE.public.verify).args["badges"]


def test_no_later_command_replaces_a_revocation(post: Post) -> None:
    post.enrolled(NUMBER)
    revoked, last = post.revokes(7, 9), post.order()
    assert post.due() == [revoked, last]
    post.answers(revoked, "done")
    assert post.due() == [last]


def test_a_revocation_names_those_before_it(post: Post) -> None:
    post.revokes(7, 9)
    again = post.revokes(4, 7)
    assert badges_of(again) == [9, 4, 7]
    assert post.due() == [again]
    assert badges_of(post.revokes(3, kiosk=0)) == [3]
    many = post.revokes(*range(1000, 1499))
    assert len(badges_of(many)) == commands.MAX_REVOKED
    assert badges_of(many)[0] == 7


def test_one_for_the_site_goes_to_every_kiosk_of_it(post: Post) -> None:
    post.enrolled(1, 2, 3)
    before, envelope = outbox.head(post.store), post.order(0)
    fresh = list(outbox.fresh(post.store, before, NOW))
    assert [message.topic for message in fresh] == [frames.topic(SITE, kiosk, "command") for kiosk in (1, 2, 3)]
    post.answers(envelope, "done")
    assert (post.due(1), post.due(2)) == ([], [envelope])


def test_a_result_that_nobody_vouches_for_is_kept_apart(post: Post) -> None:
    envelope = post.order()
    post.answers(envelope, "done")
    assert post.told == [(NUMBER, "support", [])], "the key of this kiosk is not known yet"
    post.enrolled(NUMBER)
    post.answers(envelope, "done", topic=frames.topic(SITE, 2, "result"))
    post.take(RESULT, b"noise")
    assert post.told == [(NUMBER, "support", [])]
    assert sum(report(post.store).apart.values()) == 3


def test_a_kiosk_that_says_it_is_there_is_noted(post: Post) -> None:
    fields = {"site": SITE, "kiosk": NUMBER, "epoch": bytes(8), "head": 0, "depth": 0, "acked": 0}
    for online in (False, True):
        state = State(online=online, key=bytes(DEVICE.verify_key), **fields)  # type: ignore[arg-type]
        post.take(frames.topic(SITE, NUMBER, "state"), frames.pack_state(state, DEVICE))
        assert post.intake.present == ({(SITE, NUMBER)} if online else set())


# Over a broker ------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def kiosk(port: int, obeyed: list[bytes]) -> AsyncIterator[Uplink]:
    """One that does at once whatever it hears, and answers."""

    def obey(envelope: bytes) -> None:
        obeyed.append(envelope)
        command = commands.unpack(envelope, PRIVATE.public.verify)
        result = Result(site=SITE, kiosk=NUMBER, to=command.kiosk, n=command.n, outcome="done", text="well")
        uplink.tell(commands.pack_result(result, DEVICE))

    config = Mqtt(host="127.0.0.1", port=port, keepalive_s=5)
    rows = AsyncRows(Rows())
    uplink = Uplink(config, SITE, NUMBER, rows, DEVICE, PRIVATE.public, dict, command=obey)
    async with running(uplink):
        yield uplink


def ends(db: Path) -> list[str]:
    store = Store(db)
    try:
        return [result.outcome for each in report(store).commands for result in each.results]
    finally:
        store.close()


async def test_a_command_reaches_a_kiosk_and_its_result_comes_back(broker: Mosquitto, tmp_path: Path) -> None:
    post, obeyed = Post(tmp_path / "hub.db"), list[bytes]()
    with Client(broker.port, TOPIC) as bystander, hub(tmp_path / "hub.db", broker.port):
        async with kiosk(broker.port, obeyed):
            await until(lambda: post.store.key(SITE, NUMBER) is not None)
            envelope = await asyncio.to_thread(post.order, until=1 << 50)
            await until(lambda: ends(tmp_path / "hub.db") == ["done"])
        assert obeyed == [envelope]
    assert [data for _, data in bystander.heard] == [envelope]
    post.store.close()


async def test_a_kiosk_that_was_away_gets_it_when_it_is_back(broker: Mosquitto, tmp_path: Path) -> None:
    post, obeyed = Post(tmp_path / "hub.db"), list[bytes]()
    post.enrolled(NUMBER)
    envelope = post.order(until=1 << 50)
    with hub(tmp_path / "hub.db", broker.port):
        async with kiosk(broker.port, obeyed):
            await until(lambda: ends(tmp_path / "hub.db") == ["done"])
    assert set(obeyed) == {envelope}
    post.store.close()


async def test_a_retained_command_is_not_heard(broker: Mosquitto, tmp_path: Path) -> None:
    post, obeyed = Post(tmp_path / "hub.db"), list[bytes]()
    with Client(broker.port, RESULT) as meddler:
        meddler.publish(TOPIC, post.order(until=1 << 50), retain=True)
        async with kiosk(broker.port, obeyed) as uplink:
            await until(lambda: uplink.connected)
            last = post.order(until=1 << 50)
            meddler.publish(TOPIC, last)
            await until(lambda: obeyed)
    assert obeyed == [last]
    post.store.close()


async def test_a_broker_that_hides_commands_is_an_issue_and_no_fault(tmp_path: Path) -> None:
    acl = "topic readwrite kiosk/v1/+/+/facts\ntopic readwrite kiosk/v1/+/+/state\ntopic read kiosk/v1/+/+/ack\n"
    with mosquitto(tmp_path, acl) as broker:
        async with kiosk(broker.port, []) as uplink:
            await until(lambda: uplink.connected)
            assert uplink.refusal is None


# The command line ---------------------------------------------------------------------------------------------------


@pytest.fixture
def keys(tmp_path: Path) -> list[str]:
    (tmp_path / "private.key").write_text(PRIVATE.line())
    (tmp_path / "id.pub").write_text(f"{SSH} me@here\n")
    return ["--db", str(tmp_path / "hub.db"), "--private-key", str(tmp_path / "private.key")]


def test_a_shell_as_text_code_and_file(keys: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    qr, file = tmp_path / "code.png", tmp_path / "open.command"
    ways = ["--qr", str(qr), "--file", str(file)]
    shell = ["shell", "--hours", "4", "--key-file", str(tmp_path / "id.pub")]
    assert main(["command", *keys, *ways, SITE, str(NUMBER), *shell]) == 0
    said = capsys.readouterr().out.splitlines()
    envelope = file.read_bytes()
    command = commands.unpack(envelope, PRIVATE.public.verify)
    assert command.args == {"hours": 4, "key": SSH}
    assert said == [f"command {command.n} to {SITE}/{NUMBER}: shell", commands.to_text(envelope)]
    assert [found.text for found in zxingcpp.read_barcodes(Image.open(qr))] == [said[1]]
    assert main(["report", "--db", keys[1]]) == 0
    assert f"command {command.n} to {SITE}/{NUMBER}: shell\n  no answer so far" in capsys.readouterr().out


def test_an_update_names_the_bundle_that_is_here(keys: list[str], tmp_path: Path) -> None:
    path, file = make(tmp_path / "out"), tmp_path / "u.command"
    update = ["update", "--url", "http://post.example/u.kiosk", str(path)]
    assert main(["command", *keys, "--file", str(file), SITE, "all", *update]) == 0
    command = commands.unpack(file.read_bytes(), PRIVATE.public.verify)
    size, sha256 = bundle.size_and_hash(path)
    assert command.kiosk == 0
    wanted = {"url": "http://post.example/u.kiosk", "size": size, "sha256": sha256, "older": False}
    assert msgspec.to_builtins(command.arguments(), builtin_types=(bytes,)) == wanted


@pytest.mark.parametrize(
    "call",
    [
        ["36048", "1", "support"],
        [SITE, "100", "support"],
        [SITE, "one", "support"],
        [SITE, "1", "shell", "--hours", "73", "--key-file", "id.pub"],
        [SITE, "1", "shell", "--hours", "4", "--key-file", "private.key"],
        [SITE, "1", "update", "--url", "ftp://x/y", "id.pub"],
    ],
)
def test_a_wrong_order_is_not_signed(
    keys: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["command", *keys, *call]) == 64
    assert ends(tmp_path / "hub.db") == []
    store = Store(tmp_path / "hub.db")
    assert outbox.head(store) == 0
    store.close()


def test_a_bundle_is_made_and_a_kiosk_takes_it(
    keys: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = root_image(tmp_path / "root"), tmp_path / "sampling-kiosk.kiosk"
    boot = boot_image(tmp_path / "boot", root=root)
    call = ["bundle", *keys[2:], "--boot", str(boot), "--root", str(root)]
    assert main([*call, "--version", "new", str(out)]) == 64
    assert not out.exists()
    assert main([*call, "--version", "2.0.0", "--board", "brcm,bcm2711", str(out)]) == 0
    assert f"version 2.0.0, {out.stat().st_size} bytes" in capsys.readouterr().out
    with out.open("rb") as file:
        opened = bundle.read(file, PRIVATE.public.verify)
        opened.check()
    assert (opened.manifest.version, opened.manifest.boards) == ("2.0.0", ("brcm,bcm2711",))
    assert opened.manifest.schema == FORMAT, "unless told otherwise, that of the records this program writes"
