"""Requests of one kind beside an empty view on the same server and middleware."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from benches.country import Country
from benches.ground import say
from benches.outcome import Outcome, middle
from benches.peer import Message, Peer
from benches.server import Server


@dataclass(frozen=True, kw_only=True)
class Size:
    """How long is measured."""

    rounds: int
    seconds: float
    seconds_beside: float
    paced_seconds: float
    connections: int = 24
    paced_per_second: int = 100


FULL = Size(rounds=7, seconds=3.0, seconds_beside=2.0, paced_seconds=20.0)
SMALL = Size(rounds=1, seconds=0.3, seconds_beside=0.2, paced_seconds=0.5, connections=2)


@dataclass(kw_only=True)
class Side:
    """Rounds of one scenario."""

    per_second: list[float] = field(default_factory=list)
    server_cpu_us: list[float] = field(default_factory=list)


def compare(
    *,
    bench: str,
    noun: str,
    where: Country,
    size: Size,
    beside: Sequence[str] = (),
    after_round: Callable[[], None] = lambda: None,
) -> tuple[Outcome, int]:
    """Measure the scenario named like the bench; return the outcome and all answered requests.

    noun names one request in the figures. beside: scenarios that get a rate and a ratio of their
    own. after_round clears away what a round left behind.
    """
    order = ("empty", bench, *beside)
    sides = {scenario: Side() for scenario in order}
    answered = 0
    runs = count()
    with Server() as server, Peer(module="benches.load", environment=os.environ) as load:

        def ask(scenario: str, seconds: float, **more: int) -> Message:
            return load.ask(
                port=server.port,
                scenario=scenario,
                seconds=seconds,
                connections=size.connections,
                households=where.households_per_site * len(where.sites),
                prefix=where.prefix,
                run=f"{bench[0]}{os.getpid()}x{next(runs)}",
                **more,
            )

        for number in range(size.rounds + 1):
            say(f"round {number} of {size.rounds}" + (" (to warm up)" if number == 0 else ""))
            for scenario in order if number % 2 else order[::-1]:
                before = server.cpu_seconds()
                found = ask(scenario, size.seconds_beside if scenario in beside else size.seconds)
                spent = server.cpu_seconds() - before
                if scenario != "empty":
                    answered += found["requests"]
                    after_round()
                if number:
                    side = sides[scenario]
                    side.per_second.append(found["requests"] / found["seconds"])
                    side.server_cpu_us.append(1e6 * spent / found["requests"])
        say(f"paced: {size.paced_per_second} a second")
        paced = ask(bench, size.paced_seconds, per_second=size.paced_per_second)
        answered += paced["requests"]
        after_round()
    empty, full = sides["empty"], sides[bench]
    rate = size.paced_per_second
    return (
        Outcome(
            bench=bench,
            figures={
                f"{noun}_p50_ms_at_{rate}_per_second": paced["p50_ms"],
                f"{noun}_p99_ms_at_{rate}_per_second": paced["p99_ms"],
                f"{noun}s_per_second": middle(full.per_second),
                "empty_view_per_second": middle(empty.per_second),
                f"{noun}_server_cpu_us": middle(full.server_cpu_us),
                "empty_view_server_cpu_us": middle(empty.server_cpu_us),
                **{f"accepted_{one}_per_second": middle(sides[one].per_second) for one in beside},
            },
            ratios={
                "vs_empty_view": _ratio(full.per_second, empty.per_second),
                "vs_empty_view_server_cpu": _ratio(empty.server_cpu_us, full.server_cpu_us),
                **{
                    f"vs_empty_view_{one}": _ratio(sides[one].per_second, empty.per_second)
                    for one in beside
                },
            },
        ),
        answered,
    )


def _ratio(above: list[float], below: list[float]) -> float:
    """The two of a round ran right after each other, so the noise of a round is shared."""
    return middle([one / max(other, 1e-9) for one, other in zip(above, below, strict=True)])
