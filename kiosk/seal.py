"""Personal data goes in and does not come out again: sealed boxes for the command post, keyed digests that answer
"seen before?", and the keys behind them.

A key is one line of text: prefix, "_", base64url without padding of (key bytes | check), where check is the first 4
bytes of the SHA-256 of the key bytes, so that a typing error is caught. The key bytes are

    kp1  command post, public:  X25519 seal key 32 | Ed25519 verify key 32
    ks1  command post, private: X25519 key 32 | Ed25519 seed 32
    kd1  this device's Ed25519 seed 32
    kg1  digest key 32

A box is a libsodium sealed box (X25519, XSalsa20-Poly1305, +48 bytes) over one msgpack map, padded by ISO/IEC 7816-4
to a multiple of 64 bytes so that its length does not tell the length of a name.
"""

import base64
import binascii
import hashlib
import os
import re
import secrets
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import msgspec
from nacl.bindings import (
    crypto_box_beforenm,
    crypto_box_easy_afternm,
    crypto_box_keypair,
    crypto_box_NONCEBYTES,
    sodium_pad,
    sodium_unpad,
)
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox
from nacl.signing import SigningKey, VerifyKey

from kiosk import files
from kiosk.domain import Person, Private, Subject

KEY_BYTES = 32
_CHECK_BYTES = 4
_PAD_BYTES = 64


class SealError(ValueError):
    """A key or a box cannot be used. The text never holds key material or personal data."""


class NoKeyError(SealError):
    """No digest can be made before a badge brings the key."""


def _check(raw: bytes) -> bytes:
    return hashlib.sha256(raw).digest()[:_CHECK_BYTES]


def _line(prefix: str, raw: bytes) -> str:
    return f"{prefix}_{base64.urlsafe_b64encode(raw + _check(raw)).decode().rstrip('=')}"


def _parse(prefix: str, line: str, size: int) -> bytes:
    line = line.strip()
    if not line.startswith(f"{prefix}_"):
        raise SealError(f'key must start with "{prefix}_"')
    text = line[len(prefix) + 1 :]
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise SealError(f"key {prefix}_… holds characters that no key has, or is cut short") from None
    if len(raw) != size + _CHECK_BYTES:
        raise SealError(f"key {prefix}_… has {len(raw)} bytes, expected {size + _CHECK_BYTES}")
    if raw[size:] != _check(raw[:size]) or _line(prefix, raw[:size]) != line:
        raise SealError(f"key {prefix}_… fails its check: it was mistyped or cut")
    return raw[:size]


@dataclass(frozen=True)
class PublicKeys:
    """What a kiosk knows of its command post."""

    seal: PublicKey
    verify: VerifyKey

    @property
    def kid(self) -> bytes:
        """8 bytes that name this pair in a frame: the front of the SHA-256 of both keys."""
        return hashlib.sha256(self._raw()).digest()[:8]

    @classmethod
    def parse(cls, line: str) -> Self:
        """Raises SealError, a ValueError, when the line is not exactly one public key."""
        raw = _parse("kp1", line, 2 * KEY_BYTES)
        return cls(PublicKey(raw[:KEY_BYTES]), VerifyKey(raw[KEY_BYTES:]))

    def line(self) -> str:
        return _line("kp1", self._raw())

    def _raw(self) -> bytes:
        return bytes(self.seal) + bytes(self.verify)


@dataclass(frozen=True, repr=False)
class PrivateKeys(Private):
    """The command post's own half; never on a kiosk."""

    unseal: PrivateKey
    sign: SigningKey

    @property
    def public(self) -> PublicKeys:
        return PublicKeys(self.unseal.public_key, self.sign.verify_key)

    @classmethod
    def generate(cls) -> Self:
        return cls(PrivateKey.generate(), SigningKey.generate())

    @classmethod
    def parse(cls, line: str) -> Self:
        """Raises SealError, a ValueError, when the line is not exactly one private key."""
        raw = _parse("ks1", line, 2 * KEY_BYTES)
        return cls(PrivateKey(raw[:KEY_BYTES]), SigningKey(raw[KEY_BYTES:]))

    def line(self) -> str:
        return _line("ks1", bytes(self.unseal) + bytes(self.sign))


