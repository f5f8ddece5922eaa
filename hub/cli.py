"""kiosk-hub: the receiving end at the command post."""

import argparse
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import apsw
import msgspec
from nacl.signing import VerifyKey

from hub import cli_commands, cli_custody, day, enrol, roster
from hub.access import on_record
from hub.commands import lines
from hub.intake import Intake, wall_ms
from hub.receiver import Broker, Receiver
from hub.report import Claim, JournalReport, opened, report
from hub.store import Store, StoreError
from hub.verdicts import Answers
from kiosk import frames
from kiosk.seal import PrivateKeys, SealError, fingerprint

_EXITS = """exit statuses:
  0   done
  1   report: something does not add up (gaps, forks, a broken chain, two kiosks with one number);
      import: a file could not be used
  64  the command line is wrong
  65  verdicts, roster: the table has a wrong line; nothing of it was taken
  66  a file or folder that was named cannot be read
  70  the database failed while working; what was not acknowledged comes again
  78  the database or a key is not what it must be
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        self.print_usage(sys.stderr)
        self.exit(64, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        status: int = options.command(options)
    except (StoreError, SealError) as error:
        return _fail(78, str(error))
    except apsw.Error as error:
        return _fail(70, f"{options.db}: {error}")
    except OSError as error:
        return _fail(66, f"{error.filename or 'input/output'}: {error.strerror or error}")
    return status


def _fail(status: int, text: str) -> int:
    sys.stderr.write(f"kiosk-hub: {text}\n")
    return status


def _run(options: argparse.Namespace) -> int:
    private = _private(options)
    store = Store(options.db, create=True)
    broker = Broker(
        host=options.host,
        port=options.port,
        tls=options.tls,
        ca=options.ca,
        cert=options.cert,
        key=options.key,
        username=options.username,
        password_file=options.password_file,
        client_id=f"kiosk-hub-{store.epoch.hex()}",
    )
    answers = Answers(store, private)
    apart = Store(options.db.with_suffix(".drill.db"), create=True)
    intake, drills = Intake(store, private.public.kid), Intake(apart, private.public.kid, proper=store)
    receiver = Receiver(intake, private.sign, broker, answers=answers, drills=drills)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: receiver.stop())
    try:
        receiver.run()
    finally:
        store.close()
        apart.close()
    return 0


def _import(options: argparse.Namespace) -> int:
    kid = _private(options).public.kid
    files = sorted(options.folder.iterdir(), key=lambda path: (path.suffix != ".state", path.name))
    store = Store(options.db, create=True)
    intake, used, total = Intake(store, kid), 0, 0
    for path in files:
        leaf = {".state": "state", ".frame": "facts"}.get(path.suffix)
        parts = path.name.split("-")
        if leaf is None or len(parts) < 3:
            continue
        data, total = path.read_bytes(), total + 1
        with store.transaction():
            used += intake.take(frames.topic(parts[0], parts[1], leaf), data) is not None or leaf == "state"
    sys.stdout.write(f"{used} of {total} files are in the database\n")
    store.close()
    return 0 if used == total else 1


def _enrol(options: argparse.Namespace) -> int:
    store, at = Store(options.db, create=options.expect is not None), wall_ms()
    try:
        if options.expect is not None:
            listed = enrol.expect(options.expect)
            with store.transaction():
                for site, number, id_ in listed:
                    store.expect(site, number, id_, at)
            sys.stdout.write(f"{len(listed)} kiosks are expected; each enrols itself by its one-time id\n")
            return 0
        who = enrol.told(store, options.who)
        with store.transaction():
            store.enrol(who.site, who.number, who.key, at)
    except enrol.EnrolError as error:
        return _fail(64, str(error))
    finally:
        store.close()
    sys.stdout.write(f"{who.site}/{who.number}: from now on {fingerprint(VerifyKey(who.key))}, key {who.key.hex()}\n")
    return 0


def _report(options: argparse.Namespace) -> int:
    if options.day is not None:
        return _report_day(options)
    told = report(Store(options.db))
    if options.json:
        sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
    else:
        for journal in told.journals:
            sys.stdout.write(_lines(journal))
        for claim in told.claims:
            sys.stdout.write(_claim(claim))
        for each in told.commands:
            sys.stdout.write(lines(each))
        for why, count in told.apart.items():
            sys.stdout.write(f"kept apart: {count} messages: {why}\n")
        for alarm in told.alarms:
            sys.stdout.write(f"alarm: {alarm}\n")
    return 0 if all(journal.sound for journal in told.journals) and not told.claims else 1


def _report_day(options: argparse.Namespace) -> int:
    """1: somebody who was at work has not reported."""
    kiosks = day.days(Store(options.db), options.day)
    if options.json:
        sys.stdout.write(msgspec.json.encode(kiosks).decode() + "\n")
    else:
        sys.stdout.write(day.table(kiosks, options.day))
    return 0 if all(each.reported != "no" for each in kiosks) else 1


def _claim(claim: Claim) -> str:
    place = f"{claim.site}/{claim.kiosk}"
    if not claim.enrolled:
        return f"kiosk {place} is not enrolled: fingerprints {', '.join(claim.others)} claim it and are kept apart\n"
    count = {1: "two"}.get(len(claim.others), str(len(claim.others) + 1))
    prints = ", ".join((claim.enrolled, *claim.others))
    return (
        f"{count} kiosks use {place}: fingerprints {prints}; the first is enrolled, the rest is kept apart: "
        "give it another number, or enrol it in place of the first\n"
    )


def _lines(journal: JournalReport) -> str:
    refused = ", ".join(f"{reason} {count}" for reason, count in journal.refused.items()) or "none"
    gaps = ", ".join(f"{first}-{last}" for first, last in journal.missing) or "none"
    return (
        f"{journal.site}/{journal.kiosk} journal {journal.epoch}\n"
        f"  people {journal.people}, tubes {journal.tubes}, groups {journal.groups} (released {journal.released}), "
        f"incidents {journal.incidents}, refused: {refused}\n"
        f"  facts {journal.facts}, complete to {journal.upto} of {journal.head}, gaps: {gaps}, "
        f"doubled {journal.doubled}, forks {journal.forks}, unknown {journal.unknown}, "
        f"chain {'verified' if journal.chain else 'BROKEN'}\n"
    )


def _open(options: argparse.Namespace) -> int:
    private, store = _private(options), Store(options.db)
    what = f"site {options.site or 'all'}, kiosk {options.number or 'all'}, tube {options.tube or 'all'}"
    with on_record(store, what) as access:
        access.opened = 0
        for row in opened(store, private, options.site, options.number, options.tube):
            sys.stdout.write(msgspec.json.encode(row).decode() + "\n")
            access.opened += 1
    return 0


def _private(options: argparse.Namespace) -> PrivateKeys:
    return PrivateKeys.parse(options.private_key.read_text("utf-8"))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="kiosk-hub",
        description="The receiver of the command post: takes the kiosks' facts, keeps each once, acknowledges them.",
        epilog=_EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, function: object, text: str, *, private: bool) -> argparse.ArgumentParser:
        sub = commands.add_parser(
            name, help=text, description=text, epilog=_EXITS, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        sub.set_defaults(command=function)
        sub.add_argument("--db", type=Path, required=True, metavar="FILE", help="the database of received facts")
        if private:
            sub.add_argument(
                "--private-key", type=Path, required=True, metavar="FILE", help="private.key, as `kiosk keys` made it"
            )
        return sub

    run = command("run", _run, "Receive from the broker until stopped.", private=True)
    run.add_argument("--host", required=True, help="the MQTT 5 broker")
    run.add_argument("--port", type=int, default=1883, help="its port (default: %(default)s)")
    run.add_argument("--tls", action="store_true", help="speak TLS")
    run.add_argument("--ca", type=Path, metavar="FILE", help="who may sign the broker's certificate (default: system)")
    run.add_argument("--cert", type=Path, metavar="FILE", help="our certificate")
    run.add_argument("--key", type=Path, metavar="FILE", help="our certificate's key")
    run.add_argument("--username")
    run.add_argument("--password-file", type=Path, metavar="FILE")

    importing = command("import", _import, "Take in what `kiosk export` wrote; may be repeated.", private=True)
    importing.add_argument("folder", type=Path, help="the folder with the .frame and .state files")

    text = "Trust a device as a kiosk: by its enrolment label, or by the one-time ids kiosks were sent out with."
    enrolling = command("enrol", _enrol, text, private=False)
    who = enrolling.add_mutually_exclusive_group(required=True)
    who.add_argument("--expect", type=Path, metavar="FILE", help="expected.csv, as `kiosk provision make` wrote it")
    who.add_argument(
        "who", nargs="*", default=[], help="the code on the label (KE1:…), or SITE NUMBER and fingerprint or key"
    )

    text = "Sign an order to one kiosk or to all of a site; the receiver on this database sends it."
    cli_commands.add_command(command("command", cli_commands.command, text, private=True))

    text = "Make an update bundle of the two parts of an image, signed for the kiosks of this key."
    bundling = commands.add_parser("bundle", help=text, description=text)
    bundling.set_defaults(command=cli_commands.make_bundle, db=None)
    cli_commands.add_bundle(bundling)

    text = "Take in what is known of health codes: a CSV of code, colour (green, yellow, red) and holder's number."
    cli_commands.add_verdicts(command("verdicts", cli_commands.verdicts, text, private=True))

    text = "Make rosters for the kiosks; name who of one has not come."
    roster.add_commands(commands.add_parser("roster", help=text, description=text))

    text = "Read the manifest of a box of tubes; without any network."
    manifest = commands.add_parser("manifest", help=text, description=text)
    manifest.set_defaults(db=None)
    cli_custody.add_manifest(manifest)

    text = "From a tube to its people, in clear, as JSON lines. Each use is on record."
    people = command("members", cli_custody.tell_members, text, private=True)
    people.add_argument("tube", nargs="+", help="its number; blanks are allowed")

    reporting = command("report", _report, "Tell per kiosk what is there and what does not add up.", private=False)
    reporting.add_argument("--json", action="store_true", help="one JSON object instead of text")
    text = "the figures of one day instead, as CSV: a line for each kiosk, and one for all"
    reporting.add_argument("--day", type=day.calendar_day, metavar="YYYY-MM-DD", help=text)

    opening = command(
        "open", _open, "Open the seals: personal data as JSON lines. Each use is on record.", private=True
    )
    opening.add_argument("--site", help="only this site")
    opening.add_argument("--number", type=int, help="only this kiosk")
    opening.add_argument("--tube", help="only the people of this tube")
    return parser


if __name__ == "__main__":
    sys.exit(main())
