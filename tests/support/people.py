"""Invented people, one or more for each kind of document, all with valid check digits."""

from kiosk.domain import DocumentKind, Person
from kiosk.people import person

__all__ = ["AMINA", "ANNA", "EVERYBODY", "HUANG", "LI", "LIN", "MAX", "NURLAN", "WU", "ZHANG", "person"]

ZHANG = Person(  # X as check digit, no end of validity
    document=DocumentKind.RESIDENT,
    number="11010519491231002X",
    name="张三",
    birth="19491231",
    sex="2",
    nation="01",
    address="北京市朝阳区示例路1号",
    authority="北京市公安局朝阳分局",
    valid_from="20150101",
)
LI = Person(  # born in 1880, and moved since
    document=DocumentKind.RESIDENT,
    number="440524188001010014",
    name="李四",
    birth="18800101",
    sex="1",
    nation="11",
    address="广东省示例县虚构镇2号",
    newest_address="广东省示例县虚构镇演练路3号",
    authority="示例县公安局",
    valid_from="20100101",
    valid_to="20200101",
)
AMINA = Person(  # a long name with its middle dot; sex not stated
    document=DocumentKind.RESIDENT,
    number="650199199003074240",
    name="阿米娜·买买提示例",
    birth="19900307",
    sex="9",
    nation="05",
    address="新疆示例市虚构街道样本社区一期二栋三单元404室",
    authority="示例市公安局",
    valid_from="20180512",
    valid_to="20380512",
)
HUANG = Person(
    document=DocumentKind.PERMIT,
    number="810000199408230021",
    name="黃小虛",
    birth="19940823",
    sex="2",
    address="广东省深圳市示例路5号",
    authority="深圳市公安局",
    valid_from="20190601",
    valid_to="20240601",
    permit_number="H01234567",
)
WU = Person(  # sex unknown
    document=DocumentKind.PERMIT,
    number="820000198506150014",
    name="吳樣本",
    birth="19850615",
    sex="0",
    address="广东省珠海市样本路6号",
    authority="珠海市公安局",
    valid_from="20200101",
    valid_to="20250101",
    permit_number="M76543210",
)
LIN = Person(
    document=DocumentKind.PERMIT,
    number="830000199201300022",
    name="林示範",
    birth="19920130",
    sex="2",
    address="福建省厦门市虚构路7号",
    authority="厦门市公安局",
    valid_from="20210301",
    valid_to="20260301",
    permit_number="12345678",
)
NURLAN = Person(
    document=DocumentKind.FOREIGNER_2017,
    number="KAZ110090123105",
    name="努尔兰",
    birth="19901231",
    sex="1",
    nationality="KAZ",
    latin_name="SAMPLE, NURLAN",
    authority="1100",
    valid_from="20180101",
    valid_to="20280101",
)
MAX = Person(  # no Chinese name: the Latin one stands in
    document=DocumentKind.FOREIGNER_2017,
    number="DEU310075061206",
    name="MUSTERMANN, MAXIMILIAN ALEXANDER SEBASTIAN JOHANNES",
    birth="19750612",
    sex="1",
    nationality="DEU",
    latin_name="MUSTERMANN, MAXIMILIAN ALEXANDER SEBASTIAN JOHANNES",
    authority="3100",
    valid_from="20160101",
    valid_to="20260101",
)
ANNA = Person(  # a Latin name of 46 letters, which goes on elsewhere on the card, with a blank where it breaks
    document=DocumentKind.FOREIGNER_2023,
    number="911398199012310021",
    name="安娜",
    birth="19901231",
    sex="2",
    nationality="398",
    latin_name="INVENTED-SAMPLE, ANNA MARIA JOHANNA EXAMPLE-XY",
    valid_from="20240101",
    valid_to="20340101",
)
EVERYBODY = (ZHANG, LI, AMINA, HUANG, WU, LIN, NURLAN, MAX, ANNA)
