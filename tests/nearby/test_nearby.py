"""One kiosk's side of the talk between neighbours, at a real mosquitto."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from kiosk import seal
from kiosk.config import Neighbours
from kiosk.domain import Reason
from kiosk.facts import Fact, RoundStarted, Unbound, Withdrawn
from kiosk.nearby import Nearby
from kiosk.nearby.talk import Here, Page, here_topic, pack, page_topic, who
from kiosk.site import fold
from tests.support.desk_story import SITE, Story, person
from tests.support.mosquitto import Mosquitto
from tests.support.post import until

POST = seal.PrivateKeys.generate().public
ONE, TWO, KEY, OTHER_KEY = b"1" * 32, b"2" * 32, b"k" * 32, b"o" * 32


class Kiosk:
    """Its desk, and the part that is tested."""

    def __init__(self, broker: Mosquitto, number: int, device: bytes, key: bytes | None = KEY) -> None:
        self.story = Story(health_code="off", round="manual")
        self.sealer = seal.Sealer(POST, key)
        self.claims: list[bool] = []
        config = Neighbours(host="127.0.0.1", port=broker.port)
        self.nearby = Nearby(config, SITE, number, device, self.sealer, self.claims.append)
        self.nearby.learned(self.story.site, ())

    def comes(self, who: object) -> None:
        self.learns(self.story.card(who))

    def learns(self, facts: list[Fact]) -> None:
        self.nearby.learned(self.story.site, facts)


@contextlib.asynccontextmanager
async def at_work(*kiosks: Kiosk) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(kiosk.nearby.run()) for kiosk in kiosks]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.contextmanager
def stranger(broker: Mosquitto) -> Iterator[tuple[Client, list[tuple[str, bytes]]]]:
    """Somebody on the network who has no key; what they overhear."""
    heard: list[tuple[str, bytes]] = []
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
    client.on_message = lambda _c, _u, message: heard.append((message.topic, message.payload))
    client.connect("127.0.0.1", broker.port)
    client.subscribe("#")
    client.loop_start()
    try:
        yield client, heard
    finally:
        client.disconnect()
        client.loop_stop()


async def test_who_is_taken_back_may_come_to_the_next_table(broker: Mosquitto) -> None:
    left, right = Kiosk(broker, 1, ONE), Kiosk(broker, 2, TWO)
    async with at_work(left, right):
        left.comes("Li")
        left.comes("Wang")
        await until(lambda: right.nearby.elsewhere(person("Wang")) == 1)
        tube = left.story.places[0][1]
        for fact in (Withdrawn(1, Reason.RED), Unbound(tube, 1, 1)):
            left.story.site = fold(left.story.site, fact, left.story.at)
            left.nearby.learned(left.story.site, [fact])
        await until(lambda: right.nearby.elsewhere(person("Li")) == 0)
        assert right.nearby.elsewhere(person("Wang")) == 1


async def test_a_new_round_empties_the_pages(broker: Mosquitto) -> None:
    left, right = Kiosk(broker, 1, ONE), Kiosk(broker, 2, TWO)
    async with at_work(left, right):
        left.comes("Li")
        await until(lambda: right.nearby.elsewhere(person("Li")) == 1)
        left.learns(left.story.new_round())
        assert left.story.told(RoundStarted)
        await until(lambda: right.nearby.elsewhere(person("Li")) == 0)


async def test_without_a_key_nothing_is_told_and_with_it_all_that_was_missed_is_learned(broker: Mosquitto) -> None:
    left, right = Kiosk(broker, 1, ONE), Kiosk(broker, 2, TWO, key=None)
    with stranger(broker) as (_, heard):
        async with at_work(left, right):
            left.comes("Li")
            await until(lambda: any(who(ONE) in topic for topic, _ in heard))
            assert right.nearby.elsewhere(person("Li")) == 0
            assert not any(who(TWO) in topic for topic, _ in heard)
            right.sealer.use(KEY)
            await until(lambda: right.nearby.elsewhere(person("Li")) == 1)


async def test_another_round_s_kiosk_and_noise_are_passed_over(broker: Mosquitto) -> None:
    left, right = Kiosk(broker, 1, ONE, OTHER_KEY), Kiosk(broker, 2, TWO)
    with stranger(broker) as (client, heard):
        client.publish(page_topic(SITE, who(ONE), 7), b"\x93noise", qos=1, retain=True)
        client.publish(page_topic(SITE, who(ONE), "x"), b"", qos=1)
        client.publish(f"kiosk/site/{SITE}/seen/{who(ONE)}/1/2", b"", qos=1)
        async with at_work(left, right):
            left.comes("Li")
            await until(lambda: any(who(ONE) in topic and len(data) > 100 for topic, data in heard))
            right.comes("Wang")
            await until(lambda: any(who(TWO) in topic for topic, _ in heard))
            assert right.nearby.elsewhere(person("Li")) == 0


async def test_a_page_under_another_name_is_not_taken(broker: Mosquitto) -> None:
    right = Kiosk(broker, 2, TWO)
    day = right.story.site.rounds.day
    page = Page(site=SITE, kiosk=1, key=ONE, day=day, page=0, digests=person("Li"))
    with stranger(broker) as (client, _):
        async with at_work(right):
            client.publish(page_topic(SITE, "f" * 16, 0), pack(page, right.sealer.mac), qos=1, retain=True)
            client.publish(page_topic(SITE, who(ONE), 0), pack(page, right.sealer.mac), qos=1, retain=True)
            await until(lambda: right.nearby.elsewhere(person("Li")) == 1)
            client.publish(page_topic(SITE, who(ONE), 0), b"", qos=1, retain=True)
            await until(lambda: right.nearby.elsewhere(person("Li")) == 0)


async def test_only_a_living_kiosk_of_this_round_can_take_a_number(broker: Mosquitto) -> None:
    """An echo of an earlier day, or a stranger with this number, closes no table."""
    mine = Kiosk(broker, 1, ONE)
    echo = Here(site=SITE, kiosk=1, key=TWO, token=b"t" * 8, heard=(b"o" * 8,))
    with stranger(broker) as (client, heard):
        async with at_work(mine):
            await until(lambda: [data for topic, data in heard if topic == here_topic(SITE, who(ONE))])
            client.publish(here_topic(SITE, who(TWO)), pack(echo, mine.sealer.mac))
            client.publish(here_topic(SITE, who(TWO)), pack(echo, seal.Sealer(POST, OTHER_KEY).mac))
            await until(lambda: len([data for topic, data in heard if topic == here_topic(SITE, who(ONE))]) > 1)
            assert mine.claims == []


async def test_two_living_ones_find_each_other(broker: Mosquitto) -> None:
    mine, other, third = Kiosk(broker, 1, ONE), Kiosk(broker, 1, TWO), Kiosk(broker, 3, b"3" * 32)
    async with at_work(mine, other, third):
        await until(lambda: (mine.claims, other.claims) == ([True], [True]))
        assert third.claims == []
