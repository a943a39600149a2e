"""The gateway's conversation: what it asks, and what it makes of every answer that the API or a gateway can give."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from gateway_talk import IMAGE, IMAGE_BYTES, KEY, PICTURE, URL, answer, ask, body_bytes, failure, parts, request
from hypothesis import example, given
from hypothesis import strategies as st

from batchgen.model import Allowance, Billing, CutOff, Failure, Fault, Success
from batchgen.providers import PROVIDERS
from batchgen.providers.gateway import encode_form

SENDABLE = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def error(name: str, *errors: str) -> str:
    """The API's error JSON."""
    return json.dumps({"id": "0a1b", "name": name, "errors": list(errors) or ["something is wrong"]})


# What is asked


def test_the_request_line_and_headers_are_those_of_the_page() -> None:
    call = ask(request())
    kind, boundary = call.headers["Content-Type"].split("; boundary=")
    assert (call.method, call.url) == ("POST", URL)
    assert dict(call.headers) == {"Accept": "image/*", "Content-Type": f"multipart/form-data; boundary={boundary}"}
    assert kind == "multipart/form-data"
    assert call.bearer is KEY
    assert call.brings_picture


def test_the_key_shows_in_no_repr_of_the_call() -> None:
    assert KEY.reveal() not in repr(ask(request()))


def test_every_field_of_the_page_is_one_part_in_order() -> None:
    fields = (
        ("model", "sd-core"),
        ("prompt", "a cute baby sea otter wearing a beret"),
        ("mode", "text-to-image"),
        ("negative_prompt", "a cat"),
        ("seed", "4294967294"),
        ("aspect_ratio", "16:9"),
        ("output_format", "jpeg"),
        ("style_preset", "analog-film"),
    )
    read = parts(ask(request(*fields)))
    assert [(part.name, part.content.decode()) for part in read] == list(fields)
    assert {(part.filename, part.content_type) for part in read} == {(None, None)}


@pytest.mark.parametrize(
    "prompt",
    [
        "ein Fuchs, «rot» 🦊 狐",
        "two\r\nlines\nand a\rhalf",
        'quotes " and \\ and ; name="seed"',
        "\r\n--batchgen-00000000000000000000000000000000--\r\n",
        'x\r\nContent-Disposition: form-data; name="seed"\r\n\r\n7',
        "\x1b[31mred\x1b[0m \u202eright to left",
        " leading and trailing \t",
        "\n",
        "x" * 10_000,
    ],
    ids=["utf-8", "newlines", "quotes", "boundary", "headers", "escapes", "blanks", "newline", "longest"],
)
def test_a_prompt_arrives_intact(prompt: str) -> None:
    read = parts(ask(request(("model", "sd-core"), ("prompt", prompt), ("seed", "7"))))
    assert [(part.name, part.content) for part in read] == [
        ("model", b"sd-core"),
        ("prompt", prompt.encode()),
        ("seed", b"7"),
    ]


@given(prompt=SENDABLE, negative=SENDABLE)
@example(prompt="--batchgen-", negative="\r\n--")
def test_any_text_arrives_intact(prompt: str, negative: str) -> None:
    read = parts(ask(request(("prompt", prompt), ("negative_prompt", negative))))
    assert [part.content.decode() for part in read] == [prompt, negative]


def test_a_prompt_that_holds_its_own_request_s_boundary_is_sent_with_another() -> None:
    _, boundary = encode_form(request(("prompt", "a fox")))
    holding = ask(request(("prompt", f"a fox\r\n--{boundary}--\r\n")))
    assert [part.content.decode() for part in parts(holding)] == [f"a fox\r\n--{boundary}--\r\n"]


def test_equal_requests_are_equal_bytes_and_others_have_another_boundary() -> None:
    asked = [request(), request(("prompt", "b")), request(image=IMAGE)]
    boundaries = [encode_form(each)[1] for each in asked]
    assert [encode_form(each) for each in asked] == [encode_form(each) for each in asked]
    assert len(set(boundaries)) == len(asked)


def test_the_boundary_is_one_that_any_server_accepts() -> None:
    _, boundary = encode_form(request())
    assert len(boundary) <= 70
    assert boundary.replace("-", "").isalnum()
    assert boundary.isascii()


