"""What the ledger says of attempts, pictures, failures and runs, and what they come to."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_samples import (
    FAILED,
    MADE,
    STARTED,
    UNHEARD,
    USD,
    a_run,
    begun,
    failure,
    opened_ledger,
    picture,
    start,
)

from batchgen.errors import StorageError
from batchgen.model import Billing, Fault
from batchgen.store.rows import Bill, Changes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batchgen.store.ledger import Ledger

SOME = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NO, MAYBE, YES = Billing.NO, Billing.MAYBE, Billing.YES


@pytest.fixture
def ledger(quick_path: Path) -> Iterator[Ledger]:
    with opened_ledger(quick_path) as ledger:
        yield ledger


def test_a_commit_lasts_when_it_returns(ledger: Ledger) -> None:
    """What SQLite promises of these two; the crash tests cut the power."""
    assert ledger._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert ledger._db.execute("PRAGMA synchronous").fetchone() == (2,)


def test_an_attempt_is_in_doubt_from_its_beginning_to_its_end(ledger: Ledger) -> None:
    (number,) = start(ledger, begun())
    assert ledger.in_doubt() == [begun()]
    assert ledger.bill() == Bill(at_most=USD, attempts=1, in_vain=1, unsettled=1)
    ledger.commit(Changes(settled=[(number, MADE)], pictures=[picture()]))
    assert ledger.in_doubt() == []
    assert ledger.bill() == Bill(spent=USD, at_most=USD, attempts=1)


@pytest.mark.parametrize(
    ("billing", "spent", "at_most"), [(NO, Decimal(0), Decimal(0)), (MAYBE, Decimal(0), USD), (YES, USD, USD)]
)
def test_what_a_failed_attempt_comes_to(ledger: Ledger, billing: Billing, spent: Decimal, at_most: Decimal) -> None:
    (number,) = start(ledger, begun())
    ledger.commit(Changes(settled=[(number, FAILED._replace(billing=billing))]))
    in_vain = int(billing is not NO)
    bill = Bill(spent=spent, at_most=at_most, faults=Counter({Fault.THROTTLED: 1}), attempts=1, in_vain=in_vain)
    assert ledger.bill() == bill
    assert ledger.in_doubt() == []


@pytest.mark.parametrize(("billing", "unpriced"), [(None, True), (NO, False), (MAYBE, True), (YES, True)])
def test_a_price_that_is_not_known_is_said_where_it_may_be_owed(
    ledger: Ledger, billing: Billing | None, *, unpriced: bool
) -> None:
    number, other = start(ledger, begun(usd=None), begun("owl"))
    ledger.commit(Changes(settled=[(other, MADE)]))
    if billing:
        ledger.commit(Changes(settled=[(number, MADE._replace(billing=billing))]))
    bill = ledger.bill()
    assert (bill.unpriced, bill.spent, bill.at_most) == (unpriced, USD, USD)


@SOME
@given(prices=st.lists(st.decimals("0.001", 10, places=3), max_size=20))
def test_prices_are_summed_exactly(prices: list[Decimal], ledger: Ledger) -> None:
    before = ledger.bill().at_most
    start(ledger, *(begun(usd=usd) for usd in prices))
    assert ledger.bill().at_most == before + sum(prices)


@pytest.mark.parametrize("at_once", [True, False])
def test_an_attempt_that_was_withdrawn_never_was(ledger: Ledger, *, at_once: bool) -> None:
    number = ledger.next_attempt()
    started = [(number, begun())]
    if at_once:
        ledger.commit(Changes(started=started, withdrawn=[number]))
    else:
        ledger.commit(Changes(started=started))
        ledger.commit(Changes(withdrawn=[number]))
    assert ledger.bill() == Bill()
    ledger.commit(Changes(withdrawn=[number]))
    assert ledger.next_attempt() == number


def test_numbers_go_on_after_those_that_are_there(ledger: Ledger) -> None:
    assert start(ledger, begun(), begun("owl")) == [1, 2]
    ledger.commit(Changes(withdrawn=[1]))
    assert start(ledger, begun("bear")) == [3]


def test_a_commit_that_fails_brings_nothing(ledger: Ledger) -> None:
    start(ledger, begun())
    with pytest.raises(StorageError, match=r"^/[^\n]*batchgen.sqlite: [^\n]+; [^\n]+$"):
        ledger.commit(Changes(started=[(2, begun("owl")), (1, begun("bear"))], failures=[failure()]))
    assert (ledger.in_doubt(), ledger.failures()) == ([begun()], [])
    start(ledger, begun("owl"))
    assert ledger.bill().attempts == 2


def test_what_a_dead_run_left_unsettled_is_lost_once(ledger: Ledger) -> None:
    number, *_ = start(ledger, begun(), begun("owl"), begun("owl", 2))
    ledger.commit(Changes(settled=[(number, MADE)]))
    assert ledger.lose() == [begun("owl"), begun("owl", 2)]
    assert ledger.lose() == []
    lost = ledger.in_doubt()
    assert [(row.task_id, row.attempt.fault, row.attempt.billing) for row in lost] == [("owl", Fault.LOST, MAYBE)] * 2
    bill = Bill(spent=USD, at_most=3 * USD, faults=Counter({Fault.LOST: 2}), attempts=3, in_vain=2)
    assert ledger.bill() == bill


def test_what_was_not_heard_of_is_not_lost(ledger: Ledger) -> None:
    """It may have been billed, and somebody was told so; nothing more is to be found out."""
    (number,) = start(ledger, begun())
    ledger.commit(Changes(settled=[(number, UNHEARD)]))
    assert ledger.in_doubt() == []
    assert list(ledger.failed_attempts()) == [begun()._replace(attempt=UNHEARD)]


def test_a_picture_that_was_found_settles_its_attempt(ledger: Ledger) -> None:
    start(ledger, begun(), begun("owl"))
    ledger.lose()
    ledger.adopt([(picture(), [begun(usd=None)._replace(attempt=MADE)])])
    assert [row.task_id for row in ledger.in_doubt()] == ["owl"]
    # At the price that it began with: its sidecar may know none.
    assert ledger.bill() == Bill(spent=USD, at_most=2 * USD, faults=Counter({Fault.LOST: 1}), attempts=2, in_vain=1)
    assert list(ledger.pictures()) == [picture()]


def test_what_a_sidecar_tells_changes_nothing_that_is_known(ledger: Ledger) -> None:
    (number,) = start(ledger, begun())
    ledger.commit(Changes(settled=[(number, MADE)]))
    ledger.adopt([(picture(), [begun()._replace(attempt=MADE._replace(billing=Billing.NO))])])
    assert ledger.bill() == Bill(spent=USD, at_most=USD, attempts=1)


def test_attempts_that_only_the_sidecar_knows_come_back(ledger: Ledger) -> None:
    tried = [begun()._replace(attempt=FAILED), begun(number=2)._replace(attempt=MADE._replace(number=2))]
    ledger.adopt([(picture(), tried)])
    bill = Bill(spent=USD, at_most=USD, faults=Counter({Fault.THROTTLED: 1}), attempts=2)
    assert ledger.bill() == bill
    assert [row.attempt.fault for row in ledger.failed_attempts()] == [Fault.THROTTLED]


@pytest.mark.parametrize("path", ["images/it's.png", 'images/"q"/1.png', "images/füchse/ö 🦊.png", "images/a\nb.png"])
def test_a_picture_that_is_gone_is_forgotten_whatever_its_name(ledger: Ledger, path: str) -> None:
    ledger.commit(Changes(pictures=[picture("fox", path), picture("owl")]))
    ledger.forget(pictures=[path, "images/never was.png"])
    assert list(ledger.pictures()) == [picture("owl")]


def test_how_many_there_are_of_each_kind(ledger: Ledger) -> None:
    assert ledger.counts() == (0, 0)
    paths = ["images/1.png", "images/filtered/2.png", "filtered/3.png"]
    ledger.commit(Changes(pictures=[picture(path, path) for path in paths]))
    assert ledger.counts() == (2, 1)


def test_a_task_has_failed_once_until_it_is_made(ledger: Ledger) -> None:
    ledger.commit(Changes(failures=[failure("owl", index=9), failure(fault=Fault.TIMEOUT), failure()]))
    assert ledger.failures() == [failure(), failure("owl", index=9)]
    ledger.commit(Changes(pictures=[picture()]))
    assert ledger.failures() == [failure("owl", index=9)]
    ledger.fail([failure("owl", Fault.REFUSED, index=3)])
    assert ledger.failures() == [failure("owl", Fault.REFUSED, index=3)]
    ledger.forget(failures=["owl", "fox"])
    assert ledger.failures() == []


def test_runs_are_told_with_their_ends(ledger: Ledger) -> None:
    ledger.begin(a_run("1"))
    ledger.begin(a_run("2"))
    ledger.end(ended=STARTED, ending="cap", why="max_cost")
    assert ledger.runs() == [a_run("1"), replace(a_run("2"), ended=STARTED, ending="cap", why="max_cost")]


def test_an_attempt_and_a_failure_belong_to_their_run(ledger: Ledger) -> None:
    ledger.begin(a_run("1"))
    ledger.begin(a_run("2"))
    ledger.commit(Changes(started=[(1, begun())], failures=[failure()]))
    ledger.adopt([(picture("owl"), [begun("owl")._replace(attempt=MADE)])])
    assert ledger._db.execute("SELECT run FROM attempts ORDER BY seq").fetchall() == [(2,), (None,)]
    assert ledger._db.execute("SELECT run FROM failures").fetchall() == [(2,)]


def test_a_value_of_another_type_is_refused(ledger: Ledger) -> None:
    """STRICT tables: what is written can be read."""
    with pytest.raises(sqlite3.IntegrityError):
        ledger._db.execute("INSERT INTO pictures VALUES (NULL, 'fox', 'seven', 'p', 1, 'a', 'b')")


@SOME
@given(words=st.text(st.characters(exclude_categories=()), max_size=20))
def test_any_words_are_kept_as_text(words: str, ledger: Ledger) -> None:
    (number,) = start(ledger, begun())
    ledger.commit(Changes(settled=[(number, FAILED._replace(words=words))]))
    ledger.fail([failure()._replace(words=words)])
    assert ledger.failures() == [failure()._replace(words=words.encode(errors="backslashreplace").decode())]
    *_, row = ledger.failed_attempts()
    assert row.attempt == FAILED._replace(words=words.encode(errors="backslashreplace").decode())
