"""Fixtures: a sandbox over a real socket, in this process. A test module asks for them by `pytest_plugins`."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from sandbox_client import SEEDED, Answer, Client, Serve

from batchgen.sandbox.server import create_app
from batchgen.sandbox.settings import Settings, Size


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts a sandbox with these settings (small pictures unless told otherwise) on a port that is free."""
    async with AsyncExitStack() as stack:

        async def start(**settings: Any) -> Client:
            runner = web.AppRunner(create_app(Settings(**{"size": Size.SMALL, **settings})), shutdown_timeout=0.1)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            session = await stack.enter_async_context(aiohttp.ClientSession())
            return Client(session=session, base=f"http://127.0.0.1:{runner.addresses[0][1]}")

        yield start


@pytest.fixture
async def client(serve: Serve) -> Client:
    """A client of a plain sandbox without a limit."""
    return await serve(limits=())


@pytest.fixture
async def whole(client: Client) -> Answer:
    """The answer to SEEDED when nothing goes wrong."""
    return await client.post(SEEDED)
