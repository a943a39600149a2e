"""A process of its own: gets n pictures, 64 in flight, by one of the loops that people write around aiohttp.

    python benchmarks/loops.py bare|built|tenacity URL PICTURES FOLDER    (the key in $BENCH_KEY)

None keeps a record of what it made, looks at the bytes, or waits for the disk. Runs in an environment of its own.
"""

from __future__ import annotations

import asyncio
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import aiofiles
import aiohttp
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    Make = Callable[[int], Awaitable[None]]

IN_FLIGHT = 64
CHUNK_BYTES = 64 * 1024
FIELDS = {"model": "sd3-large-turbo", "prompt": "an otter"}
BOUNDARY = "a7c1f0e2d94b4e6f"


async def bare(session: aiohttp.ClientSession, url: str, pictures: int, folder: Path) -> None:
    """Workers that post a form, read the answer whole and write it, blocking."""

    async def make(seed: int) -> None:
        async with session.post(url, data=_form(seed)) as response:
            response.raise_for_status()
            (folder / f"{seed}.png").write_bytes(await response.read())

    await _workers(make, pictures)


async def built(session: aiohttp.ClientSession, url: str, pictures: int, folder: Path) -> None:
    """The same with one body for all requests, built once."""
    parts = {**FIELDS, "seed": "7"}.items()
    body = "".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in parts
    )
    data = f"{body}--{BOUNDARY}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}

    async def make(seed: int) -> None:
        async with session.post(url, data=data, headers=headers) as response:
            response.raise_for_status()
            (folder / f"{seed}.png").write_bytes(await response.read())

    await _workers(make, pictures)


async def tenacity(session: aiohttp.ClientSession, url: str, pictures: int, folder: Path) -> None:
    """A task for each picture behind a semaphore, tried again by tenacity, written by aiofiles chunk by chunk."""
    turn = asyncio.Semaphore(IN_FLIGHT)

    @retry(
        retry=retry_if_exception_type(aiohttp.ClientError),
        wait=wait_random_exponential(max=60),
        stop=stop_after_attempt(5),
    )
    async def make(seed: int) -> None:
        async with turn, session.post(url, data=_form(seed)) as response:
            response.raise_for_status()
            async with aiofiles.open(folder / f"{seed}.png", "wb") as file:
                async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                    await file.write(chunk)

    await asyncio.gather(*(make(seed) for seed in range(1, pictures + 1)))


def _form(seed: int) -> aiohttp.FormData:
    form = aiohttp.FormData(FIELDS, default_to_multipart=True)
    form.add_field("seed", str(seed))
    return form


async def _workers(make: Make, pictures: int) -> None:
    seeds = iter(range(1, pictures + 1))
    await asyncio.gather(*(_work(seeds, make) for _ in range(IN_FLIGHT)))


async def _work(seeds: Iterator[int], make: Make) -> None:
    for seed in seeds:
        await make(seed)


LOOPS = {"bare": bare, "built": built, "tenacity": tenacity}
ON_UVLOOP = {"bare", "built"}


async def main(name: str, url: str, pictures: int, folder: Path) -> None:
    """Get all pictures."""
    headers = {"Authorization": f"Bearer {os.environ['BENCH_KEY']}", "Accept": "image/*"}
    async with aiohttp.ClientSession(headers=headers) as session:
        await LOOPS[name](session, url, pictures, folder)


if __name__ == "__main__":
    _name = sys.argv[1]
    # By its name, since the project's own environment, and so its types, need not have it.
    _factory = import_module("uvloop").new_event_loop if _name in ON_UVLOOP else None
    with asyncio.Runner(loop_factory=_factory) as _runner:
        _runner.run(main(_name, sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])))
