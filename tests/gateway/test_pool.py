"""Where documents are judged: small ones one a turn on the loop, large ones in threads, bounded in number."""

from __future__ import annotations

import asyncio
import threading

import pytest

from gateway.errors import Busy
from gateway.pool import HybridCheckPool


async def test_small_ones_run_on_the_loop_one_a_turn() -> None:
    pool = HybridCheckPool(inline_bytes=10, threads=1, waiting=10)
    ran: list[str] = []

    async def rest_of_the_loop() -> None:
        while ran.count("job") < 4:
            ran.append("rest")
            await asyncio.sleep(0)

    def job() -> int:
        ran.append("job")
        return threading.get_ident()

    others = asyncio.create_task(rest_of_the_loop())
    threads = await asyncio.gather(*(pool.run(job, 10) for _ in range(4)))
    await others
    pool.close()
    assert set(threads) == {threading.get_ident()}
    assert "job,job" not in ",".join(ran)


async def test_large_ones_leave_the_loop_free() -> None:
    pool = HybridCheckPool(inline_bytes=10, threads=1, waiting=10)
    release = threading.Event()
    large = asyncio.create_task(pool.run(release.wait, 11))
    await asyncio.sleep(0.01)
    assert await pool.run(lambda: "small", 1) == "small"
    release.set()
    assert await large
    pool.close()


async def test_while_one_may_wait_for_its_form_small_ones_leave_the_loop_free_too() -> None:
    there = threading.Event()
    pool = HybridCheckPool(inline_bytes=10, threads=1, waiting=10, prepared=there.is_set)
    assert await pool.run(threading.get_ident, 1) != threading.get_ident()
    there.set()
    assert await pool.run(threading.get_ident, 1) == threading.get_ident()
    pool.close()


async def test_a_full_pool_refuses_before_anything_is_done() -> None:
    pool = HybridCheckPool(inline_bytes=0, threads=1, waiting=1)
    release = threading.Event()
    running = [asyncio.create_task(pool.run(release.wait, 1)) for _ in range(3)]
    await asyncio.sleep(0.01)
    with pytest.raises(Busy):
        pool.refuse_when_full()
    with pytest.raises(Busy):
        await pool.run(lambda: pytest.fail("must not run"), 1)
    release.set()
    await asyncio.gather(*running)
    pool.refuse_when_full()
    pool.close()


async def test_a_failing_job_gives_its_room_back() -> None:
    pool = HybridCheckPool(inline_bytes=10, threads=1, waiting=1)
    for size in (1, 100) * 10:
        with pytest.raises(ZeroDivisionError):
            await pool.run(lambda: 1 // 0, size)
    pool.close()
