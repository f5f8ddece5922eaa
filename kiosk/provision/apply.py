"""What a kiosk was told becomes its configuration: at each start, as root, before anything else of the kiosk runs.

The one step that counts is the renaming of provision.toml on the data partition. Everything before it leaves the
technician's file as it is; everything after it is done again at each start from provision.toml alone, until it is done.
So the power may go at any point.
"""

import contextlib
import os
import shutil
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from kiosk import config_file, files, issue_folder
from kiosk.config import ConfigError
from kiosk.provision import card, codes, network, toml
from kiosk.provision.merge import PROFILES, make
from kiosk.provision.schema import Provision, check
from kiosk.seal import PublicKeys

TOLD = "provision.toml"
IDS = "provisioned-ids"
REQUEST = "provision.kp1"
"""In `Places.runtime`: the signed envelope from the codes shown to the scanner."""
REFUSED, NOT_WIPED = "provision-refused", "provision-not-wiped"


class Places(msgspec.Struct, frozen=True):
    """``boot``: the FAT partition, mounted; ``etc``: on the data partition; ``run``: in RAM."""

    boot: Path = Path("/boot/kiosk")
    etc: Path = Path("/etc/kiosk")
    run: Path = Path("/run")
    profiles: Sequence[Path] = PROFILES

    @property
    def runtime(self) -> Path:
        """The daemon's own folder: nothing in it is believed."""
        return self.run / "kiosk"

    @property
    def localtime(self) -> Path:
        return self.etc.parent / "localtime"


class Outcome(NamedTuple):
    """``provisioned``: there is a configuration to run with, be it an older one. ``told``: what is wrong."""

    provisioned: bool
    told: tuple[str, ...]


def apply(at: Places) -> Outcome:
    """Takes what there is to take and makes the kiosk's files. Whatever is wrong with one part, the others are done."""
    by_card: list[str] = []
    by_code: list[str] = []
    unwiped: list[str] = []
    faults: list[str] = []
    taken: Path | None = None
    with _noting(by_card):
        taken = _from_card(at)
    with _noting(by_code):
        _from_code(at)
    if data := _told(at):
        with _noting(unwiped):
            _wipe(at, taken, data)
        with _noting(faults):
            _install(at, data)
    elif (at.etc / TOLD).exists():
        faults.append(f"{TOLD}: damaged: provision this kiosk again")
    with _noting(faults):
        _for_the_daemon(at)
    if at.boot.is_dir():
        with _noting(faults):
            _leave_word(at.boot, by_card)
    unwiped = [f"passwords may lie readable on the card's KIOSK partition: {each}" for each in unwiped]
    _issue(at, REFUSED, [*by_card, *by_code, *faults])
    _issue(at, NOT_WIPED, unwiped)
    return Outcome((at.etc / "kiosk.toml").is_file(), (*by_card, *by_code, *unwiped, *faults))


@contextlib.contextmanager
def _noting(faults: list[str]) -> Iterator[None]:
    """What goes wrong inside is a line, and not the end."""
    try:
        yield
    except ConfigError as error:
        faults.append(str(error))
    except OSError as error:
        faults.append(f"{error.filename or 'input/output'}: {error.strerror or error}")


# What the kiosk is told ------------------------------------------------------------------------------------------


def _from_card(at: Places) -> Path | None:
    """The technician's file, once it is taken. Raises ConfigError, OSError."""
    path = card.find(at.boot)
    if path is not None:
        _accept(at, config_file.parse(card.read(path), path.name), path.name)
    return path


def _wipe(at: Places, taken: Path | None, data: dict[str, Any]) -> None:
    """No secret stays on the card, be it from this start or from one the power ended. Raises OSError."""
    if taken is not None:
        card.put_away(taken, data)
    card.tidy(at.boot, data)


def _from_code(at: Places) -> None:
    """What codes said. Whoever wrote the request may be anybody: only the signature counts."""
    request = at.runtime / REQUEST
    if not request.is_file():
        return
    try:
        data = read_code(at, _read(request))
        if data != _told(at):
            _accept(at, data, "code")
    finally:
        request.unlink(missing_ok=True)


