"""docs/rules.md tells of each rule how the kiosk carries it and which test shows that, or why it does not."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROW = re.compile(r"^\| ([GQRTPD]\d+) \| (.+?) \| ([ESR/]+) \| (.+?) \| (.*?) \|$", re.MULTILINE)
COUNTS = {"G": 15, "Q": 18, "R": 7, "T": 13, "P": 16, "D": 9}
ROWS = ROW.findall((ROOT / "docs/rules.md").read_text("utf-8"))


@cache
def functions_of(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {function.name for function in functions}


def test_every_rule_is_there_once_in_order() -> None:
    assert [row[0] for row in ROWS] == [f"{letter}{n}" for letter, last in COUNTS.items() for n in range(1, last + 1)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_rule_is_shown_by_tests_that_exist_or_is_none_of_a_desk_s_business(row: tuple[str, ...]) -> None:
    rule, _, kind, how, shown = row
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", shown)
    assert named or how.startswith("Not carried"), f"{rule} is neither shown nor left out with a reason"
    assert "E" not in kind or named, f"{rule} must be enforced"
    for path, name in named:
        assert name in functions_of(path), f"{rule}: {path} has no {name}"
