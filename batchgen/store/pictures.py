"""One attempt's picture: checked as its bytes pass, then wrapped, to be kept."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiofiles.threadpool import wrap
from anyio import CancelScope, to_thread

from batchgen.errors import StorageError
from batchgen.model import Picture
from batchgen.store import durable
from batchgen.store.handed import Wrapped
from batchgen.store.keep import copy
from batchgen.store.names import FILTERED, IMAGES, spot
from batchgen.store.rescue import lost, rescue_tree, words_of
from batchgen.store.slots import SLOT_BYTES
from batchgen.store.structure import StructureCheck, look_at

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from aiofiles.threadpool.binary import AsyncFileIO
    from anyio import CapacityLimiter

    from batchgen.model import Task
    from batchgen.store.sidecar import Sidecar
    from batchgen.store.slots import Slots
    from batchgen.store.tree import Tree

    Block = bytes | memoryview

BLOCK_BYTES: Final = 64 * 1024
"""Of a picture that streams, what comes in less is gathered to so much."""
BEGINNING_BYTES: Final = 2048
_NEW_PART: Final = durable.NEW_FILE ^ os.O_WRONLY | os.O_RDWR
"""To be read again where the disk takes no more."""


class PictureSink:
    """Where one attempt's bytes go. Whatever happens, `discard` ends it; what was wrapped it leaves as it is.

    Up to 384 KiB are held; what is larger streams to `images/<stem>.part`, since neither its format nor whether it was
    filtered is needed for that name. Where the disk fails meanwhile it goes on in the rescue place; a LostError says
    that there it failed too.
    """

    def __init__(
        self,
        tree: Tree,
        task: Task,
        disk: CapacityLimiter,
        slots: Slots | None = None,
        writers: Executor | None = None,
    ) -> None:
        """`slots` are shared with whoever keeps the picture; `writers` hash and write what streams."""
        self._tree = tree
        self._task = task
        self._disk = disk
        self._writers = writers
        self._stem = task.stem
        self._spot = spot(IMAGES, self._stem)
        self._stored: _Stored | None = None
        self._size_bytes = 0
        self._slots = slots
        self._slot: int | None = None
        self._buffer: memoryview | None = None
        self._held_bytes = 0
        """Of the buffer."""
        self._most_held_bytes = SLOT_BYTES
        self._part: _Part | None = None
        self._given: _Part | None = None
        self._stored_bytes = 0
        self._picture: Picture | None = None
        self._why = ""
        """Why it goes to the rescue place."""

    @property
    def beginning(self) -> bytes:
        """The first 2 KiB of what came, to quote where it is no picture."""
        return self._stored.beginning if self._stored else bytes(self._held()[:BEGINNING_BYTES])

    @property
    def picture_file(self) -> str:
        """The picture's final name without its folder, as its sidecar gives it; once `finish` found it whole."""
        return f"{self._spot.name}.{self._whole().extension}"

    def expect(self, size_bytes: int) -> None:
        """So many bytes are said to come: what will stream to the disk all the same is not held before."""
        if size_bytes > SLOT_BYTES:
            self._most_held_bytes = BLOCK_BYTES

    async def write(self, chunk: bytes) -> None:
        """Take the next bytes of the answer."""
        self._size_bytes += len(chunk)
        if self._held_bytes + len(chunk) > self._most_held_bytes:
            self._most_held_bytes = BLOCK_BYTES
            await self._flush()
            left = memoryview(chunk)
            while len(left) > BLOCK_BYTES:  # as it came, without a copy
                await self._store(left[:SLOT_BYTES])
                left = left[SLOT_BYTES:]
            self._hold(left)
        else:
            self._hold(chunk)

    def _hold(self, chunk: Block) -> None:
        if self._buffer is None:
            self._buffer = self._room()
        end = self._held_bytes + len(chunk)
        self._buffer[self._held_bytes : end] = chunk
        self._held_bytes = end

    def _room(self) -> memoryview:
        if self._slots is not None and (slot := self._slots.take()) is not None:
            self._slot = slot
            return self._slots.at(slot)
        return memoryview(bytearray(SLOT_BYTES))

    def _held(self) -> memoryview:
        return self._buffer[: self._held_bytes] if self._buffer else memoryview(b"")

    async def finish(self) -> Picture | str:
        """The facts of a whole picture, or in one line what is wrong (a `CutOff`, a `NotAPicture` or another flaw)."""
        if self._stored:
            await self._flush()
        shape = self._stored.check.end() if self._stored else look_at(self._held())
        if isinstance(shape, str):
            return shape
        self._picture = Picture(
            format=shape.format,
            width=shape.width,
            height=shape.height,
            size_bytes=self._size_bytes,
        )
        return self._picture

    async def wrap(self, sidecar: Sidecar, *, filtered: bool = False) -> Wrapped:
        """The picture that `finish` found whole, to be kept with its sidecar; `discard` it once it is.

        A cancellation waits until it is done.
        """
        picture, part = self._whole(), self._part
        place = spot(FILTERED, self._stem) if filtered else self._spot
        await self._complete_part()
        self._part, self._given = None, part
        return Wrapped(
            folder=str(place.folder),
            name=place.name,
            file=self.picture_file,
            task_id=self._task.id,
            task_index=self._task.index,
            size_bytes=picture.size_bytes,
            sha256=self._stored.digest.hexdigest() if self._stored else "",
            sidecar=sidecar,
            slot=self._slot,
            content=pickle.PickleBuffer(b"" if self._slot is not None else self._held()),
            streamed=str(part.path) if part else None,
            process=os.getpid() if part else 0,
            descriptor=part.descriptor if part else -1,
            why=self._why,
        )

    async def discard(self) -> None:
        """Forget everything, and remove the `.part` unless it was wrapped; harmless when repeated."""
        if self._slots and self._slot is not None:
            self._slots.give_back(self._slot)
        self._slot = self._buffer = None
        part, self._part = self._part, None
        if part is not None:
            with CancelScope(shield=True):
                await self._leave(part)
        given, self._given = self._given, None
        if given is not None:
            os.close(given.descriptor)

    def _whole(self) -> Picture:
        if self._picture is None:
            raise RuntimeError("only what finish() found to be a whole picture can be kept")
        return self._picture

    async def _flush(self) -> None:
        """The buffer goes to the `.part`."""
        if self._held_bytes:
            block, self._held_bytes = self._held(), 0
            await self._store(block)

    async def _store(self, block: Block) -> None:
        """A block goes to the `.part`; a cancellation waits for it, so that no thread writes behind a `discard`."""
        if self._stored is None:
            self._stored = _Stored(bytes(block[:BEGINNING_BYTES]))
        stored, digest = self._stored, self._stored.digest.copy()
        stored.check.feed(block)
        with CancelScope(shield=True):
            try:
                if self._part is None:
                    self._part = await self._open_part(stored)
                await self._part.take(block)
            except (OSError, StorageError) as error:
                stored.digest = digest  # of a block, the part may have taken some
                await self._go_elsewhere(error, block, stored)
            self._stored_bytes += len(block)

    async def _go_elsewhere(self, error: OSError | StorageError, block: Block, stored: _Stored) -> None:
        """What the `.part` took is copied to one in the rescue place, the block follows, and there it goes on."""
        home, taken = self._tree, self._part
        if self._why:
            raise lost(self._why, error, home) from error
        self._why = words_of(error, taken.path if taken else home.root / self._spot.folder)
        self._part = None
        try:
            self._tree = await to_thread.run_sync(rescue_tree, home, limiter=self._disk)
            self._part = await self._open_part(stored)
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

    async def _open_part(self, stored: _Stored) -> _Part:
        folder = await to_thread.run_sync(self._tree.ready, self._spot.folder, limiter=self._disk)
        path = Path(folder, self._spot.picture_part)
        descriptor = await to_thread.run_sync(os.open, path, _NEW_PART, 0o666, limiter=self._disk)
        return _Part(path, descriptor, wrap(_HashedFile(descriptor, stored.digest), executor=self._writers))

    async def _complete_part(self) -> None:
        """Who keeps what was streamed makes it durable, on the same open file."""
        if self._part is not None:
            with CancelScope(shield=True):
                await self._part.end()


class _Stored:
    """What of a picture went to a `.part`, and is not held any more."""

    def __init__(self, beginning: bytes) -> None:
        self.beginning = beginning
        self.check = StructureCheck()
        self.digest = hashlib.sha256()


class _HashedFile(io.FileIO):
    """What it takes it hashes too, in the thread that writes: half of a large picture's time on the loop was that."""

    def __init__(self, descriptor: int, digest: hashlib._Hash) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self._digest = digest

    def write(self, block: Block) -> int:  # type: ignore[override]  # no other buffers are written
        """As much of a block as the disk takes."""
        taken = super().write(block)
        self._digest.update(memoryview(block)[:taken])
        return taken


@dataclass(frozen=True, slots=True)
class _Part:
    """A `.part` that is this sink's own: never another's is removed."""

    path: Path
    descriptor: int
    """For as long as its bytes are not safe; what a failing disk took is read from it."""
    file: AsyncFileIO

    async def take(self, block: Block) -> None:
        left = memoryview(block)
        while left:
            left = left[await self.file.write(left) :]

    async def end(self) -> None:
        with suppress(OSError):
            await self.file.close()
