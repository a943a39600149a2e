"""A client that shows every answer of a sandbox as it came, and what its tests send."""

import asyncio
import io
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
from PIL import Image
from yarl import URL

from batchgen.sandbox.faults import Fault

PATH = "/v1/images/generations"
HEADERS = {"Accept": "image/*", "Authorization": "Bearer sandbox"}
TEXT: dict[str, str | bytes] = {"model": "sd3-large", "prompt": "A cute baby sea otter wearing a beret"}
SEEDED = {**TEXT, "seed": "7"}
PICTURE = 6.5
"""Credits for the picture of either."""
BLANK_LINE = b"\r\n\r\n"
Form = Mapping[str, str | bytes]
Fields = Form | Sequence[tuple[str, str | bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer, read whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def picture(self) -> Image.Image:
        """The body as a picture."""
        image = Image.open(io.BytesIO(self.body))
        image.load()
        return image


def encode(fields: Fields, boundary: str = "----batchgen") -> bytes:
    """A multipart/form-data body; pairs may repeat a name."""
    pairs = fields.items() if isinstance(fields, Mapping) else fields
    parts = []
    for name, value in pairs:
        file = '; filename="input.png"' if name == "image" else ""
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode()
        parts.append(head + (value if isinstance(value, bytes) else value.encode()) + b"\r\n")
    return b"".join(parts) + f"--{boundary}--\r\n".encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """An answer as it crossed the wire; `reset`: the connection did not end but broke."""

    head: str
    body: bytes
    reset: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Speaks to one sandbox."""

    session: aiohttp.ClientSession
    base: str

    @property
    def url(self) -> str:
        """Where pictures are made."""
        return self.base + PATH

    async def send(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Any request; raises what aiohttp raises when there is no whole answer."""
        async with self.session.request(
            method,
            self.base + path,
            data=body and io.BytesIO(body),
            headers=headers,
            skip_auto_headers=["Accept", "Content-Type"],
        ) as response:
            return Answer(status=response.status, headers=response.headers, body=await response.read())

    async def post(self, fields: Fields, headers: Mapping[str, str] = HEADERS) -> Answer:
        """A form to the endpoint."""
        content = {"Content-Type": "multipart/form-data; boundary=----batchgen"}
        return await self.send("POST", PATH, encode(fields), {**content, **headers})

    async def log(self, query: str = "") -> dict[str, Any]:
        """The log, decoded."""
        async with self.session.get(self.base + "/log" + query) as response:
            log: dict[str, Any] = await response.json()
            return log

    async def summary(self) -> dict[str, Any]:
        """The sums of the log."""
        summary: dict[str, Any] = (await self.log("?summary=1"))["summary"]
        return summary

    async def in_flight(self, least: int, most: int) -> dict[str, Any]:
        """Wait until so many requests are being answered; the sums of the log then."""
        while not least <= (summary := await self.summary())["in_flight"] <= most:  # noqa: ASYNC110 - over HTTP
            await asyncio.sleep(0.01)
        return summary

    async def control(self, **change: Any) -> dict[str, Any]:
        """Change settings; what stands then, or the error."""
        async with self.session.post(self.base + "/control", json=change) as response:
            told: dict[str, Any] = await response.json()
            return told

    async def raw(self, fields: Fields = TEXT, *, enough: int | None = None) -> Raw:
        """A form over a bare socket, its answer byte by byte: until the end, or until `enough` bytes of body came."""
        reader, writer = await asyncio.open_connection("127.0.0.1", URL(self.base).port)
        got, reset = b"", False
        try:
            writer.write(self._request(encode(fields)))
            while enough is None or len(got.partition(BLANK_LINE)[2]) < enough:
                chunk = await reader.read(1 << 20)
                if not chunk:
                    break
                got += chunk
        except ConnectionResetError:
            reset = True
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
        head, _blank, body = got.partition(BLANK_LINE)
        return Raw(head=head.decode("latin-1"), body=body, reset=reset)

    def _request(self, body: bytes) -> bytes:
        """A whole request for a picture, as bytes."""
        headers = {**HEADERS, "Content-Type": "multipart/form-data; boundary=----batchgen"}
        lines = [f"POST {PATH} HTTP/1.1", "Host: sandbox", "Connection: close", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join(lines).encode() + BLANK_LINE + body


Serve = Callable[..., Awaitable[Client]]
"""Starts a sandbox with these settings and gives a client of it."""


async def always(serve: Serve, fault: Fault, **settings: Any) -> Client:
    """A sandbox that answers every request with this fault."""
    return await serve(limits=(), fail={fault: 1.0}, **settings)


async def entry_of(client: Client, number: int = 1) -> dict[str, Any]:
    """What the log says of a request."""
    entry: dict[str, Any] = (await client.log())["requests"][number - 1]
    return entry


def make_image(form: str = "PNG", size: tuple[int, int] = (96, 64), mode: str = "RGB") -> bytes:
    """An input picture: a slanted gradient, so that every pixel has its own colour."""
    image = Image.merge("RGB", [Image.linear_gradient("L").rotate(turn).resize(size) for turn in (0, 90, 45)])
    out = io.BytesIO()
    image.convert(mode).save(out, form)
    return out.getvalue()
