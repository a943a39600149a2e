"""The conversation around a picture: authorization, headers, bodies, paths, the log and what is billed."""

import asyncio
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sandbox_client import HEADERS, PATH, TEXT, Answer, Client, Serve, encode, make_image
from yarl import URL

pytest_plugins = ["sandbox_fixtures"]

FORM = {"Content-Type": "multipart/form-data; boundary=----batchgen"}
TEN_MIB = 10 * 1024 * 1024


def error_name(answer: Answer) -> str:
    body = json.loads(answer.body)
    assert sorted(body) == ["errors", "id", "name"]
    assert all(isinstance(error, str) for error in body["errors"])
    name: str = body["name"]
    return name


async def test_a_picture_comes_with_its_headers(client: Client) -> None:
    answer = await client.post({**TEXT, "seed": "7"})
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Content-Length"] == str(len(answer.body))
    assert answer.headers["seed"] == "7"
    assert answer.headers["finish-reason"] == "SUCCESS"
    assert answer.headers["x-request-id"]
    assert answer.picture.format == "PNG"


async def test_jpeg_is_jpeg(client: Client) -> None:
    answer = await client.post({**TEXT, "output_format": "jpeg"})
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.picture.format == "JPEG"


@pytest.mark.parametrize("fields", [{}, {"seed": "0"}])
async def test_without_a_seed_the_server_picks_one(client: Client, fields: dict[str, str]) -> None:
    first, second = [await client.post({**TEXT, **fields}) for _ in range(2)]
    assert first.headers["seed"] != second.headers["seed"]
    assert 1 <= int(first.headers["seed"]) <= 4_294_967_294
    again = await client.post({**TEXT, "seed": first.headers["seed"]})
    assert again.body == first.body


@pytest.mark.parametrize(
    "offered", [None, "", "sandbox", "Bearer", "Bearer wrong", "bearer sandbox", "Bearer sandbox2"]
)
async def test_a_wrong_key_is_unauthorized(client: Client, offered: str | None) -> None:
    headers = {"Accept": "image/*", **({} if offered is None else {"Authorization": offered})}
    answer = await client.post(TEXT, headers)
    assert (answer.status, error_name(answer)) == (401, "unauthorized")
    assert b"wrong" not in answer.body


async def test_authorization_comes_before_everything(client: Client) -> None:
    answer = await client.send("POST", PATH, b"nonsense")
    assert answer.status == 401


async def test_the_key_can_be_chosen_and_is_never_logged(serve: Serve) -> None:
    client = await serve(key="canary-7", limits=())
    assert (await client.post(TEXT)).status == 401
    good = await client.post(TEXT, {**HEADERS, "Authorization": "Bearer canary-7"})
    assert good.status == 200
    assert (await client.post(TEXT, {**HEADERS, "Authorization": "Bearer canary-7x"})).status == 401
    assert "canary" not in json.dumps(await client.log())


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "image/png", "image/*, */*"])
async def test_accept_must_be_any_image(client: Client, accept: str | None) -> None:
    headers = {"Authorization": HEADERS["Authorization"], **({} if accept is None else {"Accept": accept})}
    answer = await client.post(TEXT, headers)
    assert (answer.status, error_name(answer)) == (400, "bad_request")
    assert json.loads(answer.body)["errors"] == ["accept: must be image/*"]


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "application/x-www-form-urlencoded",
        "application/json",
        "multipart/mixed; boundary=x",
        "multipart/form-data",
    ],
)
async def test_the_body_must_be_a_form(client: Client, content_type: str | None) -> None:
    headers = {**HEADERS, **({} if content_type is None else {"Content-Type": content_type})}
    answer = await client.send("POST", PATH, b"model=sd3-large&prompt=x", headers)
    assert (answer.status, error_name(answer)) == (400, "bad_request")
    assert json.loads(answer.body)["errors"][0].startswith("content-type: ")


@pytest.mark.parametrize(
    "body",
    [b"", b"nonsense", encode(TEXT)[:-20], encode(TEXT, "other"), b"------batchgen\r\n\r\nx\r\n------batchgen--"],
)
async def test_a_broken_form_is_refused(client: Client, body: bytes) -> None:
    answer = await client.send("POST", PATH, body, {**HEADERS, **FORM})
    assert answer.status == 400
    assert json.loads(answer.body)["errors"][0].startswith("body: ")


