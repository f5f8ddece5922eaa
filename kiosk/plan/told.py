"""A plan as a table on the terminal."""

from collections.abc import Iterator

from kiosk.plan.answer import Plan, Stage

_ARRIVALS = {"peak": "most in the morning", "even": "evenly", "slots": "by half-hour slots"}
_OPENS_MIN = 8 * 60


def told(plan: Plan) -> str:
    return "\n".join(_lines(plan))


def _lines(plan: Plan) -> Iterator[str]:
    waits = plan.waits
    within = f"p95 {'within' if plan.kept else 'NOT within'} {plan.limit_min:g} min"
    yield f"people      {plan.people} in {plan.hours:g} h, arriving {_ARRIVALS[plan.arrivals]}; seed {plan.seed}"
    yield f"tables      {plan.tables}: {within}"
    yield f"waits       p50 {waits.p50} min, p95 {waits.p95} min, worst {waits.worst} min, from arrival to swab"
    yield (
        f"sampled     {plan.sampled}, turned away {plan.turned_away}; "
        f"the last {plan.overtime_min:g} min after closing time"
    )
    yield f"waiting     at most {plan.most_waiting} at once, on the whole site (rule Q1: never more than 130)"
    yield f"tubes       {', '.join(f'{count} of {kind}' for kind, count in plan.tubes.items()) or 'none'}"
    yield f"labels      {plan.labels}"
    yield f"pick-ups    {len(plan.pick_ups)}: {', '.join(map(clock, plan.pick_ups))}"
    yield ""
    yield "stage         busy   mean wait"
    for name, stage in plan.stages.items():
        yield f"{name:<12} {_busy(stage):>5}   {stage.wait_min:>5.1f} min"
    yield f"bottleneck  {plan.bottleneck}"


def _busy(stage: Stage) -> str:
    return f"{stage.busy:.0%}" if stage.busy else ""


def clock(seconds: float) -> str:
    """The time of day, of a site that opens at 8."""
    hours, minutes = divmod(_OPENS_MIN + int(seconds // 60), 60)
    return f"{hours % 24:02}:{minutes:02}"
