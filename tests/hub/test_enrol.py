"""Which device is which kiosk: labels, fingerprints, one-time ids, and two kiosks with one number."""

import json
from pathlib import Path

import msgspec
import pytest
from nacl.signing import SigningKey

from hub.cli import main
from hub.intake import Intake
from hub.store import Store
from kiosk import enrolment, frames
from kiosk.frames import State
from kiosk.seal import fingerprint
from tests.support.post import DEVICE, NUMBER, PRIVATE, SITE, Rows

OTHER = SigningKey(bytes(range(1, 33)))
ID = "ABCDEFGHIJKLMNOP"


class Post:
    """A command post's database, at the desk and on the command line."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.db = folder / "hub.db"
        self._capsys = capsys
        Store(self.db, create=True).close()

    def run(self, *words: str) -> tuple[int, str]:
        """Exit status, and everything that was said."""
        command, *rest = words
        status = main([command, "--db", str(self.db), *rest])
        said = self._capsys.readouterr()
        return status, said.out + said.err

    def state(self, key: SigningKey, token: str = "", number: int = NUMBER) -> bool:
        """A device says who it is; whether it is taken for that kiosk."""
        message = State(
            site=SITE,
            kiosk=number,
            online=True,
            epoch=b"epoch-01",
            head=1,
            depth=1,
            acked=0,
            key=bytes(key.verify_key),
            proof=enrolment.proof(token, key.verify_key) or msgspec.UNSET,
        )
        store = Store(self.db)
        intake = Intake(store, PRIVATE.public.kid, lambda: 1)
        with store.transaction():
            place = intake.take(frames.topic(SITE, number, "state"), frames.pack_state(message, key))
        store.close()
        return place is not None

    def key(self) -> bytes | None:
        store = Store(self.db)
        key = store.key(SITE, NUMBER)
        store.close()
        return key


@pytest.fixture
def post(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Post:
    return Post(tmp_path, capsys)


def printed(key: SigningKey) -> str:
    return fingerprint(key.verify_key)


def test_the_code_of_a_label_enrols_before_the_first_message_and_after(post: Post) -> None:
    status, said = post.run("enrol", enrolment.code(SITE, NUMBER, DEVICE))
    assert (status, said.split(",")[0]) == (0, f"{SITE}/{NUMBER}: from now on {printed(DEVICE)}")
    assert post.state(DEVICE)
    assert not post.state(OTHER)
    assert post.run("enrol", SITE, "1", enrolment.code(SITE, NUMBER, OTHER))[0] == 0
    assert post.state(OTHER)
    assert not post.state(DEVICE)


def test_a_fingerprint_enrols_a_device_that_was_seen(post: Post) -> None:
    post.state(DEVICE)
    post.state(OTHER)
    assert post.run("enrol", SITE, "1", *printed(OTHER).split())[0] == 0
    assert post.key() == bytes(OTHER.verify_key)
    post.state(DEVICE)
    assert post.run("enrol", SITE, "1", printed(DEVICE))[0] == 0
    assert post.key() == bytes(DEVICE.verify_key)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["KE1:nonsense"], "not an enrolment code KE1:…, or not all of it"),
        ([enrolment.code(SITE, NUMBER, DEVICE)[:-1] + "B"], "the code is damaged"),
        ([SITE, "1", "1234 5678 9abc def0"], f"has claimed {SITE}/1; seen: none"),
        ([SITE, "1", "abc"], "the key is 64 hex digits, the code of the enrolment label, or"),
        ([SITE, "one", "ab" * 32], "the kiosk's number: found 'one', expected 1 to 99"),
        ([SITE, "2", enrolment.code(SITE, 1, DEVICE)], f"the code is of kiosk {SITE}/1, not of {SITE}/2"),
        ([SITE, "2"], "expected the code of an enrolment label, or site, number and key"),
    ],
)
def test_what_enrols_nobody_is_told(post: Post, words: list[str], said: str) -> None:
    status, told = post.run("enrol", *words)
    assert status == 64
    assert said in told
    assert post.key() is None


def test_two_kiosks_with_one_number_are_told_plainly(post: Post) -> None:
    post.state(DEVICE)
    assert post.run("report")[0] == 0
    post.state(OTHER)
    status, said = post.run("report")
    assert status == 1
    assert f"two kiosks use {SITE}/1: fingerprints {printed(DEVICE)}, {printed(OTHER)}; the first is enrolled" in said
    claim = json.loads(post.run("report", "--json")[1])["claims"][0]
    assert claim == {"site": SITE, "kiosk": 1, "enrolled": printed(DEVICE), "others": [printed(OTHER)]}
    post.state(SigningKey(bytes(32)))
    assert f"3 kiosks use {SITE}/1" in post.run("report")[1]


# Sent out with a one-time id --------------------------------------------------------------------------------------


def expect(post: Post, tmp_path: Path, content: str = f"site,number,id\n{SITE},{NUMBER},{ID}\n") -> tuple[int, str]:
    (tmp_path / "expected.csv").write_text(content)
    return post.run("enrol", "--expect", str(tmp_path / "expected.csv"))


def test_only_who_knows_the_id_is_the_kiosk(post: Post, tmp_path: Path) -> None:
    assert expect(post, tmp_path)[0] == 0
    assert not post.state(OTHER), "the first that comes is nobody now"
    assert not post.state(OTHER, token="QRSTUVWXYZ234567")
    status, said = post.run("report")
    assert (status, f"kiosk {SITE}/1 is not enrolled: fingerprints {printed(OTHER)}" in said) == (1, True)
    assert "a device without its one-time id claims it" in said
    assert post.state(DEVICE, token=ID)
    assert post.key() == bytes(DEVICE.verify_key)
    assert not post.state(OTHER, token=ID), "it serves once"


def test_a_kiosk_that_is_provisioned_anew_enrols_itself(post: Post, tmp_path: Path) -> None:
    post.state(DEVICE)
    expect(post, tmp_path)
    assert post.state(DEVICE), "the old one goes on until the new one comes"
    assert post.state(OTHER, token=ID)
    assert not post.state(DEVICE)


def test_another_number_is_nobodys_business(post: Post, tmp_path: Path) -> None:
    expect(post, tmp_path)
    assert post.state(OTHER, number=2)


def test_its_facts_are_taken(post: Post, tmp_path: Path) -> None:
    expect(post, tmp_path)
    rows = Rows()
    rows.add(1)
    frame = frames.pack(
        rows.rows,
        site=SITE,
        kiosk=NUMBER,
        epoch=rows.epoch,
        prev=frames.genesis(rows.epoch),
        kid=PRIVATE.public.kid,
        key=DEVICE,
    )
    post.state(DEVICE, token=ID)
    store = Store(post.db)
    with store.transaction():
        place = Intake(store, PRIVATE.public.kid, lambda: 1).take(frames.topic(SITE, NUMBER, "facts"), frame)
    store.close()
    assert place == (SITE, NUMBER, rows.epoch)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "expected.csv:1: expected the columns site, number, id"),
        ("site,id\n", "expected.csv:1: expected the columns site, number, id"),
        (f"site,number,id\n{SITE},0,{ID}\n", "expected.csv:2: the kiosk's number: found '0', expected 1 to 99"),
        (f"site,number,id\n36048,1,{ID}\n", "expected.csv:2: not site, number and id"),
        (f"site,number,id\n{SITE},1\n", "expected.csv:2: not site, number and id"),
    ],
)
def test_a_list_that_is_none_is_told(post: Post, tmp_path: Path, content: str, said: str) -> None:
    status, told = expect(post, tmp_path, content)
    assert status == 64
    assert said in told


def test_a_missing_list_is_told(post: Post, tmp_path: Path) -> None:
    assert post.run("enrol", "--expect", str(tmp_path / "none.csv"))[0] == 66


def test_nothing_given_is_a_wrong_call(post: Post) -> None:
    with pytest.raises(SystemExit) as caught:
        post.run("enrol")
    assert caught.value.code == 64


def test_a_database_of_the_first_version_is_taken(post: Post, tmp_path: Path) -> None:
    store = Store(post.db)
    with store.transaction():
        store.rows("DROP TABLE expected")
    store.close()
    assert expect(post, tmp_path)[0] == 0
