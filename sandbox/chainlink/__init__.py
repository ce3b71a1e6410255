"""Counterpart of an Ethereum node with Chainlink's DAI / USD price feed on it."""

from __future__ import annotations

from sandbox.chainlink.feed import FEED_ADDRESS, SERVICE, Feed
from sandbox.chainlink.rpc import Rpc
from sandbox.context import Context
from sandbox.web import Route

__all__ = ["FEED_ADDRESS", "SERVICE", "routes"]


def routes(*, context: Context) -> list[Route]:
    """Every path under /chainlink."""
    feed = Feed(context=context)
    return [*feed.routes(), *Rpc(context=context, feed=feed).routes()]
