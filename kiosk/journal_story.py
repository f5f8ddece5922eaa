"""The journal as a story (rule D8): one line a step, who ordered it and what followed. No personal data, not even a
digest: people have the numbers the journal gave them."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from itertools import groupby

from kiosk import facts as f
from kiosk.domain import Colour, Do, Reason, Specimen, Stamp, Trust
from kiosk.facts import Entry, Fact
from kiosk.staff_sheet.catalogue import ROLES, SECTIONS

_ORDERS = {(code.do, code.text): (code.zh, code.en) for section in SECTIONS for code in section.codes}

_COLOURS = {
    Colour.GREEN: "green 绿码",
    Colour.YELLOW: "yellow 黄码",
    Colour.RED: "red 红码",
    Colour.UNKNOWN: "unknown 未知",
    Colour.NONE: "without a code 无码",
}

_REASONS = {
    Reason.RED: "red 红码",
    Reason.YELLOW: "yellow 黄码",
    Reason.REPEAT: "already registered in this round 重复",
}
_MODES = {"manual": "by hand", "daily": "with the day", "first": "the first"}


def lines(entries: Iterable[tuple[int, Entry]]) -> Iterator[str]:
    """The story of these journal entries, in their order."""
    for at, step in groupby((entry for _, entry in entries), key=lambda entry: entry.at):
        told = [text for entry in step if (text := in_words(entry.fact))]
        if told:
            yield f"{_when(at)}  {'; '.join(told)}"


def _when(at: Stamp) -> str:
    zone = timezone(timedelta(seconds=at.zone))
    said = datetime.fromtimestamp(at.wall / 1000, UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
    return said + ("" if at.trust >= Trust.RTC else " ?")


def in_words(fact: Fact) -> str:
    """One fact, in plain English with the field's own terms; a kind without words of its own is told by its name."""
    about = _of_a_person(fact) or _of_a_tube(fact) or _of_a_box(fact) or _of_staff(fact)
    return about or str(type(fact).__struct_config__.tag).replace("-", " ")


def _of_a_person(fact: Fact) -> str:
    match fact:
        case f.Registered():
            alone = ", for a tube of their own 单采" if fact.apart else ""
            nasal = ", nasal swab 鼻咽拭子" if fact.specimen is Specimen.NASAL else ""
            return f"登记 person {fact.person} registered, {_COLOURS[fact.colour]}{alone}{nasal}"
        case f.Refused():
            return f"somebody was turned away: {_reason(fact.reason)}"
        case f.CodeShown():
            return f"person {fact.person} showed a code afterwards: {_COLOURS[fact.colour]}"
        case f.Withdrawn():
            return f"person {fact.person} taken back: {_reason(fact.reason)}"
        case f.Bound():
            return f"person {fact.person} has place {fact.position} of tube {fact.tube}"
        case f.Unbound():
            late = ", after the release: not sampled 未采样" if fact.late else ""
            return f"person {fact.person} leaves place {fact.position} of tube {fact.tube}{late}"
        case f.IncidentRaised():
            return f"警 incident {fact.incident} raised: {fact.kind.value}"
        case f.IncidentAcknowledged():
            return f"incident {fact.incident} acknowledged at the desk"
    return ""


def _reason(reason: Reason) -> str:
    return _REASONS.get(reason, reason.value.replace("-", " "))


def _of_a_tube(fact: Fact) -> str:
    match fact:
        case f.TubeOpened():
            kind = "household 一户一管" if fact.household else "single 单采" if fact.size == 1 else f"{fact.size}合1"
            instead = f" in the place of {fact.instead}" if fact.instead else ""
            return f"tube {fact.tube} opened, {kind}{instead}"
        case f.TubeClosed():
            short = " 不足 short" if fact.members < fact.size else ""
            return f"tube {fact.tube} closed with {fact.members}/{fact.size}{short}"
        case f.TubeVoided():
            return f"tube {fact.tube} is void 作废: nobody is in it any more"
        case f.LabelWanted():
            again = f"again 补打, number {fact.attempt}" if fact.attempt > 1 else "as it opens"
            return f"label of {fact.tube} to be printed {again}: {fact.members}/{fact.size}"
        case f.LabelPrinted():
            return f"label of {fact.tube} printed" + ("" if fact.confirmed else ", to be confirmed by a scan")
        case f.LabelFailed():
            return f"label of {fact.tube} not printed: {fact.why}"
        case f.GroupClosed():
            return f"group {fact.group} complete 第{fact.group}组: {fact.members} people" + (" (short)" * fact.short)
        case f.GroupReleased():
            table = f" to table {fact.table}" if fact.table else ""
            return f"放行 group {fact.group} released{table}: {fact.members} people"
        case f.RoundStarted():
            return f"轮次 round {fact.round} begins, {_MODES.get(fact.why, fact.why)}"
        case f.Started():
            return f"the kiosk starts, version {fact.version}"
        case f.ClockStepped():
            return "the clock was set" if fact.by_ms else "the clock cannot be followed over the pause"
    return ""


def _of_a_box(fact: Fact) -> str:
    match fact:
        case f.ConsignmentOpened():
            return f"转运 box {fact.consignment} opened by courier {fact.courier}: {fact.tubes} tubes are to go"
        case f.ConsignmentAddressed():
            return f"box {fact.consignment} goes to {fact.lab or '?'}, vehicle {fact.vehicle or '?'}"
        case f.TubePacked():
            return f"tube {fact.tube} packed into bag {fact.bag}" + (", which is full" if fact.full else "")
        case f.ManifestClosed():
            signed = f"courier {fact.courier} and {fact.witness} have signed"
            return f"交接 box {fact.consignment} handed over: {fact.tubes} tubes in {fact.bags} bags, {signed}"
        case f.TubeLost():
            return f"tube {fact.tube} {fact.kind}: {len(fact.people)} people to be sampled again"
    return ""


def _of_staff(fact: Fact) -> str:
    match fact:
        case f.StaffOrdered():
            zh, en = ROLES[fact.role]
            second = f", badge {fact.second} standing by" if fact.second else ""
            return f"badge {fact.badge} ({en.lower()} {zh}{second}) ordered: {_order(fact.do, fact.text)}"
        case f.Corrected():
            who = ", ".join(map(str, fact.people))
            late = " after the release" if fact.late else ""
            return f"更正 corrected{late}, {_order(fact.do, fact.text)}: person {who}"
        case f.CommandTaken():
            return f"the command post orders: {fact.do}, number {fact.n}"
        case f.CommandEnded():
            return f"order {fact.n} of the command post {fact.outcome}"
    return ""


def _order(do: Do, text: str) -> str:
    zh, en = _ORDERS.get((do, text)) or _ORDERS.get((do, "")) or ("", do.value.replace("-", " "))
    return f"{en} {zh}".strip()
