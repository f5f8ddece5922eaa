"""`kiosk roster check | import | missing | coverage`."""

import argparse
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OK, FAILED, NOT_RUNNING = 0, 1, 3


def add_commands(parser: argparse.ArgumentParser, default_config: Path) -> None:
    """The sub-commands, and what they do as ``options.roster``."""
    commands = parser.add_subparsers(required=True, metavar="WHAT")

    text = "read a table (CSV or .xlsx) and tell every cell that cannot be used; nothing is kept"
    check = commands.add_parser("check", help=text, description=text[0].upper() + text[1:] + ".")
    check.set_defaults(roster=_check)
    check.add_argument("file", type=Path)

    text = "put a table, or a .roster file of the command post, in the place of the roster in use"
    taking = commands.add_parser("import", help=text, description=text[0].upper() + text[1:] + ".")
    taking.set_defaults(roster=_import)
    taking.add_argument("file", type=Path)

    text = "tell by building or village which rows of the table have not come; without names"
    missing = commands.add_parser("missing", help=text, description=text[0].upper() + text[1:] + ".")
    missing.set_defaults(roster=_missing)
    missing.add_argument("--visits", action="store_true", help="only those who are to be visited at home")

    text = "tell by building or village how many of the roster have come to this kiosk"
    coverage = commands.add_parser("coverage", help=text, description=text[0].upper() + text[1:] + ".")
    coverage.set_defaults(roster=_coverage)
    for each in (taking, missing, coverage):
        each.add_argument(
            "--config", type=Path, default=default_config, metavar="FILE", help=f"default {default_config}"
        )


def run(options: argparse.Namespace) -> int:
    status: int = options.roster(options)
    return status


def _check(options: argparse.Namespace) -> int:
    from kiosk.roster.table import read

    table = read(options.file)
    for title in table.passed_over:
        print(f"{options.file.name}: column {title}: of no use here, passed over", file=sys.stderr)
    for fault in table.faults:
        print(fault, file=sys.stderr)
    if table.faults:
        print(f"{len(table.faults)} cells must be put right; nothing was taken", file=sys.stderr)
        return FAILED
    print(f"{options.file.name}: good: {len(table.entries)} people")
    return OK


def _import(options: argparse.Namespace) -> int:
    import msgspec

    from kiosk.roster.codec import SUFFIX
    from kiosk.roster.table import read

    table = options.file.suffix != SUFFIX
    if table and (status := _check(options)):
        return status
    data = msgspec.msgpack.encode(read(options.file).entries) if table else options.file.read_bytes()
    reply: dict[str, Any] = {}
    for piece in _pieces(data):
        reply = _ask(options, "roster-piece", piece | {"table": table})
        if "ok" not in reply:
            break
    return _told(reply, f"{reply.get('people')} people in {reply.get('places')} places are on the roster")


def _pieces(data: bytes) -> Iterator[dict[str, Any]]:
    from kiosk.roster.clerk import PIECE

    for start in range(0, max(len(data), 1), PIECE):
        piece = b64encode(data[start : start + PIECE]).decode()
        yield {"data": piece, "first": start == 0, "last": start + PIECE >= len(data)}


def _missing(options: argparse.Namespace) -> int:
    reply = _ask(options, "roster-missing", {"visits": options.visits})
    places = reply.get("missing", {})
    lines = [f"{place or '-'}: {len(rows)}: rows {', '.join(map(str, rows))}" for place, rows in places.items()]
    return _told(reply, "\n".join(lines) or "nobody is missing")


def _coverage(options: argparse.Namespace) -> int:
    reply = _ask(options, "roster-coverage", {})
    counts = [*reply.get("places", []), *([reply["all"]] if "all" in reply else [])]
    lines = [
        f"{each.get('place', '全部 all')}: {each['done']} of {each['total']} came, {each['away']} away, "
        f"{each['missing']} missing, {each['percent']} %"
        for each in counts
    ]
    return _told(reply, "\n".join(lines))


def _told(reply: dict[str, Any], good: str) -> int:
    if not reply:
        return NOT_RUNNING
    if "error" in reply:
        print(f"kiosk roster: {reply['error']}", file=sys.stderr)
        return FAILED
    print(good)
    return OK


def _ask(options: argparse.Namespace, request: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The daemon's reply; an empty one where none is running."""
    from kiosk import config_file, control

    try:
        return control.ask(config_file.load(options.config).kiosk.runtime_dir / control.NAME, request, arguments)
    except control.NotRunningError as error:
        print(f"kiosk roster: {error}", file=sys.stderr)
        return {}
