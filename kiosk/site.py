"""The state of the kiosk: one slice per flow, all of it the fold of the facts (the desk alone also folds notes)."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from kiosk.config import Config, NoDevice, Policy
from kiosk.domain import Stamp
from kiosk.events import Event
from kiosk.facts import Entry, Fact, Note, Order
from kiosk.flows import commands, desk, incidents, labelling, pooling, registration, release, rounds, staff
from kiosk.flows.commands import Commands
from kiosk.flows.desk import Desk
from kiosk.flows.incidents import Incidents
from kiosk.flows.labelling import Labelling
from kiosk.flows.pooling import Pooling
from kiosk.flows.registration import Registration
from kiosk.flows.release import Release
from kiosk.flows.rounds import Rounds
from kiosk.flows.staff import Staff

FLOWS = (rounds, incidents, registration, pooling, labelling, release, staff, commands)
"""In the order of the data path: each hears what the ones before it said in the same step. An incident goes first;
staff come behind those who must not take for a resident what is shown for an order."""

SCHEMA = 3
"""Of the snapshot. Raised when a slice changes its shape; an old snapshot is then folded anew."""


class Setup(msgspec.Struct, frozen=True):
    """What the flows need to know of the configuration."""

    site: str
    kiosk: int
    policy: Policy
    confirm_by_scan: bool = False
    reads_cards: bool = True

    @classmethod
    def of(cls, config: Config) -> "Setup":
        by_scan = getattr(config.devices.printer, "confirm", "sent") == "scan"
        reads_cards = not isinstance(config.devices.card, NoDevice)
        return cls(config.site.code, config.kiosk.number, config.policy, by_scan, reads_cards)


class Site(msgspec.Struct, frozen=True):
    setup: Setup
    rounds: Rounds = Rounds()
    registration: Registration = Registration()
    pooling: Pooling = Pooling()
    labelling: Labelling = Labelling()
    release: Release = Release()
    incidents: Incidents = Incidents()
    staff: Staff = Staff()
    commands: Commands = Commands()
    desk: Desk = Desk()

    def dump(self) -> bytes:
        """The durable slices, for a snapshot."""
        return msgspec.msgpack.encode(
            (
                self.rounds,
                self.registration,
                self.pooling,
                self.labelling,
                self.release,
                self.incidents,
                self.staff,
                self.commands,
            )
        )

    @classmethod
    def load(cls, setup: Setup, blob: bytes) -> "Site":
        """Raises msgspec.DecodeError when the blob is of another shape."""
        return cls(setup, *msgspec.msgpack.decode(blob, type=_Slices))


_Slices = tuple[
    Rounds,
    Registration,
    Pooling,
    Labelling,
    Release,
    Incidents,
    Staff,
    Commands,
]


class Step(NamedTuple):
    site: Site
    facts: list[Fact]
    orders: list[Order]


def fold(site: Site, change: Fact | Note, at: Stamp) -> Site:
    """The state after one fact or note."""
    return Site(
        site.setup,
        rounds.evolve(site.rounds, change, at),
        registration.evolve(site.registration, change),
        pooling.evolve(site.pooling, change),
        labelling.evolve(site.labelling, change, at),
        release.evolve(site.release, change, at),
        incidents.evolve(site.incidents, change),
        staff.evolve(site.staff, change),
        commands.evolve(site.commands, change),
        desk.evolve(site.desk, change, at),
    )


def decide(site: Site, event: Event, at: Stamp) -> Step:
    """Everything that follows from one event: pure, and finished when no flow has anything more to say."""
    facts: list[Fact] = []
    orders: list[Order] = []
    items: list[Event | Fact] = [event]
    for item in items:
        for flow in FLOWS:
            for said in flow.react(site, item, at):
                if isinstance(said, Order):
                    orders.append(said)
                    continue
                site = fold(site, said, at)
                if isinstance(said, Fact):
                    facts.append(said)
                    items.append(said)
    return Step(site, facts, orders)


def resume(site: Site) -> Iterator[Order]:
    """After a start: what was decided before and is not done."""
    yield from labelling.resume(site)
    yield from commands.resume(site)


def refold(site: Site, entries: Iterable[tuple[int, Entry]]) -> Site:
    """The state after these journal entries."""
    for _, entry in entries:
        site = fold(site, entry.fact, entry.at)
    return site
