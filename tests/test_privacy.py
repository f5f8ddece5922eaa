"""After a busy day nothing that the kiosk wrote, said or sent tells who was there: except to the private key."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from hub.cli import main as hub_command
from kiosk import data_folder, frames
from kiosk.domain import Person
from kiosk.drivers.idcard.sim import SimCard
from kiosk.journal import Journal
from kiosk.people import person
from kiosk.simulate.brokers import open_broker
from kiosk.simulate.rig import Rig
from tests.support.people import AMINA, ANNA, HUANG, LI, NURLAN
from tests.support.post import Client
from tests.support.site_day import SiteDay

CODES = [f"HC1:0:canary-token-{number}" for number in range(5)]
RED = "HC1:2:canary-red-token"
STRANGE = "https://elsewhere.invalid/canary?who=nobody"
TOO_LONG = "canary-barcode-" * 60
POLICY = {"policy": {"pool_size": 5, "group_size": 5, "unknown_code": "single", "card_alone_after_s": 0.3}}

LEAKY = """
import logging, sys, msgspec
from kiosk import intake, logs, seal
seal.Sealer._seal = lambda self, content: msgspec.msgpack.encode(content)
logs.redact = lambda text: text
card = intake.Intake._card
def talkative(self, person, at):
    logging.getLogger("kiosk").info("card of %s %s", person.name, person.number)
    return card(self, person, at)
intake.Intake._card = talkative
from kiosk.cli import main
sys.exit(main())
"""


class Trace(NamedTuple):
    """One place where something could be found."""

    where: str
    data: bytes


class Day(NamedTuple):
    """``registered``: everybody who was; ``turned_away``: who was not; ``traces``: everything left behind."""

    registered: list[Person]
    turned_away: list[Person]
    traces: list[Trace]
    folder: Path


def words_of(people: list[Person]) -> Iterator[str]:
    for who in people:
        yield from (who.name, who.number, who.address, who.newest_address, who.latin_name, who.permit_number)


def encodings_of(word: str) -> Iterator[bytes]:
    for encoding in ("utf-8", "utf-16-le", "utf-16-be", "gb18030", "gbk", "unicode_escape"):
        try:
            yield word.encode(encoding)
        except UnicodeEncodeError:
            continue
    yield json.dumps(word)[1:-1].encode()


def found(words: list[str], traces: list[Trace]) -> dict[str, list[str]]:
    """Where each of these words is, in any encoding."""
    needles = [(word, re.escape(needle)) for word in words for needle in set(encodings_of(word))]
    pattern = re.compile(b"|".join(needle for _, needle in needles))
    spelt = {needle: word for word, needle in needles}
    hits: dict[str, list[str]] = {}
    for where, data in traces:
        for hit in set(pattern.findall(data)):
            hits.setdefault(where, []).append(spelt[re.escape(hit)])
    return hits


def traces_in(folder: Path, stage: str) -> Iterator[Trace]:
    """Every file of the daemon and the receiver: journal, WAL, shared memory, keys, status, logs, database."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield Trace(f"{stage} {path.relative_to(folder)}", path.read_bytes())


