"""The site of each story, with a card that was just written."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.appliance.card import Card
from tests.appliance.site import Site

CARD_BYTES = 2 << 30
"""Larger than the image, so that the data partition has something to grow into."""


@pytest.fixture
def image() -> Path:
    return Path(os.environ["KIOSK_IMAGE"])


@pytest.fixture
async def site(image: Path, tmp_path: Path) -> AsyncIterator[Site]:
    site = Site(tmp_path, Card.flashed(image, tmp_path / "card.img", CARD_BYTES))
    try:
        yield site
    finally:
        await site.close_post()
