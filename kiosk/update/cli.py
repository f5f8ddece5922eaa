"""`kiosk update …`: the command line of `kiosk.update.work`."""

import argparse
from pathlib import Path


def add_commands(parser: argparse.ArgumentParser, default_config: Path) -> None:
    """The sub-commands; ``options.update`` names the function."""
    commands = parser.add_subparsers(required=True, metavar="WHAT")

    def add(name: str, function: str, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        sub.set_defaults(update=function)
        sub.add_argument(
            "--config", type=Path, default=default_config, metavar="FILE", help=f"default {default_config}"
        )
        sub.add_argument("--run", type=Path, default=Path("/run"), metavar="DIR", help="default /run")
        return sub

    show = add("show", "show", "verify a bundle and tell what it is")
    show.add_argument("bundle", type=Path, metavar="FILE")
    show.add_argument("--public-key", type=Path, metavar="FILE", help="the command post's public.key, on a laptop")
    add("status", "status", "tell which slot runs, and what became of the last update")
    do = add("install", "install_source", "write a bundle into the other slot and restart into it, once")
    do.add_argument("source", type=Path, help="a bundle, a folder with one, or a stick's device")
    do.add_argument("--again", action="store_true", help="also a bundle that failed on this kiosk before")
    do.add_argument("--older", action="store_true", help="also an older version than the one that runs")
    do.add_argument("--no-restart", action="store_true", help="leave the restart to somebody else")
    add("begin", "begin", "at each start, before the daemon: find out whether this slot is on trial")
    judge = add("commit", "commit", "in a slot on trial: keep it when the kiosk is well, go back when it is not")
    judge.add_argument("--within", type=float, default=300.0, metavar="S", help="default %(default)s")
    check = add("check-slot", "check_slot", "compare the root of the running slot with what was written")
    check.add_argument("--boot", type=Path, metavar="DIR", help="the mounted boot partition (default: mount it)")


def run(options: argparse.Namespace) -> int:
    from kiosk.update import work

    return work.COMMANDS[options.update](options)
