"""Settings from the environment, from files, or from a running script/server.

Each reader raises BadSetting with one sentence that names the setting.
"""

from __future__ import annotations

import json
import os
from email.headerregistry import Address
from email.utils import parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

BASE_DIR = Path(__file__).resolve().parent.parent


class BadSetting(SystemExit):
    """A setting is missing or malformed; the message names it and says what it should be."""


def _embedded() -> dict[str, str]:
    """Return what a running script/server exports, or nothing."""
    path = Path(os.environ.get("VAR_DIR", BASE_DIR / "var")) / "server.json"
    if "DATABASE_URL" in os.environ or not path.exists():
        return {}
    environment: dict[str, str] = json.loads(path.read_text())["environment"]
    return environment


_EMBEDDED = _embedded()


def text(name: str, default: str | None = None) -> str:
    """Return setting `name` from the environment, the file `name_FILE` names, or the default."""
    if name in os.environ:
        return os.environ[name]
    file = os.environ.get(f"{name}_FILE")
    if file is not None:
        try:
            return Path(file).read_text().strip()
        except OSError as error:
            raise BadSetting(f"{name}_FILE names a file that can't be read: {error}.") from error
    if name in _EMBEDDED:
        return _EMBEDDED[name]
    if default is None:
        raise BadSetting(
            f"{name} is not set: export it (or {name}_FILE), or start script/server first."
        )
    return default


def flag(name: str) -> bool:
    """Return whether setting `name` is 1; unset and 0 are no."""
    value = text(name, "0")
    if value not in {"0", "1"}:
        raise BadSetting(f"{name} must be 0 or 1, not {value!r}.")
    return value == "1"


def whole(name: str, default: int) -> int:
    """Return setting `name` as a whole number."""
    value = text(name, str(default))
    try:
        return int(value)
    except ValueError:
        raise BadSetting(f"{name} must be a whole number, not {value!r}.") from None


def listed(name: str, default: str | None = None) -> list[str]:
    """Return setting `name` as a list: commas between, blanks dropped."""
    return [part.strip() for part in text(name, default).split(",") if part.strip()]


def mapping(name: str, default: str | None = None) -> dict[str, str]:
    """Return setting `name` as pairs: `a=1,b=2`, blanks dropped."""
    pairs = [part.partition("=") for part in listed(name, default)]
    for key, equals, value in pairs:
        if not key.strip() or not equals or not value.strip():
            raise BadSetting(f"{name} must look like a=1,b=2, not {text(name, default)!r}.")
    return {key.strip(): value.strip() for key, _, value in pairs}


def database(name: str) -> dict[str, Any]:
    """Return Django's connection settings for the URL postgresql://user:password@host/name."""
    value = text(name)
    url = urlsplit(value)
    query = {key: values[-1] for key, values in parse_qs(url.query).items()}
    if url.scheme not in {"postgres", "postgresql"} or not url.path.strip("/") or not url.username:
        raise BadSetting(f"{name} must look like postgresql://user:password@host:5432/name.")
    host = query.pop("host", url.hostname or "")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.path.strip("/"),
        "USER": unquote(url.username),
        "PASSWORD": unquote(url.password or ""),
        "HOST": host,
        "PORT": str(url.port or ""),
        "CONN_MAX_AGE": 0,
        "OPTIONS": dict(query),
    }


_MAIL_FORM = "smtp://user:password@host:587?tls=1, or smtps:// for TLS from the start"
_MAIL_PORTS = {"smtp": 25, "smtps": 465}
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def mail(name: str) -> dict[str, Any]:
    """Return Django's SMTP settings for a URL; all of them empty where it is not set: no mail.

    A password goes over TLS or the loopback only.
    """
    value = text(name, "")
    try:
        url = urlsplit(value)
        options = {key: values[-1] for key, values in parse_qs(url.query).items()}
        is_tls = options.pop("tls", "0")
        seconds = int(options.pop("timeout", "10"))
        port = url.port or _MAIL_PORTS.get(url.scheme, 0)
    except ValueError:
        raise BadSetting(f"{name} must look like {_MAIL_FORM}.") from None
    if value and (url.scheme not in _MAIL_PORTS or not url.hostname or url.path.strip("/")):
        raise BadSetting(f"{name} must look like {_MAIL_FORM}.")
    if (
        options
        or is_tls not in {"0", "1"}
        or seconds < 1
        or (is_tls == "1" and url.scheme == "smtps")
    ):
        raise BadSetting(
            f"{name} takes tls=1 (STARTTLS, not with smtps) and timeout=<seconds> after the ?."
        )
    is_safe = url.scheme == "smtps" or is_tls == "1" or url.hostname in _LOOPBACK
    if url.password and not is_safe:
        raise BadSetting(f"{name} would send its password in clear: add ?tls=1 or use smtps://.")
    return {
        "EMAIL_HOST": url.hostname or "",
        "EMAIL_PORT": port,
        "EMAIL_HOST_USER": unquote(url.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(url.password or ""),
        "EMAIL_USE_TLS": is_tls == "1",
        "EMAIL_USE_SSL": url.scheme == "smtps",
        "EMAIL_TIMEOUT": seconds,
    }


def sender(name: str, *, is_needed: bool) -> str:
    """Return setting `name`, an address that letters come from: `Name <letters@example.org>`."""
    value = text(name, "")
    if not value and not is_needed:
        return ""
    try:
        Address(addr_spec=parseaddr(value)[1])
        is_address = parseaddr(value)[1].count("@") == 1 and value.isprintable()
    except (ValueError, IndexError):
        is_address = False
    if not is_address:
        raise BadSetting(f"{name} must be an address, such as Solar <letters@example.org>.")
    return value
