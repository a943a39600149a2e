"""What a rehearsal assumes: what is documented, or what is told; what can't be understood is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchgen.errors import UsageError
from batchgen.job import load_job
from batchgen.model import Fault, RateLimit, Window
from batchgen.rehearsal.assumptions import FAULTS, assumptions

if TYPE_CHECKING:
    from pathlib import Path

    from batchgen.manifest.settings import ProviderSettings
    from batchgen.rehearsal.servers import ServerLimit

DOCUMENTED = RateLimit(windows=(Window(sends=150, seconds=10),))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where jobs are written."""
    return tmp_path_factory.mktemp("jobs")


@pytest.fixture(scope="module")
def plain(folder: Path) -> ProviderSettings:
    """The settings of a job that says nothing of its provider."""
    return job(folder, "none given")


def job(folder: Path, limit: str) -> ProviderSettings:
    """The settings of a job with this rate limit."""
    provider = "" if limit == "none given" else f"provider: {{kind: gateway, rate_limit: {limit}}}\n"
    (folder / "job.yaml").write_text(f"{provider}prompts: [a fox]\n")
    return load_job(folder / "job.yaml", run_id="1").settings


def admitted(limit: ServerLimit, times: list[float]) -> list[float]:
    """Which of these a server lets in."""
    return [at for at in times if limit.arrive(at) is None]


@pytest.mark.parametrize(
    ("given_limit", "assumed"),
    [
        ("none given", DOCUMENTED),
        ("75/10s", RateLimit(windows=(Window(sends=75, seconds=10),))),
        ("[2/s, 75/10s]", RateLimit(windows=(Window(sends=2, seconds=1), Window(sends=75, seconds=10)))),
        ("unknown", DOCUMENTED),
        ("none", RateLimit()),
    ],
)
def test_the_jobs_own_limit_is_assumed_or_else_the_documented_one(
    folder: Path, given_limit: str, assumed: RateLimit
) -> None:
    found = assumptions(job(folder, given_limit), [])
    assert (found.limit, found.penalty, found.latency, found.faults) == (assumed, 60, (4, 8), {})


@pytest.mark.parametrize(
    ("told", "assumed"),
    [
        (["limit=75/10s"], {"limit": RateLimit(windows=(Window(sends=75, seconds=10),))}),
        (
            ["limit=15/s + 100/1m"],
            {"limit": RateLimit(windows=(Window(sends=15, seconds=1), Window(sends=100, seconds=60)))},
        ),
        (["limit=none"], {"limit": RateLimit()}),
        (["penalty=5m"], {"penalty": 300}),
        (["latency=2s"], {"latency": (2, 2)}),
        (["latency=500ms..1.5m"], {"latency": (0.5, 90)}),
        (["OVERLOADED=2%"], {"faults": {Fault.OVERLOADED: 0.02}}),
        (["TIMEOUT=0.25", " FILTERED = 1.5% "], {"faults": {Fault.TIMEOUT: 0.25, Fault.FILTERED: 0.015}}),
        (["REFUSED=1"], {"faults": {Fault.REFUSED: 1}}),
        (["CUT_OFF=90%", "CUT_OFF=20%"], {"faults": {Fault.CUT_OFF: 0.2}}),
        (["limit=1/s", "penalty=1s", "latency=1s"], {"penalty": 1, "latency": (1, 1)}),
        ([], {}),
    ],
)
def test_what_is_told_is_assumed_and_the_rest_is_documented(
    plain: ProviderSettings, told: list[str], assumed: dict[str, object]
) -> None:
    found = assumptions(plain, told)
    documented = {"limit": DOCUMENTED, "penalty": 60, "latency": (4, 8), "faults": {}}
    if "limit=1/s" in told:
        documented["limit"] = RateLimit(windows=(Window(sends=1, seconds=1),))
    assert {name: getattr(found, name) for name in documented} == documented | assumed


@pytest.mark.parametrize("fault", FAULTS)
def test_every_passing_fault_of_the_provider_can_be_assumed(plain: ProviderSettings, fault: str) -> None:
    assert assumptions(plain, [f"{fault}=3%"]).model.faults == {Fault(fault): 0.03}


def test_faults_that_are_not_the_providers_or_stop_a_run_can_not() -> None:
    stops = {Fault.UNAUTHORISED, Fault.OUT_OF_CREDIT, Fault.MISDIRECTED, Fault.DISK}
    assert set(Fault) - {Fault(fault) for fault in FAULTS} == stops | {Fault.THROTTLED, Fault.LOST}


@pytest.mark.parametrize("text", ["0%", "0", "0.5%", "0.005", "7%", "0.07", "50%", "0.5", "100%", "1"])
def test_a_share_is_the_same_in_percent(plain: ProviderSettings, text: str) -> None:
    share = float(text.rstrip("%")) / (100 if "%" in text else 1)
    assert assumptions(plain, [f"TIMEOUT={text}"]).faults == {Fault.TIMEOUT: pytest.approx(share)}


