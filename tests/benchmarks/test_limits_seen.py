"""What the benchmark of limits reads from a server's own log."""

from __future__ import annotations

import json

import pytest

from benchmarks.seen import Seen, of_haproxy, of_nginx, of_sandbox


def test_the_sandboxs_log_is_counted_by_status_and_timed_from_arrival_to_last_picture() -> None:
    entries = [
        {"status": 200, "monotonic": 100.0, "seconds": 0.5},
        {"status": 429, "monotonic": 101.0, "seconds": 9.0},
        {"status": 500, "monotonic": 102.0, "seconds": 0.25},
        {"status": None, "monotonic": 102.5, "seconds": 0.25},
        {"status": 200, "monotonic": 103.0, "seconds": 0.75},
    ]
    seen = of_sandbox("".join(json.dumps(each) + "\n" for each in entries))
    assert seen == Seen(sent=5, rejected=1, served=2, seconds=3.75)
    assert seen.rejected_per_1000 == 200


def test_nginx_writes_the_end_of_a_request_so_its_beginning_is_reckoned_back() -> None:
    seen = of_nginx("429 1700000000.900 0.000\n200 1700000002.500 2.000\n200 1700000001.250 0.250\n")
    assert (seen.sent, seen.rejected, seen.served) == (3, 1, 2)
    assert seen.seconds == pytest.approx(2.0)


def test_haproxy_writes_milliseconds() -> None:
    seen = of_haproxy(
        "seen 200 1700000000500 500\nseen 429 1700000001000 0\nProxy key stopped.\nseen 200 1700000002001 1\n"
    )
    assert (seen.sent, seen.rejected, seen.served) == (3, 1, 2)
    assert seen.seconds == pytest.approx(2.001)


def test_a_server_that_served_nothing_took_no_time() -> None:
    assert of_nginx("429 1700000000.900 0.000\n") == Seen(sent=1, rejected=1, served=0, seconds=0.0)
    assert of_nginx("") == Seen(sent=0, rejected=0, served=0, seconds=0.0)
    assert of_nginx("").rejected_per_1000 == 0
