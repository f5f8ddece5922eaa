"""`kiosk-hub members`: from a tube to its people, when it is positive, lost or leaked (rules R3, R4)."""

from collections.abc import Iterator
from typing import Any

from hub.entries import entries
from hub.report import opened
from hub.store import Store
from kiosk import facts
from kiosk.seal import PrivateKeys


def members(store: Store, private: PrivateKeys, tube: str) -> Iterator[dict[str, Any]]:
    """First the tube: its kiosk, the tubes before and after it at the same table, what became of it; then each of its
    people in clear, by position, with the time they were registered (ms since 1970 UTC by the kiosk's clock)."""
    query = (
        "SELECT DISTINCT journal, site, kiosk, epoch FROM journal JOIN fact USING (journal)"
        " WHERE instr(body, CAST(? AS BLOB)) ORDER BY journal"
    )
    for number, site, kiosk, epoch in store.rows(query, tube).fetchall():
        found = _look(store, number, tube)
        if found is None:
            continue
        told, places, times = found
        yield {"site": site, "kiosk": kiosk, "epoch": epoch.hex()} | told
        rows = {row["person"]: row for row in opened(store, private, site, kiosk, tube) if row["epoch"] == epoch.hex()}
        for position, person in sorted(places.items()):
            row = rows.get(person, {"person": person})
            yield {"position": position, "registered": times.get(person)} | row


def _look(store: Store, number: int, tube: str) -> tuple[dict[str, Any], dict[int, int], dict[int, int]] | None:
    """The tube, position to person, and person to time; None where this journal has not opened it."""
    order: list[str] = []
    told: dict[str, Any] = {"tube": tube, "before": None, "after": None, "box": None, "lost": None}
    places: dict[int, int] = {}
    times: dict[int, int] = {}
    packed = False
    for entry, _ in entries(store, number):
        match entry.fact:
            case facts.Registered() as fact:
                times[fact.person] = entry.at.wall
            case facts.TubeOpened() as fact:
                order.append(fact.tube)
            case facts.Bound() as fact if fact.tube == tube:
                places[fact.position] = fact.person
            case facts.Unbound() as fact if fact.tube == tube:
                places.pop(fact.position, None)
            case facts.TubePacked() as fact if fact.tube == tube:
                packed = True
            case facts.ManifestClosed() as fact if packed and told["box"] is None:
                told["box"] = {"number": fact.consignment, "lab": fact.lab, "vehicle": fact.vehicle}
            case facts.TubeLost() as fact if fact.tube == tube:
                told["lost"], packed = fact.kind, False
    if tube not in order:
        return None
    at = order.index(tube)
    told["before"] = order[at - 1] if at else None
    told["after"] = order[at + 1] if at + 1 < len(order) else None
    return told, places, times
