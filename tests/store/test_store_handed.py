"""What travels between a run and what keeps its pictures arrives as it was sent, however the line cuts it."""

from __future__ import annotations

import errno
import pickle
import socket
import threading
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_samples import failure
from store_batches import LONG_S
from store_samples import ATTEMPT

from batchgen.errors import StorageError
from batchgen.model import Attempt, Billing, Fault
from batchgen.store.handed import Answer, Begin, Close, Keep, Messages, Opening, Settle, Wrapped, framed, receive
from batchgen.store.rescue import LostError
from batchgen.store.rows import AttemptRow
from batchgen.store.sidecar import Sidecar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from batchgen.store.handed import Item

NUMBERS = st.integers(0, 2**63 - 1)
WRAPPED = st.builds(
    Wrapped,
    folder=st.just("images/ein Fuchs 🦊"),
    name=st.text(max_size=9),
    file=st.text(max_size=9),
    task_id=st.text(max_size=9),
    task_index=NUMBERS,
    size_bytes=NUMBERS,
    sha256=st.just(""),
    sidecar=st.builds(Sidecar, st.binary(max_size=30), st.binary(max_size=30)),
    slot=st.none() | NUMBERS,
    content=st.binary(max_size=3000),
)
ROW = AttemptRow("fox", 7, ATTEMPT, Decimal("0.065"))
THROTTLED = Attempt(
    number=3, started=ATTEMPT.started, seconds=0.2, billing=Billing.NO, fault=Fault.THROTTLED, status=429, words="slow"
)
ITEMS = st.one_of(
    st.builds(Begin, NUMBERS, st.just(ROW)),
    st.builds(Keep, NUMBERS, st.sampled_from([ATTEMPT, THROTTLED]), WRAPPED),
    st.builds(Settle, NUMBERS, st.sampled_from([None, THROTTLED])),
    st.just(failure("fox")),
    st.binary(max_size=50),
    st.just(Close()),
)
ANSWERS = st.lists(st.builds(Answer, NUMBERS, st.none()), max_size=5)
CUTS = st.lists(st.integers(1, 40), min_size=1, max_size=9)


class CutLine:
    """A line that gives so many bytes at a time, over and over, and then ends."""

    def __init__(self, content: bytes, sizes: Sequence[int]) -> None:
        self.pieces = cut(content, sizes)
        self._left = b""

    def recv_into(self, target: memoryview, flags: int = 0) -> int:  # noqa: ARG002 - as a socket's
        """As a socket does."""
        self._left = self._left or next(self.pieces, b"")
        piece, self._left = self._left[: len(target)], self._left[len(target) :]
        target[: len(piece)] = piece
        return len(piece)


def cut(content: bytes, sizes: Sequence[int]) -> Any:
    """The bytes in pieces of these sizes, over and over."""
    start = number = 0
    while start < len(content):
        size = sizes[number % len(sizes)]
        yield content[start : start + size]
        start, number = start + size, number + 1


def sent(messages: Iterable[Any]) -> bytes:
    return b"".join(bytes(block) for message in messages for block in framed(message))


def as_sent(item: Any) -> Any:
    """With its picture out of band, as a sink gives it."""
    if not isinstance(item, Keep):
        return item
    return item._replace(wrapped=item.wrapped._replace(content=pickle.PickleBuffer(item.wrapped.content)))


def as_read(item: Any) -> Any:
    """With its picture as bytes."""
    if not isinstance(item, Keep):
        return item
    return item._replace(wrapped=item.wrapped._replace(content=bytes(cast("memoryview", item.wrapped.content))))


@given(batches=st.lists(st.lists(ITEMS, max_size=5), max_size=4), sizes=CUTS)
def test_what_is_handed_over_arrives_however_it_is_cut(batches: list[list[Any]], sizes: list[int]) -> None:
    line: Any = CutLine(sent([as_sent(item) for item in batch] for batch in batches), sizes)
    assert [[as_read(item) for item in receive(line)] for _ in batches] == batches
    with pytest.raises(EOFError):
        receive(line)


@given(messages=st.lists(ANSWERS, max_size=5), sizes=CUTS)
def test_answers_arrive_however_they_are_cut(messages: list[list[Answer]], sizes: list[int]) -> None:
    came = Messages()
    assert [message for piece in cut(sent(messages), sizes) for message in came.read(piece)] == messages


@given(items=st.lists(ITEMS, min_size=1, max_size=3), data=st.data())
def test_half_a_message_is_none(items: list[Any], data: st.DataObject) -> None:
    whole = sent([[as_sent(item) for item in items]])
    line: Any = CutLine(whole[: data.draw(st.integers(0, len(whole) - 1))], [7])
    with pytest.raises(EOFError):
        receive(line)


@given(wrapped=WRAPPED)
def test_a_picture_is_not_copied_into_what_refers_to_it(wrapped: Wrapped) -> None:
    picture = bytearray(cast("bytes", wrapped.content))
    items: list[Item] = [Keep(1, ATTEMPT, wrapped._replace(content=pickle.PickleBuffer(picture)))]
    blocks = framed(items)
    assert len(blocks) == 3
    assert isinstance(blocks[2], memoryview)
    assert blocks[2].obj is picture
    blocks[2].release()


def test_who_does_not_want_to_wait_waits_for_the_rest_only() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        with pytest.raises(BlockingIOError):
            receive(theirs, socket.MSG_DONTWAIT)
        content, came = sent([[b"one\n"]]), []
        ours.sendall(content[:3])
        waiting = threading.Thread(target=lambda: came.append(receive(theirs, socket.MSG_DONTWAIT)))
        waiting.start()
        ours.sendall(content[3:])
        waiting.join(LONG_S)
        assert came == [[b"one\n"]]


@pytest.mark.parametrize("error", [StorageError("no room"), LostError("nowhere"), ZeroDivisionError("by nobody")])
def test_an_error_says_what_it_said(error: Exception) -> None:
    (answer,) = Messages().read(sent([Answer(7, error)]))
    assert (type(answer.error), str(answer.error)) == (type(error), str(error))


def test_an_error_of_the_disk_names_its_file() -> None:
    (answer,) = Messages().read(sent([Answer(7, OSError(errno.ENOSPC, "No space left on device", "/otters/1.png"))]))
    assert isinstance(answer.error, OSError)
    said = (answer.error.errno, answer.error.strerror, answer.error.filename)
    assert said == (errno.ENOSPC, "No space left on device", "/otters/1.png")


def test_an_opening_arrives_whole() -> None:
    opening = Opening(Path("/otters"), None, "run", 7)
    line: Any = CutLine(sent([opening]), [5])
    assert receive(line) == opening
