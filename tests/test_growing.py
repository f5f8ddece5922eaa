"""The map that grows cheaply: as a dict, in few levels, with little copying."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.growing import GrowingMap

KEYS = st.binary(min_size=1, max_size=2)


@settings(derandomize=True, deadline=None)
@given(st.lists(st.tuples(KEYS, st.integers(0, 2**40))), st.lists(KEYS))
def test_it_answers_as_a_dict_would(added: list[tuple[bytes, int]], others: list[bytes]) -> None:
    growing, plain = GrowingMap(), {}
    for key, value in added:
        growing, plain[key] = growing.add(key, value), value
    for key in (*plain, *others):
        assert growing.get(key) == plain.get(key)


def test_what_was_there_before_does_not_change() -> None:
    before = GrowingMap().add(b"a", 1).add(b"b", 2)
    after = before.add(b"a", 3).add(b"c", 4)
    assert [before.get(key) for key in (b"a", b"b", b"c")] == [1, 2, None]
    assert [after.get(key) for key in (b"a", b"b", b"c")] == [3, 2, 4]


def test_zero_is_a_value() -> None:
    assert GrowingMap().add(b"a", 1).add(b"a", 0).get(b"a") == 0


def test_a_town_needs_few_levels_and_little_copying() -> None:
    growing, copied, people = GrowingMap(), 0, 20_000
    for person in range(people):
        kept = {id(level) for level in growing.levels}
        growing = growing.add(person.to_bytes(16, "big"), person)
        copied += sum(len(level) for level in growing.levels if id(level) not in kept)
    assert len(growing.levels) <= 15
    assert copied <= people * 15  # n log2 n
    assert growing.get((12_345).to_bytes(16, "big")) == 12_345


def test_it_survives_the_snapshot() -> None:
    growing = GrowingMap()
    for person in range(100):
        growing = growing.add(person.to_bytes(16, "big"), person)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(growing), type=GrowingMap) == growing
