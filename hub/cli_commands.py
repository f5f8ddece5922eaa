"""`kiosk-hub command`, `kiosk-hub verdicts` and `kiosk-hub bundle`."""

import argparse
import os
import sys
import time
from pathlib import Path

import zxingcpp
from PIL import Image

from hub import commands as outbox
from hub import verdicts as table
from hub.intake import wall_ms
from hub.store import Store
from hub.verdicts import VerdictsError
from kiosk import commands
from kiosk.facts import JOURNAL_FORMAT
from kiosk.frames import FrameError
from kiosk.seal import PrivateKeys
from kiosk.update import bundle
from kiosk.update.bundle import BOARDS, BundleError

WRONG_CALL, BAD_TABLE = 64, 65
_HOUR_MS = 3_600_000


def add_command(parser: argparse.ArgumentParser) -> None:
    """`kiosk-hub command SITE NUMBER shell | update | support | revoke`."""
    parser.add_argument("site", help="six digits")
    parser.add_argument("number", help="the kiosk's number, or all")
    parser.add_argument(
        "--valid", type=float, metavar="HOURS", help="not obeyed later (default 24, a revocation 30 days)"
    )
    parser.add_argument("--qr", type=Path, metavar="PNG", help="draw the code that the kiosk's own scanner reads")
    parser.add_argument("--file", type=Path, metavar="FILE", help="write it for a stick: NAME.command")
    what = parser.add_subparsers(dest="do", required=True, metavar="WHAT")
    shell = what.add_parser("shell", help="open a remote shell")
    shell.add_argument("--hours", type=int, required=True, help="1 to 72")
    shell.add_argument("--key-file", type=Path, required=True, metavar="FILE", help="who may enter: id_ed25519.pub")
    update = what.add_parser("update", help="fetch a bundle and try it")
    update.add_argument("--url", required=True, help="where it lies; http will do, what comes is verified")
    update.add_argument("--older", action="store_true", help="it may replace a newer version")
    update.add_argument("bundle", type=Path, help="the same bundle here, for its size and hash")
    what.add_parser("support", help="have it tell its status and its last warnings")
    revoke = what.add_parser("revoke", help="put staff badges out of use, with those revoked before")
    revoke.add_argument("badges", type=int, nargs="+", metavar="BADGE", help="the number on the badge")


def command(options: argparse.Namespace) -> int:
    """Makes, keeps and signs it. A receiver that runs on this database sends it."""
    private, now = PrivateKeys.parse(options.private_key.read_text("utf-8")), wall_ms()
    store = Store(options.db, create=True)
    try:
        number = commands.EVERYBODY if options.number == "all" else int(options.number)
        valid = options.valid or (720 if options.do == "revoke" else 24)
        until = now + int(valid * _HOUR_MS)
        with store.transaction():
            envelope = outbox.make(
                store, private.sign, options.site, number, options.do, _arguments(options), until, now
            )
        said = commands.unpack(envelope, private.public.verify)
    except (FrameError, ValueError) as error:
        sys.stderr.write(f"kiosk-hub command: {error}\n")
        return WRONG_CALL
    finally:
        store.close()
    sys.stdout.write(f"command {said.n} to {options.site}/{options.number}: {said.do}\n")
    if options.file is not None:
        options.file.write_bytes(envelope)
    try:
        text = commands.to_text(envelope)
    except FrameError as error:
        if options.qr is None:
            return 0
        sys.stderr.write(f"kiosk-hub command: {error}\n")
        return WRONG_CALL
    sys.stdout.write(f"{text}\n")
    if options.qr is not None:
        _draw(text).save(options.qr)
    return 0


def _arguments(options: argparse.Namespace) -> dict[str, object]:
    match options.do:
        case "shell":
            return {"hours": options.hours, "key": commands.public_key(options.key_file.read_text("utf-8"))}
        case "revoke":
            return {"badges": options.badges}
        case "update":
            size, sha256 = bundle.size_and_hash(options.bundle)
            return {"url": options.url, "size": size, "sha256": sha256, "older": options.older}
    return {}


def _draw(text: str) -> Image.Image:
    drawn = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode, ec_level="M")
    return Image.fromarray(zxingcpp.write_barcode_to_image(drawn, scale=6))


def add_verdicts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", type=Path, help="the CSV; a code that is known already is replaced")


def verdicts(options: argparse.Namespace) -> int:
    """All of the table or nothing of it."""
    private = PrivateKeys.parse(options.private_key.read_text("utf-8"))
    store = Store(options.db, create=True)
    try:
        with store.transaction():
            count = table.keep(store, private, table.read(options.table))
    except VerdictsError as error:
        sys.stderr.write(f"kiosk-hub verdicts: {options.table}: {error}\n")
        return BAD_TABLE
    finally:
        store.close()
    sys.stdout.write(f"{count} codes are known; kiosks are answered from now on\n")
    return 0


def add_bundle(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--private-key", type=Path, required=True, metavar="FILE", help="private.key")
    parser.add_argument("--boot", type=Path, required=True, metavar="FILE", help="boot.fat, as `make image` leaves it")
    parser.add_argument("--root", type=Path, required=True, metavar="FILE", help="root.squashfs, from the same build")
    parser.add_argument("--version", required=True, help="of the program in it, as its pyproject.toml says")
    parser.add_argument(
        "--schema",
        type=int,
        default=JOURNAL_FORMAT,
        help="of the data folder that program writes (default: %(default)s)",
    )
    parser.add_argument("--from-version", default="0", help="the oldest program that may install it (default: any)")
    parser.add_argument("--board", action="append", metavar="NAME", help=f"default: {', '.join(BOARDS)}")
    parser.add_argument("--older", action="store_true", help="it may replace a newer version")
    parser.add_argument("out", type=Path, help="NAME.kiosk")


def make_bundle(options: argparse.Namespace) -> int:
    private = PrivateKeys.parse(options.private_key.read_text("utf-8"))
    try:
        manifest = bundle.write(
            options.out,
            options.boot,
            options.root,
            private.sign,
            version=options.version,
            created=int(os.environ.get("SOURCE_DATE_EPOCH", time.time())) * 1000,
            schema=options.schema,
            from_version=options.from_version,
            boards=tuple(options.board or BOARDS),
            older=options.older,
        )
    except BundleError as error:
        sys.stderr.write(f"kiosk-hub bundle: {error}\n")
        return WRONG_CALL
    size, sha256 = bundle.size_and_hash(options.out)
    sys.stdout.write(f"{options.out}: version {manifest.version}, {size} bytes, SHA-256 {sha256.hex()}\n")
    return 0
