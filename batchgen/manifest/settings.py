"""How a job talks to its provider: whose url and key, which limit, and a table of models that a job can add to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from batchgen.errors import nearest
from batchgen.model import RateLimit
from batchgen.providers import PROVIDERS
from batchgen.providers.capabilities import Choice

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from batchgen.manifest.reading.problems import Problems
    from batchgen.manifest.reading.schema import PriceShape, ProviderShape
    from batchgen.providers.capabilities import Capabilities
    from batchgen.providers.conversation import Provider

LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings:
    """How this job talks to its provider."""

    provider: Provider
    url: str | None
    """None: a server of this kind is started for the run."""
    api_key_env: str | None
    rate_limit: RateLimit
    added_models: Mapping[str, str]
    """Models that the job adds to the provider's table, each with the one that it is like."""
    concurrency: int | None
    """Requests in flight; None: as many as the limit and the latency ask for."""
    margin_s: float | None
    """By how much less time apart requests may arrive than they left; None: the default of each window."""
    timeout_s: float


def provider_settings(shape: ProviderShape, chosen: str | None, problems: Problems) -> ProviderSettings:
    """The settings of a job's `provider:`, with the kind `chosen` in place of its own if given."""
    kind = chosen or shape.kind
    if kind not in PROVIDERS:
        accepted = f"{nearest(kind, PROVIDERS)} accepted: {', '.join(PROVIDERS)}".strip()
        problems.add(problems.innermost(("provider",), "kind"), f"unknown provider {kind!r}", accepted)
    provider = PROVIDERS.get(kind, PROVIDERS["gateway"])
    own = chosen in {None, shape.kind}  # another kind has another address and another key
    if own and shape.url is not None:
        _check_url(shape.url, problems)
    return ProviderSettings(
        provider=replace(provider, capabilities=_extended(provider.capabilities, shape, problems)),
        url=(shape.url if own else None) or provider.url,
        api_key_env=(shape.api_key_env if own else None) or provider.api_key_env,
        rate_limit=shape.rate_limit or RateLimit(windows=provider.windows),
        added_models={name: added.like for name, added in shape.models.items()},
        concurrency=shape.concurrency,
        margin_s=shape.margin,
        timeout_s=shape.timeout,
    )


def _check_url(url: str, problems: Problems) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    if not host or parts.scheme not in {"http", "https"} or parts.username or parts.password:
        shown = repr(url) if "@" not in url else "a url with a password"
        problems.add(("provider", "url"), f"{shown} is not the address of an API", "accepted: https://host/path")
    elif parts.scheme == "http" and host not in LOOPBACK:
        problems.add(("provider", "url"), "http would send the key in the clear", "use https; http is for this machine")


def _extended(known: Capabilities, shape: ProviderShape, problems: Problems) -> Capabilities:
    """The provider's capabilities with the models and prices that the job adds."""
    models = dict(known.models)
    for name, added in shape.models.items():
        if added.like in known.models:
            models[name] = replace(known.models[added.like], name=name, credits=None)
        else:
            accepted = f"{nearest(added.like, known.models)} accepted: {', '.join(known.models)}".strip()
            problems.add(("provider", "models", name, "like"), f"unknown model {added.like!r}", accepted)
    prices = (shape.prices.model_extra or {}) if shape.prices else {}
    for name, price in prices.items():
        if name in models:
            models[name] = replace(models[name], credits=_credits(price, known.usd_per_credit))
        else:
            accepted = f"{nearest(name, models)} add it under models, or accepted: {', '.join(models)}".strip()
            problems.add(("provider", "prices", name), f"a price for the unknown model {name!r}", accepted, key=True)
    choice = known.parameters["model"]
    if isinstance(choice, Choice):
        choice = replace(choice, options=tuple(models))
    return replace(
        known,
        models=models,
        parameters={**known.parameters, "model": choice},
        prices_date=shape.prices.date if shape.prices else known.prices_date,
    )


def _credits(price: PriceShape, usd_per_credit: Decimal) -> Decimal | None:
    return price.credits if price.usd is None else price.usd / usd_per_credit
