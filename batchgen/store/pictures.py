"""One attempt's picture: checked as its bytes pass, then kept in the order that gives each crash point one meaning.

    1. the picture's `.part` and the sidecar's `.part` are whole and durable       crash before: both are cleared
    2. the picture gets its final name, and its folder is made durable             crash from here on: both are finished
    3. the sidecar gets its final name, and its folder is made durable             made

A rename never replaces. What was paid for and is whole is kept even when the attempt is cancelled meanwhile.
"""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import aiofiles
from anyio import CancelScope, to_thread

from batchgen.model import Picture
from batchgen.store import durable
from batchgen.store.names import FILTERED, IMAGES, Spot, spot
from batchgen.store.structure import StructureCheck

if TYPE_CHECKING:
    from pathlib import Path

    from aiofiles.threadpool.binary import AsyncBufferedIOBase
    from anyio import CapacityLimiter

    from batchgen.store.tree import Tree

BUFFER_BYTES: Final = 512 * 1024
BEGINNING_BYTES: Final = 2048


class PictureSink:
    """Where one attempt's bytes go. Whatever happens, `discard` ends it: after `keep` it changes nothing.

    Up to 512 KiB are held and written in one hop to a thread; what is larger streams to `images/<stem>.part`, since
    neither its format nor whether it was filtered is needed for that name. Raises OSError as the disk says, and
    StorageError where a symbolic link is on the way.
    """

    def __init__(self, tree: Tree, stem: str, disk: CapacityLimiter) -> None:
        self._tree = tree
        self._stem = stem
        self._disk = disk
        self._spot = spot(IMAGES, stem)
        self._check = StructureCheck()
        self._digest = hashlib.sha256()
        self._size_bytes = 0
        self._beginning = b""
        self._buffer = bytearray()
        self._file: AsyncBufferedIOBase | None = None
        self._picture: Picture | None = None
        self._parts: list[Path] = []
        """The `.part` files that are this sink's own: never another's is removed."""
        self._sealed = False
        """Both parts are whole and durable: from here on a crash or an error ends in a finished pair."""
        self._touched = False
        self._writing = threading.Lock()

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

    async def keep(self, sidecar: bytes, *, filtered: bool = False) -> str:
        """Keep the picture that `finish` found whole; its path, relative to the output folder.

        A cancellation waits until it is done. After an error call `discard`: what had become durable by then stays
        as `.part` files, which the next start finishes without a request.
        """
        file = self.picture_file
        self._touched = True
        with CancelScope(shield=True):
            await self._complete_part()
            place = spot(FILTERED if filtered else IMAGES, self._stem)
            await to_thread.run_sync(self._commit, place, file, sidecar, limiter=self._disk)
        self._buffer = bytearray()
        self._touched = False
        return f"{place.folder}/{file}"

    async def discard(self) -> None:
        """Forget everything and remove this sink's `.part` files; harmless when repeated or after `keep`."""
        with CancelScope(shield=True):
            self._buffer = bytearray()
            file, self._file = self._file, None
            if file is not None:
                with suppress(OSError):  # bytes that a full disk refused are refused again
                    await file.close()
            if self._touched:
                await to_thread.run_sync(self._remove_parts, limiter=self._disk)

    def _whole(self) -> Picture:
        if self._picture is None:
            raise RuntimeError("only what finish() found to be a whole picture can be kept")
        return self._picture

    async def _flush(self) -> None:
        """The buffer goes to the `.part`; a cancellation waits for it, so that no thread writes behind a `discard`."""
        self._touched = True
        with CancelScope(shield=True):
            if self._file is None:
                self._file = await self._open_part()
            await self._file.write(self._buffer)
            self._buffer = bytearray()

    async def _open_part(self) -> AsyncBufferedIOBase:
        folder = await to_thread.run_sync(self._tree.ready, self._spot.folder, limiter=self._disk)
        part = folder / self._spot.picture_part
        file = await aiofiles.open(part, "xb", opener=_open_new)
        self._parts.append(part)
        return file

    async def _complete_part(self) -> None:
        """Where the picture was streamed: its last bytes, made durable, and the file closed before it is renamed."""
        if self._file is None:
            return
        await self._file.write(self._buffer)
        await self._file.flush()
        await to_thread.run_sync(os.fsync, self._file.fileno(), limiter=self._disk)
        file, self._file = self._file, None
        await file.close()

    def _commit(self, place: Spot, file: str, sidecar: bytes) -> None:
        """The order of writing, in one thread and one go."""
        with self._writing:
            folder = self._tree.ready(place.folder)
            _refuse_taken(folder / file, folder / place.sidecar)
            self._place_part(folder / place.picture_part)
            durable.write_new(folder / place.sidecar_part, sidecar)
            self._parts.append(folder / place.sidecar_part)
            self._sealed = True
            try:
                settle(folder, place, file)
            except FileExistsError:
                self._sealed = False  # its place is another's since: no start could finish it
                raise

    def _place_part(self, part: Path) -> None:
        """The picture's `.part` whole beside its final name: from the buffer, or streamed and perhaps filtered."""
        if not self._parts:
            durable.write_new(part, self._buffer)
        elif self._parts != [part]:
            durable.rename_new(self._parts[0], part)
        self._parts[:] = [part]

    def _remove_parts(self) -> None:
        with self._writing:
            while self._parts and not self._sealed:
                self._parts.pop().unlink(missing_ok=True)


def settle(folder: Path, place: Spot, file: str) -> None:
    """Steps 2 and 3: both parts are whole and durable and get their final names, the picture first."""
    durable.rename_new(folder / place.picture_part, folder / file)
    settle_sidecar(folder, place)


def settle_sidecar(folder: Path, place: Spot) -> None:
    """The picture has its final name; once that is durable, so has its sidecar."""
    durable.fsync_folder(folder)
    durable.rename_new(folder / place.sidecar_part, folder / place.sidecar)
    durable.fsync_folder(folder)


def _refuse_taken(*paths: Path) -> None:
    for path in paths:
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def _open_new(path: str, _: int) -> int:
    return os.open(path, durable.NEW_FILE, 0o666)
