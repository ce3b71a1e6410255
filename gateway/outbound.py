"""What a failed HTTP request tells of the other side."""

from __future__ import annotations

import requests
from urllib3.exceptions import MaxRetryError, NewConnectionError


def was_never_sent(error: requests.RequestException) -> bool:
    """Return whether no connection came about, so that nothing can have happened over there.

    A connection that broke later, or an answer that can't be read, leaves that open.
    """
    if isinstance(error, requests.ConnectTimeout):
        return True
    cause = error.args[0] if error.args else None
    return isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError)
