"""One guest for all tests of this folder, one daemon for each of its modules that has a POLICY."""

import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.guest.daemon import Daemon
from tests.guest.machine import Guest, Missing


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def guest(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Guest]:
    try:
        machine = Guest(tmp_path_factory.mktemp("guest"))
        async with machine:
            yield machine
    except Missing as missing:
        (pytest.fail if "CI" in os.environ else pytest.skip)(str(missing))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def daemon(guest: Guest, request: pytest.FixtureRequest) -> AsyncIterator[Daemon]:
    module = request.module
    async with Daemon(guest, module.__name__.rpartition("_")[2], module.POLICY, getattr(module, "MORE", "")) as running:
        yield running
