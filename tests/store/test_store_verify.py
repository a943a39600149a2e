"""Every flipped bit, every cut, every missing and every extra file of an output folder is found."""

from __future__ import annotations

import errno
import io
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from verify_samples import STAMP, Pair, content_of, contents, findings, made, pair, some_pairs

from batchgen.errors import OwnedError, StorageError, UsageError
from batchgen.store.lock import FolderLock, owner
from batchgen.store.names import PICTURES
from batchgen.verification.findings import Begun, Checked, Ended, Finding, Wrong
from batchgen.verification.verify import verify

if TYPE_CHECKING:
    from pathlib import Path

PAIRS = some_pairs()
FILES = [path for each in PAIRS for path in (each.picture, each.sidecar)]
MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing wrong, which each test leaves as it was."""
    return made(tmp_path_factory.mktemp("whole"), PAIRS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return made(tmp_path / "otters", PAIRS)


def test_a_whole_folder_has_nothing_wrong(whole: Path) -> None:
    events = list(verify(whole, stamp=STAMP, deep=True))
    sizes = sum(len(each.content) + len(each.sidecar_content) for each in PAIRS)
    assert events[0] == Begun(pictures=len(PAIRS))
    assert events[-1] == Ended(due=0)
    assert sum(event.size_bytes for event in events if isinstance(event, Checked)) == sizes
    assert len(events) == len(PAIRS) + 2


def flipped(content: bytes, at: int, bit: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :]


def damage_is_found(root: Path, file: str, content: bytes) -> None:
    before = (root / file).read_bytes()
    (root / file).write_bytes(content)
    try:
        found = findings(root)
    finally:
        (root / file).write_bytes(before)
    (victim,) = [each for each in PAIRS if file in {each.picture, each.sidecar}]
    assert found.keys() <= {victim.picture, victim.sidecar}
    assert file in found


@MANY
@given(data=st.data(), file=st.sampled_from(FILES))
def test_every_flipped_bit_is_found(whole: Path, data: st.DataObject, file: str) -> None:
    content = (whole / file).read_bytes()
    at, bit = data.draw(st.integers(0, len(content) - 1)), data.draw(st.integers(0, 7))
    damage_is_found(whole, file, flipped(content, at, bit))


@pytest.mark.parametrize("file", [PAIRS[1].picture, PAIRS[1].sidecar])
def test_a_flip_of_each_byte_is_found(tmp_path: Path, file: str) -> None:
    root = made(tmp_path, PAIRS[1:2])
    content = (root / file).read_bytes()
    for at in range(len(content)):
        damage_is_found(root, file, flipped(content, at, at % 8))


@MANY
@given(data=st.data(), file=st.sampled_from(FILES))
def test_every_cut_and_every_longer_file_is_found(whole: Path, data: st.DataObject, file: str) -> None:
    content = (whole / file).read_bytes()
    end = data.draw(st.integers(0, len(content) - 1))
    damage_is_found(whole, file, content[:end])
    damage_is_found(whole, file, content + data.draw(st.binary(min_size=1, max_size=30)))


@pytest.mark.parametrize("file", FILES)
def test_every_file_that_is_gone_is_found(folder: Path, file: str) -> None:
    (folder / file).unlink()
    (victim,) = [each for each in PAIRS if file in {each.picture, each.sidecar}]
    wrong = Wrong.PICTURE_MISSING if file == victim.picture else Wrong.PICTURE_ALONE
    assert findings(folder) == {victim.picture: wrong}


def test_a_pair_that_is_gone_is_found_by_its_row(folder: Path) -> None:
    for file in (PAIRS[4].picture, PAIRS[4].sidecar):
        (folder / file).unlink()
    shutil.rmtree(folder / "filtered")
    assert findings(folder) == {PAIRS[4].picture: Wrong.ROW_ALONE, PAIRS[6].picture: Wrong.ROW_ALONE}


@pytest.mark.parametrize("area", ["images", "filtered"])
def test_an_area_that_is_gone_is_found(folder: Path, area: str) -> None:
    shutil.rmtree(folder / area)
    assert findings(folder) == {each.picture: Wrong.ROW_ALONE for each in PAIRS if each.picture.startswith(f"{area}/")}


names = st.text(st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=20)
endings = st.sampled_from(["", ".png", ".PNG", ".json", ".JSON", ".jpg", ".webp", ".part", ".json.part", ".txt"])


@MANY
@given(name=names, ending=endings, place=st.sampled_from(["images", "images/a-red-fox/1", "filtered/a-red-fox"]))
def test_every_file_that_is_none_of_ours_is_found(whole: Path, name: str, ending: str, place: str) -> None:
    path = f"{place}/{name}{ending}"
    if name in {".", ".."} or os.path.lexists(whole / path):
        return
    (whole / path).write_bytes(b"mine")
    try:
        found = findings(whole)
    finally:
        (whole / path).unlink()
    assert found.keys() == {path}
    assert found[path] is (Wrong.PART if path.endswith(".part") else Wrong.FOREIGN)


@pytest.mark.parametrize("name", ["1.jpg", "1.webp", b"\xff.png", b"\xff\xfe", "\x1b[2J.png", "a\nb.json"])
def test_a_file_beside_a_pair_or_with_a_hostile_name_is_found(folder: Path, name: str | bytes) -> None:
    path = os.path.join(os.fsencode(folder), b"images/a-red-fox", os.fsencode(name))  # noqa: PTH118 - of bytes
    with open(path, "wb") as file:  # noqa: PTH123 - of bytes
        file.write(content_of("jpeg"))
    assert findings(folder) == {f"images/a-red-fox/{os.fsdecode(name)}": Wrong.FOREIGN}


@pytest.mark.parametrize("name", ["notes", "9.png", "9.json", "9.part", "9.json.part"])
@pytest.mark.parametrize("kind", ["link", "dangling", "folder link", "pipe", "folder"])
def test_no_kind_of_file_is_followed_waited_for_or_overlooked(
    folder: Path, tmp_path: Path, name: str, kind: str
) -> None:
    path, outside = folder / "images" / name, tmp_path / "outside"
    outside.mkdir()
    pair(9, stem="9").write(outside)
    match kind:
        case "link":
            path.symlink_to(outside / "images/9.png")
        case "dangling":
            path.symlink_to("nowhere")
        case "folder link":
            path.symlink_to(outside / "images")
        case "pipe":
            os.mkfifo(path)
        case _:
            path.mkdir()
    is_plain = (kind, name) == ("folder", "notes")
    assert findings(folder) == ({} if is_plain else {f"images/{name}": Wrong.FOREIGN})


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
@pytest.mark.parametrize("which", ["picture", "sidecar"])
def test_something_else_in_the_place_of_a_file_is_found(folder: Path, kind: str, which: str) -> None:
    victim = PAIRS[1]
    path = folder / (victim.picture if which == "picture" else victim.sidecar)
    path.rename(folder / "elsewhere")
    match kind:
        case "link":
            path.symlink_to(folder / "elsewhere")
        case "pipe":
            os.mkfifo(path)
        case _:
            path.mkdir()
    found = findings_by_place(folder)
    wrong = Wrong.PICTURE_MISSING if which == "picture" else Wrong.PICTURE_ALONE
    assert (victim.picture, wrong) in found
    assert (str(path.relative_to(folder)), Wrong.FOREIGN) in found
    assert len(found) == 2


def findings_by_place(root: Path) -> set[tuple[str, Wrong]]:
    return {(event.path, event.wrong) for event in verify(root, stamp=STAMP) if isinstance(event, Finding)}


@pytest.mark.parametrize("area", ["images", "filtered"])
def test_an_area_that_is_a_link_is_not_entered(folder: Path, tmp_path: Path, area: str) -> None:
    (folder / area).rename(tmp_path / "outside")
    (folder / area).symlink_to(tmp_path / "outside")
    found = findings(folder)
    assert found[area] is Wrong.FOREIGN
    assert all(wrong is Wrong.ROW_ALONE for path, wrong in found.items() if path != area)


# What a sidecar says


def with_words(of: Pair, old: bytes, new: bytes) -> Pair:
    assert old in of.sidecar_content
    return Pair(
        picture=of.picture,
        content=of.content,
        sidecar_content=of.sidecar_content.replace(old, new, 1),
        row=of.row,
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"width":19', b'"width":20'),
        (b'"height":11', b'"height":12'),
        (b'"format":"png"', b'"format":"jpeg"'),
        (b'"file":"1.png"', b'"file":"2.png"'),
        (b'"file":"1.png"', b'"file":"1.jpg"'),
        (b'"seed":"1"}', b'"seed":"2"}'),
        (b'"repeat":0', b'"repeat":1'),
    ],
)
def test_words_that_contradict_themselves_are_found_though_no_ledger_knows_them(
    tmp_path: Path, old: bytes, new: bytes
) -> None:
    wrong = with_words(pair(1), old, new)
    root = made(tmp_path, [wrong], known=[])
    expected = Wrong.PICTURE_MISSING if b"1.jpg" in new else Wrong.SIDECAR_WRONG
    assert expected in findings(root).values()


@pytest.mark.parametrize("content", [b"", b"{}", b"[" * 100_000, b'{"somebody": "else"}', b"\xff" * 5_000_000])
def test_a_sidecar_that_is_none_is_found(folder: Path, content: bytes) -> None:
    (folder / PAIRS[1].sidecar).write_bytes(content)
    assert findings(folder) == {PAIRS[1].sidecar: Wrong.SIDECAR_UNREADABLE}


def test_a_flip_in_both_is_found_in_both(folder: Path) -> None:
    for file in (PAIRS[1].picture, PAIRS[1].sidecar):
        (folder / file).write_bytes(flipped((folder / file).read_bytes(), 60, 2))
    assert findings(folder) == {PAIRS[1].picture: Wrong.PICTURE_CHANGED, PAIRS[1].sidecar: Wrong.SIDECAR_CHANGED}


def test_a_pair_that_the_ledger_does_not_know_is_found(tmp_path: Path) -> None:
    root = made(tmp_path, PAIRS, known=PAIRS[:3] + PAIRS[4:])
    assert findings(root) == {PAIRS[3].sidecar: Wrong.SIDECAR_UNKNOWN}


@pytest.mark.parametrize(
    "change",
    [
        {"task_id": "other"},
        {"task_index": 12},
        {"size_bytes": 12},
        {"sha256": "0" * 64},
        {"path": "images/a-red-fox/1.jpg"},
    ],
)
def test_a_row_that_says_otherwise_is_found(tmp_path: Path, change: dict[str, object]) -> None:
    of = pair(1)
    changed = Pair(
        picture=of.picture,
        content=of.content,
        sidecar_content=of.sidecar_content,
        row=of.row._replace(**change),  # type: ignore[arg-type]
    )
    assert findings(made(tmp_path, [changed])) == {of.picture: Wrong.ROW_DIFFERS}


def test_a_digest_that_is_flipped_in_the_ledger_is_not_taken_for_a_changed_sidecar(tmp_path: Path) -> None:
    of = pair(1)
    digest = of.row.sidecar_sha256
    row = of.row._replace(sidecar_sha256=digest[:30] + chr(ord(digest[30]) ^ 1) + digest[31:])
    changed = Pair(picture=of.picture, content=of.content, sidecar_content=of.sidecar_content, row=row)
    assert findings(made(tmp_path, [changed])) == {of.picture: Wrong.ROW_DIFFERS}


def test_the_same_task_in_two_sidecars_is_found(folder: Path) -> None:
    copied = folder / "images/a-best-of"
    copied.mkdir()
    for file in (PAIRS[1].picture, PAIRS[1].sidecar):
        shutil.copy(folder / file, copied)
    assert findings_by_place(folder) == {
        ("images/a-best-of/1.json", Wrong.SIDECAR_UNKNOWN),
        ("images/a-best-of/1.json", Wrong.TASK_TWICE),
    }


# Whether it may be looked at


def test_a_folder_that_is_not_there_or_none_of_ours(tmp_path: Path) -> None:
    for nothing in (tmp_path / "none", tmp_path / "file"):
        (tmp_path / "file").write_bytes(b"mine")
        with pytest.raises(UsageError, match=r"is no output folder; give the folder"):
            list(verify(nothing, stamp=STAMP))
    (tmp_path / "images").mkdir()
    (tmp_path / "images/a.part").write_bytes(b"somebody's download")
    (tmp_path / "images/a.json").write_bytes(b'{"somebody": "else"}')
    (tmp_path / "job.yaml").write_bytes(b"somebody: else")
    before = contents(tmp_path)
    for repair in (False, True):
        with pytest.raises(UsageError, match=r"is no output folder; give the folder"):
            list(verify(tmp_path, stamp=STAMP, repair=repair))
    assert contents(tmp_path) == before
    assert not (tmp_path / ".lock").exists()


def test_a_folder_that_a_run_owns_is_not_looked_at(folder: Path) -> None:
    lock = FolderLock.take(folder, "20261122T000000Z-0001")
    for repair in (False, True):
        with pytest.raises(OwnedError, match="run 20261122T000000Z-0001"):
            list(verify(folder, stamp=STAMP, repair=repair))
    lock.release()
    assert not findings(folder)


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_the_folder_is_free_again_however_far_the_stream_was_taken(folder: Path, taken: int) -> None:
    events = verify(folder, stamp=STAMP)
    for _ in range(taken):
        next(events)
        assert owner(folder) is not None
    events.close()
    assert owner(folder) is None


def test_a_read_that_fails_names_its_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, victim = os.fdopen, (folder / PAIRS[2].picture).stat().st_ino

    class Failing(io.FileIO):
        def read(self, _size: int | None = -1) -> bytes:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def opened(descriptor: int, *args: Any, **kwargs: Any) -> Any:
        is_victim = os.fstat(descriptor).st_ino == victim
        return Failing(descriptor) if is_victim else real(descriptor, *args, **kwargs)

    monkeypatch.setattr(os, "fdopen", opened)
    with pytest.raises(StorageError, match=rf"{PAIRS[2].picture}: Input/output error; "):
        list(verify(folder, stamp=STAMP))
    assert owner(folder) is None


def test_every_kind_of_picture_is_among_the_pairs() -> None:
    assert {each.picture[each.picture.rindex(".") :] for each in PAIRS} == set(PICTURES)