WRONG = {
    "limt=75/10s": "--assume limt=75/10s: 'limt' is nothing that is assumed; did you mean 'limit'? accepted: limit, ",
    "THROTTLED=2%": "'THROTTLED' is nothing that is assumed",
    "DISK=2%": "accepted: limit, penalty, latency, OVERLOADED, UNREACHABLE, TIMEOUT,",
    "": "--assume : not KEY=VALUE; write it as limit=75/10s",
    "=3": "'' is nothing that is assumed",
    "UNAUTHORISED=2%": "'UNAUTHORISED' is nothing that is assumed",
    "MISDIRECTED=2%": "'MISDIRECTED' is nothing that is assumed",
    "limit": "not KEY=VALUE; write it as limit=75/10s",
    "limit=": " is not a rate limit; accepted: requests / time, such as 150/10s, none or unknown",
    "latency=8s..4s": "8s..4s runs backwards; accepted: the shortest time first, such as 4s..8s",
    "limit=fast": "--assume limit=fast: fast is not a rate limit",
    "limit=0/10s": "0/10s is not a rate limit",
    "limit=75/10s+": " is not a rate limit",
    "limit=unknown": "the limit that is assumed can't be unknown; accepted: requests / time, such as 75/10s, or none",
    "penalty=soon": "--assume penalty=soon: soon is not a duration; accepted: a number and a unit, such as 180s,",
    "penalty=60": "60 is not a duration",
    "penalty=-1s": "-1s is not a duration",
    "latency=": " is not a duration",
    "latency=4..8s": "--assume latency=4..8s: 4 is not a duration",
    "latency=4s..8": "8 is not a duration",
    "OVERLOADED": "not KEY=VALUE; write it as limit=75/10s",
    "OVERLOADED=": "'' is no share; accepted: 2% or 0.02",
    "OVERLOADED=few": "--assume OVERLOADED=few: 'few' is no share",
    "OVERLOADED=-2%": "'-2%' is no share",
    "OVERLOADED=101%": "'101%' is no share",
    "OVERLOADED=2": "'2' is no share",
    "OVERLOADED=nan": "'nan' is no share",
}


@pytest.mark.parametrize(("told", "said"), WRONG.items())
def test_what_is_not_understood_is_named_with_what_would_be(plain: ProviderSettings, told: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        assumptions(plain, ["penalty=5s", told])
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"--assume {told}: ")
    assert "\n" not in str(caught.value)


def test_shares_of_more_than_all_answers_are_refused(plain: ProviderSettings) -> None:
    told = ["OVERLOADED=50%", "TIMEOUT=50%"]
    assert len(assumptions(plain, told).faults) == 2
    with pytest.raises(UsageError, match=r"--assume CUT_OFF=1%: the shares of faults add up to more than all answers"):
        assumptions(plain, [*told, "CUT_OFF=1%"])


# The server that this makes.


def test_it_keeps_the_limit_and_closes_for_the_penalty(plain: ProviderSettings) -> None:
    server = assumptions(plain, ["limit=3/10s", "penalty=30s"]).model.limit()
    assert admitted(server, [0, 1, 2, 3, 10, 20, 32.9, 33, 34, 35]) == [0, 1, 2, 33, 34, 35]


def test_it_keeps_several_limits(plain: ProviderSettings) -> None:
    server = assumptions(plain, ["limit=1/s+3/10s", "penalty=1s"]).model.limit()
    assert admitted(server, [0, 0.5, 2, 4, 6, 8, 11, 12, 13]) == [0, 2, 4, 11, 12]
    assert server.shortest_s(7, 6.0) == 20


def test_without_a_limit_it_takes_all(plain: ProviderSettings) -> None:
    server = assumptions(plain, ["limit=none"]).model.limit()
    assert len(admitted(server, [0.0] * 1000)) == 1000
    assert server.shortest_s(1000, 6.0) == 0


def test_each_rehearsal_meets_a_server_of_its_own(plain: ProviderSettings) -> None:
    model = assumptions(plain, ["limit=1/s"]).model
    assert [admitted(model.limit(), [0.0, 0.1]) for _ in range(2)] == [[0], [0]]


def test_it_is_told_in_words(plain: ProviderSettings) -> None:
    assert assumptions(plain, []).words() == "a limit of 150/10s, a 60 s penalty, 4 to 8 s an answer"
    told = ["limit=2/s+75/10s", "penalty=1.5s", "latency=500ms..2s", "OVERLOADED=2%", "TIMEOUT=0.5%"]
    assert assumptions(plain, told).words() == (
        "a limit of 2/1s and 75/10s, a 1.5 s penalty, 0.5 to 2 s an answer, "
        "0.02 of answers OVERLOADED, 0.005 of answers TIMEOUT"
    )
    assert assumptions(plain, ["limit=none"]).words() == "no limit, 4 to 8 s an answer"
