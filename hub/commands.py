"""Orders to kiosks: made and signed here, sent by the receiver until their end is known, and what became of them.

A command is published to the topic of each kiosk it is for, when it is new and whenever that kiosk says that it is
there, until its result is final or its time is over; the kiosk obeys it once.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from nacl.signing import SigningKey

from hub.store import Store
from kiosk import commands, frames
from kiosk.commands import Command, Result

FINAL = ("done", "failed", "refused")
_ADDRESSED = "SELECT kiosk FROM device WHERE site = ?1 AND (?2 = 0 OR kiosk = ?2) ORDER BY kiosk"


class Message(NamedTuple):
    """What the receiver publishes."""

    topic: str
    data: bytes


class Told(msgspec.Struct):
    """What one kiosk said to a command. ``at``: by its own clock."""

    kiosk: int
    outcome: str
    text: str
    at: int


class CommandReport(msgspec.Struct):
    site: str
    kiosk: int
    n: int
    do: str
    until: int
    results: list[Told]


def make(
    store: Store, key: SigningKey, site: str, kiosk: int, do: str, args: dict[str, Any], until: int, now: int
) -> bytes:
    """A new command, signed and kept. ``kiosk`` 0: all of the site. Runs inside a transaction. Raises FrameError.

    A revocation also names the badges revoked before it: a kiosk that was away may hear of the last one alone. Its
    number rises also over a database that was lost: it is not below the seconds since 1970.
    """
    last = store.rows("SELECT max(n) FROM command WHERE site = ? AND kiosk = ?", site, kiosk).fetchone()[0] or 0
    n = max(last + 1, now // 1000)
    if do == "revoke":
        args = {"badges": _all_revoked(store, site, kiosk, args["badges"])}
    envelope = commands.pack(Command(site=site, kiosk=kiosk, n=n, until=until, do=do, args=args), key)
    query = "INSERT INTO command (site, kiosk, n, do, until, envelope, at) VALUES (?, ?, ?, ?, ?, ?, ?)"
    store.rows(query, site, kiosk, n, do, until, envelope, now)
    return envelope


def _all_revoked(store: Store, site: str, kiosk: int, fresh: Sequence[int]) -> list[int]:
    """The newest last, and no more than a command holds: those of long ago have expired."""
    query = "SELECT envelope FROM command WHERE site = ? AND kiosk = ? AND do = 'revoke' ORDER BY n DESC LIMIT 1"
    row = store.rows(query, site, kiosk).fetchone()
    before = frames.claim(bytes(row[0]), Command).args["badges"] if row else []
    return [*(badge for badge in before if badge not in fresh), *dict.fromkeys(fresh)][-commands.MAX_REVOKED :]


def head(store: Store) -> int:
    """The number of the last command in this database."""
    return store.rows("SELECT max(command) FROM command").fetchone()[0] or 0


def fresh(store: Store, after: int, now: int) -> Iterator[Message]:
    """Those made after number ``after``, for every kiosk we know that they are for."""
    query = "SELECT site, kiosk, envelope FROM command WHERE command > ? AND until > ? ORDER BY command"
    for site, addressee, envelope in store.rows(query, after, now).fetchall():
        for (kiosk,) in store.rows(_ADDRESSED, site, addressee).fetchall():
            yield Message(frames.topic(site, kiosk, "command"), bytes(envelope))


def due(store: Store, site: str, kiosk: int, now: int) -> Iterator[Message]:
    """The last command for this kiosk and the last one for its site, where this kiosk has not told their end; before
    each the last revocation, which no later command replaces."""
    query = (
        "SELECT n, until, envelope FROM command WHERE site = ?1 AND kiosk = ?2 AND n IN ("
        "SELECT max(n) FROM command WHERE site = ?1 AND kiosk = ?2"
        " UNION SELECT max(n) FROM command WHERE site = ?1 AND kiosk = ?2 AND do = 'revoke') ORDER BY n"
    )
    for addressee in (commands.EVERYBODY, kiosk):
        for n, until, envelope in store.rows(query, site, addressee).fetchall():
            if until > now and _outcome(store, site, kiosk, addressee, n) not in FINAL:
                yield Message(frames.topic(site, kiosk, "command"), bytes(envelope))


def _outcome(store: Store, site: str, kiosk: int, addressee: int, n: int) -> str:
    query = "SELECT outcome FROM result WHERE site = ? AND kiosk = ? AND addressee = ? AND n = ?"
    row = store.rows(query, site, kiosk, addressee, n).fetchone()
    return str(row[0]) if row else ""


def keep(store: Store, result: Result, at: int) -> bool:
    """Keeps what a kiosk told; an end stays the end. Whether it was news. Runs inside a transaction."""
    place = (result.site, result.kiosk, result.to, result.n)
    before = _outcome(store, *place)
    if before == result.outcome or before in ("done", "failed"):
        return False
    store.rows(
        "INSERT OR REPLACE INTO result (site, kiosk, addressee, n, outcome, text, told, at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        *(*place, result.outcome, result.text, result.at, at),
    )
    return True


def report(store: Store) -> list[CommandReport]:
    """All commands, the newest last."""
    reports = []
    query = "SELECT site, kiosk, n, do, until FROM command ORDER BY command"
    for site, addressee, n, do, until in store.rows(query).fetchall():
        said = store.rows(
            "SELECT kiosk, outcome, text, told FROM result WHERE site = ? AND addressee = ? AND n = ? ORDER BY kiosk",
            *(site, addressee, n),
        )
        reports.append(CommandReport(site, addressee, n, do, until, [Told(*row) for row in said.fetchall()]))
    return reports


def lines(each: CommandReport) -> str:
    """For a terminal."""
    whom = f"{each.site}/{each.kiosk or 'all'}"
    told = [f"  {result.kiosk}: {result.outcome} {result.text}".rstrip() for result in each.results]
    return "\n".join([f"command {each.n} to {whom}: {each.do}", *(told or ["  no answer so far"])]) + "\n"
