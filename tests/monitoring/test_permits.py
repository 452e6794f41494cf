from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from monitoring import permits
from monitoring.permits import Limits, NoPlace, Permits

WIDE = Limits(everywhere=100, account=100, llm=100)


class Crowd:
    """Probes that hold their place until they are told to end."""

    def __init__(self, held: Permits, limits: Limits) -> None:
        self.permits, self.limits = held, limits
        self.account, self.busy, self.end = uuid4(), 0, asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []

    async def probe(self, *, is_suspect: bool = False, llm: object = None) -> None:
        llm_id = llm or uuid4()
        place = self.permits.held(self.account, llm_id, self.limits, is_suspect=is_suspect)  # type: ignore[arg-type]
        async with place:
            self.busy += 1
            await self.end.wait()

    async def start(self, count: int, **how: object) -> None:
        new = [asyncio.create_task(self.probe(**how)) for _ in range(count)]  # type: ignore[arg-type]
        self.tasks += new
        await asyncio.sleep(0.01)

    async def finish(self) -> None:
        self.end.set()
        await asyncio.gather(*self.tasks)


@pytest.mark.parametrize(
    "limits", [Limits(3, 100, 1), Limits(100, 3, 1)], ids=["everywhere", "account"]
)
async def test_no_more_probes_than_the_limit_at_once(limits: Limits) -> None:
    crowd = Crowd(Permits(), limits)
    await crowd.start(10)
    assert crowd.busy == 3
    await crowd.finish()
    assert crowd.busy == 10


async def test_one_model_is_not_asked_twice_at_once() -> None:
    crowd = Crowd(Permits(), Limits(100, 100, 1))
    await crowd.start(3, llm=uuid4())
    assert crowd.busy == 1
    await crowd.finish()


async def test_suspects_leave_half_of_an_account_to_the_others() -> None:
    crowd = Crowd(Permits(), Limits(100, 4, 1))
    await crowd.start(10, is_suspect=True)
    assert crowd.busy == 2
    await crowd.start(2)
    assert crowd.busy == 4
    await crowd.finish()


async def test_suspects_of_all_accounts_together_leave_half_of_the_places_to_the_others() -> None:
    held, limits = Permits(), Limits(6, 4, 1)
    crowds = [Crowd(held, limits) for _ in range(4)]
    for crowd in crowds:
        await crowd.start(4, is_suspect=True)
    assert sum(crowd.busy for crowd in crowds) == 3
    await crowds[3].start(3)
    assert sum(crowd.busy for crowd in crowds) == 6
    for crowd in crowds:
        await crowd.finish()


async def test_probes_that_hang_give_their_place_back_to_those_that_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(permits, "BUSY_S", 0.05)
    crowd = Crowd(Permits(), Limits(2, 100, 1))
    await crowd.start(8)
    assert crowd.busy == 2
    await asyncio.sleep(0.12)
    assert crowd.busy >= 6
    await crowd.finish()


@pytest.mark.parametrize(("is_strict", "busy"), [(True, 2), (False, 8)])
async def test_in_an_account_without_a_limit_of_its_own_too(
    is_strict: bool, busy: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(permits, "ACCOUNT_BUSY_S", 0.03)
    crowd = Crowd(Permits(), Limits(100, 2, 1, is_strict))
    await crowd.start(8)
    assert crowd.busy == 2
    await asyncio.sleep(0.2)
    assert crowd.busy == busy
    await crowd.finish()


async def test_even_hanging_probes_of_an_account_are_not_without_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(permits, "ACCOUNT_BUSY_S", 0.01)
    crowd = Crowd(Permits(), Limits(100, 2, 1, False))
    await crowd.start(30)
    await asyncio.sleep(0.2)
    assert crowd.busy == 2 * permits.ACCOUNT_CROWD
    await crowd.finish()


async def test_suspects_that_wait_keep_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(permits, "ACCOUNT_CROWD", 2)
    crowd = Crowd(Permits(), Limits(100, 2, 1, False))
    await crowd.start(20, is_suspect=True)
    assert crowd.busy == 1
    await crowd.start(1)
    assert crowd.busy == 2
    await crowd.finish()


async def test_whoever_waits_too_long_has_no_place_and_holds_none() -> None:
    held, account = Permits(), uuid4()
    limits = Limits(100, 1, 1)
    async with held.held(account, uuid4(), limits, is_suspect=False):
        with pytest.raises(NoPlace):
            async with held.held(account, uuid4(), limits, is_suspect=True, wait_s=0.02):
                pass
    async with held.held(account, uuid4(), limits, is_suspect=True, wait_s=0.02):
        pass


async def test_places_of_single_models_are_forgotten_when_nobody_needs_them() -> None:
    held = Permits()
    for _ in range(5):
        async with held.held(uuid4(), uuid4(), WIDE, is_suspect=False):
            pass
    assert not [name for name in held._semaphores if name[0] == "llm"]  # type: ignore[index]
