"""Each server of the benchmark keeps its rule, answers as the API does, and counts what its clients met."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import pytest

from benchmarks.rules import Kind, Rule
from benchmarks.servers import KEY, Haproxy, Nginx, Sandbox, Server

if TYPE_CHECKING:
    from pathlib import Path

REQUESTS = 30
SERVERS = [
    Sandbox(rule=Rule(Kind.WINDOW, 3, 60), latency_s=0, spread_s=0),
    Nginx(Rule(Kind.LEAKY, 3, 3)),
    Haproxy(Rule(Kind.STICK, 3, 60)),
]


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: type(server).__name__)
async def test_a_server_counts_what_its_clients_met(server: Server, tmp_path: Path) -> None:
    if why := server.absent():
        # nginx and haproxy are peers, no part of batchgen: without one the benchmark skips its rows by name, and so
        # does this. The sandbox is always there.
        pytest.skip(why)
    headers = {"Authorization": f"Bearer {KEY}", "Accept": "image/*"}
    met = []
    with server.start(tmp_path) as running:
        async with aiohttp.ClientSession(headers=headers) as session:
            for seed in range(REQUESTS):
                form = aiohttp.FormData({"model": "sd-core", "prompt": "an otter"}, default_to_multipart=True)
                form.add_field("seed", str(seed))
                async with session.post(running.url, data=form) as response:
                    met.append(response.status)
                    picture = await response.read()
                    assert response.status != 200 or picture.startswith(b"\x89PNG")
    seen = running.seen()
    assert set(met) == {200, 429}
    assert (seen.sent, seen.served, seen.rejected) == (REQUESTS, met.count(200), met.count(429))
    assert met[:3] == [200, 200, 200]