@pytest.mark.parametrize(
    ("media_type", "filename"),
    [("image/png", "image.png"), ("image/jpeg", "image.jpeg"), ("image/webp", "image.webp")],
)
def test_an_input_image_is_the_last_part_with_its_type_and_a_file_name(media_type: str, filename: str) -> None:
    fields = (("model", "sd3-large"), ("prompt", "a"), ("mode", "image-to-image"), ("strength", "0.9"))
    image = replace(IMAGE, media_type=media_type)
    *texts, sent = parts(ask(request(*fields, image=image)))
    assert [(part.name, part.content.decode()) for part in texts] == list(fields)
    assert (sent.name, sent.content, sent.filename, sent.content_type) == ("image", IMAGE_BYTES, filename, media_type)


@pytest.mark.parametrize("image", [None, IMAGE], ids=["fields alone", "with an image"])
def test_the_content_length_counts_head_image_and_tail(image: Any) -> None:
    call = ask(request(image=image))
    assert call.body.size_bytes == len(body_bytes(call))
    assert call.body.image is image


def test_the_path_of_an_input_image_is_not_told_to_the_server() -> None:
    sent = body_bytes(ask(request(image=IMAGE)))
    assert b"inputs" not in sent
    assert b"/jobs" not in sent


# A picture


def test_a_picture_is_a_success_with_the_headers_that_are_worth_keeping() -> None:
    headers = {"content-type": "image/png", "seed": "77", "finish-reason": "SUCCESS", "x-request-id": "r-1"}
    assert answer(200, headers=headers, picture=PICTURE) == Success(
        picture=PICTURE,
        status=200,
        content_type="image/png",
        seed="77",
        finish_reason="SUCCESS",
        request_id="r-1",
        filtered=False,
    )


def test_a_picture_without_those_headers_is_a_success_too() -> None:
    assert answer(200, picture=PICTURE) == Success(picture=PICTURE, status=200, content_type="")


@pytest.mark.parametrize(
    ("reason", "filtered"),
    [("CONTENT_FILTERED", True), ("SUCCESS, CONTENT_FILTERED", True), ("SUCCESS", False), (None, False)],
)
def test_the_finish_reason_tells_a_blurred_picture(reason: str | None, filtered: bool) -> None:  # noqa: FBT001 - a row
    outcome = answer(200, headers={"finish-reason": reason} if reason else {}, picture=PICTURE)
    assert isinstance(outcome, Success)
    assert (outcome.finish_reason, outcome.filtered) == (reason, filtered)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<html><h1>Welcome</h1></html>", "Welcome"),
        (error("internal_error", "try later"), "try later"),
        ("", ""),
    ],
    ids=["HTML", "JSON", "nothing"],
)
def test_a_200_without_a_picture_was_billed_and_says_what_came_instead(text: str, said: str) -> None:
    outcome = failure(200, text)
    assert (outcome.fault, outcome.billing, outcome.status) == (Fault.NOT_A_PICTURE, Billing.YES, 200)
    assert outcome.words.startswith("no picture begins like this")
    assert said in outcome.words


# Errors

ROWS = [
    (400, "bad_request", Fault.INVALID, Billing.NO),
    (413, "payload_too_large", Fault.INVALID, Billing.NO),
    (422, "invalid_language", Fault.INVALID, Billing.NO),
    (401, "unauthorized", Fault.UNAUTHORISED, Billing.NO),
    (402, "payment_required", Fault.OUT_OF_CREDIT, Billing.NO),
    (403, "content_moderation", Fault.REFUSED, Billing.NO),
    (403, "forbidden", Fault.UNAUTHORISED, Billing.NO),
    (403, "", Fault.UNAUTHORISED, Billing.NO),
    (429, "rate_limit_exceeded", Fault.THROTTLED, Billing.NO),
    (301, "", Fault.MISDIRECTED, Billing.MAYBE),
    (302, "", Fault.MISDIRECTED, Billing.MAYBE),
    (307, "", Fault.MISDIRECTED, Billing.MAYBE),
    (308, "", Fault.MISDIRECTED, Billing.MAYBE),
    (404, "not_found", Fault.MISDIRECTED, Billing.NO),
    (405, "", Fault.MISDIRECTED, Billing.NO),
    (408, "", Fault.TIMEOUT, Billing.NO),
    (500, "internal_error", Fault.OVERLOADED, Billing.NO),
    (500, "", Fault.OVERLOADED, Billing.MAYBE),
    (502, "", Fault.OVERLOADED, Billing.MAYBE),
    (503, "", Fault.OVERLOADED, Billing.MAYBE),
    (503, "overloaded", Fault.OVERLOADED, Billing.NO),
    (504, "", Fault.OVERLOADED, Billing.MAYBE),
    (529, "", Fault.OVERLOADED, Billing.MAYBE),
    (599, "", Fault.OVERLOADED, Billing.MAYBE),
    (418, "", Fault.INVALID, Billing.NO),
    (451, "", Fault.INVALID, Billing.NO),
]


