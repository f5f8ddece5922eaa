"""Release (放行): people form a group; it goes forward when its tubes are labelled and a volunteer presses."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from kiosk.domain import Category, Do, Stamp
from kiosk.events import ButtonPressed, Event
from kiosk.facts import (
    Bound,
    ButtonDenied,
    Fact,
    GroupClosed,
    GroupReleased,
    LabelPrinted,
    LabelWanted,
    Note,
    NothingToDo,
    Order,
    Registered,
    RoundStarted,
    StaffOrdered,
    Started,
    TubeClosed,
    TubeOpened,
    TubeVoided,
    Unbound,
)
from kiosk.flows.presses import is_long, is_short
from kiosk.pace import Pace

if TYPE_CHECKING:
    from kiosk.site import Site


SIZES = ("5", "10")
"""Of a group, as staff may order them (rule G2)."""

AHEAD_AS_A_GROUP = 10
"""So many people who go ahead one by one, and wait for their labels, count as one group that does."""


class Group(msgspec.Struct, frozen=True):
    """``members`` fill the group's places; people in a tube of their own (``apart``) come along beside them. ``tubes``
    maps the group's closed tubes to whether the label is confirmed; ``singles`` its tubes of one person to what that
    person is; ``since`` is the stamp of the first member, whose number is ``first``. ``ahead``: one person who goes
    before the groups."""

    number: int
    members: int = 0
    apart: int = 0
    tubes: dict[str, bool] = {}
    singles: dict[str, Category] = {}
    since: Stamp | None = None
    first: int = 0
    ahead: bool = False

    @property
    def people(self) -> int:
        return self.members + self.apart

    @property
    def labelled(self) -> bool:
        return all(self.tubes.values())


class Release(msgspec.Struct, frozen=True):
    """``open``: the group being formed; ``queue``: closed groups in the order they were closed; ``filling``: the open
    group's tubes that are not closed, and whether they are labelled all the same. ``size``: people in a
    group as staff have ordered it, 0: as configured. ``last``: the person registered last, and what they are;
    ``most``: how many people waited at most since the last release."""

    open: Group = Group(1)
    queue: tuple[Group, ...] = ()
    filling: dict[str, bool] = {}
    released: int = 0
    size: int = 0
    last: tuple[int, Category] = (0, Category.GENERAL)
    most: int = 0
    pace: Pace = Pace()

    @property
    def ready(self) -> Group | None:
        """The group the next press releases. Who goes ahead does so as soon as the label is there, and holds up nobody
        until then."""
        ahead = next((group for group in self.queue if group.ahead and group.labelled), None)
        first = next((group for group in self.queue if not group.ahead), None)
        return ahead or (first if first is not None and first.labelled else None)

    @property
    def unlabelled_groups(self) -> int:
        unlabelled = [group.ahead for group in self.queue if not group.labelled]
        return unlabelled.count(False) + unlabelled.count(True) // AHEAD_AS_A_GROUP

    @property
    def waiting(self) -> int:
        """People registered and not yet released."""
        return self.open.people + sum(group.people for group in self.queue)

    @property
    def oldest(self) -> Stamp | None:
        """When the person waiting longest was bound."""
        return min((*self.queue, self.open), key=lambda group: group.first if group.since else _NOBODY).since

    def host(self, tube: str) -> Group | None:
        """The group of a closed tube that has not been released."""
        return next((group for group in (self.open, *self.queue) if tube in group.tubes), None)

    def is_full(self, cap: int) -> bool:
        """Nobody more may come (rule Q1). Once so, it stays so until a group has gone: a door is no blinker."""
        return bool(cap) and (self.waiting >= cap or (self.most >= cap and bool(self.queue)))


_NOBODY = 1 << 62


def group_size(site: "Site") -> int:
    """Places of the open group: always a whole number of tubes."""
    pool = _pool_size(site)
    return -(-_wanted(site) // pool) * pool


def proposed_group(site: "Site", at: Stamp) -> int:
    """The group size that the measured pace suggests (rule G2), 0 for none."""
    return site.release.pace.proposed_group(_pool_size(site), at)


def _wanted(site: "Site") -> int:
    return site.release.size or site.setup.policy.group_size


def _pool_size(site: "Site") -> int:
    return site.pooling.pool_size(site.setup.policy)


def evolve(slice_: Release, change: Fact | Note, at: Stamp) -> Release:
    replace = msgspec.structs.replace
    group = slice_.open
    match change:
        case Registered():
            pace = slice_.pace.counted(at, came=1)
            return replace(slice_, last=(change.person, change.category), pace=pace)
        case TubeOpened():
            return _opened(slice_, change)
        case TubeClosed() if change.tube in slice_.filling:
            labelled = change.labelled and slice_.filling[change.tube]
            filling = {tube: done for tube, done in slice_.filling.items() if tube != change.tube}
            return replace(slice_, open=replace(group, tubes=group.tubes | {change.tube: labelled}), filling=filling)
        case Bound() | Unbound():
            return _seated(slice_, change, at)
        case LabelPrinted(confirmed=True) if change.tube in slice_.filling:
            return replace(slice_, filling=slice_.filling | {change.tube: True})
        case TubeClosed(labelled=True) | LabelPrinted(confirmed=True):
            return _with_tube(slice_, change.tube, labelled=True)
        case LabelWanted():
            return _with_tube(slice_, change.tube, labelled=False)
        case TubeVoided():
            return _with_tube(slice_, change.tube, labelled=None)
        case GroupClosed():
            gone, kept = group, Group(group.number + 1)
            if change.ahead:
                gone, kept = _parted(group, change.ahead, slice_.last[0], at)
            return replace(slice_, open=kept, queue=(*slice_.queue, gone))
        case GroupReleased():
            queue = tuple(each for each in slice_.queue if each.number != change.group)
            pace = slice_.pace.counted(at, went=change.members)
            slice_ = replace(slice_, queue=queue, released=slice_.released + 1, pace=pace)
            return replace(slice_, most=slice_.waiting)
        case StaffOrdered(do=Do.GROUP) if change.text in SIZES:
            return replace(slice_, size=int(change.text))
    return slice_


def _parted(group: Group, tube: str, person: int, at: Stamp) -> tuple[Group, Group]:
    """The person of this tube, who came last, as a group that goes ahead; and the group that goes on being formed."""
    replace = msgspec.structs.replace
    rest = replace(
        group,
        number=group.number + 1,
        apart=group.apart - 1,
        tubes={each: labelled for each, labelled in group.tubes.items() if each != tube},
        singles={each: category for each, category in group.singles.items() if each != tube},
    )
    if not rest.people:
        rest = replace(rest, since=None, first=0)
    return Group(group.number, apart=1, tubes={tube: group.tubes[tube]}, since=at, first=person, ahead=True), rest


def _opened(slice_: Release, change: TubeOpened) -> Release:
    """A tube that takes the place of a closed one belongs to its group, or to none when that has gone."""
    category = Category.GENERAL if change.instead else slice_.last[1]
    if not change.instead or change.instead in slice_.filling:
        filling, group = slice_.filling | {change.tube: not change.serial}, slice_.open
    elif (host := slice_.host(change.instead)) is not None:
        filling, group = slice_.filling, msgspec.structs.replace(host, tubes=host.tubes | {change.tube: False})
    else:
        return slice_
    if change.apart:
        group = msgspec.structs.replace(group, singles=group.singles | {change.tube: category})
    return msgspec.structs.replace(_with_group(slice_, group), filling=filling)


def _seated(slice_: Release, change: Bound | Unbound, at: Stamp) -> Release:
    group = slice_.open if change.tube in slice_.filling else slice_.host(change.tube)
    if group is None:
        return slice_
    count = 1 if isinstance(change, Bound) else -1
    which = "apart" if change.tube in group.singles else "members"
    group = msgspec.structs.replace(group, **{which: getattr(group, which) + count})
    since, first = (group.since or at, group.first or change.person) if group.people else (None, 0)
    slice_ = _with_group(slice_, msgspec.structs.replace(group, since=since, first=first))
    return msgspec.structs.replace(slice_, most=max(slice_.most, slice_.waiting))


def _with_group(slice_: Release, group: Group) -> Release:
    if group.number == slice_.open.number:
        return msgspec.structs.replace(slice_, open=group)
    queue = tuple(group if each.number == group.number else each for each in slice_.queue)
    return msgspec.structs.replace(slice_, queue=queue)


def _with_tube(slice_: Release, tube: str, *, labelled: bool | None) -> Release:
    """``labelled``: whether a label is there; None: the tube is out of use."""
    if (group := slice_.host(tube)) is None:
        return slice_
    tubes = {each: done for each, done in group.tubes.items() if each != tube}
    if labelled is not None:
        tubes = group.tubes | {tube: labelled}
    return _with_group(slice_, msgspec.structs.replace(group, tubes=tubes))


def react(site: "Site", item: Event | Fact, at: Stamp) -> Iterator[Fact | Note | Order]:
    group, ready, queue = site.release.open, site.release.ready, site.setup.queue
    match item:
        case TubeClosed(apart=True) if group.singles.get(item.tube) in queue.priority:
            yield GroupClosed(group.number, item.members, ahead=item.tube)
        case StaffOrdered(do=Do.GROUP) if item.text not in SIZES:
            yield NothingToDo()
        case TubeClosed() | Started() | StaffOrdered(do=Do.GROUP) if _is_complete(site):
            yield GroupClosed(group.number, group.people)
        case ButtonPressed(button="release") if is_short(item) and ready is not None:
            tables = site.setup.tables
            table = tables[site.release.released % len(tables)] if tables else ""
            yield GroupReleased(ready.number, ready.people, table)
        case ButtonPressed(button="release") if is_long(item) and group.people:
            yield GroupClosed(group.number, group.people, short=True)
        case RoundStarted() if group.people:
            yield GroupClosed(group.number, group.people)
        case StaffOrdered(do=Do.COLLECT | Do.VISIT_START | Do.VISIT_END | Do.ROUND_END) if group.people:
            yield GroupClosed(group.number, group.people, short=True)
        case GroupClosed() | GroupReleased() | LabelPrinted() if site.visits.on and ready is not None:
            yield GroupReleased(ready.number, ready.people)
        case ButtonPressed(button="release"):
            yield ButtonDenied()


def _is_complete(site: "Site") -> bool:
    people = site.release.open.people
    return bool(people) and (site.visits.on or people >= _wanted(site)) and not site.pooling.filling
