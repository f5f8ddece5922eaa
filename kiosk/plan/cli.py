"""`kiosk plan`: how many tables a site needs, before there is one."""

import argparse
import sys
from pathlib import Path

OK = 0
MOST_PEOPLE = 100_000


def add_commands(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--profile", metavar="NAME", help="the policy of this profile, such as standard")
    which.add_argument("--config", type=Path, metavar="FILE", help="the policy of this configuration")
    parser.add_argument("--people", type=_people, required=True, metavar="N", help="how many come")
    parser.add_argument("--hours", type=_positive, required=True, metavar="H", help="how long the site is open")
    parser.add_argument("--tables", type=_tables, metavar="N", help="default: the least that keep the limit")
    parser.add_argument("--arrivals", choices=["peak", "even", "slots"], default="peak", help="default peak")
    parser.add_argument(
        "--limit",
        type=_positive,
        metavar="MIN",
        help="longest p95 of the waits; default: [queue] oldest_wait_min",
    )
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="same seed, same answer (default 1)")
    parser.add_argument(
        "--assume", action="append", default=[], metavar="NAME=VALUE", help="such as scan_s=7; docs/planning.md has all"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the day as a PNG")
    parser.add_argument("--json", action="store_true", help="the answer for programs")


def run(options: argparse.Namespace) -> int:
    import msgspec

    from kiosk.plan.answer import plan
    from kiosk.plan.assumed import assumed
    from kiosk.plan.plot import draw
    from kiosk.plan.site import setup
    from kiosk.plan.told import told

    answer = plan(
        setup(options.profile, options.config),
        options.people,
        options.hours,
        tables=options.tables,
        seed=options.seed,
        arrivals=options.arrivals,
        limit_min=options.limit,
        assumed=assumed(options.assume),
    )
    if options.plot is not None:
        draw(answer).save(options.plot, "PNG")
    sys.stdout.write((msgspec.json.encode(answer).decode() if options.json else told(answer)) + "\n")
    return OK


def _people(text: str) -> int:
    return _whole(text, "people", MOST_PEOPLE)


def _tables(text: str) -> int:
    return _whole(text, "tables", 99)


def _whole(text: str, what: str, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= most):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of {what}: from 1 to {most}")
    return int(text)


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= 240:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number above 0, at most 240")
    return number
