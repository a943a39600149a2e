"""One attempt's picture: checked as its bytes pass, then wrapped as the `Parcel` that is kept."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

import aiofiles
from anyio import CancelScope, to_thread

from batchgen.model import Picture
from batchgen.store import durable
from batchgen.store.keep import Parcel
from batchgen.store.names import FILTERED, IMAGES, spot
from batchgen.store.rows import PictureRow
from batchgen.store.structure import StructureCheck

if TYPE_CHECKING:
    from pathlib import Path

    from aiofiles.threadpool.binary import AsyncBufferedIOBase
    from anyio import CapacityLimiter

    from batchgen.model import Task
    from batchgen.store.tree import Tree

BUFFER_BYTES: Final = 512 * 1024
BEGINNING_BYTES: Final = 2048


class PictureSink:
    """Where one attempt's bytes go. Whatever happens, `discard` ends it: after `wrap` it changes nothing.

    Up to 512 KiB are held; what is larger streams to `images/<stem>.part`, since
    neither its format nor whether it was filtered is needed for that name. Raises OSError as the disk says, and
    StorageError where a symbolic link is on the way.
    """

    def __init__(self, tree: Tree, task: Task, disk: CapacityLimiter) -> None:
        self._tree = tree
        self._task = task
        self._disk = disk
        self._spot = spot(IMAGES, task.stem)
        self._check = StructureCheck()
        self._digest = hashlib.sha256()
        self._size_bytes = 0
        self._beginning = b""
        self._buffer = bytearray()
        self._file: AsyncBufferedIOBase | None = None
        self._picture: Picture | None = None
        self._part: Path | None = None
        """The `.part` that is this sink's own: never another's is removed."""
        self._descriptor = -1

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
        left = memoryview(chunk)
        while left:
            if len(self._buffer) == BUFFER_BYTES:
                await self._flush()
            room = BUFFER_BYTES - len(self._buffer)
            self._buffer += left[:room]
            left = left[room:]

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
        place = spot(FILTERED if filtered else IMAGES, self._task.stem)
        with CancelScope(shield=True):
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
            streamed=self._part,
            descriptor=self._descriptor,
        )
        self._buffer, self._part, self._descriptor = bytearray(), None, -1
        return parcel

    async def discard(self) -> None:
        """Forget everything and remove this sink's `.part`; harmless when repeated or after `wrap`."""
        with CancelScope(shield=True):
            self._buffer = bytearray()
            file, self._file = self._file, None
            if file is not None:
                with suppress(OSError):  # bytes that a full disk refused are refused again
                    await file.close()
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1
            if self._part is not None:
                part, self._part = self._part, None
                await to_thread.run_sync(partial(part.unlink, missing_ok=True), limiter=self._disk)

    def _whole(self) -> Picture:
        if self._picture is None:
            raise RuntimeError("only what finish() found to be a whole picture can be kept")
        return self._picture

    async def _flush(self) -> None:
        """The buffer goes to the `.part`; a cancellation waits for it, so that no thread writes behind a `discard`."""
        with CancelScope(shield=True):
            if self._file is None:
                self._file = await self._open_part()
            await self._file.write(self._buffer)
            self._buffer = bytearray()

    async def _open_part(self) -> AsyncBufferedIOBase:
        folder = await to_thread.run_sync(self._tree.ready, self._spot.folder, limiter=self._disk)
        part = folder / self._spot.picture_part
        file = await aiofiles.open(part, "xb", opener=_open_new)
        self._part = part
        return file

    async def _complete_part(self) -> None:
        """Where the picture was streamed: its last bytes; who keeps it makes them durable, on the same open file."""
        if self._file is None:
            return
        await self._file.write(self._buffer)
        await self._file.flush()
        self._buffer = bytearray()
        self._descriptor = os.dup(self._file.fileno())
        file, self._file = self._file, None
        await file.close()


def _open_new(path: str, _: int) -> int:
    return os.open(path, durable.NEW_FILE, 0o666)
