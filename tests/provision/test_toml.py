import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.provision import toml

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
PLAIN = st.one_of(TEXTS, st.integers(-(2**63), 2**63 - 1), st.booleans(), st.floats(allow_nan=False))
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=12
)


@given(st.dictionaries(TEXTS, VALUES, max_size=6))
def test_what_is_written_is_read_back(tables: dict) -> None:
    assert tomllib.loads(toml.dumps(tables)) == tables


def test_the_form() -> None:
    tables = {"a": {"x y": "1\n2", "list": [1, 2.5], "b": {"yes": True}}, "c": [{"d": {"e": ""}}], "last": "\x7f"}
    assert toml.dumps(tables) == (
        "last = \"\\u007f\"\n\n[a]\n\"x y\" = '''\n1\n2'''\nlist = [1, 2.5]\n\n[a.b]\nyes = true\n\n[[c]]\n"
        'd = {e = ""}\n'
    )


def test_what_no_configuration_holds_is_refused() -> None:
    with pytest.raises(TypeError, match="bytes has no form"):
        toml.dumps({"a": b""})
