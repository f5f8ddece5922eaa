"""`kiosk report`: the figures of a day, from the journal, beside a running kiosk or without one."""

import argparse
import csv
import io
import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

OK = 0


def add_commands(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--day", type=_day, metavar="YYYY-MM-DD", help="default: the last one with any figures")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--xlsx", type=Path, metavar="FILE", help="write a spreadsheet")
    how.add_argument("--csv", type=Path, metavar="DIR", help="write a CSV file for each of its sheets")
    how.add_argument("--json", action="store_true", help="for programs")


def run(options: argparse.Namespace) -> int:
    from kiosk import config_file, files
    from kiosk.reports import day
    from kiosk.reports.read import read
    from kiosk.reports.xlsx import workbook

    config = config_file.load(options.config)
    report = read(config, options.day)
    if options.xlsx is not None:
        files.put(options.xlsx, workbook(day.sheets(report)), 0o644)
        print(f"{options.xlsx}: the figures of {report.date}")
    elif options.csv is not None:
        options.csv.mkdir(parents=True, exist_ok=True)
        for name, rows in day.sheets(report).items():
            path = options.csv / f"{report.date}-{name.split()[-1]}.csv"
            files.put(path, _csv(rows), 0o644)
            print(path)
    elif options.json:
        sys.stdout.write(json.dumps(day.as_builtins(report), ensure_ascii=False) + "\n")
    else:
        print(day.told(report))
    return OK


def _csv(rows: Any) -> bytes:
    """UTF-8 with a byte order mark: Excel takes it for the local code page without."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8-sig")


def _day(text: str) -> int:
    """Days since 1970-01-01."""
    try:
        return (date.fromisoformat(text) - date(1970, 1, 1)).days
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day: expected such as 2026-11-27") from None
