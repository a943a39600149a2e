"""`batchgen plan`: what a job would make, for how much, and what is made already; nothing is sent."""

from __future__ import annotations

import sys
from math import prod
from typing import TYPE_CHECKING, Any

import click

from batchgen.cli import options
from batchgen.errors import one_line, shown_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from decimal import Decimal
    from pathlib import Path

    from batchgen.manifest.prompts import Prompt
    from batchgen.planning import Plan
    from batchgen.pricing import Price

NOTHING_TO_DO, WORK_TO_DO = 0, 10


@click.command(short_help="Count, price and list what a job would make.")
@options.job
@options.output
@options.provider
@options.overrides
@options.only
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help="List N tasks that show all values.")
@click.option("--first", type=click.IntRange(min=0), default=10, show_default=True, metavar="N", help="List N tasks.")
@click.option("--explain", type=click.IntRange(min=0), metavar="N", help="Say where each value of task N comes from.")
@click.option("--simulate", is_flag=True, help="Rehearse the run against a model of the provider.")
@click.option(
    "--assume",
    metavar="KEY=VALUE",
    multiple=True,
    help="What --simulate assumes: limit=75/10s, penalty=60s, latency=4s..8s, OVERLOADED=2%. Repeatable.",
)
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 10 where there is work to do.")
@options.as_json
def plan(  # noqa: PLR0913 - one argument for each option
    job: Path,
    output: Path | None,
    provider: str | None,
    overrides: Sequence[str],
    only: Sequence[str],
    sample: int | None,
    first: int,
    explain: int | None,
    assume: Sequence[str],
    *,
    simulate: bool,
    detailed_exitcode: bool,
    as_json: bool,
) -> None:
    """\b
    Example: batchgen plan jobs/quickstart.yaml
    Example: batchgen plan jobs/kitchen-sink.yaml --explain 17
    Example: batchgen plan jobs/seeds.yaml --simulate --assume latency=5s..20s --assume OVERLOADED=2%

    Count, price and list what JOB would make, and compare it with what its output folder holds. Nothing is sent.
    """
    from batchgen.cli.explain import explained
    from batchgen.cli.forecast import forecast_json, forecast_lines
    from batchgen.due import Part
    from batchgen.job import load_job, new_run_id
    from batchgen.planning import make_plan

    manifest = load_job(job, run_id=new_run_id(), provider=provider, overrides=overrides)
    for warning in manifest.warning_lines():
        click.echo(warning, err=True)
    if explain is not None:
        click.echo("\n".join(explained(manifest, explain)))
        return
    folder = options.output_folder(manifest, output, provider)
    made = make_plan(manifest, folder, Part(only=only, sample=sample), first)
    if as_json:
        simulated = {"simulated": forecast_json(made, assume)} if simulate or assume else {}
        click.echo(shown_json(_as_json(made) | simulated, indent=2))
    else:
        click.echo(
            "\n".join([*_lines(made, folder), *(["", *forecast_lines(made, assume)] if simulate or assume else [])])
        )
    sys.exit(WORK_TO_DO if detailed_exitcode and made.asked else NOTHING_TO_DO)


def _as_json(plan: Plan) -> dict[str, Any]:
    comparison = plan.comparison
    return {
        "job": plan.manifest.name,
        "tasks": plan.found.tasks,
        "duplicates": plan.found.duplicates,
        "skipped": plan.found.skipped,
        "cost_usd": {
            "low": _number(plan.price.low),
            "expected": _number(plan.price.expected),
            "worst": _number(plan.price.worst),
        },
        "unknown_prices": dict(plan.price.unknown),
        "prices": plan.manifest.settings.provider.capabilities.prices_date,
        "seconds_at_limit": plan.seconds_at_limit,
        "asked": plan.asked,
        "new": comparison.new,
        "kept": len(comparison.kept),
        "changed": len(comparison.changed),
        "orphaned": comparison.orphaned,
        "prompts": [
            {"id": prompt.label, "tasks": prompt.count, "axes": _axes(prompt)} for prompt in plan.manifest.prompts
        ],
        "first": [
            {
                "index": task.index,
                "id": task.id,
                "path": f"images/{task.stem}",
                "fields": dict(task.request.fields),
                "variables": dict(task.variables),
            }
            for task in plan.first
        ],
    }


def _number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)


def _axes(prompt: Prompt) -> dict[str, int]:
    """How many values each axis has, slowest first; of rows, how many there are, and the axes that all share."""
    rows = len(prompt.rows)
    found = {"rows": rows} if rows > 1 else {}
    sizes = _sizes(prompt)
    return found | (sizes[0] if len(sizes) == 1 else {}) | ({"repeat": prompt.repeat} if prompt.repeat > 1 else {})


