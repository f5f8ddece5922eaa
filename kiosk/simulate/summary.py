"""The end of a simulation in words."""

from collections import Counter
from collections.abc import Iterator, Sequence

from kiosk.facts import GroupClosed, GroupReleased, Refused, Registered, TubeClosed
from kiosk.simulate.checks import GREEN
from kiosk.simulate.evidence import Evidence
from kiosk.simulate.scene import grouped

MOST = 5
"""Lines about what is wrong, for each check."""


def summary(evidence: Evidence, judged: Sequence[tuple[str, list[str]]]) -> Iterator[str]:
    """Line by line."""
    facts = [entry.fact for entry in evidence.entries]
    people = sum(isinstance(fact, Registered) for fact in facts)
    told = sum(told.answer in GREEN for told in evidence.told)
    tubes = {fact.tube: fact for fact in facts if isinstance(fact, TubeClosed)}
    groups = [fact for fact in facts if isinstance(fact, GroupClosed)]
    released = sum(isinstance(fact, GroupReleased) for fact in facts)
    refused = Counter(fact.reason.value for fact in facts if isinstance(fact, Refused))
    here, there = Counter(evidence.journal), Counter(evidence.received)
    reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(refused.items()))
    decoded = sum(len(label.reads) == 1 for label in evidence.labels)
    lost, doubled = (here - there).total(), (there - here).total()
    yield f"people 人    {people} registered, {told} were told so, {len(evidence.at_post)} at the command post"
    yield f"tubes 试管   {len(tubes)} closed: {_sizes([(fact.members, fact.size) for fact in tubes.values()])}"
    yield f"groups 组    {len(groups)} closed, {released} released"
    yield f"refused      {refused.total()}{': ' + reasons if reasons else ''}"
    yield f"facts        {len(evidence.journal)} in the journal, {evidence.acked} acknowledged by the command post"
    yield f"             {lost or 'nothing'} lost, {doubled or 'nothing'} doubled"
    yield f"labels 标签  {len(evidence.labels)} printed, {decoded} read again from their files:"
    for label in evidence.labels:
        for tube in label.reads or ("unreadable",):
            known = tubes.get(tube)
            count = f"{known.members}/{known.size}" if known is not None else "no such tube"
            yield f"             {label.path}  {grouped(tube) if known is not None else tube}  {count}"
    yield ""
    for sentence, wrong in judged:
        yield f"{'FAILED' if wrong else 'ok    '} {sentence}"
        yield from (f"       - {line}" for line in wrong[:MOST])
        if len(wrong) > MOST:
            yield f"       - and {len(wrong) - MOST} more"


def _sizes(tubes: Sequence[tuple[int, int]]) -> str:
    counts = Counter(tubes)
    return ", ".join(f"{times} × {members}/{size}" for (members, size), times in counts.items()) or "none"
