"""The state of the kiosk: one slice per flow, all of it the fold of the facts (the desk alone also folds notes)."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from kiosk.config import Config, CustodyRules, NoDevice, Policy, Queue
from kiosk.domain import Stamp
from kiosk.events import Event
from kiosk.facts import Entry, Fact, Note, Order
from kiosk.flows import (
    commands,
    corrections,
    custody,
    desk,
    drill,
    identities,
    incidents,
    labelling,
    pooling,
    preflight,
    registration,
    release,
    reporting,
    rounds,
    staff,
    stock,
    verdicts,
    visits,
)
from kiosk.flows.commands import Commands
from kiosk.flows.custody import Custody
from kiosk.flows.desk import Desk
from kiosk.flows.drill import Drill
from kiosk.flows.identities import Identities
from kiosk.flows.incidents import Incidents
from kiosk.flows.labelling import Labelling
from kiosk.flows.pooling import Pooling
from kiosk.flows.preflight import Readiness
from kiosk.flows.registration import Registration
from kiosk.flows.release import Release
from kiosk.flows.reporting import Reporting
from kiosk.flows.rounds import Rounds
from kiosk.flows.staff import Staff
from kiosk.flows.stock import Stock
from kiosk.flows.verdicts import Verdicts
from kiosk.flows.visits import Visits

FLOWS = (
    rounds,
    incidents,
    verdicts,
    registration,
    identities,
    pooling,
    labelling,
    release,
    custody,
    staff,
    corrections,
    drill,
    preflight,
    visits,
    stock,
    reporting,
    commands,
)
"""In the order of the data path: each hears what the ones before it said in the same step. An incident goes first;
staff come behind those who must not take for a resident what is shown for an order."""

SCHEMA = 5
"""Of the snapshot. Raised when a slice changes its shape; an old snapshot is then folded anew."""


class Setup(msgspec.Struct, frozen=True):
    """What the flows need to know of the configuration. ``drill``: which drill (演练) this is, 0 for none; its numbers
    are those of kiosk 0. ``tables``: the sampling tables that groups are sent to in turn. ``report_at``: minute
    of the day at which its figures go up."""

    site: str
    kiosk: int
    policy: Policy
    confirm_by_scan: bool = False
    reads_cards: bool = True
    drill: int = 0
    queue: Queue = Queue()
    tables: tuple[str, ...] = ()
    key_from_badge: bool = False
    custody: CustodyRules | None = None
    report_at: int | None = None

    @property
    def rules(self) -> CustodyRules:
        """Those a courier is served by, also where no tube is watched."""
        return self.custody or CustodyRules()

    @classmethod
    def of(cls, config: Config, drill: int = 0) -> "Setup":
        by_scan = getattr(config.devices.printer, "confirm", "sent") == "scan"
        reads_cards = not isinstance(config.devices.card, NoDevice)
        number = 0 if drill else config.kiosk.number
        queue = config.queue
        if isinstance(config.devices.panel, NoDevice):  # nobody can press: who came is never counted out
            queue = msgspec.structs.replace(queue, waiting_cap=0)
        tables = queue.tables or ((config.site.table,) if config.site.table else ())
        by_badge = config.seal.digest_key == "badge"
        return cls(
            config.site.code,
            number,
            config.policy,
            by_scan,
            reads_cards,
            drill,
            queue,
            tables,
            by_badge,
            custody=config.custody,
            report_at=_minutes(config.report.at),
        )


def _minutes(clock: str) -> int | None:
    return int(clock[:2]) * 60 + int(clock[3:]) if clock else None


class Site(msgspec.Struct, frozen=True):
    setup: Setup
    rounds: Rounds = Rounds()
    registration: Registration = Registration()
    identities: Identities = Identities()
    pooling: Pooling = Pooling()
    labelling: Labelling = Labelling()
    release: Release = Release()
    incidents: Incidents = Incidents()
    custody: Custody = Custody()
    staff: Staff = Staff()
    drill: Drill = Drill()
    preflight: Readiness = Readiness()
    visits: Visits = Visits()
    stock: Stock = Stock()
    reporting: Reporting = Reporting()
    commands: Commands = Commands()
    verdicts: Verdicts = Verdicts()
    desk: Desk = Desk()

    @property
    def away(self) -> bool:
        """A drill has begun or ended: from now on the other journal is written."""
        return self.drill.on is not bool(self.setup.drill)

    @property
    def unclaimed(self) -> bool:
        """What is scanned now belongs to no order of staff and into no courier's box."""
        return self.desk.awaits is None and self.custody.packing is None

    def dump(self) -> bytes:
        """The durable slices, for a snapshot."""
        return msgspec.msgpack.encode(
            (
                self.rounds,
                self.registration,
                self.identities,
                self.pooling,
                self.labelling,
                self.release,
                self.incidents,
                self.custody,
                self.staff,
                self.drill,
                self.preflight,
                self.visits,
                self.stock,
                self.reporting,
                self.commands,
                self.verdicts,
            )
        )

    @classmethod
    def load(cls, setup: Setup, blob: bytes) -> "Site":
        """Raises msgspec.DecodeError when the blob is of another shape."""
        return cls(setup, *msgspec.msgpack.decode(blob, type=_Slices))


_Slices = tuple[
    Rounds,
    Registration,
    Identities,
    Pooling,
    Labelling,
    Release,
    Incidents,
    Custody,
    Staff,
    Drill,
    Readiness,
    Visits,
    Stock,
    Reporting,
    Commands,
    Verdicts,
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
        identities.evolve(site.identities, change),
        pooling.evolve(site.pooling, change, at),
        labelling.evolve(site.labelling, change, at),
        release.evolve(site.release, change, at),
        incidents.evolve(site.incidents, change),
        custody.evolve(site.custody, change, at),
        staff.evolve(site.staff, change, at),
        drill.evolve(site.drill, change),
        preflight.evolve(site.preflight, change, at),
        visits.evolve(site.visits, change, at),
        stock.evolve(site.stock, change, at),
        reporting.evolve(site.reporting, change, at),
        commands.evolve(site.commands, change),
        verdicts.evolve(site.verdicts, change),
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
    yield from verdicts.resume(site)


def refold(site: Site, entries: Iterable[tuple[int, Entry]]) -> Site:
    """The state after these journal entries."""
    for _, entry in entries:
        site = fold(site, entry.fact, entry.at)
    return site