async def test_a_body_may_have_ten_mebibytes_and_no_more(client: Client) -> None:
    fields: dict[str, str | bytes] = {**TEXT, "mode": "image-to-image", "strength": "0.5", "image": b""}
    image = make_image()
    room = TEN_MIB - len(encode(fields))
    fields["image"] = image + bytes(room - len(image))
    assert len(encode(fields)) == TEN_MIB
    assert (await client.post(fields)).status == 200
    fields["image"] = image + bytes(room - len(image) + 1)
    answer = await client.post(fields)
    assert (answer.status, error_name(answer)) == (413, "payload_too_large")
    log = await client.log()
    assert [entry["billed"] for entry in log["requests"]] == [True, False]


@pytest.mark.parametrize(
    ("method", "path", "status", "name"),
    [
        ("GET", "/", 404, "not_found"),
        ("POST", "/v1/images", 404, "not_found"),
        ("POST", PATH + "/", 404, "not_found"),
        ("GET", PATH, 405, "method_not_allowed"),
        ("PUT", PATH, 405, "method_not_allowed"),
        ("DELETE", "/log", 405, "method_not_allowed"),
    ],
)
async def test_other_paths_and_methods(client: Client, method: str, path: str, status: int, name: str) -> None:
    answer = await client.send(method, path, headers=HEADERS)
    assert (answer.status, error_name(answer)) == (status, name)


async def test_health_needs_no_key_and_leaves_no_trace(client: Client) -> None:
    assert (await client.send("GET", "/health")).status == 200
    assert (await client.log())["summary"]["requests"] == 0


async def test_the_log_tells_a_picture_in_full(client: Client) -> None:
    fields: dict[str, str | bytes] = {**TEXT, "mode": "image-to-image", "strength": "0.5", "image": make_image()}
    before = datetime.now(UTC)
    answer = await client.post(fields)
    log = await client.log()
    [entry] = log["requests"]
    assert before <= datetime.fromisoformat(entry["received"]) <= datetime.now(UTC)
    assert entry["fields"] == {name: value for name, value in fields.items() if name != "image"}
    image = make_image()
    assert entry["image"] == {
        "sha256": hashlib.sha256(image).hexdigest(),
        "bytes": len(image),
        "format": "png",
        "width": 96,
        "height": 64,
    }
    assert entry["picture_sha256"] == hashlib.sha256(answer.body).hexdigest()
    assert entry["seed"] == int(answer.headers["seed"])
    assert (entry["number"], entry["status"], entry["fault"], entry["errors"]) == (1, 200, None, [])
    assert entry["seconds"] >= 0
    assert isinstance(entry["monotonic"], float)


async def test_only_pictures_are_billed(client: Client) -> None:
    for model in ("sd3-large", "sd3-large-turbo", "sd-core"):
        assert (await client.post({**TEXT, "model": model})).status == 200
    assert (await client.post({**TEXT, "seed": "x"})).status == 400
    assert (await client.post(TEXT, {})).status == 401
    log = await client.log()
    assert [entry["billed_credits"] for entry in log["requests"]] == [6.5, 4.0, 3.0, 0.0, 0.0]
    assert log["summary"] == {
        "requests": 5,
        "pictures": 3,
        "billed_credits": 13.5,
        "by_status": {"200": 3, "400": 1, "401": 1},
        "by_fault": {},
        "admitted": 4,
        "throttled": 0,
        "in_flight": 0,
        "peak_in_flight": 1,
    }


async def test_the_log_can_be_a_file_too(serve: Serve, tmp_path: Path) -> None:
    client = await serve(limits=(), log_file=tmp_path / "log.ndjson")
    await client.post(TEXT)
    await client.post({})
    lines = [json.loads(line) for line in (tmp_path / "log.ndjson").read_text().splitlines()]
    assert lines == (await client.log())["requests"]


async def test_a_client_that_leaves_while_sending_is_no_trouble(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [f"POST {PATH} HTTP/1.1", "Host: sandbox", "Content-Length: 5000"]
    lines += [f"{name}: {value}" for name, value in {**HEADERS, **FORM}.items()]
    _reader, writer = await asyncio.open_connection("127.0.0.1", URL(client.base).port)
    writer.write("\r\n".join([*lines, "", "------batchgen"]).encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    while not (log := (await client.log())["requests"]) or log[0]["seconds"] is None:  # noqa: ASYNC110 - over HTTP
        await asyncio.sleep(0.01)
    assert (log[0]["status"], log[0]["billed"]) == (None, False)
    assert (await client.post(TEXT)).status == 200
    assert not caplog.records
