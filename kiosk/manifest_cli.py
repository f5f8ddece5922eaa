"""`kiosk manifest export`, and who is in a tube."""

import argparse
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

OK, FAILED = 0, 1


def add_commands(parser: argparse.ArgumentParser, default_config: Path) -> None:
    """The sub-commands, and what they do as ``options.manifest``."""
    commands = parser.add_subparsers(required=True, metavar="WHAT")
    text = "write the signed manifest of each box that went away into a folder, for the laboratory"
    export = commands.add_parser("export", help=text, description=text[0].upper() + text[1:] + ".")
    export.set_defaults(manifest=_export)
    export.add_argument("folder", type=Path)
    export.add_argument("--number", type=int, metavar="N", help="only this box")
    export.add_argument("--config", type=Path, default=default_config, metavar="FILE", help=f"default {default_config}")


def run(options: argparse.Namespace) -> int:
    status: int = options.manifest(options)
    return status


def _export(options: argparse.Namespace) -> int:
    from kiosk import config_file, data_folder, files, manifest, seal
    from kiosk.handovers import handovers
    from kiosk.journal import Journal

    config = config_file.load(options.config)
    site, number, count = config.site, config.kiosk.number, 0
    key = seal.device_key(config.kiosk.data_dir / "device.key")
    options.folder.mkdir(parents=True, exist_ok=True)
    with Journal.open_readonly(data_folder.journal(config.kiosk.data_dir)) as journal:
        for handover in handovers(journal.entries(0)):
            if options.number in (None, handover.number):
                name = manifest.box_name(site.code, number, handover.number) + manifest.SUFFIX
                files.put(options.folder / name, manifest.pack(handover, site.code, site.name, number, key), 0o644)
                print(f"{name}: {len(handover.tubes)} tubes, {handover.bags} bags {handover.lab}".rstrip())
                count += 1
    if not count:
        which = "no box" if options.number is None else f"no box {options.number}"
        print(f"kiosk manifest export: {which} has gone away from this kiosk", file=sys.stderr)
    return OK if count else FAILED


def members(options: argparse.Namespace) -> int:
    """`kiosk tube --members NUMBER`: positions and digests; names are for the command post."""
    from kiosk import config_file, data_folder, handovers
    from kiosk.journal import Journal

    config, tube = config_file.load(options.config), "".join(options.number)
    with Journal.open_readonly(data_folder.journal(config.kiosk.data_dir)) as journal:
        found = handovers.members(journal.entries(0), tube)
    if not found:
        print(f"kiosk tube: nobody is in tube {tube} by the journal of this kiosk", file=sys.stderr)
        return FAILED
    for member in found:
        zone = timezone(timedelta(seconds=member.at.zone))
        when = datetime.fromtimestamp(member.at.wall / 1000, UTC).astimezone(zone).isoformat(timespec="seconds")
        print(f"{member.position:3}  person {member.person}  {member.digest.hex()}  {when}")
    return OK