@pytest.mark.parametrize(("status", "name", "fault", "billing"), ROWS)
def test_each_row_of_the_error_table(status: int, name: str, fault: Fault, billing: Billing) -> None:
    outcome = failure(status, error(name) if name else "")
    assert (outcome.status, outcome.fault, outcome.billing) == (status, fault, billing)
    assert outcome.words


@pytest.mark.parametrize(
    ("status", "text", "fault"),
    [
        (403, '{"id": "1", "na', Fault.CUT_OFF),
        (403, error("content_moderation"), Fault.REFUSED),
        (403, error("forbidden"), Fault.UNAUTHORISED),
        (401, "", Fault.UNAUTHORISED),
        (429, "sl", Fault.THROTTLED),
    ],
)
def test_of_a_cut_error_only_a_403_is_no_verdict(status: int, text: str, fault: Fault) -> None:
    outcome = answer(status, text, flaw=CutOff("the connection ended before the answer did"))
    assert isinstance(outcome, Failure)
    assert (outcome.fault, outcome.billing, outcome.status) == (fault, Billing.NO, status)
    assert ("the connection ended" in outcome.words) is (fault is Fault.CUT_OFF)


@pytest.mark.parametrize("status", [201, 202, 203, 204, 205, 206, 226, 299])
def test_another_2xx_brings_no_picture_and_may_have_been_billed(status: int) -> None:
    outcome = failure(status)
    assert (outcome.fault, outcome.billing) == (Fault.NOT_A_PICTURE, Billing.MAYBE)


@pytest.mark.parametrize("status", [status for status in range(100, 600) if status not in range(200, 300)])
def test_no_status_without_a_picture_is_a_success(status: int) -> None:
    assert isinstance(answer(status), Failure)


@pytest.mark.parametrize("status", range(400, 500))
def test_a_4xx_was_not_billed(status: int) -> None:
    assert failure(status).billing is Billing.NO


@pytest.mark.parametrize(
    ("text", "billing"),
    [
        (error("internal_error"), Billing.NO),
        ('{"id": "0a", "name": "internal_error", "message": "older form"}', Billing.NO),
        ("<html><body>502 Bad Gateway</body></html>", Billing.MAYBE),
        ("", Billing.MAYBE),
        ('{"error": "upstream"}', Billing.MAYBE),
        ('["internal_error"]', Billing.MAYBE),
        ('"internal_error"', Billing.MAYBE),
        ('{"id": "0a", "name": 7}', Billing.MAYBE),
        ('{"id": "0a", "name": "internal_error", "errors": ["cut', Billing.MAYBE),
    ],
    ids=["errors", "message", "HTML", "nothing", "other JSON", "a list", "a text", "a number", "cut"],
)
def test_a_5xx_was_not_billed_only_if_the_api_itself_says_so(text: str, billing: Billing) -> None:
    assert failure(500, text).billing is billing


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (error("bad_request", "prompt: too long", "seed: too large"), "bad_request: prompt: too long; seed: too large"),
        ('{"id": "0a", "name": "bad_request", "message": "prompt is missing"}', "bad_request: prompt is missing"),
        ('{"id": "0a", "name": "bad_request", "errors": "one text"}', "bad_request: one text"),
        ('{"message": "no name"}', "no name"),
        ("<html><style>p {}</style><body><h1>502</h1>\n<p>Bad Gateway</p></body></html>", "502 Bad Gateway"),
        ("plain words\r\nin two lines", "plain words in two lines"),
        ("[1, 2]", "[1, 2]"),
        ("", "status 400 with no words"),
        ("<html></html>", "status 400 with no words"),
        (" \r\n\t ", "status 400 with no words"),
    ],
)
def test_the_words_are_the_provider_s_where_it_had_any(text: str, words: str) -> None:
    assert failure(400, text).words == words


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_says_where_to(status: int) -> None:
    words = failure(status, headers={"location": "https://elsewhere.example/\x1b[2J"}).words
    assert words == f"status {status} to https://elsewhere.example/ [2J"


