"""What the kiosk says again and again: incidents and questions, against a real broker and the real receiver."""

import itertools
from pathlib import Path

import msgspec
import pytest

from hub import verdicts as table
from hub.store import Store
from hub.verdicts import VerdictsError
from kiosk import frames, seal, verdicts
from kiosk.config import Mqtt, Policy
from kiosk.domain import Colour, Stamp, Subject, Trouble
from kiosk.facts import AskVerdict, Entry, IncidentRaised, VerdictAsked
from kiosk.people import person
from kiosk.site import Setup, Site, refold, resume
from kiosk.uplink import Uplink, repeats
from kiosk.uplink.questions import Questions
from kiosk.uplink.repeats import LONGEST_S, MOST, Repeats
from kiosk.verdicts import Answer, Verdict
from tests.support.mosquitto import Mosquitto
from tests.support.post import DEVICE, NUMBER, PRIVATE, SITE, AsyncRows, Client, Rows, hub, make_uplink, running, until

SEALER = seal.Sealer(PRIVATE.public, bytes(32))
TABLE = (
    f"code,colour,number\nQC:green-1,green,{person(1).number}\nQC:red-2,RED,{person(2).number}\nQC:yellow-3,yellow,\n"
)


@pytest.fixture
def db(tmp_path: Path) -> Path:
    path, csv = tmp_path / "hub.db", tmp_path / "codes.csv"
    csv.write_text(TABLE, "utf-8")
    store = Store(path, create=True)
    with store.transaction():
        assert table.keep(store, PRIVATE, table.read(csv)) == 3
    store.close()
    return path


class Asking:
    """An uplink whose verdicts are kept."""

    def __init__(self, rows: Rows, port: int) -> None:
        self.heard: list[tuple[bytes, Verdict]] = []
        config = Mqtt(host="127.0.0.1", port=port, keepalive_s=5)
        about = {"version": "1", "issues": []}
        self.uplink = Uplink(
            config, SITE, NUMBER, AsyncRows(rows), DEVICE, PRIVATE.public, lambda: about,
            verdict=lambda code, verdict: self.heard.append((code, verdict)),
        )  # fmt: skip


def code(text: str) -> Subject:
    return SEALER.code(text, None, "city")


def incident() -> bytes:
    return msgspec.msgpack.encode(Entry(1, Stamp(1, 1), IncidentRaised(1, Trouble.RED)))


# What is repeated, and when -------------------------------------------------------------------------------------------


def test_it_is_said_at_once_and_then_after_ever_longer_waits() -> None:
    said: Repeats[str] = Repeats(jitter=lambda low, high: 1.0)
    said.add("fire")
    times, now = [], 0.0
    while len(times) < 8:
        if said.due(now):
            times.append(now)
        now = said.next_at or 0.0
    assert [later - earlier for earlier, later in itertools.pairwise(times)] == [
        30, 60, 120, 240, 480, LONGEST_S, LONGEST_S,
    ]  # fmt: skip


def test_kiosks_do_not_say_it_in_step() -> None:
    one, other = Repeats[str](), Repeats[str]()
    for each in (one, other):
        each.add("fire")
        each.due(0.0)
        assert each.next_at is not None
        assert 0.75 * repeats.FIRST_S <= each.next_at <= 1.25 * repeats.FIRST_S
    assert one.next_at != other.next_at


def test_a_new_connection_makes_all_of_it_due() -> None:
    said: Repeats[int] = Repeats()
    for number in (1, 2):
        said.add(number)
    assert said.due(5.0) == [1, 2]
    assert said.due(5.0) == []
    said.renew()
    said.keep(lambda number: number > 1)
    assert said.due(5.0) == [2]


def test_more_than_can_be_said_pushes_out_the_oldest() -> None:
    said: Repeats[int] = Repeats()
    gone = [each for number in range(MOST + 2) for each in said.add(number)]
    assert gone == [0, 1]
    assert len(said.due(0.0)) == MOST


# Incidents ------------------------------------------------------------------------------------------------------------


async def test_an_incident_is_sent_again_until_it_is_acknowledged(
    broker: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeats, "FIRST_S", 0.05)
    rows = Rows()
    rows.add(2)
    rows.add(1, body=incident())
    with Client(broker.port, "kiosk/v1/+/+/incident", "kiosk/v1/+/+/ack") as client:
        async with running(make_uplink(rows, broker.port)) as uplink:
            uplink.wake(incident=3)
            await until(lambda: len(client.heard) >= 3, "three times")
            assert {topic.rpartition("/")[2] for topic, _ in client.heard} == {"incident"}
            assert len({data for _, data in client.heard}) == 1
            with hub(tmp_path / "hub.db", broker.port):
                await until(lambda: uplink.acked == 3)
                assert uplink._urgent.incidents.next_at is None


async def test_an_incident_that_waited_at_a_restart_goes_up_first(broker: Mosquitto, tmp_path: Path) -> None:
    rows = Rows()
    rows.add(1500)
    rows.add(1, body=incident())
    rows.add(300)
    with Client(broker.port, "kiosk/v1/+/+/incident", "kiosk/v1/+/+/facts") as client:
        with hub(tmp_path / "hub.db", broker.port):
            async with running(make_uplink(rows, broker.port)) as uplink:
                await until(lambda: uplink.acked == 1801)
        assert client.heard[0][0].endswith("/incident")
        assert frames.peek(client.heard[0][1]).first == 1501


