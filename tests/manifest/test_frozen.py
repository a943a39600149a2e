"""A hundred tasks as they were once: no later change may alter one, which would buy its picture again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from example_jobs import FILES, FULL
from job_texts import fields, job

# Every second task of the full example. A line that no longer holds is a mistake in the code, never in this file.
FROZEN: list[dict[str, Any]] = [
    json.loads(line) for line in Path(__file__).with_name("frozen_tasks.jsonl").read_text(encoding="utf-8").splitlines()
]


def test_a_hundred_tasks_are_as_they_were() -> None:
    manifest = job(FULL, files=FILES)
    assert len(FROZEN) == 100
    for frozen in FROZEN:
        task = manifest.task(frozen["index"])
        found = {"id": task.id, "index": task.index, "stem": task.stem, "repeat": task.repeat, "fields": fields(task)}
        image = {"image": task.request.image.path} if task.request.image else {}
        assert {**found, **image} == frozen


def test_the_order_in_which_their_fields_are_sent_is_too() -> None:
    manifest = job(FULL, files=FILES)
    for frozen in FROZEN:
        assert list(fields(manifest.task(frozen["index"]))) == list(frozen["fields"])
