"""What a run hands to the process that keeps its pictures, what that answers, and how both travel.

A message is a frame: how many blocks it has, the size of each (64 bits, little-endian), then the blocks. The first is
a pickle; the others are the pictures, which it refers to, so that their bytes are never copied into it.
"""

from __future__ import annotations

import pickle
import struct
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from batchgen.store.names import Spot
from batchgen.store.rows import AttemptRow, FailureRow

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from batchgen.model import Attempt
    from batchgen.store.sidecar import Sidecar

    Block = bytes | memoryview

_NUMBER: Final = struct.Struct("<Q")


class Opening(NamedTuple):
    """The first message: where a run keeps what it makes."""

    root: Path
    rescue: Path | None
    run: str
    run_number: int | None
    """In the ledger."""


class Wrapped(NamedTuple):
    """A whole picture as its sink gives it away."""

    folder: str
    """Relative to the output folder."""
    name: str
    """Without its extension."""
    file: str
    """With it."""
    task_id: str
    task_index: int
    size_bytes: int
    sha256: str
    """Empty where no file holds the picture: whoever keeps it works it out."""
    sidecar: Sidecar
    slot: int | None = None
    """Where the picture is, in the memory that both share."""
    content: Block | pickle.PickleBuffer = b""
    """Or the picture itself."""
    streamed: str | None = None
    """Or the file that holds it."""
    process: int = 0
    descriptor: int = -1
    """That file as this process has it open, whatever became of its path."""
    why: str = ""
    """Why that file is in the rescue place."""

    @property
    def path(self) -> str:
        """Where it will lie, relative to the output folder."""
        return f"{self.folder}/{self.file}"

    @property
    def place(self) -> Spot:
        """The same without an extension."""
        return Spot(_folder(self.folder), self.name)


@lru_cache(maxsize=2048)
def _folder(path: str) -> PurePosixPath:
    return PurePosixPath(path)


class Begin(NamedTuple):
    """An attempt that may be sent once this is answered."""

    number: int
    row: AttemptRow


class Keep(NamedTuple):
    """A picture, and the attempt that brought it."""

    number: int
    attempt: Attempt
    wrapped: Wrapped


class Settle(NamedTuple):
    """An attempt that brought none; None: nothing of it was sent."""

    number: int
    attempt: Attempt | None


class Close(NamedTuple):
    """The last message; its answer is the last too."""


class Answer(NamedTuple):
    """What came of an opening, a beginning, a picture or the end; those are known by their attempt's number."""

    number: int = 0
    error: Exception | None = None


Item = Begin | Keep | Settle | FailureRow | bytes | Close


def framed(message: Any) -> list[Block]:
    """A message as the blocks to send, one after another."""
    pictures: list[pickle.PickleBuffer] = []
    blocks: list[Block] = [pickle.dumps(message, protocol=5, buffer_callback=pictures.append)]
    blocks += [picture.raw() for picture in pictures]
    head = _NUMBER.pack(len(blocks)) + b"".join([_NUMBER.pack(len(block)) for block in blocks])
    return [head, *blocks]


def receive(line: socket.socket, flags: int = 0) -> Any:
    """The next message; waits for it, but for its beginning where `flags` say so.

    Raises:
        EOFError: There will be none.
        BlockingIOError: None has begun to come.
    """
    count = _NUMBER.unpack(_whole(line, _NUMBER.size, flags))[0]
    sizes = struct.unpack(f"<{count}Q", _whole(line, count * _NUMBER.size))
    content, blocks, start = memoryview(_whole(line, sum(sizes))), [], 0
    for size in sizes:
        blocks.append(content[start : start + size])
        start += size
    return pickle.loads(blocks[0], buffers=blocks[1:])  # noqa: S301 - from our own other half


def _whole(line: socket.socket, size: int, flags: int = 0) -> bytearray:
    content = bytearray(size)
    left = memoryview(content)
    while left:
        came = line.recv_into(left, flags=flags)
        if not came:
            raise EOFError
        left, flags = left[came:], 0
    return content


class Messages:
    """Messages without pictures, as their bytes come."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def read(self, content: bytes) -> Iterator[Any]:
        """All that are whole by now."""
        self._waiting += content
        head = 2 * _NUMBER.size
        while len(self._waiting) >= head:
            end = head + _NUMBER.unpack_from(self._waiting, _NUMBER.size)[0]
            if len(self._waiting) < end:
                return
            message = pickle.loads(self._waiting[head:end])  # noqa: S301 - from our own other half
            del self._waiting[:end]
            yield message
