"""The key is nowhere: not on a stream, not in a file, whatever a server does with it and however much is said."""

from __future__ import annotations

import base64
import html
import json
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from canary import KEY, heard, leaks, spelled
from in_process import called
from page_server import Answer, PageServer, png, refusal
from processes import batchgen, job_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from processes import Ended

PNG = {"Content-Type": "image/png"}


def _json(key: str) -> Answer:
    """An error as servers in Go word it, with a few signs escaped that need not be."""
    said = json.dumps({"id": "1", "name": "bad_request", "errors": [f"the key {key} is none"]})
    return Answer(400, {}, said.replace("<", "\\u003c").replace(">", "\\u003E").replace("&", "\\u0026").encode())


def _slashes(key: str) -> Answer:
    """An error as servers in PHP word it."""
    said = json.dumps({"id": "1", "name": "bad_request", "errors": [f"the key {key} is none"]})
    return Answer(400, {}, said.replace("/", "\\/").encode())


def _page(key: str, before: str = "") -> bytes:
    return f"<html>{before}<title>hello {key}</title></html>".encode()


ECHOES: dict[str, Callable[[str], list[Answer]]] = {
    "good": lambda _: [],
    "refused": lambda key: [refusal(401, "unauthorized", f"the key {key} is not known")],
    "forbidden": lambda key: [refusal(403, "forbidden", f"{key} may not do this")],
    "moderation": lambda key: [refusal(403, "content_moderation", f"{key} is rude")],
    "no credit": lambda key: [refusal(402, "payment_required", f"{key} has none")],
    "invalid": lambda key: [refusal(400, "bad_request", f"Authorization: {key}")],
    "invalid at length": lambda key: [refusal(400, "bad_request", "x" * 265 + f" {key}")],
    "its name": lambda key: [refusal(400, key, "no")],
    "json": lambda key: [_json(key)],
    "slashes": lambda key: [_slashes(key)],
    "html": lambda key: [Answer(400, {}, _page(html.escape(key)))],
    "characters": lambda key: [Answer(400, {}, _page("".join(f"&#{ord(char)};" for char in key)))],
    "python": lambda key: [Answer(400, {}, repr({"Authorization": f"Bearer {key}"}).encode())],
    "crashed": lambda key: [refusal(500, "internal_error", f"Bearer {key}")],
    "a gateway": lambda key: [Answer(502, {}, _page(key))],
    "a page": lambda key: [Answer(200, {"Content-Type": "text/html"}, _page(key))] * 2,
    "an escaped page": lambda key: [Answer(200, {"Content-Type": "text/html"}, _page(html.escape(key)))] * 2,
    "a long page": lambda key: [Answer(200, {"Content-Type": "text/html"}, b"x" * 270 + _page(key))] * 2,
    "a cut": lambda key: [Answer(200, {**PNG, "Content-Length": "999"}, key.encode())] * 2,
    "a redirect": lambda key: [Answer(302, {"Location": f"http://127.0.0.1:1/{key}"})],
    "an escaped redirect": lambda key: [Answer(302, {"Location": f"/login?key={quote(key, safe='')}"})],
    "headers": lambda key: [Answer(200, {**PNG, "seed": key, "x-request-id": key, "finish-reason": key}, png(7))],
    "escaped headers": lambda key: [
        Answer(200, {"Content-Type": f"image/png; key={quote(key)}", "x-request-id": json.dumps(key)}, png(7))
    ],
    "limits": lambda key: [
        Answer(429, {"Retry-After": "0", "X-Key": key}),
        Answer(429, {"Retry-After": "0", "RateLimit": key}),
    ],
}


def _assert_nowhere(ended: Ended, folder: Path) -> None:
    assert ended.code in {0, 1, 3}
    said = ended.out + ended.err
    heard(said)
    assert spelled(said.encode()) == [], said
    assert list(leaks(folder)) == []


@pytest.mark.parametrize("voice", ["-v", "--json"])
@pytest.mark.parametrize("case", ECHOES)
def test_the_key_is_nowhere(tmp_path: Path, voice: str, case: str) -> None:
    with PageServer(key=KEY) as page:
        (tmp_path / "otters.yaml").write_text(job_for(page.url, prompts="[a fox]", seeds="1..2"))
        page.script(*ECHOES[case](KEY))
        ended = called("run", "otters.yaml", voice, "--concurrency", "1", cwd=tmp_path, env={"PICTURE_KEY": KEY})
    assert page.seen[0].headers["authorization"] == f"Bearer {KEY}"
    _assert_nowhere(ended, tmp_path)


LOUD = {"PYTHONASYNCIODEBUG": "1", "PYTHONDEVMODE": "1", "PYTHONWARNINGS": "always"}


@pytest.mark.parametrize("case", ["good", "refused", "a page", "a cut"])
def test_a_process_that_says_all_it_can_does_not_say_the_key(tmp_path: Path, case: str) -> None:
    with PageServer(key=KEY) as page:
        (tmp_path / "otters.yaml").write_text(job_for(page.url, prompts="[a fox]", seeds="1..2"))
        page.script(*ECHOES[case](KEY))
        env = {"PICTURE_KEY": KEY, **LOUD}
        ended = batchgen("run", "otters.yaml", "-v", "--concurrency", "1", cwd=tmp_path, env=env)
    assert page.seen[0].headers["authorization"] == f"Bearer {KEY}"
    _assert_nowhere(ended, tmp_path)


def test_the_echoes_hold_the_key() -> None:
    for name, answers in ECHOES.items():
        echoed = b"".join(answer.body + repr(answer.headers).encode() for answer in answers(KEY))
        assert name == "good" or spelled(echoed), name


def test_what_the_key_is_searched_for_as_is_what_a_run_leaves(tmp_path: Path) -> None:
    """The search itself: a key that a job's author lets into the folder is found there."""
    planted = tmp_path / "planted"
    planted.mkdir()
    with PageServer(key=KEY) as page:
        prompts = json.dumps([f"a fox {KEY}", f"an owl {base64.b64encode(KEY.encode()).decode()}"])
        (planted / "otters.yaml").write_text(job_for(page.url, prompts=prompts, seeds="1"))
        ended = batchgen("run", "otters.yaml", cwd=planted, env={"PICTURE_KEY": KEY})
    assert ended.code == 0
    assert {place.rpartition(".json: ")[2] for place in leaks(planted) if ".json: " in place} == {"as it is", "base64"}