def _sizes(prompt: Prompt) -> list[dict[str, int]]:
    """The axes of the prompt, or of its rows where they pin different ones."""
    found: list[dict[str, int]] = []
    for case in prompt.rows.cases():
        axes = case.blocks[0].axes
        sizes = {" + ".join(column.name for column in axis.columns): len(axis) for axis in axes if len(axis) > 1}
        if sizes not in found:
            found.append(sizes)
    return found


def _product(prompt: Prompt) -> str:
    """How the count of a prompt comes about; empty where it is one task."""
    if len(_sizes(prompt)) > 1:
        return f"  in {len(prompt.rows):,} rows with different axes"
    axes = " x ".join(f"{count:,} {name}" for name, count in _axes(prompt).items())
    return f"  = {axes}{_less(prompt)}" if axes else ""


def _lines(plan: Plan, folder: Path) -> Iterator[str]:
    from batchgen.cli.wording import pictures

    notes = []
    if plan.found.duplicates:
        notes.append(f"{plan.found.duplicates:,} listed again and made once")
    if plan.found.duplicates is None:
        notes.append("equal ones are found as they come")
    if plan.found.skipped:
        notes.append(f"{plan.found.skipped:,} left out, which no model takes")
    yield f"{plan.manifest.name}: {pictures(plan.found.tasks)}" + (f" ({'; '.join(notes)})" if notes else "")
    yield f"  output  {_output(plan, folder)}"
    if plan.asked < plan.comparison.due:
        yield f"  part    {plan.asked:,} of the {plan.comparison.due:,} to make are asked for"
    yield f"  price   {_price(plan.price, plan)}"
    yield f"  time    {_time(plan)}"
    yield ""
    width = max(len(one_line(prompt.label, 60)) for prompt in plan.manifest.prompts[:MOST_PROMPTS])
    for prompt in plan.manifest.prompts[:MOST_PROMPTS]:
        yield f"  {one_line(prompt.label, 60):{width}}  {prompt.count:>8,}{_product(prompt)}"
    if (more := len(plan.manifest.prompts) - MOST_PROMPTS) > 0:
        yield f"  … and {more:,} prompts more"
    if plan.first:
        yield ""
    yield from (f"  {task.index:>8}  {task.id[:12]}  images/{task.stem}" for task in plan.first)
    if 0 < len(plan.first) < plan.asked:
        yield f"  … and {plan.asked - len(plan.first):,} more (--first N lists more, --explain N explains one)"


MOST_PROMPTS = 20


def _less(prompt: Prompt) -> str:
    """What excludes take away and includes add to the product of the axes."""
    excluded = included = 0
    for case, rows in prompt.rows.cases().items():
        for number, block in enumerate(case.blocks):
            sizes = prod(block.tree.sizes)
            excluded += (sizes - block.tree.count) * rows * prompt.repeat
            included += sizes * rows * prompt.repeat if number else 0
    parts = [f"{excluded:,} excluded"] if excluded else []
    return "".join(f", {part}" for part in [*parts, *([f"{included:,} included"] if included else [])])


def _output(plan: Plan, folder: Path) -> str:
    comparison = plan.comparison
    if not comparison.kept and not comparison.orphaned and not comparison.changed:
        return f"{folder}: all new"
    parts = [f"{comparison.new:,} new", f"{len(comparison.kept):,} kept"]
    if comparison.changed:
        parts.append(f"{len(comparison.changed):,} changed, whose places are taken")
    if comparison.orphaned:
        parts.append(f"{comparison.orphaned:,} orphaned: of tasks that the job has no more")
    return f"{folder}: {', '.join(parts)}"


def _price(price: Price, plan: Plan) -> str:
    from batchgen.cli.wording import usd

    date = plan.manifest.settings.provider.capabilities.prices_date
    if plan.comparison.due == 0:
        return "nothing to make"
    if price.expected is None or price.worst is None:
        models = ", ".join(f"{count:,} of {model}" for model, count in price.unknown.items())
        return f"unknown: no price for {models}; give one under provider.prices"
    cap = ", where max_cost ends it" if price.capped else ""
    return f"{usd(float(price.expected))} low and expected, {usd(float(price.worst))} at worst{cap} (prices of {date})"


def _time(plan: Plan) -> str:
    from batchgen.cli.wording import duration

    limit = plan.manifest.settings.rate_limit
    if not limit.windows:
        return "the limit is not known; it will be learned" if limit.unknown else "no limit is set"
    if plan.seconds_at_limit == 0:
        return f"no wait for the limit of {limit}"
    return f"at least {duration(plan.seconds_at_limit)} at the limit of {limit}"
