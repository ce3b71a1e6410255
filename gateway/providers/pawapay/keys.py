"""pawaPay's public keys: given by setting, or fetched by a task and kept in the cache.

A web request never fetches them. Where the cache lost them, callbacks are refused until they are
fetched again, and pawaPay sends them anew for a quarter of an hour; money waits for no callback.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.core.cache import cache

from gateway.providers.interface import ProviderUnavailable, ProviderUnreachable
from gateway.providers.pawapay.client import Pawapay, shared_client

CACHE_KEY = "pawapay:public-keys"


REMEMBERED = timedelta(seconds=60)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Told:
    keys: dict[str, bytes]
    told_at: datetime


_memory: list[_Told] = []


class BadKeys(ValueError):
    """The text is no list of {"id", "key"} with keys in PEM."""


def read(text: str) -> dict[str, bytes]:
    """Read what the public-key resource answers, as JSON. Raises BadKeys."""
    try:
        keys = {str(row["id"]): str(row["key"]).encode() for row in json.loads(text)}
    except (ValueError, KeyError, TypeError) as error:
        raise BadKeys(f"no list of public keys: {error!r}"[:200]) from error
    if not all(key.lstrip().startswith(b"-----BEGIN PUBLIC KEY-----") for key in keys.values()):
        raise BadKeys("a public key is not in PEM")
    return keys


def known() -> dict[str, bytes]:
    """Return the keys in PEM by their ids; none where they were not fetched yet."""
    text = settings.PAWAPAY_PUBLIC_KEYS or cache.get(CACHE_KEY, "")
    return read(text) if text else {}


def remembered(*, at: datetime) -> dict[str, bytes]:
    """Return the keys as `known` told this process at most REMEMBERED ago.

    The cache costs more than the signature does: 600 us of processor time a callback against 400
    [measured].
    """
    if _memory and timedelta() <= at - _memory[0].told_at < REMEMBERED:
        return _memory[0].keys
    return learned(at=at)


def learned(*, at: datetime) -> dict[str, bytes]:
    """Return what `known` tells now, and remember it."""
    _memory[:] = [_Told(keys=known(), told_at=at)]
    return _memory[0].keys


def refresh() -> None:
    """Fetch the keys anew where callbacks are signed and no setting gives them.

    Raises ProviderUnavailable.
    """
    if settings.PAWAPAY_CALLBACKS_SIGNED and not settings.PAWAPAY_PUBLIC_KEYS:
        fetch(client=shared_client())


def ensure(*, client: Pawapay) -> None:
    """Have keys before the first callback can come. Raises ProviderUnreachable."""
    if not settings.PAWAPAY_CALLBACKS_SIGNED or known():
        return
    try:
        fetch(client=client)
    except ProviderUnavailable as error:
        # Nothing but keys was asked for yet.
        raise ProviderUnreachable(str(error)) from error


def fetch(*, client: Pawapay) -> None:
    """Ask pawaPay for its keys and keep them. Raises ProviderUnavailable."""
    text = json.dumps(client.public_keys(), default=str)
    try:
        read(text)
    except BadKeys as error:
        raise ProviderUnavailable(f"pawapay keys: {error}") from error
    cache.set(CACHE_KEY, text, timeout=None)
