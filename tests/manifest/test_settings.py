"""How a job talks to its provider: its address and key, and the models and prices that it adds to the table."""

from __future__ import annotations

from decimal import Decimal

import pytest
from job_texts import column, errors, ids, job, only_error

from batchgen.errors import ManifestError
from batchgen.manifest.survey import survey
from batchgen.providers import PROVIDERS

JOB = "prompts: [a]\nprovider: {}\n{}"


def test_a_model_that_is_like_another_takes_what_that_takes_at_no_known_price() -> None:
    settings = job(JOB.format("{models: {sd-new: {like: sd-core}}}", "")).settings
    table = settings.provider.capabilities
    assert list(table.models) == ["sd3-large", "sd3-large-turbo", "sd-core", "sd-new"]
    assert table.models["sd-new"].without == table.models["sd-core"].without
    assert table.price_usd("sd-new") is None
    assert settings.added_models == {"sd-new": "sd-core"}
    assert "sd-new" not in PROVIDERS["gateway"].capabilities.models


def test_it_can_be_asked_for_everywhere() -> None:
    provider = "{models: {sd-new: {like: sd-core}}}"
    for more in ("defaults: {model: sd-new}", "sweep: {models: sd-new}", "presets: {p: {model: sd-new}}"):
        text = JOB.format(provider, more)
        text = text.replace("[a]", "[{prompt: a, preset: p}]") if "presets" in more else text
        assert column(job(text), "model") == ["sd-new"]
    swept = job(JOB.format(provider, "sweep: {model: [sd-core, sd-new], style_preset: [anime, enhance]}"))
    assert survey(swept).models == {"sd-core": 2, "sd-new": 2}


def test_it_is_refused_what_the_other_is_refused() -> None:
    said = errors(JOB.format("{models: {sd-new: {like: sd-core}}}", "defaults: {model: sd-new, strength: 1}"))
    assert [line.partition(": ")[2].partition(";")[0] for line in said] == [
        "defaults.strength: sd-new does not take strength",
        "defaults.strength: text-to-image takes no strength",
    ]


@pytest.mark.parametrize(
    ("prices", "usd"),
    [
        ("{date: 2026-01, sd-core: {credits: 3.5}}", {"sd-core": "0.035", "sd3-large": "0.065"}),
        ("{date: 2026-01, sd-core: {usd: 0.5}}", {"sd-core": "0.5", "sd3-large": "0.065"}),
        ("{date: 2026-01-31, sd3-large: {credits: 1}, sd-core: {usd: 2}}", {"sd3-large": "0.01", "sd-core": "2"}),
        ("{date: 2026-01}", {"sd-core": "0.03"}),
    ],
)
def test_prices_stand_over_the_table_s_in_credits_or_dollars(prices: str, usd: dict[str, str]) -> None:
    table = job(JOB.format(f"{{prices: {prices}}}", "")).settings.provider.capabilities
    assert {name: table.price_usd(name) for name in usd} == {name: Decimal(price) for name, price in usd.items()}
    assert table.prices_date.startswith("2026-01")


def test_an_added_model_can_have_a_price() -> None:
    provider = "{models: {sd-new: {like: sd-core}}, prices: {date: 2025-08, sd-new: {credits: 3.5}}}"
    assert job(JOB.format(provider, "")).settings.provider.capabilities.price_usd("sd-new") == Decimal("0.035")


def test_prices_models_and_ways_of_talking_change_no_id() -> None:
    provider = "{models: {x: {like: sd-core}}, prices: {date: 2025-08, sd3-large: {usd: 1}}, concurrency: 2}"
    assert ids(job(JOB.format(provider, ""))) == ids(job("prompts: [a]"))


@pytest.mark.parametrize(
    ("provider", "said"),
    [
        ("{models: {x: {like: sd-cor}}}", "2:31: provider.models.x.like: unknown model 'sd-cor'; did you mean 'sd-cor"),
        ("{models: {x: {}}}", "2:24: provider.models.x.like: missing; add it"),
        ("{models: {x: sd-core}}", "2:24: provider.models.x: not a mapping"),
        ("{models: [x]}", "2:20: provider.models: not a mapping"),
        ("{models: {x: {like: sd-core}, y: {like: x}}}", "2:51: provider.models.y.like: unknown model 'x'; accepted:"),
        ("{prices: {sd-core: {usd: 1}}}", "2:20: provider.prices.date: missing; add it"),
        ("{prices: {date: today}}", "2:27: provider.prices.date: not a month; accepted: such as 2025-08"),
        ("{prices: {date: 2025-08, sd-coer: {usd: 1}}}", "2:36: provider.prices.sd-coer: a price for the unknown"),
        ("{prices: {date: 2025-08, sd-core: {}}}", "2:45: provider.prices.sd-core: a price is given in one unit;"),
        ("{prices: {date: 2025-08, sd-core: {usd: 1, credits: 1}}}", "2:45: provider.prices.sd-core: a price is given"),
        ("{prices: {date: 2025-08, sd-core: {usd: 0}}}", "2:51: provider.prices.sd-core.usd: 0 is not an amount;"),
        ("{prices: {date: 2025-08, sd-core: {usd: '1'}}}", "2:51: provider.prices.sd-core.usd: '1' is not an amount;"),
        ("{prices: {date: 2025-08, sd-core: 3}}", "2:45: provider.prices.sd-core: not a mapping"),
        ("{prices: {date: 2025-08, sd-core: {eur: 3}}}", "2:46: provider.prices.sd-core.eur: unknown key 'eur';"),
        ("{api_key_env: sk-1234}", "2:25: provider.api_key_env: not a variable's name; accepted: such as GATEWAY_API"),
    ],
)  # fmt: skip
def test_each_wrong_provider(provider: str, said: str) -> None:
    assert only_error(JOB.format(provider, "")).startswith(said)


