"""stdout and stderr as they are found: closed, full, or with nobody left to read them. No write to them ever fails.

Messages that nobody can read are no reason to stop, so what stderr does not take is gone. What stdout does not take is
remembered: a run whose events can't be told stops in order, and every other command says so once it is done.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import select
import sys
from typing import TYPE_CHECKING, Final, TextIO

from batchgen.errors import StorageError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

READER_GONE: Final = frozenset({errno.EPIPE, errno.EIO})
"""The end of a pipe that was closed, and of a terminal."""
ESCAPED: Final = "batchgen-escaped"
"""How characters that a stream can't show are dealt with, by this name among Python's ways."""


class _Descriptor(io.FileIO):
    """Takes every write; keeps the first error."""

    error: OSError | None = None

    def write(self, data: ReadableBuffer, /) -> int:
        """See FileIO."""
        try:
            while (written := super().write(data)) is None:  # somebody else made it one that does not wait
                select.select([], [self], [])
        except OSError as error:
            self.error = self.error or error
            return memoryview(data).nbytes
        return written


class _Stream(io.TextIOWrapper):
    """In the place of one of Python's. Where it is no UTF-8 it is ASCII: JSON is read as either (RFC 8259, 8.1)."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        self.descriptor = _Descriptor(stream.fileno(), "wb", closefd=False)
        super().__init__(
            io.BufferedWriter(self.descriptor),
            encoding="utf-8" if stream.encoding.lower() == "utf-8" else "ascii",
            errors=ESCAPED,
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """As JSON writes them (RFC 8259, 7), so that what is JSON stays it in any encoding."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2)), error.end


codecs.register_error(ESCAPED, _escaped)


def guard_streams() -> None:
    """Put streams that never fail in the place of Python's; those that somebody else put there stay.

    A descriptor that was closed leads nowhere from here on: a file of ours would get its number, and a message for it.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    if sys.stdout is sys.__stdout__:
        sys.stdout = _guarded(sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _guarded(sys.stderr)


def _guarded(stream: TextIO | None) -> TextIO:
    """`stream`, which is None where it was closed from the start."""
    if not isinstance(stream, io.TextIOWrapper):
        return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 - as long as the program
    return _Stream(stream)


def check_output() -> None:
    """Has stdout taken all that was said so far?

    Raises:
        BrokenPipeError: No, and whoever read it is gone.
        StorageError: No, and whoever reads it should hear of that.
    """
    error = sys.stdout.descriptor.error if isinstance(sys.stdout, _Stream) else None
    if error is None:
        return
    if error.errno in READER_GONE:
        raise BrokenPipeError
    raise StorageError(f"stdout: {error.strerror}, so what it was to take is cut short; make room or lead it elsewhere")
