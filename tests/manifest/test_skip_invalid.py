"""`skip_invalid: true` leaves out what no model takes, and counts it; without it each is an error."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from job_texts import errors, fields, job, only_error, rows

from batchgen.errors import UsageError
from batchgen.manifest.survey import survey
from batchgen.providers.gateway import CAPABILITIES

SKIPPED: list[tuple[str, list[str], int]] = [
    ("sweep: {models: [sd3-large, sd-core], styles: [anime, enhance]}", ["sd-core anime", "sd-core enhance"], 2),
    ("sweep: {styles: [anime, ~], models: [sd3-large, sd-core]}", ["sd-core anime", "sd3-large -", "sd-core -"], 1),
    ("sweep: {models: [sd3-large, sd-core], styles: anime, seed: 1..1000000}", [], 1_000_000),
    ("sweep: {models: [sd3-large, sd-core], styles: [~, anime], exclude: [{models: sd3-large}]}",
     ["sd-core -", "sd-core anime"], 0),
    ("sweep: {models: [sd3-large, sd-core], include: [{styles: anime}]}", ["sd-core anime"], 1),
    ("sweep: {models: [sd3-large, sd-core], seed: 1, include: [{styles: anime, seed: 5}]}",
     ["sd3-large -", "sd-core -"], 1),
    ("sweep: {models: [sd3-large, sd-core]}\nrepeat: 3", ["sd3-large -"] * 3 + ["sd-core -"] * 3, 0),
    ("sweep: {models: [sd3-large, sd-core], styles: anime}\nrepeat: 3", ["sd-core anime"] * 3, 3),
    ("tasks: [{prompt: b, styles: anime}, {prompt: c, styles: anime, model: sd-core}]",
     ["sd3-large -", "sd-core anime"], 1),
]  # fmt: skip


@pytest.mark.parametrize(("more", "expected", "skipped"), SKIPPED)
def test_what_no_model_takes_is_left_out_and_counted(more: str, expected: list[str], skipped: int) -> None:
    manifest = job(f"prompts: [a]\nskip_invalid: true\n{more}")
    found = survey(manifest)
    assert found.skipped == skipped
    assert found.tasks == len(manifest)
    if expected:
        assert rows(manifest, "model", "style_preset") == expected


@pytest.mark.parametrize("more", [more for more, _, skipped in SKIPPED if skipped])
def test_without_it_each_is_an_error(more: str) -> None:
    assert all("does not take style_preset; accepted by sd-core" in line for line in errors(f"prompts: [a]\n{more}"))


def test_a_prompt_that_is_left_out_altogether_is_counted_too() -> None:
    manifest = job("prompts: [a, {prompt: b, style_preset: anime, sweep: {seed: 1..4}}, c]\nskip_invalid: true")
    assert rows(manifest, "prompt") == ["a", "c"]
    assert [manifest.task(index) for index in range(2)] == list(manifest)
    assert survey(manifest).skipped == 4


def test_rows_of_a_data_file_are_left_out_one_by_one() -> None:
    data = {"d.csv": "prompt,style_preset,model\na,anime,\nb,,\nc,anime,sd-core\nd,enhance,\n"}
    manifest = job("prompts: [{file: d.csv}]\nskip_invalid: true\nsweep: {seed: [1, 2]}", files=data)
    assert rows(manifest, "prompt", "seed") == ["b 1", "b 2", "c 1", "c 2"]
    assert [manifest.task(index) for index in range(4)] == list(manifest)
    assert survey(manifest).skipped == 4


def test_a_job_of_which_nothing_is_left_is_an_error() -> None:
    with pytest.raises(UsageError, match="nothing is left to make"):
        job("prompts: [{prompt: a, style_preset: anime}]\nskip_invalid: true")


@pytest.mark.parametrize("more", ["sweep: {seed: x}", "sweep: {image: missing.png, strength: 1}", "defaults: {sed: 1}"])
def test_a_wrong_value_is_an_error_all_the_same(more: str) -> None:
    assert only_error(f"prompts: [a]\nskip_invalid: true\n{more}")


VALUES: dict[str, list[str | None]] = {
    "model": ["sd3-large", "sd3-large-turbo", "sd-core"],
    "style_preset": [None, "anime", "enhance"],
    "negative_prompt": [None, "blurry"],
    "image": [None, "in/a.png"],
    "strength": [None, "0.5"],
}


AXES = {name: st.lists(st.sampled_from(values), min_size=1, unique=True) for name, values in VALUES.items()}


@given(st.permutations(list(VALUES)), st.fixed_dictionaries(AXES))
def test_what_is_left_is_what_the_table_takes(order: list[str], axes: dict[str, list[str | None]]) -> None:
    sweep = ", ".join(f"{name}: [{', '.join('~' if v is None else v for v in axes[name])}]" for name in order)
    combined = [dict(zip(order, values, strict=True)) for values in product(*(axes[name] for name in order))]
    sent = [{name: value for name, value in each.items() if value is not None} for each in combined]
    expected = [each for each in sent if not CAPABILITIES.misfits(each)]
    text = f"prompts: [a]\nskip_invalid: true\nsweep: {{{sweep}}}"
    if not expected:
        with pytest.raises(UsageError, match="nothing is left to make"):
            job(text)
        return
    manifest = job(text)
    found = [
        {name: value for name, value in fields(task).items() if name in VALUES}
        | ({"image": task.request.image.path} if task.request.image else {})
        for task in manifest
    ]
    assert found == expected
    assert survey(manifest).skipped == len(sent) - len(expected)
