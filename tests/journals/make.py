"""Makes the saved journals of the present format: `python -m tests.journals.make`.

A journal once committed is never made anew: it stands for those in the field. When the format, a fact or the encoding
changes, add a version to NAME and make more.
"""

import json
import shutil
from pathlib import Path
from unittest import mock

import msgspec

from kiosk.config import CustodyRules, Policy
from kiosk.domain import Do, Drilled, Reason, Role
from kiosk.events import (
    CardMinted,
    CommandAnswered,
    CommandArrived,
    ContactPresented,
    PowerOn,
    PreflightEnded,
)
from kiosk.facts import ENTRY_VERSION, Fact, TubeVoided
from kiosk.journal import FORMAT, Journal
from kiosk.site import Setup, Site
from tests.support.desk_story import KIOSK, SITE, Story, person, subject

FOLDER = Path(__file__).parent
POLICY = {"pool_size": 5, "group_size": 5, "unknown_code": "single"}
LEFT_IN_WAL = 5
NAME = f"format-{FORMAT}.{ENTRY_VERSION}.2"


def tell() -> Story:
    """A day with at least one fact of every kind."""
    day = Story(**POLICY)
    day.crowd(*range(1, 6))
    day.paper_out()
    day.printed()
    day.press()
    day.both("red one", "red")
    day.press("ack")
    day.alone(6)
    day.code("green", 6)
    day.tick(11)
    day.alone(7)
    day.code("yellow", 7)
    day.tick(11)
    day.both("stranger", "unknown")
    day.card(1)
    day.unusable(Reason.UNREADABLE)
    day.crowd(8, 9)
    day.press("long")
    day.printed()
    day.press()
    day.clock_jump(3 * 3600)
    day.new_round()
    day.both(1)
    day.restart(reboot=True)
    day.happens(CommandArrived(SITE, KIOSK, 1, day.wall + 1, "support", b"signed", b"digest", "uplink"))
    day.happens(CommandAnswered(KIOSK, 1, "done", "all is well"))
    day.happens(CommandArrived(SITE, 0, 1, day.wall + 1, "shell", b"signed too", b"another", "code"))
    day.crowd(2, 3)
    staff_at_work(day)
    return day


def staff_at_work(day: Story) -> None:
    """Orders by badge, a courier, a drill, and the end of the day."""
    day.setup = {"custody": CustodyRules(labs=("lab",), permits=()), "report_at": 23 * 60}
    day.restart()
    day.happens(PreflightEnded(("card", "code"), ("printer",), 200))
    day.ordered(Do.SHIFT_ON)
    day.opaque(20)
    day.card(20)
    day.tick(2)
    day.verdict("green", 20, 20)
    day.happens(ContactPresented(subject("telephone"), person(20)))
    day.happens(CardMinted(subject("code card"), "KI1:A"))
    day.ordered(Do.VOID, 20)
    day.crowd(*range(21, 27))
    day.ordered(Do.SINGLE_NEXT)
    day.both(30)
    day.printed()
    day.ordered(Do.REPRINT)
    day.printed()
    day.ordered(Do.VOID, 30)
    day.badge(5, Role.COURIER)
    day.order(Do.COLLECT)
    day.printed()
    for tube in [fact.tube for fact in day.closed if fact.tube not in {each.tube for each in day.told(TubeVoided)}]:
        day.scan_label(tube)
    day.badge()
    day.order(Do.LAB, "lab")
    day.order(Do.PACKED)
    day.ordered(Do.LOST_TUBE, day.closed[0].tube)
    day.press()
    day.press()
    day.ordered(Do.DRILL_ON)
    day.happens(PowerOn("0", drilled=Drilled(3, (7,))))
    day.setup = day.setup | {"key_from_badge": True}
    day.restart()
    day.badge(key=bytes(range(32)))
    day.opaque(31)
    day.tick(12 * 3600)


def summary(site: Site) -> dict[str, object]:
    """What a restart must know, in plain words."""
    pool, release = site.pooling.pool, site.release
    commands = [[to, kept.n, kept.outcome] for to, kept in sorted(site.commands.last.items())]
    return {
        "round": site.rounds.round,
        "people": site.registration.people,
        "refused": {reason.value: count for reason, count in sorted(site.registration.refused.items())},
        "tubes closed": site.pooling.closed,
        "open tube": None if pool is None else [pool.tube, pool.kind.size, sorted(pool.members.items())],
        "next number": site.pooling.serials.next(0),
        "labels wanted": list(site.labelling.wanted),
        "group": [release.open.number, release.open.people],
        "waiting groups": [[group.number, group.people, group.labelled] for group in release.queue],
        "released": release.released,
        "incidents": sorted(site.incidents.open),
        **({"commands": commands} if commands else {}),
        **({"codes asked": len(site.verdicts.asked)} if site.verdicts.asked else {}),
    }


def setup() -> Setup:
    return Setup(SITE, KIOSK, Policy(**POLICY))


def _write(path: Path, story: Story, *, crash: bool) -> None:
    work = FOLDER / "work"
    work.mkdir()
    encode = msgspec.msgpack.Encoder().encode
    rows = [(seq.to_bytes(16), encode(entry)) for seq, entry in story.entries()]
    with mock.patch("kiosk.journal.os.urandom", lambda size: bytes(range(size))):
        journal = Journal.open(work / "journal.db")
    journal.append(rows[:-LEFT_IN_WAL])
    journal.close()
    journal = Journal.open(work / "journal.db")
    for row in rows[-LEFT_IN_WAL:]:
        journal.append([row])
    if crash:
        for suffix in ("", "-wal"):
            shutil.copy(work / f"journal.db{suffix}", path.with_name(path.name + suffix))
    journal.close()
    if not crash:
        shutil.copy(work / "journal.db", path)
    shutil.rmtree(work)


def main() -> None:
    story = tell()
    kinds = {type(fact) for _, fact in story.journal}
    missing = [kind.__name__ for kind in Fact.__subclasses__() if kind not in kinds]
    if missing:
        raise SystemExit(f"the story lacks {missing}")
    for name, crash in ((f"{NAME}-closed.db", False), (f"{NAME}-crashed.db", True)):
        _write(FOLDER / name, story, crash=crash)
        expected = json.dumps(summary(story.site), ensure_ascii=False, indent=1) + "\n"
        (FOLDER / name).with_suffix(".json").write_text(expected, "utf-8")


if __name__ == "__main__":
    main()
