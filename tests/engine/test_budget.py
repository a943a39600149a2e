"""The caps hold whatever happens at once: what may be spent is set aside before it is sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.engine.budget import Budget, Caps
from batchgen.rehearsal.clock import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import Sequence

CENT = Decimal("0.01")
DIME = Decimal("0.10")


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """An attempt: when it is wanted, how long it takes, its price, and what comes of it."""

    at: int
    takes: int
    price: Decimal
    billed: bool
    made: bool


@dataclass(slots=True)
class Scene:
    """A budget under attempts; what is set aside and spent, and the most that it ever came to."""

    caps: Caps
    reserved: Decimal = Decimal(0)
    in_flight: int = 0
    spent: Decimal = field(init=False)
    images: int = field(init=False)
    most_usd: Decimal = Decimal(0)
    most_images: int = 0
    refused: list[tuple[Try, str]] = field(default_factory=list)
    sent: list[Try] = field(default_factory=list)
    budget: Budget = field(init=False)

    def __post_init__(self) -> None:
        """Begin with what counts already."""
        self.budget = Budget(self.caps)
        self.spent, self.images = self.caps.spent, self.caps.made

    def run(self, tries: Sequence[Try]) -> None:
        """Have all attempts made, each at its time, to the end of the last."""
        in_virtual_time(partial(self._all, tries))

    async def _all(self, tries: Sequence[Try]) -> None:
        async with anyio.create_task_group() as group:
            for each in tries:
                group.start_soon(self._one, each)

    async def _one(self, wanted: Try) -> None:
        await anyio.sleep_until(wanted.at)
        while cap := self.budget.reserve(wanted.price):
            if self.in_flight == 0:
                self.refused.append((wanted, cap))
                return
            await anyio.sleep(0.25)  # others may give theirs back
        self.sent.append(wanted)
        self._add(wanted.price, 1)
        await anyio.sleep(wanted.takes)
        self._add(-wanted.price, -1)
        if wanted.billed or wanted.made:
            self.spent += wanted.price
            self.images += 1
        self.budget.settle(wanted.price, billed=wanted.billed or wanted.made, made=wanted.made)

    def _add(self, usd: Decimal, attempts: int) -> None:
        self.reserved += usd
        self.in_flight += attempts
        self.most_usd = max(self.most_usd, self.spent + self.reserved)
        self.most_images = max(self.most_images, self.images + self.in_flight)


def wanted(at: int = 0, takes: int = 1, *, price: Decimal = DIME, billed: bool = True, made: bool = True) -> Try:
    return Try(at=at, takes=takes, price=price, billed=billed, made=made)


FAILS = partial(wanted, billed=False, made=False)
IN_DOUBT = partial(wanted, billed=True, made=False)
MADE = wanted


@dataclass(frozen=True, slots=True)
class Case:
    """Caps, attempts, and how many of them go through."""

    name: str
    caps: Caps
    tries: tuple[Try, ...]
    sent: int
    said: str = ""


CASES = [
    Case("no caps", Caps(), (MADE(), MADE(), IN_DOUBT()), 3),
    Case("as many pictures as the cap", Caps(max_images=2), (MADE(), MADE(at=1)), 2),
    Case("one picture more", Caps(max_images=2), (MADE(), MADE(), MADE(at=5)), 2, "max_images of 2 is reached"),
    Case("exactly the cost", Caps(max_cost=DIME * 2), (MADE(), MADE(at=1)), 2),
    Case("a cent more", Caps(max_cost=DIME), (MADE(price=DIME + CENT),), 0, "max_cost of $0.10 would be passed"),
    Case("spent before", Caps(max_cost=DIME, spent=CENT), (MADE(),), 0, "$0.010 spent at most"),
    Case("made before", Caps(max_images=2, made=1), (MADE(), MADE(at=5)), 1, "max_images of 2"),
    Case("more than the cap before", Caps(max_images=2, made=7, max_cost=DIME, spent=DIME * 9), (MADE(),), 0, "max_"),
    Case("what was not billed comes back", Caps(max_cost=DIME, max_images=1), (FAILS(), FAILS(at=3), MADE(at=6)), 3),
    Case("what may have been billed does not", Caps(max_cost=DIME), (IN_DOUBT(), MADE(at=3)), 1, "max_cost"),
    Case("nor does its picture", Caps(max_images=1), (IN_DOUBT(), MADE(at=3)), 1, "max_images of 1"),
    Case("one that waits goes on", Caps(max_images=1), (FAILS(takes=9), MADE(at=1)), 2),
    Case("one that waits in vain is told", Caps(max_images=1), (MADE(takes=9), MADE(at=1)), 1, "max_images of 1"),
    Case("of two that wait one goes on", Caps(max_cost=DIME), (FAILS(takes=9), MADE(at=1), MADE(at=2)), 2, "max_cost"),
    Case(
        "a cheap one passes a dear one", Caps(max_cost=DIME), (MADE(takes=9, price=CENT), MADE(), MADE(price=CENT)), 2
    ),
    Case("free ones pass any cost", Caps(max_cost=DIME, spent=DIME), (MADE(price=Decimal(0)),) * 3, 3),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_goes_through(case: Case) -> None:
    scene = Scene(case.caps)
    scene.run(case.tries)
    assert len(scene.sent) == case.sent
    assert len(scene.refused) == len(case.tries) - case.sent
    assert all(case.said in cap for _, cap in scene.refused)


TRIES = st.lists(
    st.builds(
        wanted,
        at=st.integers(0, 20),
        takes=st.integers(0, 10),
        price=st.integers(0, 30).map(lambda cents: cents * CENT),
        billed=st.booleans(),
        made=st.booleans(),
    ),
    max_size=25,
)
CAPS = st.builds(
    Caps,
    max_cost=st.none() | st.integers(0, 100).map(lambda cents: cents * CENT),
    max_images=st.none() | st.integers(1, 10),
    spent=st.integers(0, 50).map(lambda cents: cents * CENT),
    made=st.integers(0, 5),
)


@given(caps=CAPS, tries=TRIES)
def test_no_cap_is_ever_passed_and_nobody_waits_for_ever(caps: Caps, tries: list[Try]) -> None:
    scene = Scene(caps)
    scene.run(tries)
    assert len(scene.sent) + len(scene.refused) == len(tries)
    if caps.max_cost is not None:
        assert max(scene.most_usd, scene.spent) <= max(caps.max_cost, caps.spent)
    if caps.max_images is not None:
        assert max(scene.most_images, scene.images) <= max(caps.max_images, caps.made)


@given(tries=TRIES)
def test_without_caps_all_goes_through(tries: list[Try]) -> None:
    scene = Scene(Caps())
    scene.run(tries)
    assert not scene.refused


@given(caps=CAPS, tries=TRIES)
def test_nothing_is_refused_that_would_have_fitted_at_the_end(caps: Caps, tries: list[Try]) -> None:
    scene = Scene(caps)
    scene.run(tries)
    for refused, _ in scene.refused:
        too_dear = caps.max_cost is not None and scene.spent + refused.price > caps.max_cost
        too_many = caps.max_images is not None and scene.images + 1 > caps.max_images
        assert too_dear or too_many
