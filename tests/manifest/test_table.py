"""Data files: each kind becomes the same rows, and what can't be read is an error in its line."""

from __future__ import annotations

import csv
import json
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batchgen.errors import ManifestError
from batchgen.job import read_job
from batchgen.manifest.reading.table import KINDS, Table, TableError, read_table

if TYPE_CHECKING:
    from pathlib import Path


def table(file: str, text: str) -> Table:
    """The rows of a file of this name and text."""
    return read_table(file, lambda _: iter(StringIO(text, newline="")))


def cells(found: Table) -> list[list[str]]:
    """Every row."""
    return [found.row(number) for number in range(len(found))]


def lines(found: Table) -> list[int]:
    """The line of every row."""
    return [found.line(number) for number in range(len(found))]


ROWS = [["a fox, red", "7"], ['an "owl"\nat dusk', ""], ["狐 🦊", "010"]]
WRITTEN = {
    "csv": 'prompt,seed\n"a fox, red",7\n"an ""owl""\nat dusk",\n狐 🦊,010\n',
    "tsv": 'prompt\tseed\na fox, red\t7\n"an ""owl""\nat dusk"\t\n狐 🦊\t010\n',
    "json": '[\n {"prompt": "a fox, red", "seed": 7},\n {"prompt": "an \\"owl\\"\\nat dusk", "seed": null},\n\n'
    ' {"prompt": "狐 🦊", "seed": "010"}]',
    "jsonl": '{"prompt": "a fox, red", "seed": 7}\n{"prompt": "an \\"owl\\"\\nat dusk"}\n\n'
    '{"seed": "010", "prompt": "狐 \\ud83e\\udd8a"}\n',
}
LINES = {"csv": [2, 4, 5], "tsv": [2, 4, 5], "json": [2, 3, 5], "jsonl": [1, 2, 4]}


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["no mark", "byte order mark"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("kind", WRITTEN)
def test_each_kind_gives_the_same_rows_and_their_lines(kind: str, newline: str, mark: str) -> None:
    found = table(f"data/x.{kind}", mark + WRITTEN[kind].replace("\n", newline))
    quoted = newline if kind in {"csv", "tsv"} else "\n"
    assert found.columns == ("prompt", "seed")
    assert cells(found) == [[cell.replace("\n", quoted) for cell in row] for row in ROWS]
    assert lines(found) == LINES[kind]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_txt_file_is_a_prompt_a_line(newline: str) -> None:
    found = table("x.TXT", newline.join(["\ufeffa fox, red ", "", "   ", 'an "owl"', "{{x}} # no comment"]))
    assert found.columns == ("prompt",)
    assert cells(found) == [["a fox, red"], ['an "owl"'], ["{{x}} # no comment"]]
    assert lines(found) == [1, 4, 5]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('["a", {"prompt": "b"}]', [["a"], ["b"]]),
        ('[{"x": true, "y": 0.50, "z": 1e2}]', [["true", "0.5", "100"]]),
        ('[{"x": 1}, {"y": 2}]', [["1", ""], ["", "2"]]),
        (' [ {"x" : "a, ]"} ,\n{"x": "b"}\n] ', [["a, ]"], ["b"]]),
    ],
)
def test_records_may_be_texts_have_other_keys_and_hold_plain_values(text: str, rows: list[list[str]]) -> None:
    assert cells(table("x.json", text)) == rows


def test_empty_lines_of_a_csv_are_no_rows_and_names_are_trimmed() -> None:
    found = table("x.csv", " prompt , seed\n\na,1\n\n\nb,2\n\n")
    assert (found.columns, cells(found), lines(found)) == (("prompt", "seed"), [["a", "1"], ["b", "2"]], [3, 6])