@pytest.mark.parametrize(
    "place", ["provider: {api_key_env: sk-1234}", "provider: {url: 'https://me:sk-1234@a.example'}"]
)
def test_a_key_that_stands_in_a_job_is_not_repeated(place: str) -> None:
    assert "sk-1234" not in only_error(f"prompts: [a]\n{place}")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("max_cost: 1e3", ""),
        ("max_cost: -1e3", "2:20: limits.max_cost: -1000 is not an amount; accepted: a number above 0"),
        ("max_cost: [1, a b]", "2:20: limits.max_cost: [1, 'a b'] is not an amount;"),
    ],
)
def test_an_amount_is_shown_as_a_job_writes_it(spec: str, said: str) -> None:
    text = f"prompts: [a]\nlimits: {{{spec}}}\n"
    assert only_error(text).startswith(said) if said else job(text)


@pytest.mark.parametrize(
    "schedule",
    [
        "cron: '0 0 1 1 0'",
        "cron: '*/15 0-23/2 1,15,31 jan-DEC Mon-Fri'",
        "cron: ' 59  23 31 12 7 '",
        "cron: '0-59/59 * * */12 SUN,SAT'",
        "cron: '* * * * *', timezone: Europe/Berlin",
        "cron: '* * * * *', timezone: UTC",
    ],
)
def test_a_schedule_is_five_fields_of_cron_in_a_time_zone(schedule: str) -> None:
    assert len(job(f"prompts: [a]\nschedule: {{{schedule}}}\n")) == 1


@pytest.mark.parametrize(
    ("cron", "said"),
    [
        (
            "nonsense",
            "'nonsense' is not a cron line; accepted: minute hour day month weekday, such as 30 2 * * MON-FRI",
        ),
        ("@daily", "'@daily' is not a cron line"),
        ("0 0 0 * * *", "'0 0 0 * * *' is not a cron line"),
        (
            "60 * * * *",
            "'60' is no minute of a cron line; accepted: 0 to 59, *, a list (a,b), an upward range (a-b)",
        ),
        ("* 24 * * *", "'24' is no hour of a cron line; accepted: 0 to 23, *"),
        ("* * 0 * *", "'0' is no day of a cron line; accepted: 1 to 31, *"),
        ("* * * 13 *", "'13' is no month of a cron line; accepted: 1 to 12 or JAN to DEC, *"),
        ("* * * MON *", "'MON' is no month of a cron line"),
        ("* * * * 8", "'8' is no weekday of a cron line; accepted: 0 to 7 or SUN to SAT, *"),
        ("* * * * FRI-MON", "'FRI-MON' is no weekday"),
        ("5/10 * * * *", "'5/10' is no minute"),
        ("*/0 * * * *", "'*/0' is no minute"),
        ("1,,2 * * * *", "'' is no minute"),
        ("1-2-3 * * * *", "'1-2-3' is no minute"),
        ("\u0663 * * * *", "'\u0663' is no minute"),
        ("? * * * *", "'?' is no minute"),
    ],
)
def test_each_wrong_cron_line(cron: str, said: str) -> None:
    assert only_error(f"prompts: [a]\nschedule: {{cron: '{cron}'}}\n").startswith(f"2:18: schedule.cron: {said}")


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        ("Mars/Base", "'Mars/Base' is not a time zone; accepted: a name of the tz database, such as Europe/Berlin"),
        ("Europe/Berln", "'Europe/Berln' is not a time zone; did you mean 'Europe/Berlin'? accepted: a name"),
        ("Europe", "'Europe' is not a time zone"),
        ("../../etc/passwd", "'../../etc/passwd' is not a time zone"),
        ("''", "'' is not a time zone"),
    ],
)
def test_each_wrong_time_zone(zone: str, said: str) -> None:
    text = f"prompts: [a]\nschedule: {{cron: '* * * * *', timezone: {zone}}}\n"
    assert only_error(text).startswith(f"2:41: schedule.timezone: {said}")


OWN = "{kind: gateway, url: 'https://a.example/v1', api_key_env: K}"


@pytest.mark.parametrize(
    ("chosen", "url", "key"),
    [
        (None, "https://a.example/v1", "K"),
        ("gateway", "https://a.example/v1", "K"),
        ("sandbox", None, None),
    ],
)
def test_an_address_and_a_key_hold_for_the_job_s_own_kind_only(
    chosen: str | None, url: str | None, key: str | None
) -> None:
    settings = job(JOB.format(OWN, ""), provider=chosen).settings
    assert (settings.url, settings.api_key_env) == (url, key)


def test_the_address_of_another_kind_is_not_looked_at() -> None:
    assert job(JOB.format("{kind: gateway, url: nowhere}", ""), provider="sandbox").settings.url is None


def test_an_unknown_kind_is_told_whoever_chose_it() -> None:
    with pytest.raises(ManifestError, match=r"2:11: provider: unknown provider 'gatway'; did you mean 'gateway'\?"):
        job(JOB.format("sandbox", ""), provider="gatway")
