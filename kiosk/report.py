"""The journal as people and programs read it."""

import json
from datetime import UTC, datetime, timedelta, timezone

import msgspec

from kiosk.facts import Entry


def as_json(seq: int, entry: Entry) -> str:
    """One fact as a line of JSON. Bytes (digests, sealed boxes) are base64, as msgspec writes them."""
    zone = timezone(timedelta(seconds=entry.at.zone))
    wall = datetime.fromtimestamp(entry.at.wall / 1000, UTC).astimezone(zone).isoformat(timespec="milliseconds")
    head = {"seq": seq, "time": wall, "trust": entry.at.trust.name.lower()}
    return json.dumps(head | msgspec.json.decode(msgspec.json.encode(entry.fact)), ensure_ascii=False)
