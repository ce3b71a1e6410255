"""Starting what a rig stands over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import override_settings

from launcher.stack import provider_environment
from sandbox.app import create_sandbox
from tests.contracts.rigs.rig import PUBLIC_URL, Rig
from tests.sandbox.conftest import MovableClock


@contextmanager
def opened(kind: type[Rig]) -> Iterator[Rig]:
    """Start a sandbox with nothing in it, point the product at it, and found the rig's site."""
    clock = MovableClock()
    cache.clear()
    sandbox = create_sandbox(
        product_url=PUBLIC_URL, state_path=":memory:", hook_secret="test-secret", clock=clock
    )
    url = sandbox.start()
    patch = pytest.MonkeyPatch()
    patch.setattr("django.utils.timezone.now", clock)
    try:
        with override_settings(PUBLIC_URL=PUBLIC_URL, **_settings(kind, url)):
            kind.client.cache_clear()
            rig = kind(sandbox=sandbox, url=url, clock=clock)
            rig.recover()
            yield rig
    finally:
        patch.undo()
        sandbox.stop()
        kind.client.cache_clear()


def _settings(kind: type[Rig], url: str) -> dict[str, Any]:
    """The provider's settings over the sandbox, each of its own type."""
    found: dict[str, Any] = {}
    for name, text in provider_environment(url).items():
        if not name.startswith(f"{kind.provider.upper()}_"):
            continue
        known = getattr(settings, name)
        if isinstance(known, bool):
            found[name] = text == "1"
        else:
            found[name] = text.split(",") if isinstance(known, list) else text
    return found