def _read(path: Path) -> bytes:
    """The folder is the daemon's: nothing in it is trusted to be a file, or short. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(card.MAX_BYTES)


def read_code(at: Places, envelope: bytes) -> dict[str, Any]:
    """The tables of a provisioning by code, if it is one for this kiosk now. Raises ConfigError."""
    try:
        signed = codes.unseal(envelope)
    except codes.CodeError as error:
        raise ConfigError(f"code: {error}") from None
    data = config_file.parse(signed.text, "code")
    provision = check(data, "code")
    own = _own_key(at) or provision.seal.public_key
    if signed.key != bytes(PublicKeys.parse(own).verify):
        raise ConfigError("code: signature: not made by the command post this kiosk belongs to")
    if not provision.id:
        raise ConfigError("code: id: missing, expected the one-time id that `kiosk provision make` writes")
    if provision.id in _ids(at) and data != _told(at):
        raise ConfigError("code: id: this code was used on this kiosk before: make a new one")
    make(provision, "code", at.profiles)
    return data


def _own_key(at: Places) -> str:
    """The public line of the command post this kiosk belongs to; "" when it belongs to none."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return str(tomllib.loads((at.etc / "kiosk.toml").read_text("utf-8"))["seal"]["public_key"])
    return ""


def _accept(at: Places, data: dict[str, Any], name: str) -> None:
    """Checks the whole, then keeps it. Raises ConfigError, OSError."""
    make(check(data, name), name, at.profiles)
    files.put(at.etc / TOLD, toml.dumps(data).encode(), 0o600)


def _told(at: Places) -> dict[str, Any]:
    """What the kiosk was told last; nothing where that is missing or damaged."""
    with contextlib.suppress(OSError, ValueError):
        return tomllib.loads((at.etc / TOLD).read_text("utf-8"))
    return {}


def _ids(at: Places) -> set[str]:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return set((at.etc / IDS).read_text("ascii").split())
    return set()


# What it makes of it ----------------------------------------------------------------------------------------------


def _install(at: Places, data: dict[str, Any]) -> None:
    """Every file that follows from provision.toml. Raises ConfigError when this version cannot use it: the
    configuration of before then stays. Raises OSError."""
    provision = check(data, TOLD)
    if provision.id and provision.id not in (ids := _ids(at)):
        files.put(at.etc / IDS, "".join(f"{each}\n" for each in sorted(ids | {provision.id})).encode(), 0o644)
    for name, text in network.files(provision.network).items():
        if text:
            files.put(at.run / name, text.encode(), 0o600 if name == network.SUPPLICANT else 0o644)
        else:
            (at.run / name).unlink(missing_ok=True)
    files.link(at.localtime, f"/usr/share/zoneinfo/{provision.time_zone}")
    _configure(at, provision)


def _configure(at: Places, provision: Provision) -> None:
    made = make(provision, TOLD, at.profiles)
    uplink = provision.uplink
    files.put(at.etc / "mqtt.password", (uplink.password if uplink else "").encode(), 0o600)
    files.put(at.etc / "ca.pem", (uplink.ca if uplink else "").encode(), 0o644)
    files.put(at.etc / "kiosk.toml", made.kiosk_toml.encode(), 0o644)


def _for_the_daemon(at: Places) -> None:
    """What its unit needs even beside a configuration made by hand."""
    if (at.etc / "kiosk.toml").is_file() and not (at.etc / "mqtt.password").is_file():
        files.put(at.etc / "mqtt.password", b"", 0o600)
    if (rules := at.etc / "udev.rules").is_file():
        (folder := at.run / "udev" / "rules.d").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(rules, folder / "71-kiosk.rules")


def _leave_word(boot: Path, refused: Sequence[str]) -> None:
    """The reason on the card, for who takes it out; or no reason any more. Raises OSError."""
    if refused:
        card.tell(boot, refused[0])
    else:
        card.clear(boot)


def _issue(at: Places, code: str, hints: Sequence[str]) -> None:
    """Tells the daemon, or takes it back. A machine without room in RAM has worse faults than this one untold."""
    folder = at.run / issue_folder.NAME
    if not hints:
        issue_folder.take_back(folder, code)
        return
    with contextlib.suppress(OSError):
        issue_folder.tell(folder, code, "; ".join(hints))
