"""Many pictures: memory stays flat, every one is looked at, and what is wrong with a few is found among them."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from verify_samples import STAMP, contents, findings, made, pair, repaired, rows

from batchgen.store.database import LEDGER
from batchgen.store.ledger import Ledger
from batchgen.store.rows import PictureRow
from batchgen.verification import verify as verification
from batchgen.verification.findings import Checked, Wrong
from batchgen.verification.places import place_key, places
from batchgen.verification.twins import Seen
from batchgen.verification.verify import verify

if TYPE_CHECKING:
    from pathlib import Path

FEW, MANY = 500, 3_000


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder with few pairs and one with many, a hundred in each of their folders."""
    pairs = [pair(number, stem=f"fox/{number // 100:03}/{number}") for number in range(MANY)]
    return made(tmp_path_factory.mktemp("few"), pairs[:FEW]), made(tmp_path_factory.mktemp("many"), pairs)


def peak_bytes(root: Path) -> int:
    """The most that verifying holds at a time, and it finds all that there is."""
    tracemalloc.start()
    try:
        checked = sum(1 for event in verify(root, stamp=STAMP) if isinstance(event, Checked))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert checked == len(list(places(root)))
    return peak


def test_memory_does_not_grow_with_the_number_of_pictures(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    few, many = folders
    monkeypatch.setattr(verification, "_THREADS", 1)  # else chance says how many files' buffers meet, 256 KiB each
    for folder in folders:  # what is imported and cached once, and the table of names that Python shares grows
        peak_bytes(folder)
    most = peak_bytes(few) + 100 * (MANY - FEW)  # 8 bytes for each, and what arrays keep in reserve; a sidecar has 800
    assert any(peak_bytes(many) < most for _ in range(3))  # on a busy machine two buffers may meet all the same


def test_a_few_among_many_are_found(folders: tuple[Path, Path]) -> None:
    _, many = folders
    assert not findings(many)
    victim, other = many / "images/fox/012/1234.png", many / "images/fox/007/777.json"
    kept = {path: path.read_bytes() for path in (victim, other)}
    victim.write_bytes(kept[victim][:-1])
    other.unlink()
    try:
        assert findings(many) == {
            "images/fox/012/1234.png": Wrong.PICTURE_LENGTH,
            "images/fox/007/777.png": Wrong.PICTURE_ALONE,
        }
    finally:
        for path, content in kept.items():
            path.write_bytes(content)


def test_a_ledger_of_many_is_made_anew(folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    few, _ = folders
    before, known = contents(few), rows(few)
    (few / LEDGER).unlink()
    monkeypatch.setattr("batchgen.verification.repair._AT_ONCE", 70)
    assert repaired(few)[2] == 0
    assert rows(few) == known
    assert contents(few) == before


parts = st.text(st.sampled_from("a.-/0é😀 Z_"), min_size=1, max_size=6)


@settings(max_examples=40, deadline=None)
@given(names=st.lists(parts, max_size=30))
def test_the_ledger_and_the_disk_have_one_order(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    ledger = Ledger.open(tmp_path_factory.mktemp("order"))
    try:
        ledger.adopt([(PictureRow("t", 0, f"images/{name}.png", 1, "", ""), []) for name in names])
        keys = [place_key(row.path) for row in ledger.by_place()]
    finally:
        ledger.close()
    assert keys == sorted(keys)
    assert len(keys) == len(names)


@given(once=st.sets(st.text(max_size=8)), twice=st.sets(st.text(max_size=8)))
def test_what_was_seen_twice_is_told_from_what_was_seen_once(once: set[str], twice: set[str]) -> None:
    seen = Seen()
    for task in [*sorted(once), *sorted(twice - once), *sorted(twice - once)]:
        seen.add([task])
    assert seen.is_twice() == {hash(task) for task in twice - once}
    assert seen.among({*once, "none of them"}) == once
