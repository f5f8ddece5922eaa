"""Orders of the command post to its kiosks: signed, counted, expiring (docs/protocol.md). Pure.

Three carriers bring the same bytes: the topic ``command``, a code shown to the scanner, a file on a stick. None of them
is trusted; the signature is.
"""

import base64
import binascii
import hashlib
import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from nacl.signing import SigningKey, VerifyKey

from kiosk import frames
from kiosk.events import CommandArrived
from kiosk.frames import FrameError, Hash, Number, SiteCode
from kiosk.recognise import MAX_TEXT, STAFF_PREFIX

MAX_COMMAND = 2048
"""Bytes of an envelope."""
SUFFIX = ".command"
"""Of a command as a file."""
MAX_REVOKED = 500
"""Badges a command puts out of use."""
EVERYBODY = 0
"""The number that stands for every kiosk of a site."""

_COMMAND = b"kiosk-command-1\0"
_RESULT = b"kiosk-result-1\0"
COMMAND = b"\x01"
"""The first byte behind KC1: what follows is a command; `kiosk.badges` has the other kinds."""

Outcome = Annotated[str, Meta(pattern=r"^(accepted|done|failed|refused)\Z")]
Address = Annotated[int, Meta(ge=EVERYBODY, le=99)]
Count = Annotated[int, Meta(ge=1, lt=1 << 62)]
BadgeNumber = Annotated[int, Meta(ge=1, le=9999)]


class Shell(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A remote shell for ``hours``, open to whoever holds the private half of ``key``, an OpenSSH public key."""

    hours: Annotated[int, Meta(ge=1, le=72)]
    key: Annotated[str, Meta(max_length=800)]


class Update(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The bundle at ``url``, of ``size`` bytes. ``older``: it may replace a newer version."""

    url: Annotated[str, Meta(pattern=r"^https?://[!-~]+\Z", max_length=200)]
    size: Annotated[int, Meta(gt=0, lt=1 << 32)]
    sha256: Hash
    older: bool = False


class Support(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a developer wants to know of a kiosk that misbehaves; without personal data."""


class Revoke(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """These staff badges are out of use from now on. The kiosk does it itself, at once; root is not asked."""

    badges: Annotated[tuple[BadgeNumber, ...], Meta(min_length=1, max_length=MAX_REVOKED)]


Arguments = Shell | Update | Support | Revoke
KINDS: dict[str, type[Arguments]] = {"shell": Shell, "update": Update, "support": Support, "revoke": Revoke}


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """``kiosk``: for whom; ``n`` rises with each command for the same addressee; ``until``: ms since 1970 UTC, not
    obeyed after it; ``do`` and ``args``: one of KINDS."""

    v: int = frames.VERSION
    site: SiteCode
    kiosk: Address
    n: Count
    until: int
    do: Annotated[str, Meta(pattern=r"^[a-z-]{1,20}\Z")]
    args: dict[str, Any]

    def arguments(self) -> Arguments:
        """Raises FrameError for what this version does not know."""
        if self.do not in KINDS:
            raise FrameError(f"do: found {self.do}, this version knows {', '.join(KINDS)}")
        try:
            arguments = msgspec.convert(self.args, KINDS[self.do])
        except msgspec.ValidationError as error:
            raise FrameError(f"args: {error}") from None
        if isinstance(arguments, Shell):
            public_key(arguments.key)
        return arguments


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a command. ``kiosk`` answers; ``to`` is the addressee, ``n`` the number of the command; ``at``: ms
    since 1970 UTC by the kiosk's clock."""

    v: int = frames.VERSION
    site: SiteCode
    kiosk: Number
    to: Address
    n: Count
    outcome: Outcome
    text: Annotated[str, Meta(max_length=8000)] = ""
    at: int = 0


def pack(command: Command, key: SigningKey) -> bytes:
    """The envelope of a command. Raises FrameError for one that no kiosk would take."""
    data = frames.sign(_COMMAND, command, key)
    unpack(data, key.verify_key).arguments()
    return data


def unpack(data: bytes, key: VerifyKey) -> Command:
    """The command in an envelope that the command post signed. Raises FrameError."""
    if len(data) > MAX_COMMAND:
        raise FrameError(f"command: {len(data)} bytes, expected at most {MAX_COMMAND}")
    return frames.verify(_COMMAND, data, Command, key)


def arrived(data: bytes, key: VerifyKey, via: str) -> CommandArrived:
    """What the flows hear of a command. Raises FrameError where the signature or the form is wrong."""
    command = unpack(data, key)
    revoked: tuple[int, ...] = ()
    fault = ""
    try:
        arguments = command.arguments()
        revoked = arguments.badges if isinstance(arguments, Revoke) else ()
    except FrameError as error:
        fault = str(error)
    digest = hashlib.sha256(data).digest()[:16]
    return CommandArrived(
        command.site, command.kiosk, command.n, command.until, command.do, data, digest, via, fault, revoked
    )


def to_text(data: bytes) -> str:
    """The envelope as a text that fits a QR code's alphanumeric mode. Raises FrameError when no scanner takes it."""
    return code_text(COMMAND, data)


def code_text(kind: bytes, data: bytes) -> str:
    """Raises FrameError when no scanner takes it."""
    text = STAFF_PREFIX + base64.b32encode(kind + data).decode().rstrip("=")
    if len(text) > MAX_TEXT:
        raise FrameError(f"command: {len(text)} characters, a code holds {MAX_TEXT}: send it by the broker or a file")
    return text


def from_payload(payload: str) -> tuple[bytes, bytes]:
    """Kind and envelope in what follows KC1: in a scanned text. Raises FrameError."""
    try:
        raw = base64.b32decode(payload.strip() + "=" * (-len(payload.strip()) % 8))
    except (binascii.Error, ValueError):
        raise FrameError("code: no base32, or cut short: scan it again") from None
    return raw[:1], raw[1:]


def pack_result(result: Result, key: SigningKey) -> bytes:
    return frames.sign(_RESULT, result, key)


def unpack_result(data: bytes, key: VerifyKey) -> Result:
    """Raises FrameError."""
    return frames.verify(_RESULT, data, Result, key)


def peek_result(data: bytes) -> Result:
    """The result as it claims to be, before its signer is known. Raises FrameError."""
    return frames.claim(data, Result)


_KEY_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "sk-ssh-ed25519@openssh.com", "ssh-rsa")
_KEY = re.compile(r"([a-z0-9@.-]+) ([A-Za-z0-9+/]+={0,2})(?: [^\r\n]*)?")


def public_key(line: str) -> str:
    """Type and key of a line of an OpenSSH public key file; options and comment never reach sshd. Raises FrameError."""
    found = _KEY.fullmatch(line.strip())
    try:
        raw = base64.b64decode(found[2], validate=True) if found else b""
    except (binascii.Error, ValueError):
        raw = b""
    if found is None or found[1] not in _KEY_TYPES or raw[4 : 4 + len(found[1])] != found[1].encode():
        raise FrameError("key: expected one line of an OpenSSH public key file, such as id_ed25519.pub")
    return f"{found[1]} {found[2]}"