# Words that can't harm


@given(words=st.text(), status=st.sampled_from([200, 400, 403, 429, 500, 503]))
@example(words="\x1b]0;title\x07\x9b2J\u202e\u2028\ud800", status=400)
@example(words="x" * 60_000, status=400)
@example(words=" " * 60_000 + "x", status=400)
def test_words_are_one_bounded_line_without_controls(words: str, status: int) -> None:
    for text in (words, error("bad_request", words), json.dumps({"id": 1, "name": words, "message": words})):
        said = failure(status, text).words
        assert said.isprintable()
        assert 0 < len(said) <= 400


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 429, 500, 503])
@pytest.mark.parametrize("form", ["errors", "message", "text"])
def test_words_never_hold_the_key(status: int, form: str) -> None:
    said = f"the key {KEY.reveal()} is wrong"
    text = {
        "errors": error("unauthorized", said),
        "message": json.dumps({"id": "0a", "name": "unauthorized", "message": said}),
        "text": said,
    }[form]
    outcome = failure(status, text, {"location": f"https://a.example/?key={KEY.reveal()}"})
    assert KEY.reveal() not in repr(outcome)


@pytest.mark.parametrize("shown", [KEY.reveal()[:8], KEY.reveal()[:-1], KEY.reveal()[-8:], KEY.reveal()])
def test_the_words_of_a_401_echo_no_part_of_the_key(shown: str) -> None:
    said = f"Incorrect API key provided: {shown}***"
    assert shown not in failure(401, json.dumps({"id": "0a", "name": "unauthorized", "message": said})).words


@pytest.mark.parametrize("before", range(250, 301, 5))
def test_a_key_at_the_end_of_long_words_is_not_cut_in_two(before: int) -> None:
    assert KEY.reveal()[:8] not in failure(400, "x" * before + KEY.reveal()).words


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_a_body_of_nothing_but_brackets_is_no_more_than_strange_words(opening: str) -> None:
    outcome = failure(500, (opening * 65_536)[:65_536])
    assert (outcome.fault, outcome.billing) == (Fault.OVERLOADED, Billing.MAYBE)


# What may still be sent

TOLD = {"x-ratelimit-remaining": "7", "x-ratelimit-reset": "1795314630", "date": "Sun, 22 Nov 2026 02:30:00 GMT"}


@pytest.mark.parametrize("status", [200, 204, 302, 400, 401, 403, 429, 500, 503])
def test_every_answer_tells_what_may_still_be_sent(status: int) -> None:
    assert answer(status, headers=TOLD).allowance == Allowance(remaining=7, reset_s=30)
    assert answer(status).allowance is None


def test_a_picture_tells_it_too() -> None:
    assert answer(200, headers=TOLD, picture=PICTURE).allowance == Allowance(remaining=7, reset_s=30)


# The two kinds


def test_the_gateway_is_the_page_s_address_and_the_limit_that_is_documented() -> None:
    gateway = PROVIDERS["gateway"]
    assert gateway.url == "https://gateway.serevixai.ai/v1/images/generations"
    assert gateway.api_key_env == "GATEWAY_API_KEY"
    assert [str(window) for window in gateway.windows] == ["150/10s"]
    assert gateway.penalty_s == 60


def test_the_sandbox_is_the_same_api_without_an_address_or_a_key_of_its_own() -> None:
    gateway, sandbox = PROVIDERS["gateway"], PROVIDERS["sandbox"]
    assert (sandbox.url, sandbox.api_key_env) == (None, None)
    assert sandbox.capabilities is gateway.capabilities
    assert sandbox.converse is gateway.converse
    assert {kind: provider.kind for kind, provider in PROVIDERS.items()} == {kind: kind for kind in PROVIDERS}