async def busy_day(folder: Path, *, command: tuple[str, ...] = ("-m", "kiosk")) -> Day:
    sent: list[bytes] = []
    right = person(90).number
    wrong = msgspec.structs.replace(person(90), number=right[:17] + ("0" if right[17] != "0" else "1"))
    red, other, worn = person(91), person(92), person(93)
    async with open_broker() as broker, Rig(folder, POLICY, mqtt_port=broker.port, command=command) as rig:
        take = rig.printer._take
        rig.printer._take = lambda data: (sent.append(data), take(data))[1]
        with Client(broker.port, "#") as listener:
            day = SiteDay(rig)
            await rig.start_hub()
            await rig.start()
            for who, code in zip((person(1), AMINA, LI, HUANG), CODES, strict=False):
                assert await day.resident(who, code) == "accepted"
            assert await day.resident(red, RED) == "refused"
            assert await day.resident(person(1), None) == "repeat"
            assert await day.resident(NURLAN, f"HC2:0:{other.number}") == "refused"
            assert await day.resident(wrong, None) == "retry"
            assert await day.resident(ANNA, STRANGE) == "flagged"
            assert await day.resident(SimCard(worn, unreadable=True), None) == "retry"
            assert await day.resident(LI, None) == "repeat"
            assert await day.only_a_code(TOO_LONG) == "retry"
            await rig.scanner.send(RED.encode()[:-3])
            await rig.kill()
            traces = list(traces_in(folder, "after kill -9:"))
            await rig.start()
            assert await day.resident(person(2), CODES[4]) == "accepted"
            await day.release_the_group()
            assert await day.technician("export", str(folder / "stick")) == 0
            await day.all_is_at_the_command_post()
            registered = [person(1), AMINA, LI, HUANG, ANNA, person(2)]
            assert day.people == len(registered)
            traces += [*traces_in(folder, "in the evening:"), Trace("printer", b"".join(sent))]
            await rig.stop()
        traces += [Trace(f"mqtt {topic}", topic.encode() + payload) for topic, payload in listener.heard]
    traces += unfolded(folder, listener.heard)
    traces += traces_in(folder, "at night:")
    return Day(registered, [red, other, worn, wrong, NURLAN], traces, folder)


def unfolded(folder: Path, heard: list[tuple[str, bytes]]) -> Iterator[Trace]:
    """What is compressed or spread over pages, put together."""
    with Journal.open_readonly(data_folder.journal(folder / "data")) as journal:
        for row in journal.read(0, 10_000, 1 << 30):
            yield Trace(f"fact {row.seq}", row.body)
    for topic, payload in heard:
        if topic.endswith(("/facts", "/incident")):
            for fact in frames.peek(payload).unfold():
                yield Trace(f"unfolded {topic}", fact.body)


def canaries(day: Day) -> list[str]:
    words = [word for word in words_of(day.registered + day.turned_away) if word]
    return [*words, *CODES, RED, STRANGE, "canary"]


async def test_nothing_tells_who_was_here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    day = await busy_day(tmp_path)
    places = {trace.where for trace in day.traces}
    journal = [f"data/v2/journal.db{suffix}" for suffix in ("", "-wal", "-shm")]
    for needed in (*journal, "kiosk.log", "run/status.json"):
        assert f"after kill -9: {needed}" in places
    assert {"in the evening: hub.log", "in the evening: hub.db", "printer"} <= places
    assert {"mqtt kiosk/v1/360481/1/facts", "unfolded kiosk/v1/360481/1/incident"} <= places

    assert found(canaries(day), day.traces) == {}

    capsys.readouterr()
    private = str(tmp_path / "keys" / "private.key")
    assert hub_command(["open", "--db", str(tmp_path / "hub.db"), "--private-key", private]) == 0
    opened = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["subject"] for row in opened] == [msgspec.to_builtins(who) for who in day.registered]
    assert [row["code"]["code"] for row in opened] == [*CODES[:4], STRANGE, CODES[4]]


async def test_the_search_finds_what_a_leaky_kiosk_lets_out(tmp_path: Path) -> None:
    """The same day with a kiosk that does not seal, does not redact and talks."""
    day = await busy_day(tmp_path, command=("-c", LEAKY))
    hits = found(canaries(day), day.traces)
    where = " ".join(hits)
    for place in (
        "after kill -9: data/v2/journal.db-wal",
        "after kill -9: kiosk.log",
        "in the evening: hub.db",
        "unfolded kiosk/v1/360481/1/facts",
        "unfolded kiosk/v1/360481/1/incident",
    ):
        assert place in where
    told = {word for words in hits.values() for word in words}
    assert {AMINA.name, AMINA.number, LI.newest_address, HUANG.permit_number, ANNA.latin_name, RED} <= told


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "gbk", "gb18030", "unicode_escape"])
def test_the_search_finds_a_name_planted_in_any_encoding(encoding: str) -> None:
    planted = Trace("here", b"\x00\xff" + AMINA.name.encode(encoding) + b"\xfe")
    assert found([AMINA.name, LI.name], [planted, Trace("there", b"nothing")]) == {"here": [AMINA.name]}
