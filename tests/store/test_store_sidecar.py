"""The JSON beside a picture: exactly what was promised, and read back with a doubt."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_samples import ATTEMPT, document_for, task

from batchgen.model import Attempt, Billing, Fault, InputImage, Picture, Success, Task
from batchgen.store.sidecar import Cost, MadeRecord, read_sidecar, sidecar

PICTURE = Picture(format="png", width=1024, height=768, size_bytes=123456, sha256="ab" * 32)
SUCCESS = Success(
    picture=PICTURE, status=200, content_type="image/png", seed="7", finish_reason="SUCCESS", request_id="r"
)
FAILED = Attempt(
    number=1, started="2026-11-22T02:30:09.000Z", seconds=0.41, billing=Billing.NO, fault=Fault.THROTTLED, status=429
)
IMAGE = InputImage(
    path="inputs/a.png",
    file="/a.png",
    sha256="cd" * 32,
    size_bytes=9,
    modified_ns=1,
    media_type="image/png",
)


def written(of: Task, *, success: Success = SUCCESS, cost: Cost | None = None) -> bytes:
    return sidecar(
        of,
        provider="gateway",
        url="https://api.example.com/v1/generate",
        version="0.1.0",
        success=success,
        picture_file="7-abcdefghijkl.png",
        attempts=[FAILED],
        cost=cost,
        made="2026-11-22T02:30:11.123Z",
    ).naming(success.picture.sha256)


def test_the_whole_document() -> None:
    cost = Cost(credits=Decimal("6.5"), usd=Decimal("0.065"), prices="2025-08")
    assert json.loads(written(task()._replace(image=IMAGE), cost=cost)) == {
        "schema_version": 1,
        "batchgen": "0.1.0",
        "made": "2026-11-22T02:30:11.123Z",
        "task": {
            "id": "abcdefghijkl",
            "job": "otters",
            "prompt_id": "fox",
            "index": 7,
            "repeat": 0,
            "variables": {"animal": "fox"},
        },
        "request": {
            "provider": "gateway",
            "url": "https://api.example.com/v1/generate",
            "fields": {"model": "sd3-large", "prompt": "ein Fuchs, «rot» 🦊", "seed": "7"},
            "image": {"path": "inputs/a.png", "sha256": "cd" * 32},
        },
        "response": {
            "status": 200,
            "content_type": "image/png",
            "seed": "7",
            "finish_reason": "SUCCESS",
            "request_id": "r",
        },
        "picture": {
            "file": "7-abcdefghijkl.png",
            "bytes": 123456,
            "sha256": "ab" * 32,
            "format": "png",
            "width": 1024,
            "height": 768,
        },
        "attempts": [
            {
                "number": 1,
                "started": "2026-11-22T02:30:09.000Z",
                "seconds": 0.41,
                "fault": "THROTTLED",
                "status": 429,
                "billing": "NO",
            }
        ],
        "cost": {"credits": 6.5, "usd": 0.065, "prices": "2025-08"},
    }


def test_its_form_is_for_people_too() -> None:
    text = written(task()).decode()
    assert text.startswith('{\n  "schema_version": 1,\n  "batchgen": "0.1.0",\n')
    assert text.endswith('"cost": null\n}\n')
    assert '"prompt":"ein Fuchs, «rot» 🦊"' in text
    assert '"image":{' not in text


def test_whole_credits_stay_whole_numbers() -> None:
    text = written(task(), cost=Cost(credits=Decimal(8), usd=Decimal("0.08"), prices="2025-08")).decode()
    assert '"credits":8,' in text
    assert '"usd":0.08,' in text


@given(words=st.text(st.characters(exclude_categories=()), max_size=20))
def test_a_header_of_any_bytes_costs_no_picture(words: str) -> None:
    content = written(task(), success=SUCCESS._replace(request_id=words))
    content.decode()
    # A pair of halves reads back as the one character that they make.
    expected = words.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    assert json.loads(content)["response"]["request_id"] == expected


@given(prompt=st.text(max_size=50))
def test_fields_are_kept_exactly(prompt: str) -> None:
    fields = (("prompt", prompt), ("model", "sd3"), ("aspect_ratio", "16:9"))
    document = json.loads(written(task()._replace(fields=dict(fields))))
    assert tuple(document["request"]["fields"].items()) == fields


def test_reading_back() -> None:
    document = document_for(task(), PICTURE)
    assert read_sidecar(document) == MadeRecord(
        task_id="abcdefghijkl",
        picture_file="7-abcdefghijkl.png",
        sha256="ab" * 32,
        size_bytes=123456,
        index=7,
        usd=None,
        attempts=[ATTEMPT],
        sidecar_sha256=hashlib.sha256(document).hexdigest(),
    )


def changed(*path: str, to: Any) -> bytes:
    document = json.loads(written(task()))
    part = document
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = to
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"name": "a dataset of somebody else"}',
        changed("schema_version", to=0),
        changed("schema_version", to="1"),
        changed("schema_version", to=True),
        changed("picture", to=None),
        changed("picture", "bytes", to="123456"),
        changed("picture", "file", to="../../etc/passwd"),
        changed("picture", "file", to=".."),
        changed("picture", "file", to=""),
        changed("task", "id", to=7),
    ],
)
def test_what_is_no_sidecar_of_ours_is_none(content: bytes) -> None:
    assert read_sidecar(content) is None


@given(length=st.integers(0, len(written(task())) - 2))
def test_a_cut_sidecar_is_none(length: int) -> None:
    assert read_sidecar(written(task())[:length]) is None


@pytest.mark.parametrize("newer", [changed("schema_version", to=2), changed("new", to={"key": 1})])
def test_a_newer_sidecar_is_read_as_far_as_it_is_understood(newer: bytes) -> None:
    record, plain = read_sidecar(newer), read_sidecar(written(task()))
    assert plain is not None
    assert record == replace(plain, sidecar_sha256=hashlib.sha256(newer).hexdigest())
