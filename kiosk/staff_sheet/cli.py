"""The command line of `kiosk staff-sheet`."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--private-key", type=Path, required=True, metavar="FILE", help="private.key of the command post"
    )
    parser.add_argument("--site", required=True, metavar="CODE", help="six digits")
    parser.add_argument("--name", default="", metavar="NAME", help="of the site, for the paper")
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--csv", type=Path, metavar="FILE", help="a badge a line: number, role, name, since, until, drills"
    )
    which.add_argument("--badge", metavar="N", help="one badge, with --role, --since and --until")
    parser.add_argument("--role", default="", help="registrar, sampler, courier or technician")
    parser.add_argument("--holder", default="", metavar="NAME", help="on the paper only")
    for when in ("since", "until"):
        parser.add_argument(f"--{when}", default="", metavar="TIME", help='such as "2022-03-16 08:00"')
    parser.add_argument("--drills", default="", metavar="N", help="recorded drill sessions (default 0)")
    parser.add_argument(
        "--key", type=Path, metavar="FILE", help="the round's digest key on each badge; made if it is not there"
    )
    parser.add_argument("--lab", action="append", default=[], metavar="NAME", help="a code for this lab")
    parser.add_argument("--vehicle", action="append", default=[], metavar="PERMIT", help="a code for this vehicle")
    parser.add_argument("--label-mm", default="50x30", metavar="WxH", help="labels of the kiosk (default 50x30)")
    parser.add_argument("--dpi", type=int, default=203, choices=(203, 300), help="of its printer (default 203)")
    parser.add_argument("out", type=Path, metavar="FOLDER", help="is made")


def run(options: argparse.Namespace) -> int:
    from kiosk.staff_sheet.make import make

    return make(options)
