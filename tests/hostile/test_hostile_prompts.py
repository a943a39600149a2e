"""Any prompt arrives as it was written, or is refused at its line before anything is sent."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from hostile_runs import JOB, quoted, run, served, unprintable
from hostile_texts import ARRIVES, job_with
from page_server import png
from processes import pictures, sidecars
from raw_server import ok

if TYPE_CHECKING:
    from pathlib import Path

    from page_server import PageServer

REFUSED = {
    "NUL": ("a\0fox", "text with NUL or half a surrogate pair; remove it"),
    "10,001 characters": ("x" * 10_001, "a prompt of 10001 characters; accepted: text of 1 to 10000 characters"),
    "empty": ("", "a prompt of 0 characters; accepted: text of 1 to 10000 characters"),
}


def _as_yaml(text: str) -> str:
    return f"vars: {{it: [{quoted(text)}]}}\nprompts: ['{{{{it}}}}']\n"


@pytest.mark.parametrize("case", ARRIVES)
@pytest.mark.parametrize("where", ["yaml", "variable", "negative", "jsonl", "csv"])
def test_a_prompt_arrives_as_it_was_written(tmp_path: Path, canary_page: PageServer, case: str, where: str) -> None:
    text = ARRIVES[case]
    prompts = {
        "yaml": f"prompts: [{{prompt: {quoted(text.replace('{{', '{ {'))}, id: it}}]\n",
        "variable": _as_yaml(text),
        "negative": f"prompts: [{{prompt: a fox, negative_prompt: {quoted(text.replace('{{', '{ {'))}, id: it}}]\n",
        "jsonl": "prompts: [{file: rows.jsonl}]\n",
        "csv": "prompts: [{file: rows.csv}]\n",
    }[where]
    plain = text.replace("{{", "{ {") if where != "variable" else text
    (tmp_path / "rows.jsonl").write_text(json.dumps({"prompt": plain}) + "\n")
    (tmp_path / "rows.csv").write_text(f'prompt\n"{plain.replace(chr(34), chr(34) * 2)}"\n', newline="")
    ended = run(job_with(canary_page.url, prompts), cwd=tmp_path)
    if where in {"csv", "jsonl"} and ended.code == 2:  # a table may refuse what a job may hold, at its line
        assert re.match(r"rows\.\w+:\d+:\d+: a control character in a cell; remove it\n", ended.err), ended.err
        assert canary_page.seen == []
        assert case in {"controls", "escapes"}
        return
    assert ended.code == 0, ended.err
    [seen] = canary_page.seen
    assert seen.problems == ()
    assert seen.fields["negative_prompt" if where == "negative" else "prompt"] == plain
    [sidecar] = sidecars(tmp_path / "output/otters").values()
    assert sidecar["request"]["fields"] == dict(seen.fields)
    assert not (tmp_path / "owned").exists()
    for place in pictures(tmp_path / "output/otters"):
        assert unprintable(place) == set()
        assert place.count("/") <= 2


@pytest.mark.parametrize("case", REFUSED)
def test_a_prompt_that_can_not_be_sent_is_refused_at_its_line(tmp_path: Path, case: str) -> None:
    text, said = REFUSED[case]
    with served(ok(png(7))) as server:
        ended = run(job_with(server.url, f"prompts:\n  - a fox\n  - {quoted(text)}\n"), cwd=tmp_path)
    assert (ended.code, server.connections) == (2, 0)
    [first, *_] = ended.err.splitlines()
    assert first.startswith(f"{JOB}:5:5: prompts[1]: ")
    assert said in first
    assert "; " in first
    assert [path.name for path in tmp_path.iterdir()] == [JOB]