def write_pair(folder: Path) -> PublicKeys:
    """Make a new pair: ``private.key`` (mode 0600) and ``public.key``, one line each.

    Raises FileExistsError when either is there already, OSError when they cannot be written.
    """
    private, public = folder / "private.key", folder / "public.key"
    for path in (private, public):
        if path.exists():
            raise FileExistsError(f"{path} exists and is not overwritten")
    folder.mkdir(parents=True, exist_ok=True)
    keys = PrivateKeys.generate()
    files.put(private, f"{keys.line()}\n".encode(), 0o600)
    files.put(public, f"{keys.public.line()}\n".encode(), 0o644)
    return keys.public


def _secret_file(path: Path, prefix: str) -> bytes:
    """The 32 bytes kept in this file, made at the first call. A damaged file raises SealError and stays as it is."""
    try:
        return _parse(prefix, path.read_text("ascii"), KEY_BYTES)
    except FileNotFoundError:
        raw = secrets.token_bytes(KEY_BYTES)
        files.put(path, f"{_line(prefix, raw)}\n".encode(), 0o600)
        return raw
    except ValueError as error:
        why = error if isinstance(error, SealError) else "it is not text"
        raise SealError(f"{path} is damaged ({why}); restore it, or move it away to get a new key") from None


def device_key(path: Path) -> SigningKey:
    """The key this kiosk signs its frames with, made at the first start. Raises SealError, OSError."""
    return SigningKey(_secret_file(path, "kd1"))


def digest_key(provider: Literal["ram", "file"], path: Path | None = None) -> bytes:
    """32 bytes. "file": from ``path`` on the card, where a stolen card reveals it. "ram": from the `ram_file` ``path``,
    which outlives the daemon but not the power; without one, fresh, and gone with the process.

    Raises SealError, OSError.
    """
    if path is not None:
        return _secret_file(path, "kg1")
    if provider == "file":
        raise SealError("digest_key is a file, but no file is named")
    return secrets.token_bytes(KEY_BYTES)


def keep_digest_key(path: Path, key: bytes) -> None:
    """Raises OSError."""
    files.put(path, f"{_line('kg1', key)}\n".encode(), 0o600)


def kept_digest_key(path: Path) -> bytes | None:
    """The key `keep_digest_key` left there. Raises SealError, OSError."""
    try:
        return _parse("kg1", path.read_text("ascii"), KEY_BYTES)
    except FileNotFoundError:
        return None


def ram_file(runtime_dir: Path, data_dir: Path) -> Path | None:
    """Where a secret of the kiosk at ``data_dir`` lies in memory only (tmpfs): in ``runtime_dir``, else in /dev/shm;
    None where neither is memory."""
    own = hashlib.sha256(f"{os.getuid()}:{data_dir.resolve()}".encode()).hexdigest()[:16]
    for path in (runtime_dir / "digest.key", Path(f"/dev/shm/kiosk-{own}.key")):  # noqa: S108
        if _file_system(path.parent) in ("tmpfs", "ramfs"):
            return path
    return None


def _file_system(folder: Path) -> str:
    """The type of the file system that ``folder`` lies on, as proc_pid_mountinfo(5) names it."""
    device = folder.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in Path("/proc/self/mountinfo").read_text("utf-8", "replace").splitlines():
        before, _, after = line.partition(" - ")
        if before.split()[2] == wanted:
            return after.split()[0]
    return ""


def fingerprint(key: VerifyKey) -> str:
    """For people to compare: 64 bits as four groups of hex."""
    return hashlib.sha256(bytes(key)).digest()[:8].hex(" ", 2)


def key_name(key: bytes) -> bytes:
    """8 bytes that tell one digest key from another and nothing of it."""
    return hashlib.sha256(b"kiosk-digest-key" + key).digest()[:8]


def normal_number(number: str) -> str:
    """A document number as it is compared: half-width, capitals, no blanks and dashes."""
    return re.sub(r"[\s\-]", "", unicodedata.normalize("NFKC", number)).upper()


