"""What can't be done is said in one clear line with its place and remedy; nothing is sent and nothing is written."""

from __future__ import annotations

import json
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

import canary
import pytest
from processes import KEY, Mark, batchgen, job_for

if TYPE_CHECKING:
    from pathlib import Path

JOB = "otters.yaml"


@dataclass(frozen=True, slots=True)
class Wrong:
    """A job that is wrong: lines that stand after those of a right one, and the line that is said about them."""

    name: str
    lines: str
    said: str


WRONG = [
    Wrong("unknown-model", "defaults: {model: sd3-huge}\n", r"otters\.yaml:4:\d+: defaults\.model: .*sd3-large"),
    Wrong("misspelt-model", "defaults: {model: sd3-larg}\n", r"otters\.yaml:4:\d+: defaults\.model: .*sd3-large"),
    Wrong("wrong-ratio", "defaults:\n  aspect_ratio: 4:3\n", r"otters\.yaml:5:17: defaults\.aspect_ratio: .*16:9"),
    Wrong("wrong-style", "defaults: {style_preset: anime}\n", r"yaml:4:\d+: .*sd3-large does not take style"),
    Wrong("unknown-key", "sweeep: {}\n", r"otters\.yaml:4:1: .*unknown key 'sweeep'; did you mean 'sweep'\?"),
    Wrong("unknown-field", "defaults: {seeed: 7}\n", r"otters\.yaml:4:\d+: defaults\.seeed: .*did you mean 'seed'\?"),
    Wrong("seed-too-large", "defaults: {seed: 4294967295}\n", r"otters\.yaml:4:\d+: .*from 0 to 4294967294"),
    Wrong("duplicate-key", "repeat: 1\nrepeat: 2\n", r"otters\.yaml:5:1: .*repeat"),
    Wrong("missing-image", "defaults: {image: no.png, strength: 0.5}\n", r"yaml:4:\d+: .*no\.png does not exist"),
    Wrong("text-as-image", "defaults: {image: otters.yaml, strength: 0.5}\n", r"yaml:4:\d+: .*not a png, jpeg or webp"),
    Wrong("folder-as-image", "defaults: {image: ., strength: 0.5}\n", r"otters\.yaml:4:\d+: .*a folder; name a png"),
    Wrong("no-image", "defaults: {mode: image-to-image, strength: 0}\n", r"otters\.yaml:4:\d+: .*needs image; add"),
]


def _said_once(err: str, said: str) -> None:
    """One line says it, with no more than the line of the job and a caret beneath."""
    lines = [line for line in err.splitlines() if not line.startswith("    ")]
    assert len(lines) == 1, err
    assert re.search(said, lines[0]), err


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.name)
def test_a_job_that_is_wrong(tmp_path: Path, sandbox: Mark, wrong: Wrong) -> None:
    (tmp_path / JOB).write_text(job_for(sandbox.url, more=wrong.lines))
    ended = batchgen("run", JOB, cwd=tmp_path, env=KEY)
    assert (ended.code, ended.out) == (2, "")
    _said_once(ended.err, wrong.said)
    assert sandbox.requests() == []
    assert [path.name for path in tmp_path.iterdir()] == [JOB]


