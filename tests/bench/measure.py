"""What all benchmarks share: samples, the sections they report, and the shape of a run."""

import math
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

MS = 1000.0


@dataclass
class Samples:
    """Durations in seconds."""

    name: str
    values: list[float] = field(default_factory=list)

    def add(self, seconds: float) -> None:
        self.values.append(seconds)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def p99(self) -> float:
        """The nearest rank; of fewer than 100 samples that is the largest."""
        return sorted(self.values)[math.ceil(0.99 * len(self.values)) - 1]


def interleave(count: int, *works: tuple[Samples, Callable[[], object]]) -> None:
    """Runs all ``works`` in turn, ``count`` times, each round in the other order: what the machine does meanwhile hits
    all of them alike."""
    for round_ in range(count):
        for samples, work in works if round_ % 2 else works[::-1]:
            began = time.perf_counter()
            work()
            samples.add(time.perf_counter() - began)


@dataclass(frozen=True)
class Target:
    """``value`` is to be at most (or, with ``least``, at least) ``limit``."""

    what: str
    value: float
    limit: float
    unit: str = ""
    least: bool = False

    @property
    def met(self) -> bool:
        return self.value >= self.limit if self.least else self.value <= self.limit

    def __str__(self) -> str:
        sign = "≥" if self.least else "≤"
        verdict = "met" if self.met else "MISSED"
        return f"{verdict}: {self.what} {number(self.value)}{self.unit} ({sign} {number(self.limit)}{self.unit})"


@dataclass(frozen=True)
class Section:
    """``about``: what exactly was measured, against what."""

    title: str
    about: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    targets: Sequence[Target]

    def __str__(self) -> str:
        table = [tuple(self.columns), tuple("---" for _ in self.columns), *map(tuple, self.rows)]
        lines = [f"| {' | '.join(row)} |" for row in table]
        return "\n".join(
            (f"### {self.title}", "", self.about, "", *lines, "", *(f"- {target}" for target in self.targets), "")
        )


def number(value: float) -> str:
    """Three significant digits, thousands grouped."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def times(samples: Samples, than: Samples | None = None) -> tuple[str, str, str]:
    """Median and p99 in ms, and the ratio of the medians."""
    ratio = number(samples.median / than.median) + "×" if than is not None else ""
    return number(samples.median * MS), number(samples.p99 * MS), ratio


def machine() -> str:
    """The class of this machine; no names."""
    return f"{os.cpu_count()} × {platform.machine()}, Linux, Python {platform.python_version()}"