def pad(plain: bytes) -> bytes:
    """To a multiple of 64 bytes, by ISO/IEC 7816-4: what is sealed does not tell the length of a name."""
    return bytes(sodium_pad(plain, _PAD_BYTES))


def unpad(padded: bytes) -> bytes:
    """Raises SealError, a ValueError."""
    try:
        return bytes(sodium_unpad(padded, _PAD_BYTES))
    except (CryptoError, ValueError, TypeError):
        raise SealError("the padding is damaged") from None


class Sealer(Private):
    """Turns people and codes into subjects. It cannot turn them back.

    ``key``: 32 bytes; digests are equal only under the same key; None until `use` gives one. ``prepare``, called while
    nobody waits, makes the key pair of the next box and what it shares with the command post's: nearly all of the work,
    and the same for whoever comes. They serve for one box and are forgotten with it.
    """

    def __init__(self, public: PublicKeys, key: bytes | None) -> None:
        self._public = bytes(public.seal)
        self._fresh: tuple[bytes, bytes] | None = None
        self.use(key)

    def use(self, key: bytes | None) -> None:
        """Another key, or none. Raises SealError."""
        if key is not None and len(key) != KEY_BYTES:
            raise SealError(f"a digest key has {KEY_BYTES} bytes")
        self._key = key

    @property
    def ready(self) -> bool:
        return self._key is not None

    def prepare(self) -> None:
        """Makes ready for one box."""
        self._fresh = self._fresh or self._pair()

    def _pair(self) -> tuple[bytes, bytes]:
        public, secret = crypto_box_keypair()
        return public, crypto_box_beforenm(self._public, secret)

    def subject(self, person: Person) -> Subject:
        """Raises NoKeyError, as all do that make a digest."""
        return Subject(self.digest(person.number), self._seal(msgspec.to_builtins(person)))

    def code(self, text: str, holder_number: str | None, kind: str, **told: str) -> Subject:
        """A scanned code. Its digest is the holder's where the code names them, else that of the text.

        ``kind``: the name of the format that recognised it. The box holds code, kind and number, and what else is
        ``told`` of the holder.
        """
        digest = self._digest(b"code", text) if holder_number is None else self.digest(holder_number)
        more = {name: value for name, value in told.items() if value}
        return Subject(digest, self._seal({"code": text, "kind": kind, "number": holder_number or ""} | more))

    @property
    def key_name(self) -> bytes:
        """Of the key that digests are made with; b"" for none."""
        return key_name(self._key) if self._key is not None else b""

    def digest(self, number: str) -> bytes:
        """16 bytes, keyed BLAKE2b; equal for one document number whichever kind of card or code shows it."""
        return self._digest(b"number", normal_number(number))

    def mac(self, data: bytes) -> bytes:
        """16 bytes that only who has the digest key can make. Raises NoKeyError."""
        return self._keyed(b"near", data)

    def _digest(self, domain: bytes, text: str) -> bytes:
        return self._keyed(domain, text.encode())

    def _keyed(self, domain: bytes, data: bytes) -> bytes:
        if (key := self._key) is None:
            raise NoKeyError("no digest key: a badge brings it")
        return hashlib.blake2b(data, digest_size=16, key=key, person=b"kiosk-" + domain).digest()

    def _seal(self, content: dict[str, str]) -> bytes:
        """As libsodium's crypto_box_seal does: the fresh public key, then the box under a nonce of both public keys."""
        (own, shared), self._fresh = self._fresh or self._pair(), None
        nonce = hashlib.blake2b(own + self._public, digest_size=crypto_box_NONCEBYTES).digest()
        return own + crypto_box_easy_afternm(pad(msgspec.msgpack.encode(content)), nonce, shared)


def open_box(private: PrivateKeys, box: bytes) -> dict[str, Any]:
    """What a subject's box holds: the fields of Person, or code, kind and number. Raises SealError."""
    try:
        return msgspec.msgpack.decode(unpad(SealedBox(private.unseal).decrypt(box)), type=dict[str, Any])
    except (CryptoError, msgspec.MsgspecError, ValueError, TypeError):
        raise SealError("the box was sealed to another key, or is damaged") from None