@pytest.mark.parametrize("command", ["plan", "validate"])
def test_every_command_says_it_alike(tmp_path: Path, command: str) -> None:
    (tmp_path / JOB).write_text("prompts: [a fox]\nsweeep: {}\n")
    ended = batchgen(command, JOB, cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    _said_once(ended.err, r"otters\.yaml:2:1: .*unknown key 'sweeep'; did you mean 'sweep'\?")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"prompts: [a\nsweep: {", r"otters\.yaml:\d+:\d+: "),
        (b"just words", r"otters\.yaml:1:1: .*mapping"),
        (b"", r"otters\.yaml:1:1: "),
        (b"prompts: [\xff\xfe\x00]", r"otters\.yaml:\d+:\d+: "),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", r"otters\.yaml:\d+:\d+: "),
        (b"prompts: []\n", r"otters\.yaml:1:\d+: prompts: "),
        (b"name: no prompts\n", r"otters\.yaml:1:\d+: no prompts; add prompts:"),
    ],
)
def test_a_job_that_is_no_job(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / JOB).write_bytes(content)
    ended = batchgen("run", JOB, "--provider", "sandbox", cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    _said_once(ended.err, said)
    assert [path.name for path in tmp_path.iterdir()] == [JOB]


def test_several_things_wrong_are_said_at_once(tmp_path: Path) -> None:
    (tmp_path / JOB).write_text("prompts: [a fox]\nseeed: 1\ndefaults: {model: none, seed: -1}\n")
    ended = batchgen("validate", JOB, cwd=tmp_path)
    assert ended.code == 2
    places = re.findall(r"^otters\.yaml:(\d+):", ended.err, re.MULTILINE)
    assert places[0] == "2"
    assert len(places) >= 1


UNSET_AND_MORE = """\
name: ${NOT_SET_HERE}
name: twice
prompts:
  - &more things
defaults: {seed: -1}
schedule: {cron: 0 0 31 2 *}
"""


def test_an_unset_variable_and_a_key_that_stands_twice_are_said_with_all_else(tmp_path: Path) -> None:
    (tmp_path / JOB).write_text(UNSET_AND_MORE)
    ended = batchgen("validate", JOB, cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    said = [line for line in ended.err.splitlines() if not line.startswith("    ")]
    starts = [
        "otters.yaml:1:7: name: the environment variable NOT_SET_HERE is not set; ",
        "otters.yaml:2:1: name: the key stands twice (first in line 1); ",
        "otters.yaml:5:18: defaults.seed: -1 is not a value of seed; ",
        "otters.yaml:6:18: schedule.cron: '0 0 31 2 *' never comes: its longest month has 29 days; accepted: ",
        "otters.yaml:4:5: warning: prompts[0]: &more is an anchor that nothing refers to; ",
    ]
    assert len(said) == len(starts)
    assert all(line.startswith(start) for line, start in zip(said, starts, strict=True))


@pytest.mark.parametrize("command", ["plan", "run"])
def test_warnings_stand_beside_what_is_wrong_for_every_command(tmp_path: Path, command: str) -> None:
    (tmp_path / JOB).write_text("prompts:\n  - a fox # red\nsweeep: {}\n")
    ended = batchgen(command, JOB, cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert re.search(r"^otters\.yaml:3:1: sweeep.*\n    sweeep: \{\}\n    \^\notters\.yaml:2:5: warning: ", ended.err)


COLLIDING = "prompts:\n  - a fox # red\nsweep: {seeds: [1, 2]}\noutput: {path: 'same.{ext}'}\n"


@pytest.mark.parametrize(
    ("text", "code", "problems"),
    [
        ("prompts:\n  - a fox # red\n", 0, []),
        ("prompts:\n  - a fox # red\nsweeep: {}\n", 2, ["otters.yaml:3:1: sweeep: unknown key"]),
        (COLLIDING, 2, ["otters.yaml:4:16: output.path: tasks 0 and 1 both go to same"]),
    ],
    ids=["right", "wrong", "wrong as a whole"],
)
def test_warnings_are_told_once_and_apart_from_what_is_wrong(
    tmp_path: Path, text: str, code: int, problems: list[str]
) -> None:
    (tmp_path / JOB).write_text(text)
    ended = batchgen("validate", "--json", JOB, cwd=tmp_path)
    said = json.loads(ended.out)
    assert (ended.code, said["valid"], len(said["problems"])) == (code, not problems, len(problems))
    assert all(line.startswith(start) for line, start in zip(said["problems"], problems, strict=True))
    assert [line.split(": ")[:2] for line in said["warnings"]] == [["otters.yaml:2:5", "warning"]]
    assert ended.err.count("warning") == ended.err.count(said["warnings"][0]) == 1


def test_what_is_wrong_in_a_data_file_is_shown_with_its_line(tmp_path: Path) -> None:
    (tmp_path / JOB).write_text("prompts: [{file: rows.csv}]\n")
    (tmp_path / "rows.csv").write_text('prompt,seed\n"a fox, red",x\n')
    ended = batchgen("validate", JOB, cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    _said_once(ended.err, r"rows\.csv:2:1: seed: 'x' is not a value of seed")
    assert ended.err.endswith('\n    "a fox, red",x\n                 ^\n')


@pytest.mark.parametrize(("name", "said"), [("none.yaml", "none.yaml: does not exist"), (".", "is a folder")])
def test_no_job_at_all(tmp_path: Path, name: str, said: str) -> None:
    ended = batchgen("run", name, cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    _said_once(ended.err, said + ".*; give the path of a job")


def test_no_key_names_its_variable_and_the_way_without_one(tmp_path: Path, sandbox: Mark) -> None:
    (tmp_path / JOB).write_text(job_for(sandbox.url))
    ended = batchgen("run", JOB, cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    _said_once(ended.err, "PICTURE_KEY is not set; .*--provider sandbox")
    assert sandbox.requests() == []


def test_the_gateways_own_key(tmp_path: Path) -> None:
    (tmp_path / JOB).write_text("prompts: [a fox]\n")
    ended = batchgen("run", JOB, cwd=tmp_path)
    assert ended.code == 2
    _said_once(ended.err, "GATEWAY_API_KEY is not set; .*--provider sandbox")


@pytest.mark.parametrize("key", ["two words", "clé", " "])
def test_a_key_that_is_none(tmp_path: Path, sandbox: Mark, key: str) -> None:
    (tmp_path / JOB).write_text(job_for(sandbox.url))
    ended = batchgen("run", JOB, cwd=tmp_path, env={"PICTURE_KEY": key})
    assert ended.code == 2
    _said_once(ended.err, "PICTURE_KEY")
    assert key.strip() == "" or key not in ended.err
    assert sandbox.requests() == []


def test_a_key_file(tmp_path: Path, sandbox: Mark) -> None:
    (tmp_path / JOB).write_text(job_for(sandbox.url))
    (tmp_path / "planted").mkdir()
    file = tmp_path / "planted/key"
    file.write_text(f"{canary.KEY}\n")
    file.chmod(0o644)
    ended = batchgen("run", JOB, cwd=tmp_path, env={"PICTURE_KEY_FILE": str(file)})
    assert ended.code == 2
    _said_once(ended.err, "can be read by others; chmod 600")
    assert sandbox.requests() == []
    file.chmod(0o600)
    assert batchgen("run", JOB, cwd=tmp_path, env={"PICTURE_KEY_FILE": str(file)}).code == 0
    file.unlink()
    (tmp_path / "output").rename(tmp_path / "before")
    ended = batchgen("run", JOB, cwd=tmp_path, env={"PICTURE_KEY_FILE": str(file)})
    assert ended.code == 2
    _said_once(ended.err, "PICTURE_KEY_FILE.*No such file")


@pytest.mark.parametrize("place", ["output", "output/otters"])
def test_an_output_that_is_a_file(tmp_path: Path, sandbox: Mark, place: str) -> None:
    (tmp_path / JOB).write_text(job_for(sandbox.url))
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text("mine")
    ended = batchgen("run", JOB, cwd=tmp_path, env=KEY)
    assert (ended.code, ended.out) == (5, "")
    _said_once(ended.err, "batchgen: .*output.*--output")
    assert sandbox.requests() == []
    assert (tmp_path / place).read_text() == "mine"


@pytest.mark.parametrize("place", ["/proc/batchgen", "/sys/batchgen"])
def test_an_output_that_can_not_be_written(tmp_path: Path, sandbox: Mark, place: str) -> None:
    (tmp_path / JOB).write_text(job_for(sandbox.url))
    ended = batchgen("run", JOB, "--output", place, cwd=tmp_path, env=KEY)
    assert (ended.code, ended.out) == (5, "")
    _said_once(ended.err, f"batchgen: {place}: .+; .+")
    assert sandbox.requests() == []


def test_the_place_of_a_picture_is_taken(tmp_path: Path, sandbox: Mark) -> None:
    path = "output: {path: 'same.{ext}'}\n"
    (tmp_path / JOB).write_text(job_for(sandbox.url, prompts="[a fox]", seeds="1", more=path))
    assert batchgen("run", JOB, cwd=tmp_path, env=KEY).code == 0
    (tmp_path / JOB).write_text(job_for(sandbox.url, prompts="[an owl]", seeds="1", more=path))
    ended = batchgen("run", JOB, cwd=tmp_path, env=KEY)
    assert ended.code == 2
    _said_once(ended.err, "images/same.*--output")
    assert len(sandbox.requests()) == 1


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = batchgen("sandbox", "--port", port, cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    _said_once(ended.err, f"port {port} on 127.0.0.1 is taken; choose another with --port")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--rate-limit", "fast"], "fast is not a rate limit; accepted: .*150/10s"),
        (["--concurrency", "0"], "0 is not a concurrency; accepted: "),
        (["--limit", "0"], "0 is not in the range"),
        (["--provider", "dalle"], "'dalle' is not one of 'gateway', 'sandbox'"),
        (["--speed"], "No such option"),
    ],
)
def test_a_wrong_option(tmp_path: Path, sandbox: Mark, options: list[str], said: str) -> None:
    (tmp_path / JOB).write_text(job_for(sandbox.url))
    ended = batchgen("run", JOB, *options, cwd=tmp_path, env=KEY)
    assert (ended.code, ended.out) == (2, "")
    assert re.search(said, ended.err)
    assert sandbox.requests() == []


def test_a_url_without_tls_beyond_this_machine(tmp_path: Path) -> None:
    (tmp_path / JOB).write_text(job_for("http://images.example/v1"))
    ended = batchgen("run", JOB, cwd=tmp_path, env=KEY)
    assert ended.code == 2
    _said_once(ended.err, r"otters\.yaml:1:\d+: provider\.url: .*use https")
