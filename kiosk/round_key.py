"""The digest key of the round, which a staff badge brings: in memory only, and gone with the power.

A stolen card holds no key: only its name is in the journal. In `seal.ram_file` it outlives the daemon, so that a
restart in the middle of a round needs no badge.
"""

import logging
from pathlib import Path

from kiosk import seal
from kiosk.config import Config
from kiosk.domain import Private
from kiosk.seal import Sealer, SealError

log = logging.getLogger(__name__)


class RoundKey(Private):
    """Gives ``sealer`` its key. ``path``: where the key is kept in memory, or None; ``wanted``: the name of the key
    that the journal's round goes by, the only one that is taken from there. ``keep``: it is kept there."""

    def __init__(self, sealer: Sealer, path: Path | None, wanted: bytes, *, keep: bool = True) -> None:
        self._sealer = sealer
        self._path = path if keep else None
        self._offered: dict[bytes, bytes] = {}
        kept = _kept(path)
        if kept is not None:
            self.offer(kept)
        self.use(wanted)

    @property
    def missing(self) -> bool:
        return not self._sealer.ready

    def offer(self, key: bytes) -> bytes:
        """Takes a badge's key into RAM and returns its name; nothing is made with it before `use`."""
        self._offered[name := seal.key_name(key)] = key
        return name

    def use(self, wanted: bytes) -> None:
        """From now on digests are made with the key of this name; where nobody has brought it, with none."""
        key = self._offered.get(wanted)
        self._sealer.use(key)
        if self._path is None:
            return
        try:
            if key is not None:
                seal.keep_digest_key(self._path, key)
            else:
                self._path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("a restart will need a badge: %s cannot be written: %s", self._path, error)


def open_sealer(config: Config, wanted: bytes, *, keep: bool = True) -> tuple[Sealer, RoundKey | None]:
    """The sealer of this kiosk, and where its key comes by badge the one who gives it. ``wanted``: the name of the key
    that the journal's round goes by; ``keep``: a badge's key outlives the daemon; not in a drill, which leaves the
    round's own where it is. Raises SealError, OSError."""
    data_dir, where = config.kiosk.data_dir, config.seal.digest_key
    public = seal.PublicKeys.parse(config.seal.public_key)
    memory = seal.ram_file(config.kiosk.runtime_dir, data_dir)
    if where == "badge":
        sealer = Sealer(public, None)
        return sealer, RoundKey(sealer, memory, wanted, keep=keep)
    file = memory if where == "ram" else config.seal.digest_key_file or data_dir / "digest.key"
    return Sealer(public, seal.digest_key(where, file)), None


def _kept(path: Path | None) -> bytes | None:
    try:
        return seal.kept_digest_key(path) if path is not None else None
    except (SealError, OSError) as error:
        log.warning("the digest key of before cannot be used: %s", error)
        return None
