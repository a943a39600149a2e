"""A client that shows every answer of a sandbox as it came, and what its tests send."""

import io
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
from PIL import Image

PATH = "/v1/images/generations"
HEADERS = {"Accept": "image/*", "Authorization": "Bearer sandbox"}
TEXT: dict[str, str | bytes] = {"model": "sd3-large", "prompt": "A cute baby sea otter wearing a beret"}
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

    async def log(self) -> dict[str, Any]:
        """The log, decoded."""
        async with self.session.get(self.base + "/log") as response:
            log: dict[str, Any] = await response.json()
            return log


Serve = Callable[..., Awaitable[Client]]
"""Starts a sandbox with these settings and gives a client of it."""


def make_image(form: str = "PNG", size: tuple[int, int] = (96, 64), mode: str = "RGB") -> bytes:
    """An input picture: a slanted gradient, so that every pixel has its own colour."""
    image = Image.merge("RGB", [Image.linear_gradient("L").rotate(turn).resize(size) for turn in (0, 90, 45)])
    out = io.BytesIO()
    image.convert(mode).save(out, form)
    return out.getvalue()
