"""`kiosk carry-out`: root's side of a command. The daemon leaves a request, a path unit starts this, root looks at the
signature again, does it, and answers."""

import sys
from pathlib import Path

from kiosk import shell, support
from kiosk.commands import Shell, Support, Update
from kiosk.config import Config
from kiosk.requests import RequestError, Root
from kiosk.seal import PublicKeys
from kiosk.update import fetch, install
from kiosk.update.attempt import Places
from kiosk.update.idle import wait_until_idle
from kiosk.update.slots import Card
from kiosk.update.stick import run
from kiosk.update.work import TRYBOOT

DOWNLOADS = Path("/data/update")
MAX_TEXT = 7000
"""Characters of an answer."""


def carry_out(do: str, config: Config, etc: Path) -> int:
    """Exit status: 0 done or answered before, 1 not done."""
    root = Root(config, etc)
    try:
        work = root.take(do)
    except (RequestError, OSError) as error:
        print(f"kiosk carry-out: {error}", file=sys.stderr)
        return 1
    if work is None:
        return 0
    at, restart = Places(etc, config.kiosk.runtime_dir.parent, config.kiosk.runtime_dir), False
    try:
        match work.arguments:
            case Shell() as wanted:
                text = shell.open_shell(wanted, shell.Places(run=at.run), run, sys.argv[0])
            case Update() as wanted:
                text, restart = _update(wanted, config, at)
            case Support():
                text = support.summary(etc / "kiosk.toml", MAX_TEXT)
        outcome = "done"
    except (OSError, ValueError) as error:
        outcome, text = "failed", install.advice(error)
    print(f"{do}: {outcome}: {text.splitlines()[0] if text else ''}")
    root.answer(work.command, outcome, text[:MAX_TEXT])
    if restart:
        wait_until_idle(at.runtime)
        run(TRYBOOT)
    return 0 if outcome == "done" else 1


def _update(wanted: Update, config: Config, at: Places) -> tuple[str, bool]:
    """What to answer, and whether the kiosk must restart. Raises OSError, BundleError."""
    path = fetch.fetch(wanted.url, wanted.size, wanted.sha256, DOWNLOADS)
    key = PublicKeys.parse(config.seal.public_key).verify
    try:
        with path.open("rb") as file:
            attempt = install.install(file, key, Card(), at, again=True, older=wanted.older, say=print)
    except install.NothingToDoError as nothing:
        return str(nothing), False
    finally:
        path.unlink(missing_ok=True)  # the slot has it, or it is of no use
    return f"slot {attempt.slot} holds version {attempt.version}; it is tried when nobody is at the desk", True
