"""Who is looking: the donors of a session, as gateway.wallet or a link by e-mail logged them in."""

from __future__ import annotations

from gateway.wallet.who import donors_of_session as donors_of

__all__ = ["donors_of"]