# Questions ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("QC:green-1", Verdict(Colour.GREEN, person(1).number)),
        ("QC:red-2", Verdict(Colour.RED, person(2).number)),
        ("QC:yellow-3", Verdict(Colour.YELLOW)),
        ("QC:nobody-knows", Verdict(Colour.UNKNOWN)),
    ],
)
async def test_the_command_post_answers_out_of_its_table(
    broker: Mosquitto, db: Path, text: str, verdict: Verdict
) -> None:
    asking = Asking(Rows(), broker.port)
    with Client(broker.port, "#") as client, hub(db, broker.port):
        async with running(asking.uplink) as uplink:
            await until(lambda: any(topic.endswith("/ack") for topic, _ in client.heard), "the post knows the kiosk")
            uplink.ask(code(text))
            await until(lambda: asking.heard)
    assert asking.heard == [(code(text).digest, verdict)]
    leaves = [topic.rpartition("/")[2] for topic, _ in client.heard]
    assert leaves.count("ask") == leaves.count("answer") == 1
    for _, data in client.heard:
        assert text.encode() not in data
        assert person(1).number.encode() not in data


async def test_a_question_of_a_time_without_a_line_is_answered_later(broker: Mosquitto, db: Path) -> None:
    broker.stop()
    asking = Asking(Rows(), broker.port)
    async with running(asking.uplink) as uplink:
        uplink.ask(code("QC:red-2"))
        await until(lambda: uplink.issue)
        assert not uplink.answers
        broker.start()
        with hub(db, broker.port):
            await until(lambda: asking.heard)
            assert uplink.answers
    assert asking.heard[0][1].colour is Colour.RED


async def test_a_question_nobody_answered_is_asked_again(
    broker: Mosquitto, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeats, "FIRST_S", 0.05)
    asking = Asking(Rows(), broker.port)
    with Client(broker.port, "kiosk/v1/+/+/ask") as client:
        async with running(asking.uplink) as uplink:
            uplink.ask(code("QC:green-1"))
            await until(lambda: len(client.heard) >= 2)
            with hub(db, broker.port):
                await until(lambda: asking.heard)
    assert len({data for _, data in client.heard}) == 1


async def test_what_was_unanswered_before_a_start_is_asked_anew_and_answered(broker: Mosquitto, db: Path) -> None:
    asked = code("QC:red-2")
    before, after = Asking(Rows(), broker.port), Asking(Rows(), broker.port)
    with Client(broker.port, "kiosk/v1/+/+/ask", "kiosk/v1/+/+/answer") as client:
        async with running(before.uplink) as uplink:
            uplink.ask(asked)
            await until(lambda: client.heard)
        told = refold(Site(Setup(SITE, NUMBER, Policy())), [(1, Entry(1, Stamp(1, 1), VerdictAsked(asked)))])
        with hub(db, broker.port):
            async with running(after.uplink) as uplink:
                for order in resume(told):
                    assert isinstance(order, AskVerdict)
                    uplink.ask(order.code)
                await until(lambda: after.heard)
    assert after.heard == [(asked.digest, Verdict(Colour.RED, person(2).number))]
    assert before.heard == []
    first, again = (verdicts.peek_question(data) for topic, data in client.heard if topic.endswith("/ask"))
    assert first.box == again.box
    assert (first.id, first.key) != (again.id, again.key)


def test_an_answer_serves_once_and_only_its_own_question() -> None:
    questions = Questions(SITE, NUMBER, DEVICE, PRIVATE.public)
    for text in ("QC:green-1", "QC:red-2", "QC:green-1"):
        questions.ask(code(text))
    (_, one), (_, other) = questions.due(0.0)
    asked, strange = verdicts.peek_question(one), verdicts.peek_question(other)
    red = verdicts.seal(Verdict(Colour.RED), asked.key)

    def answer(id_: bytes, key: object = PRIVATE.sign) -> bytes:
        return verdicts.pack_answer(Answer(id=id_, box=red), key)

    with pytest.raises(frames.FrameError, match="signature"):
        questions.hear(answer(asked.id, DEVICE))
    with pytest.raises(frames.FrameError, match="box"):
        questions.hear(answer(strange.id))
    assert questions.hear(answer(bytes(16))) is None
    assert questions.hear(answer(asked.id)) == (code("QC:green-1").digest, Verdict(Colour.RED))
    assert questions.hear(answer(asked.id)) is None
    assert [question for _, question in questions.due(1e9)] == [other]


def test_old_questions_give_way() -> None:
    questions = Questions(SITE, NUMBER, DEVICE, PRIVATE.public)
    for number in range(MOST + 3):
        questions.ask(code(f"QC:{number}"))
    assert len(questions.due(0.0)) == MOST


# The command post's table ---------------------------------------------------------------------------------------------


def test_the_table_is_sealed_in_the_database(db: Path) -> None:
    raw = b"".join(path.read_bytes() for path in db.parent.glob("hub.db*"))
    for word in ("QC:red-2", person(2).number):
        assert word.encode() not in raw


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kode,colour\n", "line 1: no column code"),
        ("code\n", "line 1: no column colour"),
        ("code,colour\nQC:1,green\n,red\n", "line 3: the code is empty"),
        ("code,colour\nQC:1,blue\n", "line 2: the colour must be green, yellow, red"),
        ("code,colour\nQC:1\n", "line 2: the colour must be"),
        ("code,colour,number\nQC:1,red," + "1" * 65 + "\n", "line 2: the number is longer"),
        ("", "line 1: no column code"),
    ],
)
def test_a_wrong_table_is_named_by_its_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "codes.csv"
    path.write_text(text)
    with pytest.raises(VerdictsError, match=says):
        list(table.read(path))


def test_a_table_in_another_encoding_is_named(tmp_path: Path) -> None:
    path = tmp_path / "codes.csv"
    path.write_bytes("code,colour\n健康,red\n".encode("gbk"))
    with pytest.raises(VerdictsError, match="UTF-8"):
        list(table.read(path))