WRONG: list[tuple[str, str, int, str]] = [
    ("x.txt", "", 1, "no rows; give it at least one"),
    ("x.txt", "\n \n", 1, "no rows"),
    ("x.csv", "", 1, "no header; the first line names the columns"),
    ("x.csv", "\n\n", 1, "no header"),
    ("x.csv", "prompt\n", 1, "no rows"),
    ("x.csv", "prompt,\na,b\n", 1, "column 2 has no name; rename it"),
    ("x.csv", "prompt,seed,prompt\na,1,b\n", 1, "column 3 has the name of another; rename it"),
    ("x.csv", "prompt,seed\na,1\nb\n", 3, "1 cells where the header has 2; quote a cell with commas"),
    ("x.csv", "prompt\na, b\n", 2, "2 cells where the header has 1"),
    ("x.tsv", "prompt\tseed\n\na\t1\t2\n", 3, "3 cells where the header has 2"),
    ("x.csv", 'prompt\na\n"b\nc\n', 4, "not csv: unexpected end of data; check the quotes"),
    ("x.csv", 'prompt\n"a"b\n', 2, "not csv: "),
    ("x.csv", "prompt\n" + "y" * 1_000_001 + "\n", 2, "not csv: field larger than field limit (1000000)"),
    ("x.csv", "prompt\na\nb\0\n", 3, "a control character in a cell; remove it"),
    ("x.csv", "prompt,seed\na\x1fb,1\n", 2, "a control character in a cell"),
    ("x.txt", "a\0b", 1, "a control character in a cell"),
    ("x.jsonl", '"a\\u0000"', 1, "a control character in a cell"),
    ("x.json", '["\\ud800"]', 1, "half a surrogate pair in a cell; remove it"),
    ("x.json", "", 1, "not JSON: "),
    ("x.json", '[\n{"a": 1},\n{"a" 1}]', 3, "not JSON: "),
    ("x.json", "[1, 2]", 1, "neither an object nor a text; accepted: "),
    ("x.json", '{"prompt": "a"}', 1, "not a list; the file is one list of objects or texts"),
    ("x.json", '[\n{"prompt": "a"},\n\n{"prompt": ["b"]}]', 4, "prompt: neither text nor a number; accepted: one"),
    ("x.json", '[{"prompt": NaN}]', 1, "prompt: neither text nor a number"),
    ("x.json", "[]", 1, "no rows"),
    ("x.json", "[{}]", 1, "records without a value; give each a prompt"),
    ("x.json", '["a",\n{"": 1}]', 2, "a key without a name; rename it"),
    ("x.json", "[" * 100_000, 1, "not JSON: "),
    ("x.json", '[{"seed": 1e999999999}]', 1, "seed: a number beyond all sizes; quote it if it is text"),
    ("x.jsonl", '{"seed": -1e-999999999}', 1, "seed: a number beyond all sizes"),
    ("x.jsonl", '"a"\n{"prompt": "b"\n', 2, "not JSON: "),
    ("x.jsonl", '"a"\n' + "[" * 100_000, 2, "not JSON: "),
    ("x.jsonl", '"a"\n' + "9" * 100_000, 2, ""),
    ("x.jsonl", '"a"\n{"prompt": "b", "prompt": "c"}', 2, "the key 'prompt' stands twice in one record; keep one"),
    ("x.json", '["a",\n{"seed": 1,\n"prompt": "b", "seed": 1}]', 2, "the key 'seed' stands twice in one record"),
    ("x.jsonl", '"a"\n\n["b"]', 3, "neither an object nor a text"),
]


@pytest.mark.parametrize(("file", "text", "line", "said"), WRONG, ids=lambda value: ascii(value)[:40])
def test_what_is_no_table_is_an_error_in_its_line(file: str, text: str, line: int, said: str) -> None:
    with pytest.raises(TableError) as caught:
        table(file, text)
    assert caught.value.line == line
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize("file", ["x", "x.xlsx", "x.csv.gz", ".csv", "csv"])
def test_another_kind_of_file_is_told_which_there_are(file: str) -> None:
    with pytest.raises(ValueError, match=f"is no data file; accepted: {', '.join(KINDS)}"):
        table(file, "prompt\na\n")


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\x1f\r"), max_size=8)
RECTANGLES = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=5)
)


@given(RECTANGLES, st.sampled_from("\t,"))
@example([["\ufeff"]], ",")
@example([["\u2028", '"']], ",")
def test_any_cells_come_back_as_they_were_written(rows: list[list[str]], between: str) -> None:
    names = [f"c{number}" for number in range(len(rows[0]))]
    text = StringIO(newline="")
    csv.writer(text, delimiter=between, quoting=csv.QUOTE_ALL).writerows([names, *rows])
    assert cells(table("x.tsv" if between == "\t" else "x.csv", text.getvalue())) == rows
    records = [dict(zip(names, row, strict=True)) for row in rows]
    assert cells(table("x.json", json.dumps(records, indent=1))) == rows
    assert cells(table("x.jsonl", "\n".join(json.dumps(record) for record in records))) == rows


@given(st.sampled_from(KINDS), st.text(max_size=60) | st.text('[]{}",:\n\\0a \t', max_size=60))
def test_any_text_is_a_table_or_an_error_in_a_line_of_it(kind: str, text: str) -> None:
    try:
        found = table(f"x.{kind}", text)
    except TableError as error:
        line, widths, width = error.line, set[int](), 0
    else:
        line, widths, width = max(lines(found)), {len(row) for row in cells(found)}, len(found.columns)
    assert 1 <= line <= text.count("\n") + text.count("\r") + 1
    assert widths <= {width}


# On the disk


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("other.csv", b"prompt\na\n", "1:18: prompts[0].file: x.csv does not exist; paths are relative to the job"),
        ("x.csv", b"prompt\na\xff\n", "1:18: prompts[0].file: x.csv is not UTF-8; save it as UTF-8 text"),
        ("x.csv", "prompt\na\n".encode("utf-16"), "1:18: prompts[0].file: x.csv is not UTF-8"),
        ("x.csv/y", b"", "1:18: prompts[0].file: x.csv is not a file"),
    ],
    ids=["missing", "latin-1", "utf-16", "a folder"],
)
def test_a_file_that_can_t_be_read_is_an_error_where_it_is_named(
    tmp_path: Path, name: str, data: bytes, said: str
) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(data)
    with pytest.raises(ManifestError) as caught:
        read_job(b"prompts: [{file: x.csv}]", "job.yaml", tmp_path, run_id="r")
    assert str(caught.value).removeprefix("job.yaml:").startswith(said)


def test_a_file_on_the_disk_is_read_with_its_mark_and_its_newlines(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes('\ufeffprompt,seed\r\n"a\nb",7\r\n狐,8\r\n'.encode())
    manifest = read_job(b"prompts: [{file: x.csv}]", "job.yaml", tmp_path, run_id="r")
    found: list[Any] = [dict(task.request.fields) for task in manifest]
    assert [(sent["prompt"], sent["seed"]) for sent in found] == [("a\nb", "7"), ("狐", "8")]
