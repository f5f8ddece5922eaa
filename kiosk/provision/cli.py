"""`kiosk provision make | apply | wait`."""

import argparse
import sys
from pathlib import Path

OK, WAITING = 0, 1


def add_commands(parser: argparse.ArgumentParser) -> None:
    """The sub-commands, and what they do as ``options.provision``."""
    commands = parser.add_subparsers(required=True, metavar="WHAT")

    text = "make provisioning files and QR codes, on a computer at the command post"
    make = commands.add_parser("make", help=text, description=text[0].upper() + text[1:] + ".")
    make.set_defaults(provision=_make)
    make.add_argument("--site-file", type=Path, required=True, metavar="FILE", help="what all kiosks of the site share")
    make.add_argument("--private-key", type=Path, required=True, metavar="FILE", help="private.key of the command post")
    which = make.add_mutually_exclusive_group(required=True)
    which.add_argument("--number", type=int, metavar="N", help="one kiosk: its number")
    which.add_argument("--csv", type=Path, metavar="FILE", help="many: a line for each, columns such as kiosk.number")
    make.add_argument("out", type=Path, metavar="FOLDER", help="a folder for each kiosk is made in it")

    text = "take what is on the card or came by code and make the kiosk's configuration of it (as root, at each start)"
    apply = commands.add_parser(
        "apply", help=text, description=text[0].upper() + text[1:] + ". Exit status 1: the kiosk is not provisioned."
    )
    apply.set_defaults(provision=_apply)
    _places(apply)

    text = "say on lamps and a label that this kiosk is not provisioned, and take codes from its scanner"
    wait = commands.add_parser("wait", help=text, description=text[0].upper() + text[1:] + ".")
    wait.set_defaults(provision=_wait)
    _places(wait)


def _places(parser: argparse.ArgumentParser) -> None:
    for name, folder in (("boot", "/boot/kiosk"), ("etc", "/etc/kiosk"), ("run", "/run")):
        parser.add_argument(f"--{name}", type=Path, default=Path(folder), metavar="DIR", help=f"default {folder}")


def run(options: argparse.Namespace) -> int:
    status: int = options.provision(options)
    return status


def _make(options: argparse.Namespace) -> int:
    from kiosk.provision import make
    from kiosk.seal import PrivateKeys

    keys = PrivateKeys.parse(options.private_key.read_text("utf-8"))
    if options.csv is None:
        made = make.one(options.site_file, options.number, keys)
    else:
        made = make.many(options.site_file, options.csv, keys)
    make.write(made, options.out)
    for each in made:
        print(f"{options.out / each.folder}: kiosk-provision.toml, sheet.pdf with {len(each.codes)} codes")
    print("These files hold passwords. A code serves once.", file=sys.stderr)
    return OK


def _apply(options: argparse.Namespace) -> int:
    from kiosk.provision.apply import Places, apply

    outcome = apply(Places(boot=options.boot, etc=options.etc, run=options.run))
    for line in outcome.told:
        print(line, file=sys.stderr)
    return OK if outcome.provisioned else WAITING


def _wait(options: argparse.Namespace) -> int:
    import asyncio

    from kiosk import logs
    from kiosk.provision.apply import Places
    from kiosk.provision.wait import Waiting, standard_devices

    logs.setup()
    at = Places(boot=options.boot, etc=options.etc, run=options.run)
    hardware = standard_devices(at)

    async def serve() -> None:
        await Waiting(at, hardware).run()

    asyncio.run(serve())
    return OK
