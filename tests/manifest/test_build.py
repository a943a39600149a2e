"""A job's text -> its tasks: order, precedence, image-to-image, repeats; and everything wrong with it, at its place."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from job_texts import column, errors, fields, ids, job, only_error, rows

from batchgen.errors import ManifestError
from batchgen.manifest.survey import distinct, survey

SMALLEST = """\
prompts:
  - a red fox, snow, golden light
  - an owl at dusk
sweep:
  ratios: [1:1, 16:9]
  seeds: 1..4
"""


def test_the_smallest_useful_job_works_exactly_as_written() -> None:
    manifest = job(SMALLEST)
    assert len(manifest) == len(set(ids(manifest))) == 16
    prompts = ["a red fox, snow, golden light", "an owl at dusk"]
    assert [fields(task) for task in manifest] == [
        {"model": "sd3-large", "prompt": prompt, "seed": str(seed), "aspect_ratio": ratio}
        for prompt in prompts
        for ratio in ("1:1", "16:9")
        for seed in (1, 2, 3, 4)
    ]
    assert manifest.warnings == ()
    assert manifest.name == "animals"
    assert survey(manifest).tasks == 16


def test_fields_are_sent_in_the_order_of_the_page() -> None:
    text = (
        "prompts: [a]\ndefaults: {model: sd-core, mode: text-to-image, style_preset: anime}\n"
        "sweep: {output_format: png, aspect_ratio: 1:1, seed: 1, negative_prompt: b}"
    )
    assert list(fields(job(text).task(0))) == [
        "model",
        "prompt",
        "mode",
        "negative_prompt",
        "seed",
        "aspect_ratio",
        "output_format",
        "style_preset",
    ]


# Order


@pytest.mark.parametrize(
    ("sweep", "expected"),
    [
        ("ratios: [1:1, 2:3], seeds: [1, 2]", ["1:1 1", "1:1 2", "2:3 1", "2:3 2"]),
        ("seeds: [1, 2], ratios: [1:1, 2:3]", ["1:1 1", "2:3 1", "1:1 2", "2:3 2"]),
        ("seeds: [2, 1], ratios: 1:1", ["1:1 2", "1:1 1"]),
    ],
)
def test_the_first_key_of_a_sweep_varies_slowest(sweep: str, expected: list[str]) -> None:
    assert rows(job(f"prompts: [a]\nsweep: {{{sweep}}}"), "aspect_ratio", "seed") == expected


def test_prompts_vary_slowest_and_repeats_fastest() -> None:
    manifest = job("prompts: [a, b]\nrepeat: 2\nsweep: {seeds: [1, 2]}")
    found = [(fields(task)["prompt"], fields(task)["seed"], task.repeat) for task in manifest]
    assert found == [(prompt, seed, repeat) for prompt in "ab" for seed in "12" for repeat in (0, 1)]


def test_a_default_takes_the_place_that_the_sweep_gives_its_axis() -> None:
    text = "prompts: [a]\ndefaults: {model: sd-core}\nsweep: {seeds: [1, 2], models: [sd3-large, sd-core]}"
    assert rows(job(text), "seed", "model") == ["1 sd3-large", "1 sd-core", "2 sd3-large", "2 sd-core"]


def test_a_prompt_s_sweep_replaces_an_axis_in_its_place_and_adds_others_after() -> None:
    text = """\
        prompts:
          - prompt: a
            sweep: {output_format: [png, jpeg], seed: [7, 8]}
        sweep: {seed: [1, 2, 3], ratios: [1:1, 2:3]}
    """
    assert rows(job(text), "seed", "aspect_ratio", "output_format") == [
        f"{seed} {ratio} {form}" for seed in (7, 8) for ratio in ("1:1", "2:3") for form in ("png", "jpeg")
    ]


# Precedence


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("prompts: [a]", ["sd3-large"]),
        ("prompts: [a]\ndefaults: {model: sd-core}", ["sd-core"]),
        ("prompts: [a]\ndefaults: {model: sd-core}\nsweep: {model: sd3-large-turbo}", ["sd3-large-turbo"]),
        ("prompts: [{prompt: a, model: sd3-large}]\nsweep: {model: [sd-core, sd3-large-turbo]}", ["sd3-large"]),
        (
            "prompts: [{prompt: a, model: sd3-large, sweep: {model: [sd-core, sd3-large-turbo]}}]",
            ["sd-core", "sd3-large-turbo"],
        ),
        ("prompts: [{prompt: a, sweep: {models: sd-core}}]\ndefaults: {models: sd3-large}", ["sd-core"]),
    ],
    ids=["built-in", "defaults", "sweep", "prompt", "prompt's sweep", "plural names"],
)
def test_a_more_specific_source_takes_the_place_of_a_less_specific_one(text: str, expected: list[str]) -> None:
    assert column(job(text), "model") == expected


def test_a_pin_collapses_the_job_s_axis_for_its_prompt_alone() -> None:
    text = "prompts: [a, {prompt: b, seed: 9}, {prompt: c, seed: 0}]\nsweep: {seeds: 1..3}"
    assert rows(job(text), "prompt", "seed") == ["a 1", "a 2", "a 3", "b 9", "c 0"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("prompts: [a]\ndefaults: {aspect_ratio: null}", ["-"]),
        ("prompts: [{prompt: a, aspect_ratio: null}]\nsweep: {ratios: [1:1, 2:3]}", ["-"]),
        ("prompts: [a]\ndefaults: {aspect_ratio: 1:1}\nsweep: {ratios: [null, 2:3]}", ["-", "2:3"]),
        ("prompts: [a]\ndefaults: {aspect_ratio: 1:1}\nsweep: {ratios: null}", ["-"]),
        ("prompts: [{prompt: a, sweep: {ratios: ~}}]\nsweep: {ratios: [1:1, 2:3]}", ["-"]),
    ],
)
def test_null_leaves_a_field_out_wherever_it_stands(text: str, expected: list[str]) -> None:
    assert rows(job(text), "aspect_ratio") == expected


@pytest.mark.parametrize(
    "text",
    [
        "prompts: [a]\nname:\nsweep:\ndefaults:\noutput:\nprovider:\nrepeat:\nseed_root:\nseed_mode:\nversion:\n",
        "prompts: [a]\nprovider: {url: ~, timeout: ~, rate_limit: ~, concurrency: ~}\noutput: {path: ~}\n",
        "prompts:\n  - prompt: a\n    id:\n    repeat:\n    sweep:\n",
    ],
    ids=["job", "provider and output", "prompt"],
)
def test_a_null_under_a_known_key_is_as_if_the_key_were_not_there(text: str) -> None:
    assert ids(job(text)) == ids(job("prompts: [a]"))


# Names


@pytest.mark.parametrize(
    ("plural", "name", "value"),
    [
        ("seeds", "seed", "7"),
        ("ratios", "aspect_ratio", "16:9"),
        ("models", "model", "sd-core"),
        ("formats", "output_format", "jpeg"),
        ("strengths", "strength", "0.5"),
        ("styles", "style_preset", "anime"),
    ],
)
def test_both_spellings_of_an_axis_are_one_and_both_in_one_place_an_error(plural: str, name: str, value: str) -> None:
    rest = {"strength": "image: a.png, ", "style_preset": "model: sd-core, "}.get(name, "")
    texts = [f"prompts: [a]\nsweep: {{{rest}{each}: [{value}]}}" for each in (plural, name)]
    assert ids(job(texts[0])) == ids(job(texts[1]))
    assert column(job(texts[0]), name) == [value]
    both = only_error(f"prompts: [a]\nsweep:\n  {name}: [{value}]\n  {plural}: [{value}]\n  {rest.rstrip(', ')}\n")
    assert both == f"4:3: sweep.{plural}: {plural} and {name} are one axis; keep one of them"


def test_the_two_spellings_may_meet_in_different_places() -> None:
    text = "prompts: [{prompt: a, seed: 9}, b]\nsweep: {seeds: [1, 2]}\ndefaults: {seed: 5}"
    assert rows(job(text), "prompt", "seed") == ["a 9", "b 1", "b 2"]


@pytest.mark.parametrize(
    ("text", "file", "name"),
    [
        ("prompts: [a]", "jobs/night animals.yaml", "night animals"),
        ("prompts: [a]\nname: otters", "job.yaml", "otters"),
        ("prompts: [a]\nname: ../x", "job.yaml", "-x"),
        ("prompts: [a]\nname: CON", "job.yaml", "_CON"),
        ("prompts: [a]", "jobs/..yaml", "_"),
    ],
)
def test_a_job_s_name_is_its_own_or_its_file_s_and_always_safe(text: str, file: str, name: str) -> None:
    found = job(text, file=file).name
    assert found == name or (name == "_" and found.strip(" .") == found != "")


def test_a_prompt_s_id_is_its_own_or_made_of_its_text_never_of_its_place() -> None:
    manifest = job("prompts: [a red fox, {prompt: an owl, id: owl}]")
    turned = job("prompts: [{prompt: an owl, id: owl}, a red fox]")
    assert (
        [task.prompt_id for task in manifest]
        == [prompt.label for prompt in manifest.prompts]
        == ["a-red-fox-mr6duz", "owl"]
    )
    assert {prompt.label for prompt in turned.prompts} == {prompt.label for prompt in manifest.prompts}


# Image-to-image


def test_the_mode_follows_from_the_image() -> None:
    text = "prompts: [a]\nsweep: {image: [in/a.png, in/b.png], strength: [0, 0.5]}"
    assert rows(job(text), "mode", "strength", "image") == [
        "image-to-image 0 -",
        "image-to-image 0.5 -",
        "image-to-image 0 -",
        "image-to-image 0.5 -",
    ]
    sent = [task.request.image for task in job(text)]
    assert [image.path for image in sent if image] == ["in/a.png", "in/a.png", "in/b.png", "in/b.png"]
    assert rows(job("prompts: [a]"), "mode") == ["-"]


def test_an_image_for_one_prompt_alone() -> None:
    text = "prompts: [a, {prompt: b, image: in/a.png, strength: 0.5}]"
    assert rows(job(text), "mode", "strength") == ["- -", "image-to-image 0.5"]


@pytest.mark.parametrize(
    ("axes", "said"),
    [
        ("image: missing.png, strength: 1", "2:16: sweep.image: missing.png does not exist; give the path of an image"),
        (
            "image: [a.png, missing.png], strength: 1",
            "2:24: sweep.image[1]: missing.png does not exist; give the path of an image",
        ),
        (
            "image: [a.png, a.png, missing.png], strength: 1",
            "2:31: sweep.image[2]: missing.png does not exist; give the path of an image",
        ),
        ("image: a.png", "2:16: sweep.image: image-to-image needs strength; add strength"),
        (
            "strength: 0.5",
            "2:19: sweep.strength: text-to-image takes no strength; accepted: image and strength together",
        ),
        ("image: [a.png, ~], strength: 1", "2:38: sweep.strength: text-to-image takes no strength; accepted: image"),
        ("image: 7, strength: 1", "2:16: sweep.image: 7 is not a value of image; accepted: the path of an image file"),
    ],
)
def test_an_image_that_can_t_be_used_is_an_error_at_its_place(axes: str, said: str) -> None:
    found = errors(f"prompts: [a]\nsweep: {{{axes}}}")
    assert found[0].startswith(said)
    assert len(found) == 1


def test_a_strength_that_is_left_out_late_in_a_long_axis_is_found_too() -> None:
    found = errors("prompts: [a]\nsweep: {image: a.png, strength: [0..1:0.0005, null]}")
    assert "image-to-image needs strength" in found[0]


# Repeats and duplicates


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("prompts: [a]\nrepeat: 3", 3),
        ("prompts: [{prompt: a, repeat: 3}, b]", 4),
        ("prompts: [{prompt: a, repeat: 1}, b]\nrepeat: 3", 4),
        ("prompts: [a, a, a]", 1),
        ("prompts: [a, {prompt: a, id: x}]", 1),
        ("prompts: [a]\nsweep: {seeds: [1, 1, 1..2]}", 2),
        ("prompts: [a, a]\nrepeat: 2", 2),
        ("prompts: [a, {prompt: a, repeat: 3}]", 3),
        ("prompts: [a, {prompt: a, model: sd3-large}]", 1),
        ("prompts: [a, {prompt: a, aspect_ratio: 1:1}]", 2),
    ],
)
def test_equal_tasks_are_one_unless_they_are_repeats(text: str, count: int) -> None:
    manifest = job(text)
    found = survey(manifest)
    places = list(distinct(manifest, found))
    assert found.tasks == len(places) == len(set(ids(manifest))) == count
    assert {manifest.task(index).id for index in places} == set(ids(manifest))
    assert places == sorted({ids(manifest).index(identity) for identity in ids(manifest)})


@pytest.mark.parametrize(
    ("text", "duplicates"),
    [
        ("prompts: [a, b]", 0),
        ("prompts: [a, a]", 1),
        ("prompts: [a]\nsweep: {seeds: [1, 1, 2]}", 1),
        ("prompts: [a]\nsweep: {seeds: [1, 1, 2], ratios: [1:1, 1:1]}", 4),
        ("prompts: [a]\nrepeat: 3", 0),
    ],
)
def test_a_survey_counts_what_is_listed_twice(text: str, duplicates: int) -> None:
    assert survey(job(text)).duplicates == duplicates


def test_a_survey_counts_the_tasks_of_each_model() -> None:
    manifest = job("prompts: [a]\nsweep: {models: [sd3-large, sd3-large-turbo, sd-core], seeds: 1..100}")
    counts = survey(manifest).models
    prices = manifest.settings.provider.capabilities.price_usd
    assert counts == {"sd3-large": 100, "sd3-large-turbo": 100, "sd-core": 100}
    assert sum(count * (prices(model) or 0) for model, count in counts.items()) == Decimal("13.5")


# The n-th task


@pytest.mark.parametrize(
    "text",
    [
        SMALLEST,
        "prompts: [a, {prompt: b, repeat: 3, sweep: {seeds: 1..2}}, c]\nsweep: {models: [sd-core, sd3-large]}",
        "seed_mode: per_task\nprompts: [a, b]\nsweep: {seed: {random: 3}, ratios: [1:1, 2:3]}",
    ],
)
def test_the_nth_task_is_the_nth_of_the_iteration(text: str) -> None:
    manifest = job(text)
    tasks = list(manifest)
    assert len(tasks) == len(manifest)
    assert [manifest.task(index) for index in range(len(manifest))] == tasks
    assert [task.index for task in tasks] == list(range(len(tasks)))


def test_a_task_knows_its_job_its_prompt_and_its_stem() -> None:
    task = job("name: night\nprompts: [{id: fox, prompt: a}]\ndefaults: {seed: 7}").task(0)
    assert (task.job, task.prompt_id, task.repeat, task.stem) == ("night", "fox", 0, f"a/7-{task.id[:12]}")


def test_more_tasks_than_python_can_count_by_len_are_an_error_or_counted() -> None:
    text = "prompts: [a]\nrepeat: 1000000\nsweep: {image: a.png, seeds: 1..4294967294, strength: '0..1:0.000000001'}"
    try:
        count = len(job(text))
    except ManifestError:
        return
    assert count > 0


# The provider

API = "https://gateway.serevixai.ai/v1/images/generations"


@pytest.mark.parametrize(
    ("text", "url", "key", "limit", "concurrency", "timeout_s"),
    [
        ("", API, "GATEWAY_API_KEY", "150/10s", None, 180),
        ("provider: gateway", API, "GATEWAY_API_KEY", "150/10s", None, 180),
        ("provider: sandbox", None, None, "150/10s", None, 180),
        ("provider: {url: 'https://a.example/v1', api_key_env: K}", "https://a.example/v1", "K", "150/10s", None, 180),
        (
            "provider: {url: 'http://[::1]:81/', rate_limit: none}",
            "http://[::1]:81/",
            "GATEWAY_API_KEY",
            "none",
            None,
            180,
        ),
        ("provider: {kind: sandbox, rate_limit: [150/10s, 15/s]}", None, None, "150/10s and 15/1s", None, 180),
        ("provider: {kind: sandbox, concurrency: 8, timeout: 2m}", None, None, "150/10s", 8, 120),
        ("provider: {kind: sandbox, rate_limit: unknown}", None, None, "unknown", None, 180),
        ("provider: {kind: sandbox, concurrency: auto}", None, None, "150/10s", None, 180),
    ],
)
def test_the_provider_s_settings(  # noqa: PLR0917 - the columns of a table
    text: str, url: str | None, key: str | None, limit: str, concurrency: int | None, timeout_s: float
) -> None:
    settings = job(f"prompts: [a]\n{text}").settings
    assert (settings.url, settings.api_key_env) == (url, key)
    assert str(settings.rate_limit) == limit
    assert (settings.concurrency, settings.timeout_s) == (concurrency, timeout_s)


def test_another_provider_than_the_job_s_has_its_own_address_and_key() -> None:
    text = "prompts: [a]\nprovider: {kind: gateway, url: 'https://a.example/v1', api_key_env: K}"
    settings = job(text, provider="sandbox").settings
    assert (settings.provider.kind, settings.url, settings.api_key_env) == ("sandbox", None, None)


# Everything wrong, at its place

WRONG: list[tuple[str, str]] = [
    # unknown keys, with the nearest
    ("naem: x", "2:1: naem: unknown key 'naem'; did you mean 'name'? accepted: version, name, seed_root,"),
    ("presets: {film: {sed: 1}}", "2:18: presets.film.sed: unknown key 'sed'; did you mean 'seed'? accepted: model,"),
    ("limits: {max_imges: 5}", "2:10: limits.max_imges: unknown key 'max_imges'; did you mean 'max_images'? accepted:"),
    ("retry: {atempts: 5}", "2:9: retry.atempts: unknown key 'atempts'; did you mean 'attempts'? accepted: attempts,"),
    ("schedule: {timezon: y, cron: '* * * * *'}", "2:12: schedule.timezon: unknown key 'timezon'; did you mean"),
    ("tasks: [{prompt: b, sed: 1}]", "2:21: tasks[0].sed: unknown key 'sed'; did you mean 'seed'? accepted: model,"),
    ("naem: ~", "2:1: naem: unknown key 'naem'; did you mean 'name'?"),
    ("naem:", "2:1: naem: unknown key 'naem'; did you mean 'name'?"),
    ("sweep: {sed: 1}", "2:9: sweep.sed: unknown key 'sed'; did you mean 'seed'? accepted: model, mode,"),
    ("sweep: {sed: ~}", "2:9: sweep.sed: unknown key 'sed'; did you mean 'seed'?"),
    ("sweep: {prompt: x}", "2:9: sweep.prompt: a prompt can't stand here; list prompts under prompts"),
    ("sweep: {zip: []}", "2:9: sweep.zip: unknown key 'zip'; accepted: model, mode,"),
    ("sweep: {exclude: [{sed: 1}]}", "2:20: sweep.exclude[0].sed: unknown key 'sed'; did you mean 'seed'? accepted:"),
    ("sweep: {include: [{sed: 1}]}", "2:20: sweep.include[0].sed: unknown key 'sed'; did you mean 'seed'? accepted:"),
    ("sweep: {exclude: {seed: 1}}", "2:18: sweep.exclude: exclude is not a list of mappings; accepted: exclude: [{"),
    ("sweep: {include: [seed]}", "2:18: sweep.include: include is not a list of mappings; accepted: include: [{"),
    ("defaults: {sed: 1}", "2:12: defaults.sed: unknown key 'sed'; did you mean 'seed'?"),
    ("provider: {knd: gateway}", "2:12: provider.knd: unknown key 'knd'; did you mean 'kind'? accepted: kind, url,"),
    ("provider: {knd: ~}", "2:12: provider.knd: unknown key 'knd'; did you mean 'kind'?"),
    ("provider: {prices: {date: 2025-08, sd-core: {credit: 1}}}", "2:46: provider.prices.sd-core.credit: unknown key"),
    ("provider: {models: {x: {like: sd-core, lik: y}}}", "2:40: provider.models.x.lik: unknown key 'lik'; did you"),
    ("output: {paht: x}", "2:10: output.paht: unknown key 'paht'; did you mean 'path'? accepted: path"),
    # wrong types and values
    ("version: 2", "2:10: version: not accepted; accepted: 1"),
    ("version: x", "2:10: version: not accepted; accepted: 1"),
    ("version: true", "2:10: version: not a number; accepted: 1"),
    ("name: 2024", "2:7: name: not text; accepted: text; quote it"),
    ("name: ''", "2:7: name: empty; give it some text"),
    (f"name: {'x' * 101}", "2:7: name: too long; accepted: at most 100 characters"),
    ("seed_root: x", "2:12: seed_root: not a whole number; accepted: a whole number"),
    ("seed_root: 1.5", "2:12: seed_root: not a whole number; accepted: a whole number"),
    ("seed_root: true", "2:12: seed_root: not a whole number; accepted: a whole number"),
    ("seed_mode: shred", "2:12: seed_mode: not accepted; accepted: 'shared', 'per_prompt' or 'per_task'"),
    ("repeat: 0", "2:9: repeat: too small; accepted: 1 or more"),
    ("repeat: 1000001", "2:9: repeat: too large; accepted: 1000000 or less"),
    ("repeat: many", "2:9: repeat: not a whole number; accepted: a whole number"),
    ("sweep: [seed]", "2:8: sweep: not a mapping; accepted: keys with values"),
    ("sweep: 7", "2:8: sweep: not a mapping; accepted: keys with values"),
    ("defaults: seed", "2:11: defaults: not a mapping; accepted: keys with values"),
    ("output: x", "2:9: output: not a mapping; accepted: keys with values"),
    ("output: {path: 7}", "2:16: output.path: not text; accepted: text; quote it"),
    ("provider: [x]", "2:11: provider: not a mapping; accepted: keys with values"),
    # the provider
    ("provider: gatway", "2:11: provider: unknown provider 'gatway'; did you mean 'gateway'? accepted: gateway"),
    ("provider: {kind: sandbx}", "2:18: provider.kind: unknown provider 'sandbx'; did you mean 'sandbox'?"),
    ("provider: {timeout: 180}", "2:21: provider.timeout: 180 is not a duration; accepted: a number and a unit"),
    ("provider: {rate_limit: 150}", "2:24: provider.rate_limit: 150 is not a rate limit; accepted: requests / time"),
    ("provider: {concurrency: 0}", "2:25: provider.concurrency: 0 is not a concurrency; accepted: auto, or"),
    ("provider: {url: a.example}", "2:17: provider.url: 'a.example' is not the address of an API; accepted: https://"),
    ("provider: {url: 'ftp://a.example'}", "2:17: provider.url: 'ftp://a.example' is not the address of an API"),
    ("provider: {url: 'https://a:99999/'}", "2:17: provider.url: 'https://a:99999/' is not the address of an API"),
    ("provider: {url: 'https://me:pw@a.example/'}", "2:17: provider.url: "),
    ("provider: {url: 'http://a.example/v1'}", "2:17: provider.url: http would send the key in the clear; use https"),
    ("provider: {url: 'http://127.0.0.1.a.example/'}", "2:17: provider.url: http would send the key in the clear"),
    # values of parameters
    ("sweep: {ratios: [1:1, 16:10]}", "2:23: sweep.ratios[1]: '16:10' is not a value of aspect_ratio; did you mean "),
    ("sweep: {model: sd3-lrge}", "2:16: sweep.model: 'sd3-lrge' is not a value of model; did you mean 'sd3-large'?"),
    ("defaults: {output_format: jpg}", "2:27: defaults.output_format: 'jpg' is not a value of output_format; did you"),
    ("defaults: {seed: '7'}", "2:18: defaults.seed: '7' is not a value of seed; accepted: a whole number from 0 to"),
    ("defaults: {model: ~}", "2:19: defaults.model: "),
    ("defaults: {seed: [1, 2]}", "2:18: defaults.seed: seed is pinned here, to one value; put several under sweep"),
    ("defaults: {seed: {random: 2}}", "2:18: defaults.seed: seed is pinned here, to one value; put several under"),
    ("defaults: {seed: 1..2}", "2:18: defaults.seed: seed is pinned here, to one value; put several under sweep"),
    # combinations
    ("sweep: {styles: [anime, enhance]}", "2:18: sweep.styles[0]: sd3-large does not take style_preset; accepted by"),
    ("sweep: {style_preset: anime}", "2:23: sweep.style_preset: sd3-large does not take style_preset; accepted by"),
    (
        "defaults: {model: sd3-large-turbo, negative_prompt: x}",
        "2:53: defaults.negative_prompt: sd3-large-turbo does not take negative_prompt; accepted by sd3-large, sd-core",
    ),
    (
        "sweep: {models: [sd-core, sd3-large], style_preset: anime}",
        "2:53: sweep.style_preset: sd3-large does not take style_preset; accepted by sd-core",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("line", "said"), WRONG)
def test_each_wrong_line_is_one_error_at_its_place_with_what_is_accepted(line: str, said: str) -> None:
    found = only_error(f"prompts: [a]\n{line}\n")
    assert found.startswith(said)


WRONG_PROMPTS: list[tuple[str, str]] = [
    ("{prompt: a, sed: 1}", "2:17: prompts[0].sed: unknown key 'sed'; did you mean 'seed'? accepted: model, mode,"),
    ("{prompt: a, preset: film}", "2:25: prompts[0].preset: unknown preset 'film'; accepted: none is defined"),
    ("{prompt: a, zip: {seed: [1]}}", "2:22: prompts[0].zip: not a list; accepted: a list, each line beginning with -"),
    (
        "{prompt: a, zip: [{sed: [1]}]}",
        "2:24: prompts[0].zip[0].sed: unknown key 'sed'; did you mean 'seed'? accepted:",
    ),
    ("{prompt: a, id: 2024}", "2:21: prompts[0].id: not text; accepted: text; quote it"),
    ("{prompt: a, id: ''}", "2:21: prompts[0].id: empty; give it some text"),
    ("{prompt: a, repeat: 0}", "2:25: prompts[0].repeat: too small; accepted: 1 or more"),
    ("{prompt: a, seed: x}", "2:23: prompts[0].seed: 'x' is not a value of seed; accepted: a whole number from 0"),
    ("{prompt: a, seed: [1, 2]}", "2:23: prompts[0].seed: seed is pinned here, to one value; put several under sweep"),
    ("{prompt: a, seed: 1, seeds: 2}", "2:26: prompts[0].seeds: seeds and seed are one axis; keep one of them"),
    ("{prompt: a, sweep: [1]}", "2:24: prompts[0].sweep: not a mapping; accepted: keys with values"),
    ("{prompt: a, sweep: {sed: 1}}", "2:25: prompts[0].sweep.sed: unknown key 'sed'; did you mean 'seed'?"),
    ("{prompt: a, sweep: {seed: [1, x]}}", "2:35: prompts[0].sweep.seed[1]: 'x' is not a value of seed"),
    (
        "{prompt: a, style_preset: anime}",
        "2:31: prompts[0].style_preset: sd3-large does not take style_preset; accepted",
    ),
    ("{prompt: a, aspect_ratio: 16:10}", "2:31: prompts[0].aspect_ratio: '16:10' is not a value of aspect_ratio"),
    ("{portait: close-up}", "2:5: prompts[0]: 'portait': a mapping where a prompt was meant; quote a prompt that"),
    ("{promt: close-up}", "2:5: prompts[0]: unknown key 'promt'; did you mean 'prompt'?"),
    ("{id: x}", "2:5: prompts[0]: an entry without its prompt; add prompt: with its text"),
    ("{id: x, seed: 7}", "2:5: prompts[0]: an entry without its prompt; add prompt: with its text"),
    ("[a, b]", "2:5: prompts[0]: not a mapping; accepted: keys with values"),
    ("''", "2:5: prompts[0]: a prompt of 0 characters; accepted: text of 1 to 10000 characters"),
    ("'   '", "2:5: prompts[0]: a prompt of 0 characters; accepted: text of 1 to 10000 characters"),
    (f"{'x' * 10_001}", "2:5: prompts[0]: a prompt of 10001 characters; accepted: text of 1 to 10000 characters"),
    ("{prompt: ''}", "2:14: prompts[0].prompt: a prompt of 0 characters; accepted: text of 1 to 10000 characters"),
    ("{prompt: [a]}", "2:14: prompts[0].prompt: not text; accepted: text; quote it"),
]


@pytest.mark.parametrize(("prompt", "said"), WRONG_PROMPTS, ids=lambda value: value[:60])
def test_each_wrong_prompt_is_one_error_at_its_place_with_what_is_accepted(prompt: str, said: str) -> None:
    assert only_error(f"prompts:\n  - {prompt}\n").startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: x\n", "1:1: no prompts; add prompts: with a list of texts"),
        ("prompts:\n", "1:1: no prompts; add prompts: with a list of texts"),
        ("prompts: []\n", "1:10: prompts: empty; give it at least one entry"),
        ("prompts: a fox\n", "1:10: prompts: not a list; accepted: a list, each line beginning with -"),
        ("prompts: {a: b}\n", "1:10: prompts: not a list; accepted: a list, each line beginning with -"),
        ("prompts:\n  - {prompt: a, id: x}\n  - {prompt: b, id: x}\n", "3:21: prompts[1].id: the id 'x' stands"),
    ],
)  # fmt: skip
def test_prompts_that_are_none(text: str, said: str) -> None:
    assert only_error(text).startswith(said)


def test_everything_wrong_is_told_at_once_in_the_order_of_lines() -> None:
    found = errors("""\
        prompts:
          - prompt: a
            seed: x
          - prompt: b
            sed: 1
          - ''
        defaults: {model: sd3-lrge}
        sweep:
          ratios: [1:1, 16:10, 17:9]
          strength: 2
        output: {path: "{sed}.{ext}"}
        provider: {kind: sandbx}
    """)
    assert [each.split(": ")[0] for each in found] == [
        "3:11", "5:5", "6:5", "7:19", "9:17", "9:24", "10:13", "11:16", "12:18",
    ]  # fmt: skip


def test_a_wrong_shape_hides_no_wrong_value() -> None:
    found = errors("prompts: [a]\nnaem: x\nsweep: {ratios: [17:9]}\nrepeat: 0\n")
    assert [each.split(": ")[1] for each in found] == ["naem", "sweep.ratios[0]", "repeat"]


def test_one_mistake_in_the_job_is_told_once_however_many_prompts_meet_it() -> None:
    assert only_error("prompts: [a, b, c]\nsweep: {ratios: [17:9]}").startswith("2:18: sweep.ratios[0]: '17:9'")


# Laws

RATIOS = ["16:9", "1:1", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21"]
AXES = st.fixed_dictionaries(
    {
        "aspect_ratio": st.lists(st.sampled_from(RATIOS), min_size=1, max_size=4, unique=True),
        "seed": st.lists(st.integers(0, 4_294_967_294), min_size=1, max_size=4, unique=True),
        "model": st.lists(st.sampled_from(["sd3-large", "sd3-large-turbo", "sd-core"]), min_size=1, unique=True),
    }
)
PROMPTS = st.lists(st.from_regex(r"[a-z]{1,8}( [a-z]{1,8})?", fullmatch=True), min_size=1, max_size=4, unique=True)
MODES = st.sampled_from(["shared", "per_prompt", "per_task"])


def written(prompts: list[str], axes: dict[str, Any], *, mode: str = "shared", more: str = "") -> str:
    """A job with these prompts and axes."""
    lines = [f"seed_mode: {mode}", "prompts:", *(f"  - '{prompt}'" for prompt in prompts), "sweep:"]
    return "\n".join([*lines, *(f"  {name}: {values}" for name, values in axes.items()), more]) + "\n"


@settings(max_examples=40)
@given(PROMPTS, AXES, MODES, st.integers(1, 5), st.integers(1, 5))
def test_adding_derived_seeds_keeps_every_old_id(
    prompts: list[str], axes: dict[str, Any], mode: str, fewer: int, more: int
) -> None:
    old, new = (axes | {"seed": f"{{random: {count}}}"} for count in (fewer, fewer + more))
    assert set(ids(job(written(prompts, old, mode=mode)))) < set(ids(job(written(prompts, new, mode=mode))))


@settings(max_examples=40)
@given(PROMPTS, AXES, MODES, st.randoms(use_true_random=False))
def test_reordering_prompts_axes_and_values_keeps_the_set_of_ids(
    prompts: list[str], axes: dict[str, Any], mode: str, random: Any
) -> None:
    names = list(axes)
    random.shuffle(names)
    turned = {name: random.sample(axes[name], len(axes[name])) for name in names}
    one = written(prompts, axes | {"seed": "{random: 3}"}, mode=mode)
    other = written(random.sample(prompts, len(prompts)), turned | {"seed": "{random: 3}"}, mode=mode)
    assert set(ids(job(one))) == set(ids(job(other)))


@settings(max_examples=40)
@given(PROMPTS, AXES)
def test_a_pinned_axis_is_the_axis_with_one_value(prompts: list[str], axes: dict[str, Any]) -> None:
    pinned = written(prompts, {"seed": axes["seed"]}, more=f"defaults: {{aspect_ratio: {axes['aspect_ratio'][0]}}}")
    swept = written(prompts, {"aspect_ratio": axes["aspect_ratio"][:1], "seed": axes["seed"]})
    assert ids(job(pinned)) == ids(job(swept))
