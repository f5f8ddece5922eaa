"""What `kiosk update …` does: all but `show` and `status` as root, started by the units in systemd/."""

import argparse
import base64
import json
import stat
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from nacl.signing import VerifyKey

from kiosk import __version__, config_file, control
from kiosk.seal import PublicKeys
from kiosk.update import install, trial
from kiosk.update.attempt import DAMAGED, FAILED, Places
from kiosk.update.bundle import Bundle, BundleError, read
from kiosk.update.slots import Card, other
from kiosk.update.stick import Stick, run

OK, FAILED_STATUS = 0, 1
MOUNTED = Path("/run/kiosk-update")
TRYBOOT = ["systemctl", "reboot", "--reboot-argument=0 tryboot"]
_TITLE = "更新失败 Update failed"


def _key(options: argparse.Namespace) -> VerifyKey:
    if getattr(options, "public_key", None) is not None:
        return PublicKeys.parse(options.public_key.read_text("utf-8")).verify
    return PublicKeys.parse(config_file.load(options.config).seal.public_key).verify


def _places(options: argparse.Namespace) -> Places:
    return Places(options.config.parent, options.run, options.run / "kiosk")


def show(options: argparse.Namespace) -> int:
    with options.bundle.open("rb") as file:
        bundle = read(file, _key(options))
        bundle.check()
    for line in describe(bundle):
        print(line)
    return OK


def describe(bundle: Bundle) -> list[str]:
    manifest = bundle.manifest
    made = datetime.fromtimestamp(manifest.created / 1000, UTC)
    return [
        f"version  {manifest.version}, made {made:%Y-%m-%d %H:%M} UTC",
        f"for      kiosks from version {manifest.from_version} on" + (", also newer ones" if manifest.older else ""),
        f"boards   {', '.join(manifest.boards)}",
        f"schema   {manifest.schema}",
        *(f"{part.name:8} {part.size} bytes, SHA-256 {part.sha256.hex()}" for part in manifest.parts),
    ]


def status(options: argparse.Namespace) -> int:
    card, attempt = Card(), _places(options).attempt()
    running, default = card.running(), card.default()
    print(f"version  {__version__}")
    print(f"running  slot {running}" + (", on trial" if running != default else ""))
    print(f"default  slot {default}")
    if attempt is not None:
        written = "kept" if attempt.kept else "written, to be tried"
        state = f"given up: {attempt.failed}" if attempt.failed else written
        print(f"update   version {attempt.version} in slot {attempt.slot}: {state}")
    return OK


def install_source(options: argparse.Namespace) -> int:
    at, card = _places(options), Card()
    stick = _stick(options.source)
    try:
        with stick.opened():
            return _from_stick(options, stick, card, at)
    except OSError as error:
        _fail(at, stick, install.advice(error))
        return FAILED_STATUS


def _stick(source: Path) -> Stick:
    if source.is_dir():
        return Stick(source)
    if stat.S_ISBLK(source.stat().st_mode):
        return Stick(MOUNTED, source)
    return Stick(source.parent)


def _from_stick(options: argparse.Namespace, stick: Stick, card: Card, at: Places) -> int:
    _hand_over_commands(stick, at)
    try:
        path = options.source if options.source.is_file() else stick.bundle()
        if path is None:
            if stick.commands():
                return OK
            raise BundleError("no update: expected one file *.kiosk, as `kiosk-hub bundle` makes it")
        last = at.attempt()
        again = options.again or (last is not None and last.left and not stick.told)
        with path.open("rb") as file:
            attempt = install.install(file, _key(options), card, at, again=again, older=options.older, say=_say)
    except install.NothingToDoError as nothing:
        print(nothing)
        stick.tell("")
        return OK
    except install.FailedBeforeError as error:
        if last is not None and not last.left:
            at.keep(msgspec.structs.replace(last, left=True))
            _fail(at, stick, f"{error}. To try it once more delete this file and plug the stick in again")
        return FAILED_STATUS
    except (BundleError, OSError) as error:
        _fail(at, stick, install.advice(error))
        return FAILED_STATUS
    stick.tell("")
    print(f"slot {attempt.slot} holds version {attempt.version}: the kiosk restarts into it")
    if not options.no_restart:
        run(TRYBOOT)
    return OK


def _hand_over_commands(stick: Stick, at: Places) -> None:
    """What the command post has signed for this kiosk and a person carries."""
    for path in stick.commands():
        wanted = {"envelope": base64.b64encode(path.read_bytes()[:4096]).decode()}
        try:
            reply = control.ask(at.runtime / control.NAME, "command", wanted)
        except control.NotRunningError as error:
            reply = {"error": str(error)}
        print(f"{path.name}: {reply.get('error') or 'handed over'}")


def _say(text: str) -> None:
    print(text, flush=True)


def _fail(at: Places, stick: Stick, why: str) -> None:
    """Wherever somebody may look: the log, the lamps, a label, the stick."""
    print(f"kiosk update: {why}", file=sys.stderr)
    at.issue(FAILED, f"the update was not installed: {why}")
    at.print_notice(_TITLE, [f"版本 {__version__} 继续运行 goes on", why])
    stick.tell(f"更新没有安装，登记机仍用原来的版本 {__version__}。\nThe update was not installed: version "
               f"{__version__} goes on.\n\n{why}\n")  # fmt: skip


def begin(options: argparse.Namespace) -> int:
    if trial.begin(Card(), _places(options)):
        print(f"version {__version__} runs on trial")
    return OK


def commit(options: argparse.Namespace) -> int:
    card, at = Card(), _places(options)
    if not at.trial.exists():
        return _tell_of_failure(at)
    try:
        if not (why := trial.judge(at, within=options.within)):
            trial.keep(card, at)
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = f"{type(error).__name__}: {error}"
    if why:
        print(f"kiosk update: version {__version__} is given up: {why}", file=sys.stderr)
        trial.give_up(card, at, why)  # and the unit starts the machine anew
        return FAILED_STATUS
    print(f"version {__version__} is kept")
    at.print_notice("更新完成 Updated", [f"版本 version {__version__}"])
    return OK


def _tell_of_failure(at: Places) -> int:
    """In the slot of before: one label for whoever stands there."""
    attempt = at.attempt()
    if attempt is None or not attempt.failed or attempt.told:
        return OK
    lines = [f"{attempt.version} → {__version__}", attempt.failed]
    if trial.wait_until_up(at) and at.print_notice(_TITLE, lines):
        at.keep(msgspec.structs.replace(attempt, told=True))
    return OK


def check_slot(options: argparse.Namespace) -> int:
    card, at = Card(), _places(options)
    slot = card.running()
    stick = Stick(options.boot) if options.boot else Stick(Path("/run/kiosk-slot"), card.boot_partition(slot))
    try:
        with stick.opened():
            told = json.loads((stick.folder / "slot.json").read_bytes())
        why = trial.damage(card.root_partition(slot), told["root_size"], told["root_sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = f"slot.json cannot be used: {error}"
    hint = f"slot {slot}: {why}: bring an update on a stick, which goes into slot {other(slot)}, or change the card"
    at.issue(DAMAGED, hint if why else "")
    print(hint if why else f"slot {slot}: the root is as it was written")
    return FAILED_STATUS if why else OK


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    each.__name__: each for each in (show, status, install_source, begin, commit, check_slot)
}
