"""What follows from each answer that the API's page or its family knows, and from odd ones, through whole runs."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import anyio
import pytest
from page_server import JPEG, Answer, jpeg, png, refusal
from whole_runs import Whole, ask_page

from batchgen.events import Ending
from batchgen.model import Fault

if TYPE_CHECKING:
    from pathlib import Path

    from _pytest.mark.structures import ParameterSet
    from page_server import PageServer, Request

ONE = {"prompts": ["a fox"], "sweep": {"seed": [7]}}
FIVE = {"prompts": ["a fox"], "sweep": {"seed": [1, 2, 3, 4, 5]}}
HTML = Answer(200, {"Content-Type": "text/html"}, b"<html><body>Welcome to the gateway</body></html>")


async def _one_by_one(folder: Path, page: PageServer) -> Whole:
    return await ask_page(folder, page, FIVE, concurrency=1)


def _cases(named: list[tuple[str, Answer, Fault, str]]) -> list[ParameterSet]:
    return [pytest.param(*values, id=name) for name, *values in named]


STOPS: list[tuple[str, Answer, Fault, str]] = [
    ("401", refusal(401, "unauthorized", "no such key"), Fault.UNAUTHORISED, "the key was refused"),
    ("402", refusal(402, "payment_required", "buy credits"), Fault.OUT_OF_CREDIT, "buy credits"),
    ("403", refusal(403, "forbidden", "not from your country"), Fault.UNAUTHORISED, "not from your country"),
    ("403 by a gateway", Answer(403, {}, b"<h1>Forbidden</h1>"), Fault.UNAUTHORISED, "Forbidden"),
    ("404", refusal(404, "not_found", "no such path"), Fault.MISDIRECTED, "status 404"),
    ("405", refusal(405, "method_not_allowed"), Fault.MISDIRECTED, "status 405"),
    ("301", Answer(301, {"Location": "/v2"}), Fault.MISDIRECTED, "status 301 to /v2"),
    ("307", Answer(307, {"Location": "http://127.0.0.1:9/v2"}), Fault.MISDIRECTED, "to http://127.0.0.1:9/v2"),
]


@pytest.mark.parametrize(("answer", "fault", "words"), _cases(STOPS))
async def test_an_answer_that_every_task_would_get_stops_the_run(
    tmp_path: Path, page: PageServer, answer: Answer, fault: Fault, words: str
) -> None:
    page.script(answer)
    whole = await _one_by_one(tmp_path, page)
    assert len(page.seen) == 1
    assert (whole.ended.ending, whole.ended.left, whole.ended.failed) == (Ending.PROVIDER, 5, 0)
    assert words in whole.ended.why
    assert fault in whole.ended.why
    again = await _one_by_one(tmp_path, page)
    assert (again.ended.ending, again.ended.made) == (Ending.COMPLETE, 5)


ENDS: list[tuple[str, Answer, Fault, str]] = [
    ("400", refusal(400, "bad_request", "prompt: too rude", "seed: odd"), Fault.INVALID, "prompt: too rude; seed: odd"),
    ("413", refusal(413, "payload_too_large", "too much"), Fault.INVALID, "payload_too_large: too much"),
    ("422", refusal(422, "invalid_language", "English only"), Fault.INVALID, "invalid_language: English only"),
    ("403", refusal(403, "content_moderation", "flagged"), Fault.REFUSED, "content_moderation: flagged"),
    ("older", Answer(400, {}, b'{"id": "1", "name": "bad_request", "message": "older"}'), Fault.INVALID, "older"),
    ("no words", Answer(400, {}, b""), Fault.INVALID, "status 400 with no words"),
]


@pytest.mark.parametrize(("answer", "fault", "words"), _cases(ENDS))
async def test_an_answer_that_this_task_would_always_get_ends_it(
    tmp_path: Path, page: PageServer, answer: Answer, fault: Fault, words: str
) -> None:
    page.script(answer)
    whole = await _one_by_one(tmp_path, page)
    assert len(page.seen) == 5
    assert (whole.ended.ending, whole.ended.made, whole.ended.failed) == (Ending.INCOMPLETE, 4, 1)
    (failed,) = whole.failed
    assert (failed.fault, failed.attempts) == (fault, 1)
    assert words in failed.words
    assert whole.retried == []
    assert whole.ended.spent_usd == whole.ended.at_most_usd == pytest.approx(4 * 0.065)


PASSES: list[tuple[str, Answer, Fault, str]] = [
    ("500", refusal(500, "internal_error", "try again"), Fault.OVERLOADED, "NO"),
    ("502 by a gateway", Answer(502, {}, b"<h1>Bad gateway</h1>"), Fault.OVERLOADED, "MAYBE"),
    ("503", Answer(503, {"Retry-After": "0"}, b""), Fault.OVERLOADED, "MAYBE"),
    ("529", Answer(529, {}, b"overloaded"), Fault.OVERLOADED, "MAYBE"),
    ("408", Answer(408, {}, b""), Fault.TIMEOUT, "NO"),
    ("204", Answer(204), Fault.NOT_A_PICTURE, "MAYBE"),
    ("a cut", Answer(200, {"Content-Length": "4000"}, png(7)), Fault.CUT_OFF, "YES"),
    ("html", HTML, Fault.NOT_A_PICTURE, "YES"),
    ("json", Answer(200, {}, json.dumps({"errors": ["no"]}).encode()), Fault.NOT_A_PICTURE, "YES"),
    ("nothing", Answer(200, {"Content-Type": "image/png"}), Fault.NOT_A_PICTURE, "YES"),
    ("bytes after the end", Answer(200, {}, png(7) + b"more"), Fault.NOT_A_PICTURE, "YES"),
    ("half a picture", Answer(200, {}, png(7)[:40]), Fault.CUT_OFF, "YES"),
]


@pytest.mark.parametrize(("answer", "fault", "billing"), _cases(PASSES))
async def test_an_answer_that_passes_is_tried_again(
    tmp_path: Path, page: PageServer, answer: Answer, fault: Fault, billing: str
) -> None:
    page.script(answer)
    whole = await ask_page(tmp_path, page, ONE)
    assert (whole.ended.ending, len(page.seen)) == (Ending.COMPLETE, 2)
    assert [each.fault for each in whole.retried] == [fault]
    (sidecar,) = whole.sidecars()
    first, second = sidecar["attempts"]
    assert (first["number"], first["fault"], first["billing"]) == (1, fault, billing)
    assert (second["number"], second.get("fault"), second["billing"]) == (2, None, "YES")
    assert whole.ended.spent_usd == pytest.approx(0.065 * (1 + (billing == "YES")))
    assert whole.ended.at_most_usd == pytest.approx(0.065 * (1 + (billing != "NO")))


async def test_being_throttled_waits_and_counts_no_attempt(tmp_path: Path, page: PageServer) -> None:
    throttled = Answer(429, {"Retry-After": "1", "Content-Type": "text/plain"}, b"slow down")
    page.script(throttled)
    began = time.monotonic()
    whole = await ask_page(tmp_path, page, FIVE, concurrency=1)
    assert time.monotonic() - began >= 1
    assert (whole.ended.ending, whole.ended.made, len(page.seen)) == (Ending.COMPLETE, 5, 6)
    assert [each.fault for each in whole.retried] == [Fault.THROTTLED]
    assert page.seen[0].fields == page.seen[1].fields


async def test_being_throttled_often_fails_nothing(tmp_path: Path, page: PageServer) -> None:
    page.script(*[Answer(429, {"Retry-After": "0"}, b"")] * 5)
    whole = await ask_page(tmp_path, page, ONE)
    assert (whole.ended.ending, len(page.seen)) == (Ending.COMPLETE, 6)
    assert [attempt["fault"] for attempt in whole.sidecars()[0]["attempts"][:-1]] == ["THROTTLED"] * 5


async def test_a_page_in_place_of_a_picture_is_paid_for_twice_at_most(tmp_path: Path, page: PageServer) -> None:
    page.script(HTML, HTML, HTML)
    whole = await ask_page(tmp_path, page, ONE)
    assert (whole.ended.ending, len(page.seen)) == (Ending.INCOMPLETE, 2)
    (failed,) = whole.failed
    assert (failed.fault, failed.attempts) == (Fault.NOT_A_PICTURE, 2)
    assert "Welcome to the gateway" in failed.words
    assert whole.ended.spent_usd == pytest.approx(0.13)
    assert whole.sidecars() == []


async def test_a_picture_that_the_server_filtered(tmp_path: Path, page: PageServer) -> None:
    page.script(Answer(200, {"Content-Type": "image/png", "finish-reason": "CONTENT_FILTERED"}, png(7)))
    whole = await ask_page(tmp_path, page, ONE)
    assert (whole.ended.ending, whole.ended.made, whole.ended.filtered) == (Ending.INCOMPLETE, 0, 1)
    (made,) = whole.made
    assert (made.filtered, made.picture.partition("/")[0]) == (True, "filtered")
    assert (whole.folder / made.picture).read_bytes() == png(7)
    assert whole.sidecars()[0]["response"]["finish_reason"] == "CONTENT_FILTERED"
    again = await ask_page(tmp_path, page, ONE)
    assert len(page.seen) == 1, "it was paid for and is not asked again"
    assert again.ended.made == 0


@pytest.mark.parametrize(
    ("said", "body", "extension"),
    [
        ("image/png", jpeg(7), "jpg"),
        ("image/png", JPEG, "jpg"),
        ("image/jpeg", png(7), "png"),
        ("text/html", png(7), "png"),
        ("", png(7), "png"),
    ],
)
async def test_a_whole_picture_under_a_wrong_type_is_kept_and_named_by_its_bytes(
    tmp_path: Path, page: PageServer, said: str, body: bytes, extension: str
) -> None:
    page.script(Answer(200, {"Content-Type": said} if said else {}, body))
    whole = await ask_page(tmp_path, page, ONE)
    assert (whole.ended.ending, len(page.seen)) == (Ending.COMPLETE, 1)
    assert whole.made[0].picture.endswith(f".{extension}")
    assert (whole.folder / whole.made[0].picture).read_bytes() == body
    assert whole.sidecars()[0]["response"]["content_type"] == said


async def test_headers_of_no_known_alphabet_harm_nothing(tmp_path: Path, page: PageServer) -> None:
    odd = "caf\xe9 \xff"
    page.script(Answer(200, {"Content-Type": "image/png", "seed": odd, "x-request-id": odd}, png(7)))
    whole = await ask_page(tmp_path, page, ONE)
    assert (whole.ended.ending, len(page.seen)) == (Ending.COMPLETE, 1)


async def test_an_input_that_changes_after_it_was_read_is_not_sent(tmp_path: Path, page: PageServer) -> None:
    image = tmp_path / "input.png"
    await anyio.Path(image).write_bytes(png(7, side=64))
    page.script(refusal(500, "internal_error", "again"))
    answer = page.answer

    def answer_and_change(request: Request) -> Answer:
        image.write_bytes(png(8, side=65))
        return answer(request)

    page.answer = answer_and_change  # type: ignore[method-assign]
    job = {"prompts": ["a fox"], "defaults": {"image": "input.png", "strength": 0.5, "seed": 7}}
    whole = await ask_page(tmp_path, page, job)
    assert (whole.ended.ending, len(page.seen)) == (Ending.INCOMPLETE, 1)
    assert whole.failed[0].fault is Fault.INVALID
    assert "has changed since the job was read" in whole.failed[0].words
