"""What the receiver makes of each kind of message."""

import itertools
import logging
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from hub import ranges, store
from hub.intake import Intake
from hub.report import report
from hub.store import Store, StoreError
from kiosk import frames
from kiosk.frames import State
from tests.support.post import DEVICE, NUMBER, PRIVATE, SITE, Rows

FACTS, STATE = frames.topic(SITE, NUMBER, "facts"), frames.topic(SITE, NUMBER, "state")
PLACE = (SITE, NUMBER, b"epoch-01")


class Desk:
    def __init__(self, path: Path) -> None:
        self.store = Store(path, create=True)
        self.intake = Intake(self.store, PRIVATE.public.kid, lambda: 1)

    def take(self, topic: str, data: bytes) -> object:
        with self.store.transaction():
            return self.intake.take(topic, data)

    def ack(self) -> tuple[int, list[tuple[int, int]]]:
        ack = self.intake.ack(PLACE)
        return ack.upto, list(ack.missing)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "hub.db")
    yield desk
    desk.store.close()


def state(key: SigningKey = DEVICE, acked: int = 0, head: int = 0, hub: bytes = b"") -> bytes:
    message = State(
        site=SITE,
        kiosk=NUMBER,
        online=True,
        epoch=b"epoch-01",
        head=head,
        depth=head - acked,
        acked=acked,
        hub=hub,
        key=bytes(key.verify_key),
    )
    return frames.pack_state(message, key)


def frame(rows: Rows, first: int, last: int, key: SigningKey = DEVICE, kid: bytes = PRIVATE.public.kid) -> bytes:
    prev = rows.rows[first - 2].chain if first > 1 else frames.genesis(rows.epoch)
    return frames.pack(
        rows.rows[first - 1 : last], site=SITE, kiosk=NUMBER, epoch=rows.epoch, prev=prev, kid=kid, key=key
    )


def resigned(data: bytes, **changes: object) -> bytes:
    raw = msgspec.msgpack.encode(msgspec.msgpack.decode(msgspec.msgpack.decode(data)[0]) | changes)
    return msgspec.msgpack.encode([raw, DEVICE.sign(b"kiosk-frame-1\0" + raw).signature])


def test_in_any_order_and_overlapping(desk: Desk) -> None:
    rows = Rows()
    rows.add(100)
    desk.take(STATE, state())
    for first, last in ((40, 60), (90, 100), (1, 10), (5, 45), (5, 45)):
        assert desk.take(FACTS, frame(rows, first, last)) == PLACE
    assert desk.ack() == (60, [(61, 89)])
    desk.take(FACTS, frame(rows, 55, 95))
    assert desk.ack() == (100, [])
    assert report(desk.store).journals[0].sound


def test_a_frame_before_any_key_is_kept_apart_and_not_counted(desk: Desk) -> None:
    rows = Rows()
    rows.add(3)
    assert desk.take(FACTS, frame(rows, 1, 3)) is None
    assert desk.ack() == (0, [])
    desk.take(STATE, state())
    assert desk.take(FACTS, frame(rows, 1, 3)) == PLACE
    assert desk.ack() == (3, [])


