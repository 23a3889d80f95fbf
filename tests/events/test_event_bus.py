"""The event bus: durable before anyone is told, in order, at each subscriber's own pace."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from polaris_core import Event, EventBus, EventConflictError, EventError, SchemaViolationError
from polaris_core.events import MemoryEventLog


def on_bus(scenario: Callable[[EventBus], Awaitable[None]]) -> None:
    async def main() -> None:
        async with EventBus() as bus:
            await scenario(bus)

    asyncio.run(main())


def test_a_subscriber_gets_the_events_of_its_types_in_order() -> None:
    seen: list[tuple[str, object]] = []

    async def handler(event: Event) -> None:
        await asyncio.sleep(0)
        seen.append((event.type, event.data))

    async def scenario(bus: EventBus) -> None:
        await bus.publish("node.created", "before anyone listened")
        await bus.subscribe("node.*", handler)
        for number in range(20):
            await bus.publish("node.created" if number % 2 else "node.deleted", number)
            await bus.publish("edge.created", number)

    on_bus(scenario)
    assert seen == [("node.created" if number % 2 else "node.deleted", number) for number in range(20)]


def test_a_slow_subscriber_holds_nobody_up_and_misses_nothing() -> None:
    fast: list[object] = []
    slow: list[object] = []

    async def scenario(bus: EventBus) -> None:
        gate = asyncio.Event()

        async def dawdle(event: Event) -> None:
            await gate.wait()
            slow.append(event.data)

        async def hurry(event: Event) -> None:
            fast.append(event.data)

        await bus.subscribe("*", dawdle)
        subscription = await bus.subscribe("*", hurry)
        for number in range(50):
            await bus.publish("t", number)
        await subscription.drained()
        assert fast == list(range(50))
        assert not slow
        gate.set()

    on_bus(scenario)
    assert slow == list(range(50))


def test_a_handler_may_publish_without_blocking_itself() -> None:
    seen: list[object] = []

    async def scenario(bus: EventBus) -> None:
        async def handler(event: Event) -> None:
            seen.append(event.data)
            if event.data < 100:
                await bus.publish("t", event.data + 1)

        subscription = await bus.subscribe("t", handler)
        await bus.publish("t", 0)
        while len(seen) <= 100:
            await asyncio.sleep(0)
        await subscription.drained()

    on_bus(scenario)
    assert seen == list(range(101))


def test_a_failing_handler_is_noted_and_the_next_event_still_comes(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[object] = []

    async def scenario(bus: EventBus) -> None:
        async def handler(event: Event) -> None:
            if event.data == 1:
                raise ValueError("one")
            seen.append(event.data)

        subscription = await bus.subscribe("t", handler)
        for number in range(3):
            await bus.publish("t", number)
        await subscription.drained()
        (failure,) = bus.failures
        assert (failure.event.data, str(failure.error)) == (1, "one")

    on_bus(scenario)
    assert seen == [0, 2]
    assert "failed on event" in caplog.text


def test_equal_source_and_id_is_one_event() -> None:
    async def scenario(bus: EventBus) -> None:
        first = await bus.publish("t", 1, id="same")
        again = await bus.publish("t", 1, id="same")
        assert first.position == again.position == 1
        assert (await bus.publish("t", 1, id="same", source="elsewhere")).position == 2

    on_bus(scenario)


def test_replay_yields_past_events_that_match() -> None:
    async def scenario(bus: EventBus) -> None:
        for number in range(1200):
            await bus.publish("even" if number % 2 == 0 else "odd", number, subject=str(number % 3))
        assert [event.data async for event in bus.replay("odd", after=1190)] == [1191, 1193, 1195, 1197, 1199]
        assert len([event async for event in bus.replay()]) == 1200
        assert len([event async for event in bus.replay(subject="0")]) == 400

    on_bus(scenario)


def test_a_required_schema_refuses_what_does_not_satisfy_it() -> None:
    async def scenario(bus: EventBus) -> None:
        bus.require("t", {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}})
        await bus.publish("t", {"n": 1})
        await bus.publish("other", "anything")
        with pytest.raises(SchemaViolationError) as refused:
            await bus.publish("t", {"n": "1"})
        assert refused.value.path == ("n",)
        assert await bus.log.last() == 2

    on_bus(scenario)


def test_a_cancelled_subscription_gets_nothing_more_and_a_closed_bus_refuses() -> None:
    seen: list[object] = []

    async def main() -> None:
        async def handler(event: Event) -> None:
            seen.append(event.data)

        bus = EventBus()
        subscription = await bus.subscribe("t", handler)
        await bus.publish("t", 1)
        await subscription.drained()
        await subscription.cancel()
        await bus.publish("t", 2)
        await bus.close()
        await bus.close()
        with pytest.raises(EventError):
            await bus.publish("t", 3)

    asyncio.run(main())
    assert seen == [1]


def test_a_feeds_place_moves_with_the_append_or_not_at_all() -> None:
    async def main() -> None:
        log = MemoryEventLog()
        bus = EventBus(log)
        event = await bus.publish("t", 1)
        await log.append([event], feed="graph", expected=None, new="5")
        with pytest.raises(EventConflictError):
            await log.append([event], feed="graph", expected=None, new="6")
        assert await log.place("graph") == "5"
        await bus.close()

    asyncio.run(main())
