"""What is printed beside the codes: every command of `kiosk.domain.Do`, Chinese first."""

from typing import NamedTuple

from kiosk.domain import Do, Role
from kiosk.staff import TAKES

ROLES = {
    Role.REGISTRAR: ("登记员", "Registrar"),
    Role.SAMPLER: ("采样员", "Sampler"),
    Role.COURIER: ("转运员", "Courier"),
    Role.TECHNICIAN: ("技术员", "Technician"),
}

_THEN = {"person": ("再刷证", "then the card"), "tube": ("再扫管码", "then the tube")}
_THEN_TWO = {"person": ("再刷两人的证", "then both cards"), "tube": ("再扫两支管码", "then both tubes")}


class Printed(NamedTuple):
    """One code of the sheet."""

    do: Do
    text: str
    zh: str
    en: str

    @property
    def then(self) -> tuple[str, str]:
        """What to show after it, in both languages; "" for nothing."""
        things = TAKES.get(self.do, ())
        if not things:
            return "", ""
        return (_THEN_TWO if len(things) == 2 else _THEN)[things[0]]


class Section(NamedTuple):
    zh: str
    en: str
    codes: tuple[Printed, ...]


def _section(zh: str, en: str, *codes: tuple[Do, str, str, str]) -> Section:
    return Section(zh, en, tuple(Printed(*each) for each in codes))


SECTIONS = (
    _section(
        "求助与上岗",
        "Help and shifts",
        (Do.CALL_STAFF, "", "呼叫人手", "Call staff"),
        (Do.CALL_SUPPLIES, "", "呼叫物资", "Call supplies"),
        (Do.CALL_SECURITY, "", "呼叫安保", "Call security"),
        (Do.SHIFT_ON, "", "上岗", "Shift on"),
        (Do.SHIFT_OFF, "", "下岗", "Shift off"),
    ),
    _section(
        "下一位",
        "The next person",
        (Do.SINGLE_NEXT, "", "下一位单采", "Next: own tube"),
        (Do.NASAL_NEXT, "", "下一位鼻咽拭子", "Next: nasal swab"),
        (Do.CATEGORY_NEXT, "key", "下一位重点人群", "Next: key person"),
        (Do.CATEGORY_NEXT, "contact", "下一位密接", "Next: contact"),
        (Do.CATEGORY_NEXT, "returnee", "下一位返回人员", "Next: returnee"),
        (Do.CATEGORY_NEXT, "recovered", "下一位既往感染", "Next: infected before"),
        (Do.CATEGORY_NEXT, "yellow", "下一位黄码", "Next: yellow code"),
        (Do.GUARDIAN, "", "无证儿童随监护人", "Child with guardian"),
        (Do.PAPER_CARD, "", "制作纸卡", "Make a paper card"),
        (Do.OVERRIDE, "", "同轮再采一次", "Again in this round"),
    ),
    _section(
        "更正",
        "Corrections",
        (Do.VOID_LAST, "", "作废上一位", "Void the last one"),
        (Do.VOID, "", "作废此人", "Void a person"),
        (Do.NO_SHOW, "", "未到采样台", "Did not come"),
        (Do.REFUSED, "", "拒绝采样", "Refused the swab"),
        (Do.LEFT, "", "已离开", "Has left"),
        (Do.MOVE, "", "改为单采", "Into an own tube"),
        (Do.SWAP, "", "两人对调", "Swap two people"),
        (Do.WRONG_TUBE, "", "管子用错", "Wrong tube"),
        (Do.SPLIT, "", "整管改单采", "Split: all single"),
        (Do.SPLIT, "2", "一管分两管", "Split into two"),
    ),
    _section(
        "管与标签",
        "Tubes and labels",
        (Do.CLOSE_POOL, "", "本管封管", "Close this tube"),
        (Do.REPRINT, "", "补打标签", "Print again"),
        (Do.LOST_TUBE, "", "管子丢失", "Tube lost"),
        (Do.LEAKED_TUBE, "", "管子渗漏", "Tube leaked"),
        (Do.STOCK, "labels 1000", "已换标签卷 1000", "New roll: 1000"),
        (Do.STOCK, "1 100", "单采管 100 支", "100 single tubes"),
        (Do.STOCK, "5 100", "5混管 100 支", "100 tubes of 5"),
        (Do.STOCK, "10 100", "10混管 100 支", "100 tubes of 10"),
        (Do.STOCK, "20 100", "20混管 100 支", "100 tubes of 20"),
        (Do.STOCK, "nasal 100", "鼻咽管 100 支", "100 nasal tubes"),
    ),
    _section(
        "规则",
        "The rules from now on",
        (Do.POOL, "1", "单采", "1 per tube"),
        (Do.POOL, "5", "5合1", "5 per tube"),
        (Do.POOL, "10", "10合1", "10 per tube"),
        (Do.POOL, "20", "20合1", "20 per tube"),
        (Do.GROUP, "5", "5人一组", "Groups of 5"),
        (Do.GROUP, "10", "10人一组", "Groups of 10"),
        (Do.HOUSEHOLD_START, "", "一户一管开始", "Household begins"),
        (Do.HOUSEHOLD_END, "", "一户一管结束", "Household ends"),
        (Do.VISIT_START, "", "入户采样开始", "Home visits begin"),
        (Do.VISIT_END, "", "入户采样结束", "Home visits end"),
        (Do.ROUND_START, "", "新一轮开始", "New round"),
        (Do.ROUND_END, "", "本轮结束", "Round ends"),
        (Do.DRILL_ON, "", "演练开始", "Drill begins"),
        (Do.DRILL_OFF, "", "演练结束", "Drill ends"),
    ),
    _section(
        "转运",
        "Transport",
        (Do.COLLECT, "", "转运员收样", "Collect"),
        (Do.PACKED, "", "装袋装箱完毕", "Packed"),
        (Do.MISSING_LOST, "", "缺少的管子已丢失", "The missing are lost"),
    ),
)


def sections(labs: tuple[str, ...] = (), vehicles: tuple[str, ...] = ()) -> tuple[Section, ...]:
    """All of the sheet; each lab and each vehicle permit has a code of its own."""
    own = (
        *(Printed(Do.LAB, lab, f"送 {lab}", "To this lab") for lab in labs),
        *(Printed(Do.VEHICLE, permit, f"车辆 {permit}", "This vehicle") for permit in vehicles),
    )
    *others, transport = SECTIONS
    return (*others, transport._replace(codes=(*transport.codes, *own)))
