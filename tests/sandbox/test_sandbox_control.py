"""Changing a sandbox as it runs."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox_client import TEXT, Client, Serve

from batchgen.sandbox.control import NotAChange, is_loopback, read_change
from batchgen.sandbox.faults import Fault
from batchgen.sandbox.settings import Settings

pytest_plugins = ["sandbox_fixtures"]


async def statuses(client: Client, count: int) -> list[int]:
    return [(await client.post(TEXT)).status for _ in range(count)]


async def test_the_settings_as_they_stand(serve: Serve) -> None:
    client = await serve(fail={Fault.CUT: 0.25}, credits=20)
    assert await client.control() == {
        "limit": ["150/10s"],
        "penalty": 60.0,
        "halved": False,
        "retry_after": "none",
        "rate_headers": "none",
        "fail": {"cut": 0.25},
        "outage": False,
        "credits": 20,
        "latency": 0.0,
        "jitter": 0.0,
        "arrival_jitter": 0.0,
        "script": [],
    }


async def test_every_setting_can_be_changed_and_said_again(client: Client) -> None:
    wanted = {
        "limit": ["fixed:3/2s", "concurrency:8"],
        "penalty": 1.5,
        "halved": True,
        "retry_after": "date",
        "rate_headers": "x",
        "fail": {"500": 0.25, "reset-body": 0.5},
        "outage": True,
        "credits": 12.5,
        "latency": 0.25,
        "jitter": 0.5,
        "arrival_jitter": 0.125,
        "script": ["ok", "cut"],
    }
    assert await client.control(**wanted) == wanted
    assert await client.control() == wanted
    assert await client.control(limit="none", script="ok") == {**wanted, "limit": ["none"], "script": ["ok"]}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"limits": ["none"]}, "limits: is not a setting; settings are limit, penalty, "),
    ({"limit": ["150"]}, "limit: '150' is not a limit; write it as 150/10s, or none"),
    ({"limit": 5}, "limit: must be a list of texts"),
    ({"penalty": -1}, "penalty: must be a number from 0"),
    ({"latency": True}, "latency: must be a number from 0"),
    ({"credits": "all"}, "credits: must be a number from 0"),
    ({"halved": "yes"}, "halved: must be true or false"),
    ({"outage": 1}, "outage: must be true or false"),
    ({"reset_log": None}, "reset_log: must be true or false"),
    ({"fail": {"oops": 1}}, "fail: 'oops=1' is not KIND=RATE"),
    ({"fail": {"cut": 0.6, "drop": 0.6}}, "fail: the rates add up to 1.2"),
    ({"fail": ["cut"]}, "fail: must be an object of rates"),
    ({"script": ["ok", "fine"]}, "script: 'fine' is not a fate; it is ok or one of 400, "),
    ({"retry_after": "a\nb"}, "retry_after: 'a\\nb' is not text of a header"),
    ({"rate_headers": "y"}, "rate_headers: 'y' is not a valid RateHeaders"),
]


@pytest.mark.parametrize(("change", "told"), WRONG, ids=[told[:30] for _change, told in WRONG])
async def test_what_cannot_be_is_named_and_nothing_is_changed(
    client: Client, change: dict[str, Any], told: str
) -> None:
    before = await client.control()
    answer = await client.send("POST", "/control", json.dumps({"latency": 9, **change}).encode())
    body = json.loads(answer.body)
    assert (answer.status, body["name"]) == (400, "bad_request")
    assert body["errors"][0].startswith(told)
    assert await client.control() == before


@pytest.mark.parametrize("text", [b"{", b"[]", b"1", b'{"penalty": Infinity}', b"[" * 100_000])
async def test_what_is_no_json_object_is_refused(client: Client, text: bytes) -> None:
    assert (await client.send("POST", "/control", text)).status == 400


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(json.dumps))
def test_any_json_is_a_change_or_not_and_nothing_else_happens(text: str) -> None:
    for key in ("limit", "penalty", "halved", "fail", "outage", "credits", "script", "reset_log", "retry_after"):
        told = key
        try:
            read_change(f'{{"{key}": {text}}}'.encode(), Settings())
        except NotAChange as error:
            told = str(error)
        assert told.startswith(key)


@pytest.mark.parametrize(
    ("peer", "local"),
    [
        (("127.0.0.1", 5), True),
        (("127.8.8.8", 5), True),
        (("::1", 5, 0, 0), True),
        (("::ffff:127.0.0.1", 5, 0, 0), True),
        (("192.0.2.7", 5), False),
        (("::ffff:192.0.2.7", 5, 0, 0), False),
        (("fe80::1%lo", 5, 0, 0), False),
        (("localhost", 5), False),
        ("", False),
        (None, False),
    ],
)
def test_only_this_machine_is_loopback(peer: object, *, local: bool) -> None:
    assert is_loopback(peer) == local


async def test_others_are_refused(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchgen.sandbox.control.is_loopback", lambda _peer: False)
    answer = await client.send("POST", "/control", b'{"latency": 9}')
    assert (answer.status, json.loads(answer.body)["name"]) == (403, "forbidden")
    monkeypatch.undo()
    assert (await client.control())["latency"] == 0


async def test_control_is_posted_and_leaves_no_trace(client: Client) -> None:
    assert (await client.send("GET", "/control")).status == 405
    await client.control()
    assert (await client.summary())["requests"] == 0


async def test_a_script_is_followed_in_order_one_fate_a_request(serve: Serve) -> None:
    client = await serve(limits=(), fail={Fault.OVERLOADED: 1.0})
    told = await client.control(script=["500", "ok", "402", "ok"])
    assert told["script"] == ["500", "ok", "402", "ok"]
    assert await statuses(client, 2) == [500, 200]
    assert (await client.control())["script"] == ["402", "ok"]
    assert await statuses(client, 4) == [402, 200, 529, 529], "then the rates hold again"


async def test_a_request_that_is_wrong_in_itself_uses_up_its_fate(client: Client) -> None:
    await client.control(script=["500", "502"])
    assert (await client.post({})).status == 400
    assert (await client.post(TEXT)).status == 502


async def test_faults_and_limits_change_as_it_runs(client: Client) -> None:
    assert await statuses(client, 2) == [200, 200]
    await client.control(fail={"503": 1})
    assert await statuses(client, 2) == [503, 503]
    await client.control(fail={}, limit=["2/60s"], penalty=30)
    assert await statuses(client, 3) == [200, 200, 429]
    await client.control(limit=["none"])
    assert await statuses(client, 1) == [200]
