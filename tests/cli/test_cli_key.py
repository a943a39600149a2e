"""The key is nowhere: not on a stream, not in a file, whatever happens and however much is said."""

from __future__ import annotations

from secrets import token_urlsafe
from typing import TYPE_CHECKING

import pytest
from page_server import Answer, PageServer, png, refusal
from processes import batchgen, job_for

if TYPE_CHECKING:
    from pathlib import Path

    from processes import Ended


def _assert_nowhere(key: str, ended: Ended, folder: Path) -> None:
    """Not even a part that would tell it from another."""
    key = key[:14]
    assert key not in ended.out + ended.err
    for path in folder.rglob("*"):
        assert key not in path.name
        assert not path.is_file() or key.encode() not in path.read_bytes(), path


def _answers(key: str) -> dict[str, list[Answer]]:
    page = f"<html><title>hello {key}</title>".encode()
    return {
        "good": [],
        "refused": [refusal(401, "unauthorized", f"the key {key} is not known")],
        "forbidden": [refusal(403, "forbidden", f"{key} may not do this")],
        "invalid": [refusal(400, "bad_request", f"Authorization: {key}")],
        "invalid at length": [refusal(400, "bad_request", "x" * 265 + f" {key}")],
        "crashed": [refusal(500, "internal_error", f"Bearer {key}")],
        "a page": [Answer(200, {"Content-Type": "text/html"}, page)] * 2,
        "a redirect": [Answer(302, {"Location": f"http://127.0.0.1:1/{key}"})],
        "a cut": [Answer(200, {"Content-Type": "image/png", "Content-Length": "999"}, key.encode())] * 2,
        "a long page": [Answer(200, {"Content-Type": "text/html"}, b"x" * 270 + page)] * 2,
        "echoed": [Answer(200, {"Content-Type": "image/png", "seed": key, "x-request-id": key}, png(7))],
        "headers": [Answer(429, {"Retry-After": "0", "X-Key": key})],
    }


@pytest.mark.parametrize(("voice", "case"), [*(("-v", case) for case in _answers("")), ("--json", "a page")])
def test_the_key_is_nowhere(tmp_path: Path, voice: str, case: str) -> None:
    key = f"canary-{token_urlsafe(24)}"
    with PageServer(key=key) as page:
        (tmp_path / "otters.yaml").write_text(job_for(page.url, prompts="[a fox]", seeds="1..2"))
        page.script(*_answers(key)[case])
        ended = batchgen("run", "otters.yaml", voice, "--concurrency", "1", cwd=tmp_path, env={"PICTURE_KEY": key})
    assert page.seen[0].headers["authorization"] == f"Bearer {key}"
    assert ended.code in {0, 1, 3}
    _assert_nowhere(key, ended, tmp_path)
