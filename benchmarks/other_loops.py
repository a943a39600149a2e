"""A process of its own: gets n pictures, 64 in flight, with requests in threads or with httpx.

    python benchmarks/other_loops.py requests|httpx URL PICTURES FOLDER    (the key in $BENCH_KEY)

Like benchmarks/loops.py, which needs neither. The two are imported by their names, since the project's own
environment, and so its types, need not have them.
"""

from __future__ import annotations

import asyncio
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from threading import local

IN_FLIGHT = 64
FIELDS = {"model": "sd3-large-turbo", "prompt": "an otter"}


def with_requests(url: str, pictures: int, folder: Path) -> None:
    """64 threads, each with a session of its own."""
    requests = import_module("requests")
    mine = local()

    def make(seed: int) -> None:
        if not hasattr(mine, "session"):
            mine.session = requests.Session()
            mine.session.headers.update(_headers())
        response = mine.session.post(url, files=_form(seed))
        response.raise_for_status()
        (folder / f"{seed}.png").write_bytes(response.content)

    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        for _ in pool.map(make, range(1, pictures + 1)):
            pass  # raises what a picture raised


async def with_httpx(url: str, pictures: int, folder: Path) -> None:
    """64 workers on one AsyncClient."""
    httpx = import_module("httpx")
    seeds = iter(range(1, pictures + 1))
    limits = httpx.Limits(max_connections=IN_FLIGHT, max_keepalive_connections=IN_FLIGHT)
    async with httpx.AsyncClient(headers=_headers(), limits=limits) as client:

        async def work() -> None:
            for seed in seeds:
                response = await client.post(url, files=_form(seed))
                response.raise_for_status()
                (folder / f"{seed}.png").write_bytes(response.content)

        await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))


def _headers() -> dict[str, str]:
    return {"Authorization": f"Bearer {os.environ['BENCH_KEY']}", "Accept": "image/*"}


def _form(seed: int) -> dict[str, tuple[None, str]]:
    return {name: (None, text) for name, text in {**FIELDS, "seed": str(seed)}.items()}


if __name__ == "__main__":
    _name, _url, _pictures, _folder = sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])
    if _name == "requests":
        with_requests(_url, _pictures, _folder)
    else:
        asyncio.run(with_httpx(_url, _pictures, _folder))
