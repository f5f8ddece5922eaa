"""Settings of the whole suite."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.mosquitto import Mosquitto, mosquitto

settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture(scope="session", autouse=True)
def keys_in_memory_go() -> Iterator[None]:
    """A kiosk's key of "seen before" outlives the kiosk; those of the tests' kiosks do not outlive the tests."""
    before = set(Path("/dev/shm").glob("kiosk-*.key"))
    yield
    for key in set(Path("/dev/shm").glob("kiosk-*.key")) - before:
        key.unlink()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path) as running:
        yield running
