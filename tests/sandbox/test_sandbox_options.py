"""The command line: each option reaches the setting that it is for."""

from typing import Any

import pytest

from batchgen.sandbox.command import command
from batchgen.sandbox.faults import Fault, Flap, Span
from batchgen.sandbox.headers import RateHeaders
from batchgen.sandbox.limits import Bucket, Concurrency, Sliding
from batchgen.sandbox.options import settings_of
from batchgen.sandbox.settings import Settings, Size


def told(*words: str) -> Settings:
    """The settings that a command line makes."""
    with command.make_context("sandbox", list(words)) as context:
        return settings_of(context.params)


def test_without_options_the_settings_are_the_documented_ones() -> None:
    assert told() == Settings()


OPTIONS: list[tuple[list[str], dict[str, Any]]] = [
    (["--key", "canary"], {"key": "canary"}),
    (["--size", "small"], {"size": Size.SMALL}),
    (["--latency", "2", "--jitter", "0.5"], {"latency_s": 2.0, "jitter_s": 0.5}),
    (["--limit", "none"], {"limits": ()}),
    (
        ["--limit", "5/2s", "--limit", "bucket:15/s:30", "--limit", "concurrency:8"],
        {
            "limits": (
                Sliding(requests=5, window_s=2),
                Bucket(rate_per_s=15, burst=30),
                Concurrency(requests=8),
            )
        },
    ),
    (["--penalty", "0"], {"penalty_s": 0.0}),
    (["--halve-after", "5", "--restore-after", "9"], {"halve_after_s": 5.0, "restore_after_s": 9.0}),
    (["--arrival-jitter", "0.25"], {"arrival_jitter_s": 0.25}),
    (["--retry-after"], {"retry_after": "seconds"}),
    (["--retry-after", "--size", "small"], {"retry_after": "seconds", "size": Size.SMALL}),
    (["--retry-after", "date"], {"retry_after": "date"}),
    (["--retry-after", "-1"], {"retry_after": "-1"}),
    (["--retry-after=-1", "--json"], {"retry_after": "-1"}),
    (["--retry-after", "1e9"], {"retry_after": "1e9"}),
    (["--rate-headers", "ietf"], {"rate_headers": RateHeaders.IETF}),
    (["--credits", "20"], {"credits": 20.0}),
    (["--refuse", "war", "--refuse", "gun", "--filter", "nude"], {"refuse": ("war", "gun"), "filter": ("nude",)}),
    (["--fail", "500=0.1", "--fail", "reset-body=0.2"], {"fail": {Fault.INTERNAL: 0.1, Fault.RESET_BODY: 0.2}}),
    (["--redirect-to", "http://127.0.0.1:9/x"], {"redirect_to": "http://127.0.0.1:9/x"}),
    (
        ["--outage", "1..2", "--outage", "5..6.5"],
        {"outages": (Span(from_s=1, to_s=2), Span(from_s=5, to_s=6.5))},
    ),
    (["--flap", "10/5"], {"flap": Flap(up_s=10, down_s=5)}),
    (["--seed", "5"], {"seed": 5}),
    (["--seed", "-5"], {"seed": -5}),
]


@pytest.mark.parametrize(("words", "settings"), OPTIONS, ids=[words[0] for words, _settings in OPTIONS])
def test_an_option_reaches_its_setting(words: list[str], settings: dict[str, Any]) -> None:
    assert told(*words) == Settings(**settings)


def test_help_tells_every_kind_of_fault() -> None:
    lines = [line.split() for line in command.get_help(command.make_context("sandbox", [])).splitlines()]
    for fault in Fault:
        assert any(
            line[:1] == [fault] and line[1:][: len(fault.meaning.split())] == fault.meaning.split() for line in lines
        )
