"""The limits: none admits more than its rule, whatever arrives when."""

import copy
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.sandbox.limits import (
    Account,
    Bucket,
    Concurrency,
    Fixed,
    Limit,
    Sliding,
    halved,
    parse_limit,
)
from batchgen.sandbox.settings import Settings

TWO_A_SECOND = Sliding(requests=2, window_s=1.0)

# Arrivals, as the times between them: many at once, and pauses longer than any window here.
GAPS = st.lists(st.sampled_from([0.0, 0.0, 1e-6, 0.01]) | st.floats(0, 2), max_size=80)
WINDOWS = st.sampled_from([0.1, 0.3, 1.0, 1.7])


def arrivals(gaps: list[float]) -> list[float]:
    now, moments = 5000.0, list[float]()
    for gap in gaps:
        now += gap
        moments.append(now)
    return moments


def admitted(account: Account, moments: list[float]) -> list[float]:
    return [now for now in moments if account.refusal_s(now) is None]


def most_in_any(window_s: float, moments: list[float]) -> int:
    return max((sum(0 <= at - start < window_s for at in moments) for start in moments), default=0)


def test_the_default_is_the_documented_limit() -> None:
    assert Settings().limits == (Sliding(requests=150, window_s=10.0),)
    assert Settings().penalty_s == 60.0


def test_one_more_than_the_window_starts_the_penalty() -> None:
    account = Account([TWO_A_SECOND], penalty_s=5)
    assert [account.refusal_s(now) for now in (0.0, 0.5, 0.9)] == [None, None, 5]
    assert account.refusal_s(3.9) == pytest.approx(2)
    assert account.refusal_s(5.9) is None


def test_the_window_slides() -> None:
    account = Account([TWO_A_SECOND], penalty_s=5)
    assert [account.refusal_s(now) for now in (0.0, 0.5, 1.0, 1.5, 2.0)] == [None] * 5


def test_a_penalty_shorter_than_the_window_does_not_shorten_it() -> None:
    account = Account([TWO_A_SECOND], penalty_s=0.1)
    assert [account.refusal_s(now) for now in (0.0, 0.5)] == [None, None]
    assert account.refusal_s(0.6) == pytest.approx(0.4)


@given(
    gaps=GAPS,
    requests=st.integers(1, 5),
    window_s=WINDOWS,
    penalty_s=st.sampled_from([0.0, 0.5, 4.0]),
    rejections=st.booleans(),
)
def test_any_window_admits_at_most_its_limit(
    gaps: list[float], requests: int, window_s: float, penalty_s: float, *, rejections: bool
) -> None:
    account = Account([Sliding(requests=requests, window_s=window_s, rejections=rejections)], penalty_s)
    assert most_in_any(window_s, admitted(account, arrivals(gaps))) <= requests


@given(GAPS, st.integers(1, 5), WINDOWS)
def test_without_a_penalty_a_window_admits_whatever_fits(gaps: list[float], requests: int, window_s: float) -> None:
    account, counted = Account([Sliding(requests=requests, window_s=window_s)]), list[float]()
    for now in arrivals(gaps):
        fits = sum(now - at < window_s for at in counted) < requests
        assert (account.refusal_s(now) is None) == fits
        counted += [now] if fits else []


@given(GAPS, st.integers(1, 5), WINDOWS)
def test_refused_requests_can_fill_a_window_too(gaps: list[float], requests: int, window_s: float) -> None:
    account, seen = Account([Sliding(requests=requests, window_s=window_s, rejections=True)], 60), list[float]()
    for now in arrivals(gaps):
        assert (account.refusal_s(now) is None) == (sum(now - at < window_s for at in seen) < requests)
        seen.append(now)


def test_who_keeps_asking_a_window_of_rejections_is_never_let_in() -> None:
    account = Account([Sliding(requests=2, window_s=1, rejections=True)])
    assert len(admitted(account, [0.4 * step for step in range(50)])) == 2
    assert account.refusal_s(0.4 * 49 + 1) is None


@given(GAPS, st.integers(1, 5), WINDOWS)
def test_a_fixed_window_begins_anew_at_every_multiple(gaps: list[float], requests: int, window_s: float) -> None:
    account, pages = Account([Fixed(requests=requests, window_s=window_s)]), dict[int, int]()
    for now in arrivals(gaps):
        page = math.floor(now / window_s)
        wait_s = account.refusal_s(now)
        assert (wait_s is None) == (pages.get(page, 0) < requests)
        assert wait_s is None or 0 < wait_s < window_s + 1e-6
        pages[page] = pages.get(page, 0) + (wait_s is None)


