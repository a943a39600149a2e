"""Output folders that this process owns, and runs at work in them."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import uuid4

from store_samples import ATTEMPT, sidecar_for

from batchgen.model import Picture
from batchgen.store import contents, leftovers
from batchgen.store.folder import OutputFolder
from batchgen.store.rows import AttemptRow
from batchgen.store.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from batchgen.model import Task
    from batchgen.store.contents import Contents
    from batchgen.store.leftovers import Leftovers
    from batchgen.store.pictures import PictureSink
    from batchgen.store.sidecar import Sidecar
    from batchgen.store.writer import Writer

USD = Decimal("0.03")
"""What an attempt costs if it is billed."""

_OPEN: dict[Path, OutputFolder] = {}


def opened(path: Path) -> OutputFolder:
    """A folder, owned by this process; opened again it is as if the run before had ended."""
    if path in _OPEN:
        _OPEN.pop(path).close()
    _OPEN[path] = OutputFolder.open(path, uuid4().hex)
    return _OPEN[path]


def close_all() -> None:
    """Let go of every folder that is open."""
    while _OPEN:
        _OPEN.popitem()[1].close()


def clear(folder: OutputFolder) -> Leftovers:
    """Bring to its end what a dead run left."""
    return leftovers.clear(Tree(folder.root))


def scan(folder: OutputFolder) -> Contents:
    """What the folder holds, by its sidecars alone."""
    return contents.scan(folder.root, None)


def row_of(of: Task) -> AttemptRow:
    """An attempt at a task, as it begins."""
    return AttemptRow(of.id, of.index, ATTEMPT, USD)


def at_work(folder: OutputFolder) -> AbstractAsyncContextManager[Writer]:
    """The one writer of a run; each is a run of its own, though the folder stays open."""
    return folder.writer(uuid4().hex)


async def filled(folder: OutputFolder, of: Task, content: bytes) -> tuple[PictureSink, Picture]:
    """A sink that found these bytes to be a whole picture."""
    sink = folder.sink(of)
    try:
        for start in range(0, len(content), 60_000):
            await sink.write(content[start : start + 60_000])
        picture = await sink.finish()
        assert isinstance(picture, Picture)
    except BaseException:
        await sink.discard()
        raise
    return sink, picture


def nothing() -> None:
    """Nobody listens."""


async def attempt(
    folder: OutputFolder,
    writer: Writer,
    of: Task,
    content: bytes,
    *,
    filtered: bool = False,
    on_sent: Callable[[], None] = nothing,
) -> str:
    """One attempt that goes well, from before its request to the final names; where the picture lies then."""
    number = await writer.begin(row_of(of))
    on_sent()
    sink, picture = await filled(folder, of, content)
    try:
        return await kept(writer, number, sink, sidecar_for(of, picture), filtered=filtered)
    finally:
        await sink.discard()


async def kept(writer: Writer, number: int, sink: PictureSink, document: Sidecar, *, filtered: bool = False) -> str:
    """Keep what a sink found whole; where it lies then."""
    wrapped = await sink.wrap(document, filtered=filtered)
    await writer.keep(number, ATTEMPT, wrapped)
    return wrapped.path


async def keep(folder: OutputFolder, of: Task, content: bytes, *, filtered: bool = False) -> str:
    """A run of one attempt that goes well."""
    async with at_work(folder) as writer:
        return await attempt(folder, writer, of, content, filtered=filtered)


async def keep_sink(folder: OutputFolder, of: Task, sink: PictureSink, document: Sidecar) -> str:
    """A run that keeps what a sink found whole."""
    async with at_work(folder) as writer:
        return await kept(writer, await writer.begin(row_of(of)), sink, document)


def files(root: Path) -> dict[str, str]:
    """Every file below a folder, by its relative path, with a digest of its content; not the run's own records."""
    found = sorted(path for path in root.rglob("*") if not path.is_dir())
    names = {path: path.relative_to(root) for path in found}
    return {
        str(name): hashlib.sha256(path.read_bytes()).hexdigest()
        for path, name in names.items()
        if name.parts[0] not in {"runs", ".lock"} and not name.parts[0].startswith("batchgen.sqlite")
    }
