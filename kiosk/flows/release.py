"""Release (放行): people form a group; it goes forward when its tubes are labelled and a volunteer presses."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from kiosk.domain import Stamp
from kiosk.events import ButtonPressed, Event
from kiosk.facts import (
    Bound,
    ButtonDenied,
    Fact,
    GroupClosed,
    GroupReleased,
    LabelPrinted,
    Note,
    Order,
    Started,
    TubeClosed,
    TubeOpened,
    Unbound,
)
from kiosk.flows.presses import is_long, is_short

if TYPE_CHECKING:
    from kiosk.site import Site


class Group(msgspec.Struct, frozen=True):
    """``members`` fill the group's places; people in a tube of their own (``apart``) come along beside them. ``tubes``
    maps the group's closed tubes to whether the label is confirmed; ``since`` is the first member's stamp."""

    number: int
    members: int = 0
    apart: int = 0
    tubes: dict[str, bool] = {}
    singles: frozenset[str] = frozenset()
    since: Stamp | None = None

    @property
    def people(self) -> int:
        return self.members + self.apart

    @property
    def labelled(self) -> bool:
        return all(self.tubes.values())


class Release(msgspec.Struct, frozen=True):
    """``open``: the group being formed; ``queue``: closed groups in the order they will go."""

    open: Group = Group(1)
    queue: tuple[Group, ...] = ()
    released: int = 0

    @property
    def ready(self) -> Group | None:
        """The group the next press releases."""
        return self.queue[0] if self.queue and self.queue[0].labelled else None

    @property
    def unlabelled_groups(self) -> int:
        return sum(not group.labelled for group in self.queue)

    @property
    def waiting(self) -> int:
        """People registered and not yet released."""
        return self.open.people + sum(group.people for group in self.queue)

    @property
    def oldest(self) -> Stamp | None:
        """When the person waiting longest was bound."""
        return (self.queue[0] if self.queue else self.open).since


def evolve(slice_: Release, change: Fact | Note, at: Stamp) -> Release:
    replace = msgspec.structs.replace
    group = slice_.open
    match change:
        case TubeOpened(apart=True):
            return replace(slice_, open=replace(group, singles=group.singles | {change.tube}))
        case TubeClosed():
            return replace(slice_, open=replace(group, tubes=group.tubes | {change.tube: False}))
        case Bound() | Unbound():
            count = 1 if isinstance(change, Bound) else -1
            which = "apart" if change.tube in group.singles else "members"
            group = replace(group, **{which: getattr(group, which) + count})
            since = (group.since or at) if group.people else None
            return replace(slice_, open=replace(group, since=since))
        case LabelPrinted(confirmed=True):
            queue = tuple(_labelled(each, change.tube) for each in slice_.queue)
            return replace(slice_, open=_labelled(group, change.tube), queue=queue)
        case GroupClosed():
            return replace(slice_, open=Group(group.number + 1), queue=(*slice_.queue, group))
        case GroupReleased():
            return replace(slice_, queue=slice_.queue[1:], released=slice_.released + 1)
    return slice_


def _labelled(group: Group, tube: str) -> Group:
    if tube not in group.tubes:
        return group
    return msgspec.structs.replace(group, tubes=group.tubes | {tube: True})


def react(site: "Site", item: Event | Fact, at: Stamp) -> Iterator[Fact | Note | Order]:
    group, ready = site.release.open, site.release.ready
    match item:
        case TubeClosed() | Started() if group.people >= site.setup.policy.group_size and not site.pooling.filling:
            yield GroupClosed(group.number, group.people)
        case ButtonPressed(button="release") if is_short(item) and ready is not None:
            yield GroupReleased(ready.number, ready.people)
        case ButtonPressed(button="release") if is_long(item) and group.people:
            yield GroupClosed(group.number, group.people, short=True)
        case ButtonPressed(button="release"):
            yield ButtonDenied()
