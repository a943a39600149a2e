"""Tasks, failures and a fake of the wire that the tests of the engine share."""

from __future__ import annotations

from dataclasses import dataclass

from batchgen.model import Attempt, Billing, Failure, Fault, Picture, Secret, Success, Task
from batchgen.providers.conversation import Body, Call

KEY = "canary-key-0123456789"


def task(index: int) -> Task:
    return Task(
        id=f"task{index:08}",
        index=index,
        job="otters",
        prompt_id="fox",
        prompt_slug="fox",
        repeat=0,
        fields={"model": "sd3-large", "prompt": "a fox", "seed": str(index)},
        image=None,
        variables={},
        place=lambda _: f"fox/{index}",
    )


def failure(fault: Fault, billing: Billing = Billing.NO, retry_after_s: float | None = None) -> Failure:
    return Failure(
        fault=fault,
        billing=billing,
        words="no",
        status=None if fault is Fault.UNREACHABLE else 503,
        retry_after_s=retry_after_s,
    )


def tried(number: int, fault: Fault, billing: Billing = Billing.NO, seconds: float = 1.0) -> Attempt:
    started = "2026-11-22T02:30:11.123Z"
    return Attempt(number=number, started=started, seconds=seconds, billing=billing, fault=fault)


SUCCESS = Success(
    picture=Picture(format="png", width=8, height=8, size_bytes=4, sha256="ab" * 32),
    status=200,
    content_type="image/png",
)


def attempt(number: int, outcome: Success | Failure) -> Attempt:
    fault = outcome.fault if isinstance(outcome, Failure) else None
    billing = outcome.billing if isinstance(outcome, Failure) else Billing.YES
    return Attempt(number=number, started="2026-11-22T02:30:11.123Z", seconds=0.0, billing=billing, fault=fault)


def call(url: str, *, brings_picture: bool = True, body: bytes = b"--x--\r\n") -> Call:
    return Call(
        method="POST",
        url=url,
        headers={"Accept": "image/*", "Content-Type": "multipart/form-data; boundary=x"},
        body=Body(head=body),
        bearer=Secret(KEY),
        brings_picture=brings_picture,
    )


@dataclass(slots=True)
class ListSink:
    """Keeps what it is given; `b"good"` is its idea of a picture."""

    got: bytes = b""

    @property
    def beginning(self) -> bytes:
        """The first bytes."""
        return self.got[:1000]

    def expect(self, size_bytes: int) -> None:
        """See Sink."""

    async def write(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self.got += chunk

    async def finish(self) -> Picture | str:
        """The picture, or what is wrong."""
        return SUCCESS.picture if self.got.startswith(b"good") else "not a picture"
