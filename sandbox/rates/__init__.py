"""Counterparts of services that tell exchange rates: two tables of fiat money, and DAI in USD."""

from __future__ import annotations

from sandbox.context import Context
from sandbox.rates.coins import Coins
from sandbox.rates.state import SERVICE, RateBook, Simulator
from sandbox.rates.tables import Tables
from sandbox.web import Route

__all__ = ["SERVICE", "routes"]


def routes(*, context: Context) -> list[Route]:
    """Every path under /rates."""
    book = RateBook(store=context.store)
    return [
        *Simulator(context=context, book=book).routes(),
        *Coins(context=context, book=book).routes(),
        *Tables(context=context, book=book).routes(),
    ]
