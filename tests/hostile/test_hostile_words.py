"""No text of a job, a server, a flag or a path is ever said raw, whichever command says it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from canary import KEY
from hostile_runs import JOB, quoted, tame, unprintable
from hostile_texts import ARRIVES, STEERS, echoes, eight_of, job_with
from in_process import called

if TYPE_CHECKING:
    from pathlib import Path

    from page_server import PageServer


@pytest.mark.parametrize("voice", ["-v", "-q", "--json"])
@pytest.mark.parametrize("case", STEERS)
def test_a_run_says_no_prompt_raw(tmp_path: Path, canary_page: PageServer, case: str, voice: str) -> None:
    text = ARRIVES[case]
    canary_page.script(*echoes(text))
    (tmp_path / JOB).write_text(job_with(canary_page.url, eight_of(text)))
    env = {"PICTURE_KEY": KEY}
    ended = tame(called("run", JOB, voice, "--concurrency", "1", cwd=tmp_path, env=env))
    assert ended.code == 3, ended.err
    if voice == "--json":
        said = [json.loads(line) for line in ended.out.split("\n") if line]
        ids = {each["prompt_id"] for each in said if each["event"] == "task_failed"}
        assert ids == {f"{number}{text[:90].replace('{{', '')}" for number in range(4)}
    for log in (tmp_path / "output/otters/runs").glob("*.ndjson"):
        assert unprintable(log.read_text()) == set()
    for again in (
        ("status", "output/otters"),
        ("status", "output/otters", "--json"),
        ("verify", "output/otters"),
        ("verify", "output/otters", "--json"),
        ("retry", "output/otters", "-v"),
        ("retry", "output/otters", "--json"),
    ):
        tame(called(*again, cwd=tmp_path, env=env))


@pytest.mark.parametrize("case", STEERS)
@pytest.mark.parametrize(
    "command",
    [
        ("plan",),
        ("plan", "--json"),
        ("plan", "--explain", "0"),
        ("plan", "--simulate"),
        ("validate",),
        ("validate", "--json"),
    ],
    ids=" ".join,
)
def test_no_command_says_a_prompt_raw(tmp_path: Path, case: str, command: tuple[str, ...]) -> None:
    text = ARRIVES[case]
    (tmp_path / JOB).write_text(
        f"name: {quoted(text[:90])}\nvars: {{it: [{quoted(text)}, other]}}\n"
        f"prompts:\n  - {{prompt: 'a fox {{{{it}}}}', id: {quoted(text[:90].replace('{{', ''))}}}\n"
        f"  - prompt: a {{{{it}}}} owl\noutput: {{path: '{{prompt_id}}/{{vars.it}}/{{id}}.{{ext}}'}}\n"
    )
    ended = tame(called(command[0], JOB, *command[1:], cwd=tmp_path))
    assert ended.code == 0, ended.err
    if command == ("plan", "--json"):
        assert json.loads(ended.out)["first"][0]["variables"] == {"it": text}


WRONG = {
    "key": "{0}: 1\nprompts: [a fox]\n",
    "field": "prompts: [a fox]\ndefaults: {{model: {0}}}\n",
    "path": "prompts: [a fox]\noutput: {{path: {0}}}\n",
    "variable": "prompts: ['a {{{{x}}}} {{{{y}}}}']\nvars: {{x: [{0}]}}\n",
    "image": "prompts: [a fox]\ndefaults: {{image: {0}, strength: 0.5}}\n",
    "file": "prompts: [{{file: {0}}}]\n",
    "url": "prompts: [a fox]\nprovider: {{url: {0}}}\n",
    "limit": "prompts: [a fox]\nprovider: {{rate_limit: {0}}}\n",
    "anchor": "prompts: [a fox, &x {0}, b: {0}]\n",
    "twins": "prompts: [{{id: {0}, prompt: a}}, {{id: {0}, prompt: b}}]\noutput: {{path: '{{prompt_id}}.{{ext}}'}}\n",
    "environment": "prompts: [a fox]\nname: '${{NOT_SET:?{1}}}'\n",
}


@pytest.mark.parametrize("case", STEERS)
@pytest.mark.parametrize("place", WRONG)
def test_no_error_says_a_text_raw(tmp_path: Path, case: str, place: str) -> None:
    plain = re.sub(r"['{}\n\r\x85\u2028\u2029]", "", ARRIVES[case])
    (tmp_path / JOB).write_text(WRONG[place].format(quoted(ARRIVES[case]), plain), newline="")
    for command in (("run",), ("plan",), ("validate", "--json")):
        ended = tame(called(command[0], JOB, *command[1:], cwd=tmp_path))
        assert ended.code == 2, ended.err
        assert [path.name for path in tmp_path.iterdir()] == [JOB]


def test_no_flag_and_no_path_is_said_raw(tmp_path: Path) -> None:
    nasty = ARRIVES["escapes"] + ARRIVES["bidi"]
    (tmp_path / JOB).write_text("prompts: [a fox]\n")
    for args in (
        ("run", nasty),
        ("run", JOB, "--only", nasty),
        ("run", JOB, "--set", nasty),
        ("run", JOB, "--set", f"name={nasty}=", "--set", "x"),
        ("run", JOB, "--provider", nasty),
        ("run", JOB, "--rate-limit", nasty),
        ("run", JOB, f"--{nasty}"),
        ("plan", JOB, "--assume", nasty, "--simulate"),
        ("replay", nasty),
        ("status", nasty),
        ("verify", nasty),
        ("retry", nasty),
        (nasty,),
        ("run", JOB, "--provider", "sandbox", "--output", f"{JOB}/{nasty}"),
    ):
        ended = tame(called(*args, cwd=tmp_path))
        assert ended.code in {2, 5}, (args, ended)
