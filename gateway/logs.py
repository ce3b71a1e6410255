"""How our log lines are made: JSON objects, never a request's body or its secret path."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

# Stripe's hook is signed: it has no secret in its path.
_SECRET_PATH = re.compile(
    r"(/hooks/|%2Fhooks%2F)(?!stripe(?:[/\s\"'?#]|$))[^/\s\"'?#%]+", re.IGNORECASE
)


# A leaf's key, a payment's page, a link that logs in: who has the address has what is behind it.
_PRIVATE_PATH = re.compile(
    r"(/proof/|/leaves/|/donor/(?:gift|link|news)/)[^/\s\"'?#]+", re.IGNORECASE
)


def mask(text: str) -> str:
    """Return a text with the secret in every hook's or holder's path written as ***."""
    return _PRIVATE_PATH.sub(r"\1***", _SECRET_PATH.sub(r"\1***", text))


class HookSecretsMasked(logging.Filter):
    """Mask hooks' secrets in a record's message and arguments, whichever logger made it.

    It belongs on handlers: a logger's filter does not see what its descendants log.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record in place; let every record pass."""
        record.msg = _masked(record.msg)
        if isinstance(record.args, Mapping):
            record.args = {name: _masked(value) for name, value in record.args.items()}
        elif record.args:
            record.args = tuple(_masked(value) for value in record.args)
        return True


def mask_event(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Mask what the formatter added after the filter saw the record: tracebacks, above all."""
    return {name: _masked(value) for name, value in event.items()}


def configure() -> None:
    """Let structlog hand its events to the standard library's handlers."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.filter_by_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _masked(value: Any) -> Any:
    """Numbers stay as they are (formats need them); of other objects, what they print counts."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Mapping):
        return {name: _masked(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(item) for item in value]
    text = str(value)
    return masked if (masked := mask(text)) != text else value
