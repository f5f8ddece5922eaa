"""The command line. Exit statuses: 0 done, 1 it could not be done, 2 wrong call, 3 no kiosk is running,
78 the configuration cannot be used (sysexits.h EX_CONFIG)."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from kiosk import __version__, manifest_cli
from kiosk.plan import cli as plan
from kiosk.provision import cli as provision
from kiosk.reports import cli as reports
from kiosk.roster import cli as roster
from kiosk.staff_sheet import cli as staff_sheet
from kiosk.update import cli as update

OK, FAILED, NOT_RUNNING, BAD_CONFIG = 0, 1, 3, 78
MAX_SPEED = 1000.0
DEFAULT_CONFIG = Path("/etc/kiosk/kiosk.toml")

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """The console script ``kiosk``."""
    from kiosk.config import ConfigError

    options = _parser().parse_args(arguments)
    command: Command = options.command
    try:
        status = command(options)
        sys.stdout.flush()
        return status
    except ConfigError as error:
        print(error, file=sys.stderr)
        return BAD_CONFIG
    except BrokenPipeError:  # whoever read this has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except (OSError, ValueError) as error:
        print(f"kiosk {options.name}: {error}", file=sys.stderr)
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "kiosk",
        description="Sampling kiosk: from an ID card and a health code to a labelled pooled tube and a released group.",
        epilog="Exit status: 0 done, 1 could not be done, 2 wrong call, 3 no kiosk is running, 78 bad configuration.",
    )
    parser.add_argument("--version", action="version", version=f"kiosk {__version__}")
    commands = parser.add_subparsers(dest="name", required=True, metavar="COMMAND")

    def add(name: str, command: Command, text: str, *, config: bool = True) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        sub.set_defaults(command=command)
        if config:
            sub.add_argument(
                "--config", type=Path, default=DEFAULT_CONFIG, metavar="FILE", help=f"default {DEFAULT_CONFIG}"
            )
        return sub

    add("run", _run, "run the kiosk until it is stopped (what the service does)")
    add("safe", _safe, "say on the lamps and in the status that the kiosk cannot run (what its unit does then)")
    check = add("check", _check, "check a configuration file and print what the kiosk would open")
    check.add_argument("--udev", action="store_true", help="print udev rules for the devices that are plugged in")
    preflight = add("preflight", _preflight, "try every device, step by step, while the kiosk is stopped")
    preflight.add_argument("--json", action="store_true", help="the result for programs; what to do goes to stderr")
    status = add("status", _status, "tell how the running kiosk is: people, tubes, devices, what needs help")
    status.add_argument("--json", action="store_true", help="the same for programs")
    journal = add("journal", _journal, "print the facts as JSON lines; personal data stays sealed")
    journal.add_argument("--after", type=int, default=0, metavar="SEQ", help="only facts after this number")
    journal.add_argument("--story", action="store_true", help="one line a step, in words, with who ordered it")
    export = add("export", _export, "write all facts as signed frames to a folder, for the command post to import")
    export.add_argument("folder", type=Path)
    export.add_argument("--after", type=int, default=0, metavar="SEQ", help="only facts after this number")
    stick = add("export-stick", _export_stick, "export onto a USB stick, with a receipt (as root, by its unit)")
    stick.add_argument("device", type=Path, help="the stick's partition, such as /dev/sda1")
    support = add("support-bundle", _support_bundle, "collect what support needs; no personal data, no secrets")
    support.add_argument("target", type=Path, metavar="FILE|DIR")
    reporting = "tell the figures of a day, as text or as a spreadsheet; no names"
    reports.add_commands(add("report", reports.run, reporting))
    rounds = add("round", _round, "start a new round: from then on everybody may come once again")
    rounds.add_argument("action", choices=["new"])
    label = add("label", _label, "draw a sample label as this kiosk would print it")
    label.add_argument("--png", type=Path, required=True, metavar="FILE")
    data = add("data", _data, "make the data partition ready to be mounted", config=False)
    data.add_argument("action", choices=["prepare"])
    enrol = add("enrolment-label", _enrolment_label, "print this kiosk's enrolment label, or draw it")
    enrol.add_argument("--png", type=Path, metavar="FILE", help="draw it into this file; no running kiosk is needed")
    keys = add("keys", _keys, "make the command post's pair of keys: public.key and private.key", config=False)
    keys.add_argument("folder", type=Path)
    tube = add("tube", _tube, "explain and verify a tube number", config=False)
    tube.add_argument("number", nargs="+", help="16 digits; blanks between the groups are allowed")
    tube.add_argument("--members", action="store_true", help="who is in it, by position and digest")
    tube.add_argument("--config", type=Path, default=DEFAULT_CONFIG, metavar="FILE", help=f"default {DEFAULT_CONFIG}")
    boxes = "signed manifests of the boxes that went to a laboratory"
    manifest_cli.add_commands(add("manifest", manifest_cli.run, boxes, config=False), DEFAULT_CONFIG)
    provisioning = "tell a kiosk who it is: make files and codes, take them, wait for them"
    provision.add_commands(add("provision", provision.run, provisioning, config=False))
    listing = "who is expected at this site: check a table, import it, tell who has not come"
    roster.add_commands(add("roster", roster.run, listing, config=False), DEFAULT_CONFIG)
    badges = "make badges and command codes for staff, on a computer at the command post"
    staff_sheet.add_arguments(add("staff-sheet", staff_sheet.run, badges, config=False))
    updating = "write an update into the slot that does not run, try it, keep it or go back"
    update.add_commands(add("update", update.run, updating, config=False), DEFAULT_CONFIG)
    carry_out = add("carry-out", _carry_out, "do what a signed command asks for (as root, by its unit)")
    carry_out.add_argument("what", choices=["shell", "support", "update"])
    signed = add("command", _command, "hand a signed command of the command post to the running kiosk")
    signed.add_argument("file", type=Path)
    shell = add("shell", _shell, "end the remote shell, or tidy up after it", config=False)
    shell.add_argument("action", choices=["close", "closed"])
    planning = "tell how many tables a site needs, how long people wait and what is used up: the flows in virtual time"
    plan.add_commands(add("plan", plan.run, planning, config=False))
    simulate = add("simulate", _simulate, "let simulated residents come by this very kiosk", config=False)
    simulate.set_defaults(wrong_call=simulate.error)
    simulate.add_argument("--residents", type=_people, default=34, metavar="N", help="how many come (default 34)")
    simulate.add_argument(
        "--speed", type=_pace, default=1.0, metavar="X", help="pauses are so many times shorter (default 1)"
    )
    simulate.add_argument("--seed", type=int, default=1, metavar="S", help="same seed, same people (default 1)")
    simulate.add_argument("--profile", metavar="NAME", help="as at this kind of site (config/profiles)")
    simulate.add_argument("--demo", action="store_true", help="with every mishap (at least 34 residents)")
    simulate.add_argument(
        "--out", type=Path, default=Path("demo"), metavar="DIR", help="labels and logs (default ./demo)"
    )
    return parser


def _people(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of people: 1 or more")
    return number


def _pace(text: str) -> float:
    try:
        pace = float(text)
    except ValueError:
        pace = 0.0
    if not 0 < pace <= MAX_SPEED:
        raise argparse.ArgumentTypeError(f"{text!r} is no speed: more than 0, at most {MAX_SPEED:g}")
    return pace


def _run(options: argparse.Namespace) -> int:
    import asyncio

    from kiosk import config_file, logs

    logs.setup()
    config = config_file.load(options.config)
    for warning in config_file.warnings(config):
        print(f"{options.config}: warning: {warning}", file=sys.stderr)
    from kiosk.app import Kiosk

    async def serve() -> None:
        while await (await Kiosk.open(config)).run():
            pass

    asyncio.run(serve())
    return OK


def _safe(options: argparse.Namespace) -> int:
    from kiosk import logs, safe

    logs.setup()
    safe.run(options.config)
    return OK


def _check(options: argparse.Namespace) -> int:
    from kiosk import config_file, devices, udev_rules

    if options.udev:
        print(udev_rules.for_config(options.config), end="")
        return OK
    config = config_file.load(options.config)
    print(f"{options.config}: good")
    print(f"site     {config.site.code} {config.site.name}, kiosk {config.kiosk.number}")
    print(f"journal  {config.kiosk.data_dir}")
    for line in devices.describe(config.devices):
        print(line)
    mqtt = config.mqtt
    print(f"uplink   {'none' if mqtt is None else f'{mqtt.host}:{mqtt.port}' + (' with TLS' if mqtt.tls else '')}")
    near = config.neighbours
    print(f"neighbours {'none' if near is None else f'{near.host}:{near.port}'}")
    for warning in config_file.warnings(config):
        print(f"warning: {warning}")
    return OK


def _preflight(options: argparse.Namespace) -> int:
    from kiosk import config_file
    from kiosk.preflight import walk

    return walk.main(config_file.load(options.config), as_json=options.json)


def _status(options: argparse.Namespace) -> int:
    from kiosk import config_file, health

    config = config_file.load(options.config)
    try:
        status = health.read_status(config.kiosk.runtime_dir / health.STATUS_NAME)
    except health.StatusError as error:
        print(f"kiosk status: {error}", file=sys.stderr)
        return NOT_RUNNING
    if options.json:
        print(json.dumps(status, ensure_ascii=False))
    else:
        print(health.format_status(status))
    return OK if status["state"] == "running" else NOT_RUNNING


def _journal(options: argparse.Namespace) -> int:
    from kiosk import config_file, data_folder
    from kiosk.journal import Journal
    from kiosk.report import as_json

    config = config_file.load(options.config)
    with Journal.open_readonly(data_folder.journal(config.kiosk.data_dir)) as journal:
        if options.story:
            from kiosk import journal_story

            for line in journal_story.lines(journal.entries(options.after)):
                print(line)
            return OK
        for seq, entry in journal.entries(options.after):
            print(as_json(seq, entry))
    return OK


def _export(options: argparse.Namespace) -> int:
    from kiosk import config_file, data_folder, seal
    from kiosk.export import ExportError, export
    from kiosk.journal import Journal

    config = config_file.load(options.config)
    data = config.kiosk.data_dir
    kid = seal.PublicKeys.parse(config.seal.public_key).kid
    with Journal.open_readonly(data_folder.journal(data)) as journal:
        key = seal.device_key(data / "device.key")
        try:
            done = export(journal, key, config.site.code, config.kiosk.number, kid, options.folder, options.after)
        except ExportError as error:
            print(f"kiosk export: {error}", file=sys.stderr)
            return FAILED
    print(f"facts {done.first} to {done.last} are in {options.folder}: {done.frames} files, {done.written} of them new")
    return OK


def _export_stick(options: argparse.Namespace) -> int:
    import signal

    from kiosk import export_stick

    signal.signal(signal.SIGTERM, export_stick.pulled_out)
    return export_stick.main(options.config, options.device)


def _support_bundle(options: argparse.Namespace) -> int:
    from kiosk import support

    return support.main(options.config, options.target)


def _round(options: argparse.Namespace) -> int:
    from kiosk import config_file, control

    config = config_file.load(options.config)
    try:
        reply = control.ask(config.kiosk.runtime_dir / control.NAME, "round-new")
    except control.NotRunningError as error:
        print(f"kiosk round new: {error}", file=sys.stderr)
        return NOT_RUNNING
    if "round" not in reply:
        print(f"kiosk round new: {reply.get('error')}", file=sys.stderr)
        return FAILED
    print(f"round {reply['round']} has begun")
    return OK


def _label(options: argparse.Namespace) -> int:
    from kiosk import config_file
    from kiosk.labels import sample_label

    sample_label(config_file.load(options.config)).save(options.png)
    return OK


def _data(_options: argparse.Namespace) -> int:
    from kiosk.partition import prepare

    return prepare()


def _enrolment_label(options: argparse.Namespace) -> int:
    from kiosk import config_file, control, introduction, seal

    config = config_file.load(options.config)
    if options.png is not None:
        introduction.label(config, seal.device_key(config.kiosk.data_dir / "device.key")).save(options.png)
        return OK
    try:
        reply = control.ask(config.kiosk.runtime_dir / control.NAME, "enrolment-label")
    except control.NotRunningError as error:
        print(f"kiosk enrolment-label: {error}", file=sys.stderr)
        return NOT_RUNNING
    if "ok" not in reply:
        print(f"kiosk enrolment-label: {reply.get('error')}", file=sys.stderr)
        return FAILED
    return OK


def _carry_out(options: argparse.Namespace) -> int:
    from kiosk import config_file
    from kiosk.carry_out import carry_out

    return carry_out(options.what, config_file.load(options.config), options.config.parent)


def _command(options: argparse.Namespace) -> int:
    from base64 import b64encode

    from kiosk import config_file, control

    socket = config_file.load(options.config).kiosk.runtime_dir / control.NAME
    try:
        envelope = b64encode(options.file.read_bytes()[:4096]).decode()
        reply = control.ask(socket, "command", {"envelope": envelope})
    except control.NotRunningError as error:
        print(f"kiosk command: {error}", file=sys.stderr)
        return NOT_RUNNING
    if "ok" not in reply:
        print(f"kiosk command: {reply.get('error')}", file=sys.stderr)
        return FAILED
    print(f"{reply['outcome']} {reply['text']}".strip())
    return OK


def _shell(options: argparse.Namespace) -> int:
    from kiosk import shell
    from kiosk.update.stick import run

    if options.action == "close":
        shell.close_shell(shell.Places(), run)
    else:
        shell.forget(shell.Places())
    return OK


def _keys(options: argparse.Namespace) -> int:
    from kiosk import seal

    public = seal.write_pair(options.folder)
    print(public.line())
    print("Put this line into [seal] public_key of each kiosk. private.key stays at the command post.", file=sys.stderr)
    return OK


def _tube(options: argparse.Namespace) -> int:
    from kiosk.clock import SystemClock
    from kiosk.tube import explain

    if options.members:
        return manifest_cli.members(options)
    print(explain("".join(options.number), SystemClock().now().day))
    return OK


def _simulate(options: argparse.Namespace) -> int:
    from kiosk.simulate.main import simulate
    from kiosk.simulate.plan import DEMO_RESIDENTS

    if options.demo and options.profile:
        options.wrong_call("--demo tells one story at one site: leave --profile out")
    if options.demo and options.residents < DEMO_RESIDENTS:
        options.wrong_call(f"--demo needs at least {DEMO_RESIDENTS} residents")
    return simulate(options)