def test_a_second_key_waits_for_enrolment(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    rows, other = Rows(), SigningKey.generate()
    rows.add(3)
    desk.take(STATE, state())
    assert desk.take(STATE, state(other)) is None
    assert f"ALARM {SITE}/1: a second device claims this number" in caplog.text
    assert desk.take(FACTS, frame(rows, 1, 3, other)) is None
    assert desk.ack() == (0, [])
    with desk.store.transaction():
        desk.store.enrol(SITE, NUMBER, bytes(other.verify_key), 2)
    assert desk.take(FACTS, frame(rows, 1, 3, other)) == PLACE
    assert desk.ack() == (3, [])


def test_signed_but_unreadable_is_counted_so_that_it_blocks_nobody(desk: Desk) -> None:
    rows = Rows()
    rows.add(9)
    desk.take(STATE, state())
    desk.take(FACTS, frame(rows, 1, 3))
    assert desk.take(FACTS, resigned(frame(rows, 4, 6), facts=b"no zlib")) == PLACE
    desk.take(FACTS, frame(rows, 7, 9))
    assert desk.ack() == (9, [])
    told = report(desk.store)
    assert told.apart == {"facts: not a zlib stream": 1}
    assert not told.journals[0].sound


def test_signed_but_unreadable_is_kept_even_in_a_flood(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MAX_APART", 5)
    rows = Rows()
    rows.add(3)
    desk.take(STATE, state())
    for number in range(20):
        desk.take(FACTS, b"noise %d" % number)
    assert sum(report(desk.store).apart.values()) == 5
    desk.take(FACTS, resigned(frame(rows, 1, 3), facts=b"no zlib"))
    assert sum(report(desk.store).apart.values()) == 6


def test_another_history_is_a_fork(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    rows = Rows()
    rows.add(20)
    other = rows.copy(10)
    other.add(20, body=b"another")
    desk.take(STATE, state())
    desk.take(FACTS, frame(rows, 1, 20))
    for _ in range(2):
        assert desk.take(FACTS, frame(other, 8, 15)) == PLACE  # 8-10 are the same, 11-15 are not
    assert desk.take(FACTS, frame(other, 21, 30)) == PLACE  # new places, but after another past
    assert desk.ack() == (30, [])
    journal = report(desk.store).journals[0]
    assert (journal.facts, journal.forks) == (20, 15)
    assert caplog.text.count("two histories") == 2


def test_a_fork_that_comes_before_its_successor(desk: Desk) -> None:
    rows = Rows()
    rows.add(20)
    other = Rows()
    other.add(20, body=b"another")
    desk.take(STATE, state())
    desk.take(FACTS, frame(rows, 11, 20))
    desk.take(FACTS, frame(other, 1, 10))
    assert report(desk.store).journals[0].forks == 10


def test_a_frame_under_the_topic_of_another_kiosk(desk: Desk) -> None:
    rows = Rows()
    rows.add(3)
    desk.take(STATE, state())
    assert desk.take(frames.topic(SITE, 2, "facts"), frame(rows, 1, 3)) is None
    assert desk.take(frames.topic(SITE, 2, "state"), state()) is None
    assert desk.ack() == (0, [])
    assert report(desk.store).apart == {"it names another kiosk than its topic": 2}


def test_sealed_to_another_key_is_stored_and_told(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    rows = Rows()
    rows.add(3)
    desk.take(STATE, state())
    desk.take(FACTS, frame(rows, 1, 3, kid=b"another1"))
    assert desk.ack() == (3, [])
    assert "it seals to another key than ours" in caplog.text


def test_an_answer_is_owed_only_where_there_is_news(desk: Desk) -> None:
    rows, hub = Rows(), desk.store.epoch
    rows.add(3)
    assert desk.take(STATE, state()) == PLACE  # it does not know us
    desk.take(FACTS, frame(rows, 1, 3))
    assert desk.take(STATE, state(acked=3, head=3, hub=hub)) is None
    assert desk.take(STATE, state(acked=3, head=4, hub=hub)) == PLACE
    assert desk.take(STATE, state(acked=2, head=3, hub=hub)) == PLACE
    assert desk.store.epoch == hub


def test_a_kiosk_that_knows_more_than_we_shows_that_we_were_restored(desk: Desk) -> None:
    hub = desk.store.epoch
    assert desk.take(STATE, state(acked=5, head=9, hub=hub)) == PLACE
    assert desk.store.epoch != hub
    renewed = desk.store.epoch
    desk.take(STATE, state(acked=5, head=9, hub=hub))
    assert desk.store.epoch == renewed


def test_an_internal_fault_keeps_the_message_and_the_others(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(Store, "set_state", broken)
        assert desk.take(STATE, state()) is None
    assert desk.store.key(SITE, NUMBER) is None  # undone
    assert report(desk.store).apart == {"internal fault (RuntimeError)": 1}
    assert desk.take(STATE, state()) == PLACE


@given(st.binary(max_size=200))
def test_noise_never_stops_it(tmp_path_factory: pytest.TempPathFactory, noise: bytes) -> None:
    desk = Desk(tmp_path_factory.mktemp("hub") / "hub.db")
    logging.disable(logging.CRITICAL)
    try:
        for topic in (FACTS, STATE, "kiosk/v1//x/facts"):
            assert desk.take(topic, noise) is None
    finally:
        logging.disable(logging.NOTSET)
        desk.store.close()


def test_a_file_that_is_no_database_of_ours(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("x" * 5000)
    with pytest.raises(StoreError, match="not a database"):
        Store(tmp_path / "text")
    with pytest.raises(StoreError, match="there is no such database"):
        Store(tmp_path / "none")


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 9)), max_size=30))
def test_ranges_are_what_a_set_would_be(parts: list[tuple[int, int]]) -> None:
    numbers: set[int] = set()
    there: ranges.Ranges = []
    for first, more in parts:
        there = ranges.add(there, first, first + more)
        numbers |= set(range(first, first + more + 1))
    assert [n for a, b in there for n in range(a, b + 1)] == sorted(numbers)
    assert all(a[1] + 1 < b[0] for a, b in itertools.pairwise(there))
    upto = next(n for n in range(100) if n + 1 not in numbers)
    assert ranges.upto(there) == upto
    lacking = [n for a, b in ranges.missing(there) for n in range(a, b + 1)]
    assert lacking == [n for n in range(1, max(numbers, default=0)) if n not in numbers]


def test_what_is_signed_in_a_drill_is_worth_nothing_among_what_counts_and_the_other_way_round(
    desk: Desk, tmp_path: Path
) -> None:
    rows = Rows()
    rows.add(3)
    desk.take(STATE, state())
    pages = {"site": SITE, "kiosk": NUMBER, "epoch": rows.epoch, "prev": frames.genesis(rows.epoch)}
    practised = frames.pack(rows.rows[:3], **pages, kid=PRIVATE.public.kid, key=DEVICE, drill=True)
    drills = Desk(tmp_path / "hub.drill.db")
    drills.intake = Intake(drills.store, PRIVATE.public.kid, lambda: 1, proper=desk.store)
    topic = frames.topic(SITE, NUMBER, "facts", drill=True)
    try:
        assert desk.take(FACTS, practised) is None
        assert drills.take(topic, frame(rows, 1, 3)) is None
        assert drills.take(FACTS, practised) is None
        assert drills.take(topic, practised) == PLACE
        assert (report(desk.store).journals, report(drills.store).journals[0].facts) == ([], 3)
        assert drills.intake.topic(SITE, NUMBER, "ack") == f"kiosk/v1/{SITE}/{NUMBER}/drill/ack"
    finally:
        drills.store.close()


def test_a_kiosk_nobody_knows_cannot_begin_with_a_drill(tmp_path: Path, desk: Desk) -> None:
    drills = Desk(tmp_path / "hub.drill.db")
    drills.intake = Intake(drills.store, PRIVATE.public.kid, lambda: 1, proper=desk.store)
    message = State(
        site=SITE, kiosk=NUMBER, online=True, epoch=b"epoch-01", head=0, depth=0, acked=0, key=bytes(DEVICE.verify_key)
    )
    try:
        topic = frames.topic(SITE, NUMBER, "state", drill=True)
        assert drills.take(topic, frames.pack_state(message, DEVICE, drill=True)) is None
        assert desk.store.key(SITE, NUMBER) is None
    finally:
        drills.store.close()
