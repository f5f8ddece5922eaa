"""Invented residents for simulations and tests: as many as wanted, always the same, every number different."""

from datetime import date, timedelta
from random import Random

from kiosk.domain import DocumentKind, Person
from kiosk.identity import check_mod_11_2

_PLACES = {  # a region code whose county part is 99 is not in use: these numbers can belong to nobody
    "110199": "北京市",
    "120199": "天津市",
    "310199": "上海市",
    "320199": "江苏省南京市",
    "330199": "浙江省杭州市",
    "360499": "江西省九江市",
    "420199": "湖北省武汉市",
    "440199": "广东省广州市",
    "510199": "四川省成都市",
    "610199": "陕西省西安市",
}
_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰春梅建国志文婷宇浩然子轩雨泽欣怡晨佳琪思远"
_STREETS = ("示例", "样本", "虚构", "试验", "演练", "模拟")
_NATIONS = ("01",) * 10 + ("11", "08", "03", "05", "07")
_FIRST_BIRTH = date(1935, 1, 1)
_BIRTHS = 27_000  # days, until 2008
_SEQUENCES = 999
_PEOPLE = len(_PLACES) * _BIRTHS * _SEQUENCES
_STRIDE = 104_395_303  # a prime that does not divide _PEOPLE: neighbours in n are strangers in everything


def person(n: int) -> Person:
    """The ``n``-th invented resident, n >= 0. Numbers are distinct for the first 269,730,000."""
    spread = n * _STRIDE % _PEOPLE
    spread, sequence = divmod(spread, _SEQUENCES)
    place, day = divmod(spread, _BIRTHS)
    region, where = list(_PLACES.items())[place]
    birth = _FIRST_BIRTH + timedelta(day)
    body = f"{region}{birth:%Y%m%d}{sequence + 1:03}"
    rng = Random(n)
    given = "".join(rng.choices(_GIVEN, k=rng.choice((1, 2, 2))))
    return Person(
        document=DocumentKind.RESIDENT,
        number=body + check_mod_11_2(body),
        name=rng.choice(_SURNAMES) + given,
        birth=f"{birth:%Y%m%d}",
        sex="1" if (sequence + 1) % 2 else "2",
        nation=rng.choice(_NATIONS),
        address=f"{where}{rng.choice(_STREETS)}路{rng.randint(1, 300)}号",
        authority=f"{where}公安局",
        valid_from="20180512",
        valid_to="" if birth.year < 1975 else "20380512",
    )
