"""What a run hands to the process that keeps its pictures, what that answers, and how both travel.

A message is a frame: how many blocks it has, the size of each (64 bits, little-endian), then the blocks. The first is
a pickle; the others are the pictures, which it refers to, so that their bytes are never copied into it. What there is
one of for each picture goes as plain tuples: to pickle the names of its classes takes four times as long.
"""

from __future__ import annotations

import pickle
import struct
from decimal import Decimal
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from batchgen.model import Attempt, Billing, Fault
from batchgen.store.names import Spot
from batchgen.store.rows import AttemptRow, FailureRow
from batchgen.store.sidecar import Sidecar

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable, Iterator

    Block = bytes | bytearray | memoryview

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

    sidecar: Sidecar
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


_BEGIN, _KEEP, _ANSWER = range(3)


def _bare(item: Item | Answer) -> Item | tuple[Any, ...]:
    """An item without its classes, if there is one such for each picture."""
    if isinstance(item, Begin):
        row = item.row
        usd = None if row.usd is None else str(row.usd)
        return (_BEGIN, item.number, _plain(row.attempt), row.task_id, row.task_index, usd)
    if isinstance(item, Keep):
        sidecar, *wrapped = item.wrapped
        return (_KEEP, item.number, _plain(item.attempt), tuple(sidecar), *wrapped)
    return (_ANSWER, *item) if isinstance(item, Answer) else item


def _plain(attempt: Attempt) -> tuple[Any, ...]:
    number, started, seconds, billing, fault, status, words = attempt
    return number, started, seconds, str(billing), fault and str(fault), status, words


def _clad(came: Any) -> Any:
    """What `_bare` gave, as it was."""
    if type(came) is not tuple:
        return came
    kind, *fields = came
    if kind == _ANSWER:
        return Answer(*fields)
    number, (tries, started, seconds, billing, fault, status, words), *rest = fields
    attempt = Attempt(tries, started, seconds, Billing(billing), fault and Fault(fault), status, words)
    if kind == _BEGIN:
        task_id, task_index, usd = rest
        return Begin(number, AttemptRow(task_id, task_index, attempt, usd and Decimal(usd)))
    sidecar, *wrapped = rest
    return Keep(number, attempt, Wrapped(Sidecar(*sidecar), *wrapped))


def framed(message: Opening | list[Item] | list[Answer]) -> list[Block]:
    """A message as the blocks to send, one after another."""
    bare = [_bare(each) for each in message] if isinstance(message, list) else message
    pictures: list[pickle.PickleBuffer] = []
    blocks: list[Block] = [pickle.dumps(bare, protocol=5, buffer_callback=pictures.append)]
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
    return _read(blocks[0], blocks[1:])


def _read(block: Block, pictures: Iterable[Block] = ()) -> Any:
    came = pickle.loads(block, buffers=pictures)  # noqa: S301 - from our own other half
    return [_clad(each) for each in came] if isinstance(came, list) else came


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
            message = _read(self._waiting[head:end])
            del self._waiting[:end]
            yield message
