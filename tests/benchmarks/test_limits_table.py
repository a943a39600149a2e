"""The verdicts of the benchmark of limits, and that nothing is left out of its table in silence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks import limits, servers
from benchmarks.clients import Batchgen, Peer
from benchmarks.limits import Bound, Case, Row
from benchmarks.rules import Kind, Rule
from benchmarks.seen import Seen
from benchmarks.servers import Haproxy, Nginx

# 101 at once and 900 at 50 a second: 18 s.
CASE = Case(Nginx(Rule(Kind.LEAKY, 100, 2)), 1001, Batchgen(told=True), Bound(1.10, 5))
SEEN = Seen(sent=1006, rejected=5, served=1001, seconds=19.7)


def test_a_row_within_its_bound_is_met() -> None:
    row = Row(CASE, SEEN, None)
    assert row.met
    assert str(row).endswith("| 1,001 | 19.7 | 1.094 | 5 | 5.0 | 0 | 1.10, 5 in 1,000 | yes |")


@pytest.mark.parametrize(
    "seen",
    [
        replace(SEEN, seconds=19.9),
        replace(SEEN, sent=1007, rejected=6),
        replace(SEEN, served=1000),
    ],
    ids=["too slow", "too many rejected", "one lost"],
)
def test_a_row_beyond_its_bound_is_not(seen: Seen) -> None:
    assert not Row(CASE, seen, None).met


def test_a_client_that_failed_is_not_met_even_without_a_bound() -> None:
    case = replace(CASE, client=Peer("tenacity", "each alone"), bound=None)
    assert Row(case, SEEN, None).met
    assert not Row(case, SEEN, "ended with [1]: no such module").met


def test_a_server_that_is_not_here_is_skipped_by_its_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(servers, "found", lambda _program: None)
    assert limits.show([(CASE, replace(CASE, server=Haproxy(Rule(Kind.STICK, 1000, 10))))])
    said = capsys.readouterr().out
    assert "skipped: nginx is not here (apt install nginx-light)" in said
    assert "skipped: haproxy is not here (apt install haproxy)" in said
