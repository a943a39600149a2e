"""The examples of the job language's page parse exactly as they are written and make what they say."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from example_jobs import FILES, FULL, SMALLEST
from job_texts import fields, ids, job, rows

from batchgen.manifest.survey import survey
from batchgen.model import Window


def test_the_smallest_makes_16_tasks() -> None:
    manifest = job(SMALLEST)
    assert len(set(ids(manifest))) == len(manifest) == survey(manifest).tasks == 16
    assert manifest.warnings == ()


def test_the_full_one_makes_200_tasks() -> None:
    """200 tasks, by what stands in the job.

    The first prompt has 2 animals x 2 seasons; of 2 models x 2 ratios the exclude leaves 3, x 8 seeds = 24, and the
    include is 1 more: 4 x 25 = 100. The portrait has 2 animals x 2 ratios x 2 seeds = 8, its preset contradicting the
    include. The restyle has a zip of 2 points x the 1 ratio that the exclude leaves to its model x 8 seeds x 4
    strengths = 64. The first row has 24 + 1 as the first prompt has; the second pins model and seed: 2 ratios. And one
    literal task: 100 + 8 + 64 + 25 + 2 + 1.
    """
    manifest = job(FULL, files=FILES)
    found = survey(manifest)
    assert len(set(ids(manifest))) == len(manifest) == found.tasks == 200
    assert (found.duplicates, found.skipped, manifest.warnings) == (0, 0, ())
    assert Counter(task.prompt_id.rpartition("-")[0] or task.prompt_id for task in manifest) == {
        "a-animal-in-season": 100, "portrait": 8, "restyle": 64, "r1": 25, "r2": 2, "a-lighthouse": 1,
    }  # fmt: skip
    assert found.models == {"sd3-large": 4 * 8 + 64 + 8, "sd3-large-turbo": 4 * 16 + 16, "sd-core": 4 + 8 + 1 + 2 + 1}
    assert [manifest.task(index) for index in range(200)] == list(manifest)


def test_each_of_its_rules_shows_in_its_tasks() -> None:
    manifest = job(FULL, files=FILES)
    names = ("prompt", "model", "aspect_ratio", "seed", "style_preset", "output_format")
    lines = rows(manifest, *names)
    assert lines[24].startswith("a fox in spring sd3-large 16:9 ")
    assert lines[96:100] == [
        f"a {animal} in {season} sd-core - 123 anime png"
        for animal in ("fox", "owl")
        for season in ("winter", "spring")
    ]
    assert lines[100:104] == [
        f"portrait of a fox sd-core {ratio} {seed} analog-film png" for ratio in ("16:9", "1:1") for seed in (7, 8)
    ]
    assert lines[196] == "a cat, in Rome sd-core - 123 anime png"
    assert lines[197:] == [
        "a dog sd-core 16:9 7 - png",
        "a dog sd-core 1:1 7 - png",
        "a lighthouse sd-core - 5 - png",
    ]
    restyled = [task for task in manifest if task.prompt_id == "restyle"]
    assert {(fields(task)["strength"], fields(task)["negative_prompt"]) for task in restyled} == {
        (strength, negative) for strength in ("0.2", "0.4", "0.6", "0.8") for negative in ("people", "cars")
    }
    assert {(task.request.image.path if task.request.image else "", fields(task)["negative_prompt"]) for task in
            restyled} == {("inputs/a.png", "people"), ("inputs/b.png", "cars")}  # fmt: skip
    assert "0" not in {fields(task)["seed"] for task in manifest}


def test_its_settings_are_read() -> None:
    manifest = job(FULL, files=FILES)
    settings = manifest.settings
    assert (manifest.name, manifest.seed_root) == ("nightly-animals", 42)
    assert settings.url == "https://gateway.serevixai.ai/v1/images/generations"
    assert settings.api_key_env == "GATEWAY_API_KEY"
    assert (settings.rate_limit.windows, settings.concurrency, settings.timeout_s) == (
        (Window(sends=150, seconds=10),),
        None,
        180,
    )
    assert settings.provider.capabilities.price_usd("sd3-medium") == Decimal("0.035")
    assert (manifest.limits.max_images, manifest.limits.max_cost) == (5000, Decimal(120))
    assert (manifest.retry.attempts, manifest.retry.within, manifest.retry.ambiguous, manifest.retry.paid) == (
        6, 900, "retry", 1,
    )  # fmt: skip
    elsewhere = job(FULL, files=FILES, environment={"GATEWAY_URL": "https://a.example/v1"})
    assert elsewhere.settings.url == "https://a.example/v1"
    assert ids(elsewhere) == ids(manifest)


def test_its_paths_are_those_of_its_template() -> None:
    manifest = job(FULL, files=FILES)
    task = manifest.task(100)
    assert task.stem == f"portrait/sd-core/16x9/7-{task.id[:12]}"
    assert len({each.stem for each in manifest}) == 200
