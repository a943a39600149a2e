"""`batchgen models`: what the providers take and what it costs."""

from __future__ import annotations

import json

import click

from batchgen.cli import options


@click.command(short_help="List the models, their prices and what they take.")
@options.provider
@options.as_json
def models(provider: str | None, *, as_json: bool) -> None:
    """\b
    Example: batchgen models

    List the models with their prices and what they do not take.
    """
    from batchgen.providers import PROVIDERS

    capabilities = PROVIDERS[provider or "gateway"].capabilities
    refused = {
        model.name: [name for name in capabilities.parameters if name in model.without]
        for model in capabilities.models.values()
    }
    rows = [
        {
            "model": model.name,
            "credits": None if model.credits is None else float(model.credits),
            "usd": None if model.credits is None else float(model.credits * capabilities.usd_per_credit),
            "prices": capabilities.prices_date,
            "takes": [name for name in capabilities.parameters if name not in model.without],
            "does_not_take": refused[model.name],
        }
        for model in capabilities.models.values()
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    width = max(len(str(row["model"])) for row in rows)
    click.echo(f"{'model':{width}}  US$ a picture  does not take")
    for row in rows:
        price = "unknown" if row["usd"] is None else f"{row['usd']:.3f}"
        click.echo(f"{row['model']:{width}}  {price:>13}  {', '.join(refused[str(row['model'])])}")
    click.echo(f"Prices of {capabilities.prices_date}; a gateway may ask for others.")
