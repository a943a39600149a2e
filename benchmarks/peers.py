"""A process of its own: makes n pictures as a program without batchgen would, 64 workers with one of three libraries.

    python -m benchmarks.peers tenacity|aiolimiter|botocore URL TASKS SENDS SECONDS    (the key in $BENCH_KEY)

Each is the loop that its library's own pages show. A request that is answered with 429 is tried again, up to ten times
in all, after an exponential back-off with full jitter and not before Retry-After. Pictures are read whole and dropped.
"""

from __future__ import annotations

import asyncio
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
from aiolimiter import AsyncLimiter
from botocore.retries.adaptive import ClientRateLimiter, RateClocker  # type: ignore[import-untyped]
from botocore.retries.bucket import Clock, TokenBucket  # type: ignore[import-untyped]
from botocore.retries.throttling import CubicCalculator  # type: ignore[import-untyped]
from tenacity import (
    RetryError,
    retry,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exception,
    wait_random_exponential,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    Make = Callable[[int], Awaitable[None]]

WORKERS = 64
ATTEMPTS = 10


class Throttled(Exception):  # noqa: N818 - what the server said
    """A 429."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Post:
    """Asks for one picture, once."""

    session: aiohttp.ClientSession
    url: str

    async def __call__(self, seed: int) -> None:
        """Raises Throttled, or aiohttp's errors."""
        form = aiohttp.FormData({"model": "sd3-large-turbo", "prompt": "an otter"}, default_to_multipart=True)
        form.add_field("seed", str(seed))
        async with self.session.post(self.url, data=form) as response:
            if response.status == 429:
                raise Throttled(float(response.headers.get("Retry-After", 0)))
            response.raise_for_status()
            await response.read()


def retrying(make: Make, *, longest_s: float) -> Make:
    """Tenacity around one task, backing off alone."""
    again = retry(
        retry=retry_if_exception_type(Throttled),
        wait=wait_exception(_asked_s) + wait_random_exponential(max=longest_s),
        stop=stop_after_attempt(ATTEMPTS),
    )
    return again(make)


def _asked_s(error: BaseException) -> float:
    return error.retry_after_s if isinstance(error, Throttled) else 0.0


def tenacity(post: Post, _sends: float, _seconds: float) -> Make:
    """Each worker backs off alone and knows nothing of the limit."""
    return retrying(post, longest_s=60)


def aiolimiter(post: Post, sends: float, seconds: float) -> Make:
    """One leaky bucket before every request, told the limit."""
    bucket = AsyncLimiter(sends, seconds)

    async def make(seed: int) -> None:
        async with bucket:
            await post(seed)

    return retrying(make, longest_s=60)


def botocore(post: Post, _sends: float, _seconds: float) -> Make:
    """The classes behind `retries: {mode: adaptive}`, put together as register_retry_handler does."""
    clock = Clock()
    limiter = ClientRateLimiter(
        rate_adjustor=CubicCalculator(starting_max_rate=0, start_time=clock.current_time()),
        rate_clocker=RateClocker(clock),
        token_bucket=TokenBucket(max_rate=1, clock=clock),
        throttling_detector=_Detector(),
        clock=clock,
    )

    async def make(seed: int) -> None:
        await asyncio.to_thread(limiter.on_sending_request, request=None)
        try:
            await post(seed)
        except Throttled:
            limiter.on_receiving_response(throttled=True)
            raise
        limiter.on_receiving_response(throttled=False)

    return retrying(make, longest_s=20)  # botocore's own _MAX_BACKOFF


class _Detector:
    def is_throttling_error(self, *, throttled: bool, **_: Any) -> bool:
        return throttled


PEERS = {"tenacity": tenacity, "aiolimiter": aiolimiter, "botocore": botocore}


async def main(name: str, url: str, tasks: int, sends: float, seconds: float) -> None:
    """Make all pictures, or give up on some."""
    # A thread for each worker, since botocore's bucket blocks the one that asks.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(WORKERS))
    headers = {"Authorization": f"Bearer {os.environ['BENCH_KEY']}", "Accept": "image/*"}
    async with aiohttp.ClientSession(headers=headers) as session:
        make = PEERS[name](Post(session, url), sends, seconds)
        seeds = iter(range(1, tasks + 1))
        await asyncio.gather(*(_work(seeds, make) for _ in range(WORKERS)))


async def _work(seeds: Iterator[int], make: Make) -> None:
    for seed in seeds:
        with suppress(RetryError):  # given up: the server's log shows one picture less
            await make(seed)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5])))
