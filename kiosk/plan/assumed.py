"""What a plan takes for granted of people, staff and machines, each with where the number is from."""

from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

Seconds = Annotated[float, Meta(gt=0, le=3600)]
Share = Annotated[float, Meta(ge=0, le=1)]


class Assumed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Times are means; each single one lies between 0.6 and 1.8 times of it, mostly at the lower end.

    ``idle_close_s``: a group that waits for more people is closed short when nobody came for so long. ``shift_h``:
    each sampler is relieved once in so many hours, one after the other, and the hand-over takes ``break_min``.
    ``no_card``, ``red``, ``key``: shares of the people; ``paper_out``: of the labels.
    """

    scan_s: Seconds = 9.0  # card and code of one person: 400 people an hour at a table
    samplers: Annotated[int, Meta(ge=1, le=10)] = 2  # of a shift at a table, rule Q8
    sampled_an_hour: Annotated[float, Meta(ge=10, le=1000)] = 200.0  # by one sampler, rule Q8
    shift_h: Annotated[float, Meta(ge=0.5, le=24)] = 3.0  # 2 to 4 h, rule Q8
    break_min: Annotated[float, Meta(ge=0, le=120)] = 10.0
    label_s: Seconds = 3.0  # from the closed tube to its label
    gate_s: Seconds = 10.0  # a volunteer sticks the labels on and presses
    walk_s: Seconds = 15.0  # from the gate to the swab
    idle_close_s: Seconds = 120.0
    paper_out: Share = 0.001  # a roll has 1,000 labels
    paper_s: Seconds = 180.0  # until a new roll is in
    no_card: Share = 0.005
    red: Share = 0.0005
    key: Share = 0.01  # a tube of their own, rule G3


def assumed(pairs: Iterable[str]) -> Assumed:
    """The assumptions with some replaced, each pair "name=number". Raises ValueError that says what was expected."""
    known = {field.name: field.type for field in msgspec.structs.fields(Assumed)}
    values: dict[str, float] = {}
    for pair in pairs:
        name, sign, text = pair.partition("=")
        if not sign or name not in known:
            raise ValueError(f"--assume {pair}: expected name=number, the name one of: {', '.join(known)}")
        try:
            values[name] = msgspec.convert(text, known[name], strict=False)
        except msgspec.ValidationError as error:
            raise ValueError(f"--assume {pair}: {error}") from None
    return msgspec.convert(values, Assumed)
