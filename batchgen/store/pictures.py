"""One attempt's picture: checked as its bytes pass, then wrapped as the `Parcel` that is kept."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import aiofiles
from anyio import CancelScope, to_thread

from batchgen.errors import StorageError
from batchgen.model import Picture
from batchgen.store import durable
from batchgen.store.keep import Parcel, copy
from batchgen.store.names import FILTERED, IMAGES, spot
from batchgen.store.rescue import lost, rescue_tree, words_of
from batchgen.store.rows import PictureRow
from batchgen.store.structure import StructureCheck

if TYPE_CHECKING:
    from pathlib import Path

    from aiofiles.threadpool.binary import AsyncBufferedIOBase
    from anyio import CapacityLimiter

    from batchgen.model import Task
    from batchgen.store.tree import Tree

    Block = bytearray | memoryview

BUFFER_BYTES: Final = 384 * 1024
BLOCK_BYTES: Final = 64 * 1024
"""Of a picture that streams, what comes in less is gathered to so much."""
BEGINNING_BYTES: Final = 2048
_NEW_PART: Final = durable.NEW_FILE ^ os.O_WRONLY | os.O_RDWR
"""To be read again where the disk takes no more."""


class PictureSink:
    """Where one attempt's bytes go. Whatever happens, `discard` ends it: after `wrap` it changes nothing.

    Up to 384 KiB are held; what is larger streams to `images/<stem>.part`, since neither its format nor whether it was
    filtered is needed for that name. Where the disk fails meanwhile it goes on in the rescue place; a LostError says
    that there it failed too.
    """

    def __init__(self, tree: Tree, task: Task, disk: CapacityLimiter) -> None:
        self._tree = tree
        self._task = task
        self._disk = disk
        self._stem = task.stem
        self._spot = spot(IMAGES, self._stem)
        self._check = StructureCheck()
        self._digest = hashlib.sha256()
        self._size_bytes = 0
        self._beginning = b""
        self._buffer = bytearray()
        self._part: _Part | None = None
        self._stored_bytes = 0
        self._picture: Picture | None = None
        self._why = ""
        """Why it goes to the rescue place."""

    @property
    def beginning(self) -> bytes:
        """The first 2 KiB of what came, to quote where it is no picture."""
        return self._beginning

    @property
    def picture_file(self) -> str:
        """The picture's final name without its folder, as its sidecar gives it; once `finish` found it whole."""
        return f"{self._spot.name}.{self._whole().extension}"

    async def write(self, chunk: bytes) -> None:
        """Take the next bytes of the answer."""
        self._check.feed(chunk)
        self._digest.update(chunk)
        self._size_bytes += len(chunk)
        if len(self._beginning) < BEGINNING_BYTES:
            self._beginning += bytes(chunk[: BEGINNING_BYTES - len(self._beginning)])
        if len(self._buffer) + len(chunk) > (BLOCK_BYTES if self._part else BUFFER_BYTES):
            await self._flush()
            left = memoryview(chunk)
            while len(left) > BLOCK_BYTES:  # as it came, without a copy
                await self._store(left[:BUFFER_BYTES])
                left = left[BUFFER_BYTES:]
            self._buffer += left
        else:
            self._buffer += chunk

    async def finish(self) -> Picture | str:
        """The facts of a whole picture, or in one line what is wrong (a `CutOff`, a `NotAPicture` or another flaw)."""
        shape = self._check.end()
        if isinstance(shape, str):
            return shape
        self._picture = Picture(
            format=shape.format,
            width=shape.width,
            height=shape.height,
            size_bytes=self._size_bytes,
            sha256=self._digest.hexdigest(),
        )
        return self._picture

    async def wrap(self, sidecar: bytes, *, filtered: bool = False) -> Parcel:
        """The picture that `finish` found whole, to be kept with its sidecar; from here on it is no longer the sink's.

        A cancellation waits until it is done.
        """
        picture = self._whole()
        place = spot(FILTERED, self._stem) if filtered else self._spot
        await self._complete_part()
        parcel = Parcel(
            place=place,
            file=self.picture_file,
            sidecar=sidecar,
            row=PictureRow(
                task_id=self._task.id,
                task_index=self._task.index,
                path=f"{place.folder}/{self.picture_file}",
                size_bytes=picture.size_bytes,
                sha256=picture.sha256,
                sidecar_sha256=hashlib.sha256(sidecar).hexdigest(),
            ),
            content=self._buffer,
            streamed=str(self._part.path) if self._part else None,
            descriptor=self._part.descriptor if self._part else -1,
            error=StorageError(self._why) if self._why else None,
        )
        self._buffer, self._part = bytearray(), None
        return parcel

    async def discard(self) -> None:
        """Forget everything and remove this sink's `.part`; harmless when repeated or after `wrap`."""
        self._buffer = bytearray()
        part, self._part = self._part, None
        if part is not None:
            with CancelScope(shield=True):
                await self._leave(part)

    def _whole(self) -> Picture:
        if self._picture is None:
            raise RuntimeError("only what finish() found to be a whole picture can be kept")
        return self._picture

    async def _flush(self) -> None:
        """The buffer goes to the `.part`."""
        if self._buffer:
            block, self._buffer = self._buffer, bytearray()
            await self._store(block)

    async def _store(self, block: Block) -> None:
        """A block goes to the `.part`; a cancellation waits for it, so that no thread writes behind a `discard`."""
        with CancelScope(shield=True):
            try:
                if self._part is None:
                    self._part = await self._open_part()
                await self._part.take(block)
            except (OSError, StorageError) as error:
                await self._go_elsewhere(error, block)
            self._stored_bytes += len(block)

    async def _go_elsewhere(self, error: OSError | StorageError, block: Block) -> None:
        """What the `.part` took is copied to one in the rescue place, the block follows, and there it goes on."""
        home, taken = self._tree, self._part
        if self._why:
            raise lost(self._why, error, home) from error
        self._why = words_of(error, taken.path if taken else home.root / self._spot.folder)
        self._part = None
        try:
            self._tree = await to_thread.run_sync(rescue_tree, home, limiter=self._disk)
            self._part = await self._open_part()
            if taken is not None:
                copying = partial(copy, taken.descriptor, self._part.descriptor, self._stored_bytes)
                await to_thread.run_sync(copying, limiter=self._disk)
            await self._part.take(block)
        except (OSError, StorageError) as second:
            raise lost(self._why, second, home) from second
        finally:
            if taken is not None:
                await self._leave(taken)

    async def _leave(self, part: _Part) -> None:
        """A disk that does not let go of it is cleared at the next start."""
        await part.end()
        os.close(part.descriptor)
        with suppress(OSError):
            await to_thread.run_sync(partial(part.path.unlink, missing_ok=True), limiter=self._disk)

    async def _open_part(self) -> _Part:
        folder = await to_thread.run_sync(self._tree.ready, self._spot.folder, limiter=self._disk)
        path = folder / self._spot.picture_part
        descriptor = await to_thread.run_sync(os.open, path, _NEW_PART, 0o666, limiter=self._disk)
        return _Part(path, descriptor, await aiofiles.open(descriptor, "wb", closefd=False))

    async def _complete_part(self) -> None:
        """Where the picture was streamed: its last bytes; who keeps it makes them durable, on the same open file."""
        if self._part is not None:
            with CancelScope(shield=True):
                await self._flush()
                await self._part.end()


@dataclass(frozen=True, slots=True)
class _Part:
    """A `.part` that is this sink's own: never another's is removed."""

    path: Path
    descriptor: int
    """For as long as its bytes are not safe; what a failing disk took is read from it."""
    file: AsyncBufferedIOBase

    async def take(self, block: Block) -> None:
        await self.file.write(block)
        await self.file.flush()

    async def end(self) -> None:
        with suppress(OSError):  # bytes that a full disk refused are refused again
            await self.file.close()
