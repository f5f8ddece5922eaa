"""Invented residents for simulations and tests: as many as wanted, always the same, every number different."""

from datetime import date, timedelta
from random import Random

from kiosk.domain import DocumentKind, Person
from kiosk.identity import check_731, check_mod_11_2

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
_HOMES = {"810000": "H", "820000": "M", "830000": ""}  # Hong Kong, Macao, Taiwan, and their permits' first letters
_NATIONALITIES = {"DEU": "276", "FRA": "250", "JPN": "392", "KAZ": "398", "BRA": "076", "KEN": "404"}  # ISO 3166
_FAMILIES = {"SAMPLE": "萨", "EXAMPLE": "艾", "INVENTED": "殷", "MUSTER": "穆", "SPECIMEN": "施"}
_FORENAMES = {"ANNA": "安娜", "NURLAN": "努尔兰", "MARIE": "玛丽", "KENJI": "健司", "JOAO": "若昂", "AMINA": "阿米娜"}
_FIRST_BIRTH = date(1935, 1, 1)
_BIRTHS = 27_000  # days, until 2008
_SEQUENCES = 999
_PEOPLE = len(_PLACES) * _BIRTHS * _SEQUENCES
_STRIDE = 104_395_303  # a prime that does not divide _PEOPLE: neighbours in n are strangers in everything


def person(n: int, document: DocumentKind = DocumentKind.RESIDENT) -> Person:
    """The ``n``-th invented resident with such a document, n >= 0. Numbers are distinct for the first 269,730,000 ID
    cards and the first 1,620,000 documents of each other kind."""
    match document:
        case DocumentKind.RESIDENT:
            return _resident(n)
        case DocumentKind.PERMIT:
            return _neighbour(n)
    return _foreigner(n, document)


def _resident(n: int) -> Person:
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


def _neighbour(n: int) -> Person:
    """A resident of Hong Kong, Macao or Taiwan."""
    day, sequence = divmod(n * _STRIDE % (_BIRTHS * _SEQUENCES), _SEQUENCES)
    rng = Random(n)
    region, letter = rng.choice(list(_HOMES.items()))
    birth = _FIRST_BIRTH + timedelta(day)
    body = f"{region}{birth:%Y%m%d}{sequence + 1:03}"
    return Person(
        document=DocumentKind.PERMIT,
        number=body + check_mod_11_2(body),
        name=rng.choice(_SURNAMES) + "".join(rng.choices(_GIVEN, k=2)),
        birth=f"{birth:%Y%m%d}",
        sex="1" if (sequence + 1) % 2 else "2",
        address=f"福建省厦门市{rng.choice(_STREETS)}路{rng.randint(1, 300)}号",
        authority="厦门市公安局",
        valid_from="20210301",
        valid_to="20310301",
        permit_number=f"{letter}{rng.randrange(10**8):08}",
    )


def _foreigner(n: int, document: DocumentKind) -> Person:
    """A foreigner with a permanent residence card of this kind."""
    spread = n * _STRIDE % (_BIRTHS * len(_NATIONALITIES) * 10)
    spread, sequence = divmod(spread, 10)
    nation, day = divmod(spread, _BIRTHS)
    letters, digits = list(_NATIONALITIES.items())[nation]
    birth = _FIRST_BIRTH + timedelta(day)
    rng = Random(n)
    family, forename = rng.choice(list(_FAMILIES.items())), rng.choice(list(_FORENAMES.items()))
    old = document is DocumentKind.FOREIGNER_2017
    body = f"{letters}1100{birth:%y%m%d}{sequence}" if old else f"911{digits}{birth:%Y%m%d}{sequence + 1:03}"
    return Person(
        document=document,
        number=body + (check_731(body) if old else check_mod_11_2(body)),
        name=family[1] + forename[1],
        birth=f"{birth:%Y%m%d}",
        sex="2" if forename[0] in ("ANNA", "MARIE", "AMINA") else "1",
        nationality=letters if old else digits,
        latin_name=f"{family[0]}, {forename[0]}",
        authority="1100" if old else "",
        valid_from="20240101",
        valid_to="20340101",
    )