@given(GAPS, st.sampled_from([0.5, 3.0, 15.0]), st.integers(1, 15))
def test_a_bucket_admits_its_burst_and_its_rate(gaps: list[float], rate_per_s: float, burst: int) -> None:
    moments = admitted(Account([Bucket(rate_per_s=rate_per_s, burst=burst)]), arrivals(gaps))
    for first, start in enumerate(moments):
        for last, end in enumerate(moments[first:], first):
            assert last - first + 1 <= burst + rate_per_s * (end - start + 1e-6)


@given(GAPS, st.sampled_from([0.5, 3.0, 15.0]), st.integers(1, 15))
def test_a_bucket_counts_tokens(gaps: list[float], rate_per_s: float, burst: int) -> None:
    account, tokens, before = Account([Bucket(rate_per_s=rate_per_s, burst=burst)]), float(burst), 5000.0
    for now in arrivals(gaps):
        tokens, before = min(burst, tokens + (now - before) * rate_per_s), now
        if abs(tokens - 1) < 1e-6:
            break  # either answer is right
        assert (account.refusal_s(now) is None) == (tokens > 1)
        tokens -= tokens > 1


def test_a_leaky_bucket_keeps_requests_apart() -> None:
    moments = admitted(Account([parse_limit("leaky:10/s")]), [step / 100 for step in range(101)])
    assert moments == [pytest.approx(step / 10) for step in range(11)]


@given(st.lists(st.booleans(), max_size=80), st.integers(1, 5))
def test_no_more_than_so_many_are_being_answered(comes: list[bool], requests: int) -> None:
    account = Account([Concurrency(requests=requests)])
    for step, coming in enumerate(comes):
        if coming:
            free = account.in_flight < requests
            assert (account.refusal_s(step) is None) == free
        elif account.in_flight:
            account.leave()
        assert account.in_flight <= requests


RULES: list[Limit] = [
    TWO_A_SECOND,
    Sliding(requests=3, window_s=1.5, rejections=True),
    Fixed(requests=3, window_s=0.7),
    Bucket(rate_per_s=2.0, burst=3),
    Concurrency(requests=4),
]


@given(GAPS, st.lists(st.sampled_from(RULES), max_size=3), st.data())
def test_what_several_admit_each_alone_would(gaps: list[float], rules: list[Limit], data: st.DataObject) -> None:
    together, alone = Account(rules), [Account([rule]) for rule in rules]
    for now in arrivals(gaps):
        if together.refusal_s(now) is None:
            assert [each.refusal_s(now) for each in alone] == [None] * len(rules)
        elif any(isinstance(rule, Sliding) and rule.rejections for rule in rules):
            return  # it has counted what the others refused
        if together.in_flight and data.draw(st.booleans()):
            for account in (together, *alone):
                account.leave()


def test_what_one_limit_refuses_fills_no_other() -> None:
    account = Account([Concurrency(requests=1), TWO_A_SECOND], penalty_s=60)
    assert account.refusal_s(0) is None
    assert [account.refusal_s(0.1) for _ in range(5)] == [1.0] * 5
    account.leave()
    assert account.refusal_s(0.2) is None


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.4, 1.2]), st.booleans()), max_size=60))
def test_a_limit_that_is_halved_goes_on_counting(steps: list[tuple[float, bool]]) -> None:
    full = Sliding(requests=4, window_s=1)
    account, now, counted = Account([full]), 0.0, list[float]()
    for gap, half in steps:
        now += gap
        rule = Sliding(requests=2, window_s=1) if half else full
        account.follow([halved(full) if half else full], 0)
        fits = sum(now - at < 1 for at in counted) < rule.requests
        assert (account.refusal_s(now) is None) == fits
        counted += [now] if fits else []


@pytest.mark.parametrize("rule", RULES)
def test_half_of_a_limit_lets_half_through(rule: Limit) -> None:
    moments = [step / 50 for step in range(50 * 40)]
    whole, half = (len(admitted(Account([each]), moments)) for each in (rule, halved(rule)))
    # Three requests make one, and a window that nobody ever leaves alone admits once.
    assert whole / 3 - 1 <= half <= whole / 2 + 1


@pytest.mark.parametrize("rule", RULES)
@given(GAPS)
def test_a_quota_is_true(rule: Limit, gaps: list[float]) -> None:
    """As many as remain are admitted at once, and not one more."""
    account = Account([rule])
    for now in arrivals(gaps):
        account.refusal_s(now)
        [quota] = account.quotas(now)
        assert 0 <= quota.remaining <= quota.limit
        assert quota.reset_s >= 0
        assert (quota.remaining == 0) == (copy.deepcopy(account).refusal_s(now) is not None)
    if gaps:
        assert [account.refusal_s(now) for _ in range(quota.remaining)] == [None] * quota.remaining
        assert account.refusal_s(now) is not None
