"""`python -m tests.bench [name ...]`: the figures of docs/benchmarks.md, measured here and now."""

import argparse
import sys
import tempfile
from datetime import date
from pathlib import Path

from tests.bench import codecs, custody, drain, known, labels, plan, scan, start, wear
from tests.bench.measure import Section, machine

BENCHMARKS = {
    "scan": scan.run,
    "label": labels.run,
    "codecs": codecs.run,
    "drain": drain.run,
    "start": start.run,
    "wear": wear.run,
    "custody": custody.run,
    "known": known.run,
    "plan": plan.run,
}
DOCUMENT = Path(__file__).parents[2] / "docs/benchmarks.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *BENCHMARKS], help=f"of {', '.join(BENCHMARKS)}; default all")
    parser.add_argument("--scale", type=float, default=1.0, metavar="X", help="times the usual number of samples")
    parser.add_argument("--write", action="store_true", help=f"put the figures into {DOCUMENT.name}")
    options = parser.parse_args()
    if options.write and options.names:
        parser.error("--write takes all of them")
    sections = []
    for name in options.names or BENCHMARKS:
        with tempfile.TemporaryDirectory(prefix="kiosk-bench-") as folder:
            section = BENCHMARKS[name](Path(folder), options.scale)
        print(section, flush=True)
        sections.append(section)
    if options.write:
        write(sections)
    return 0 if all(target.met for section in sections for target in section.targets) else 1


def write(sections: list[Section]) -> None:
    text = DOCUMENT.read_text("utf-8")
    head, tail = text[: text.index(BEGIN) + len(BEGIN)], text[text.index(END) :]
    when = f"Measured {date.today().isoformat()} on {machine()}."  # noqa: DTZ011
    DOCUMENT.write_text("\n".join((head, "", when, "", *map(str, sections), tail)), "utf-8")


sys.exit(main())
