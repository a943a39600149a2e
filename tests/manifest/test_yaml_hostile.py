"""A hostile job gets an error with a line: no crash, no endless memory, no other exception."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hostile_jobs import HEAVY, NAMES, heavy
from hypothesis import example, given
from hypothesis import strategies as st
from job_texts import document, job, problems

from batchgen.errors import ManifestError

SCRIPT = Path(__file__).with_name("hostile_jobs.py")


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_job_ends_as_an_error_with_a_line_within_300_mb(name: str) -> None:
    assert _said_within_bounds(name).startswith("ManifestError in line ")


@pytest.mark.parametrize("name", HEAVY)
def test_a_job_of_many_excludes_or_includes_is_counted_within_300_mb(name: str) -> None:
    assert _said_within_bounds(name) == f"{heavy()[name][1]} tasks"


def _said_within_bounds(name: str) -> str:
    ended = subprocess.run(  # noqa: S603 - this interpreter and a name from the table
        [sys.executable, str(SCRIPT), name], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


@pytest.mark.parametrize(
    ("data", "line", "cause"),
    [
        (b"", 1, "a job is a mapping"),
        (b"# nothing\n", 1, "a job is a mapping"),
        (b"---\n...\n", 2, "a job is a mapping"),
        (b"\xef\xbb\xbf", 1, "a job is a mapping"),
        (b"just text", 1, "a job is a mapping"),
        (b"[a, b]", 1, "a job is a mapping"),
        (b"prompts: [a]\nname: \xff\n", 2, "byte 0xff is not UTF-8"),
        (b"prompts: [a]\n\nname: \xed\xa0\x80\n", 3, "byte 0xed is not UTF-8"),
        ("prompts: [a]\n".encode("utf-16"), 1, "byte 0xff is not UTF-8"),
        (b"prompts: [a]\nname: x\0y\n", 2, "the character '\\x00' can't stand in YAML"),
        (b'prompts: [a]\nname: "x\\0y"\n', 2, "text with NUL or half a surrogate pair"),
        (b'prompts:\n  - "x\\0y"\n', 2, "text with NUL or half a surrogate pair"),
        (b'prompts:\n  - "\\ud800"\n', 2, "not YAML: found invalid Unicode character escape code"),
        (b"prompts: [a]\nname: \x1b[2J\n", 2, "the character '\\x1b' can't stand in YAML"),
        (b"prompts: [a]\n---\nprompts: [b]\n", 2, "a second document"),
        (b"prompts: [a]\nname: *n\n", 2, "the alias *n stands before its anchor"),
        (b"prompts:\n  - &p [*p]\n", 2, "the alias *p stands before its anchor"),
        (b"prompts: &p\n  a: *p\n", 2, "the alias *p stands before its anchor"),
        (b"prompts: [a]\n<<: {name: x}\n", 2, "unknown key '<<'"),
        (b"prompts: [a]\nname: !!python/object/apply:os.system [ls]\n", 2, "has no meaning in a job"),
        (b"prompts: [a]\nseed_root: !!int '7'\n", 2, "has no meaning in a job"),
        (b"prompts: [a]\nname: !secret x\n", 2, "the tag !secret has no meaning in a job"),
        (b"prompts: !!set {a}\n", 1, "has no meaning in a job"),
        (b"prompts: [a]\n? [x, y]\n: 1\n", 2, "a key that is not text"),
        (b"prompts: [a]\n\tname: x\n", 2, "not YAML"),
        (b"prompts: [a\nname: x\n", 2, "not YAML"),
        (b"prompts: [a]\nname: 'x\n", 3, "not YAML"),
        (b"prompts: [a]\n%YAML 1.2\n", 3, "not YAML"),
        (b"prompts: [a]\nname: @x\n", 2, "not YAML"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_what_is_no_job_is_an_error_in_its_line(data: bytes, line: int, cause: str) -> None:
    assert any(found.line == line and cause in found.cause for found in problems(data))


def test_a_character_that_can_t_stand_in_yaml_is_found_in_its_line_after_other_scripts() -> None:
    (found,) = problems("# ein Fuchs, «rötlich», 狐狐狐狐\nname: \x01\nprompts:\n  - a\n  - b\n  - c\n")
    assert found.line == 2


@pytest.mark.parametrize(
    "text",
    [
        'prompts: [a]\n"\\e[31mkey\\n2": 1\n',
        'prompts: [a]\nprovider: {timeout: "\\e[31mvalue\\n2"}\n',
        'prompts: [a]\nprovider: {rate_limit: "\\e[31mvalue\\n2"}\n',
        'prompts: [a]\nprovider: {kind: "\\e[31mvalue\\n2"}\n',
        'prompts: [a]\nname: "${X:?\\e[31mvalue\\n2}"\n',
        'prompts: [a]\noutput: {path: "{\\e[31mtoken}.{ext}"}\n',
        'prompts: [a]\nsweep: {seed: "\\e[31mvalue\\n2"}\n',
        'prompts: [a]\nsweep: {"\\e[31mkey\\n2": 1}\n',
        'prompts: [a]\nsweep: {seed: {"\\e[31mkey\\n2": 1}}\n',
        'prompts: [{prompt: a, "\\e[31mkey\\n2": 1}]\n',
        'prompts: ["a"]\nsweep: {image: "missing \\e[31mvalue\\n2", strength: 1}\n',
        'prompts: [{prompt: a, id: "\\e[3\\n"}, {prompt: b, id: "\\e[3\\n"}]\n',
    ],
)
def test_an_error_is_one_line_without_controls_whatever_the_job_says(text: str) -> None:
    for found in problems(text):
        assert found.headline("job.yaml").isprintable()


@pytest.mark.parametrize("text", ['prompts: [a]\nprovider: {{timeout: "{}"}}', "prompts: [a]\n? {}\n: 1", "{}: 1"])
def test_an_error_is_short_however_long_the_value_is(text: str) -> None:
    for found in problems(text.format("y" * 100_000)):
        assert len(found.headline("job.yaml")) < 1_000


@pytest.mark.parametrize("ends", ["\n", "\r", "\u2028"], ids=ascii)
def test_a_job_of_a_million_lines_is_refused_before_they_are_read(ends: str) -> None:
    (found,) = problems(ends * 1_000_001 + "naem: 1\n")
    assert found.headline("").startswith(":1:1: more than 1,000,000 lines; remove empty ones")


def test_what_looks_like_a_million_references_is_looked_through_once() -> None:
    text = "${A:-" * 1_000_000
    assert document(f"a: '$$ {text}'\n").values == {"a": f"$ {text}"}


@given(st.binary(max_size=200))
def test_any_bytes_are_a_job_or_an_error_with_a_line(data: bytes) -> None:
    _is_read_or_refused(data)


@given(
    st.lists(
        st.sampled_from(
            ["prompts", "sweep", "seed", "a", ": ", "- ", "[", "]", "{", "}", ",", "\n", "\n  ", "&x ", "*x "]
        )
        | st.sampled_from(
            ["1..3", "1e9", "~", "''", '"', "|", ">", "?", "!", "#", " #", "%", "@", "`", "${", "$$", "é"]
        ),
        max_size=40,
    )
)
@example(["prompts", ": ", "[", "a", "]", "\n", "seed"])
def test_any_heap_of_yaml_s_own_signs_is_a_job_or_an_error_with_a_line(signs: list[str]) -> None:
    _is_read_or_refused("".join(signs).encode())
    _is_read_or_refused(("prompts:\n  - a\nsweep:\n  " + "".join(signs)).encode())


def _is_read_or_refused(data: bytes) -> None:
    try:
        job(data)
    except ManifestError as error:
        refused = error
    else:
        return
    lines = data.count(b"\n") + data.count(b"\r") + 3
    assert refused.problems
    assert all(1 <= problem.line <= lines for problem in refused.problems)
    assert refused.render()
