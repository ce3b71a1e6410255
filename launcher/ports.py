"""The ports that script/server listens on, all on the loopback."""

from __future__ import annotations

import os
import socket
from dataclasses import astuple, dataclass

from launcher.supervisor import StartError

NAMES = "PORT, SANDBOX_PORT, CHAIN_PORT{} MAIL_PORT"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ports:
    """Of the web server, the sandbox, the dev chain, and the sandbox's SMTP."""

    web: int
    sandbox: int
    chain: int
    mail: int


def of_environment() -> Ports:
    """Return the ports that the environment names. Raises StartError."""
    web = _port("PORT", 8000)
    ports = Ports(
        web=web,
        sandbox=_port("SANDBOX_PORT", web + 1),
        chain=_port("CHAIN_PORT", web + 2),
        mail=_port("MAIL_PORT", web + 3),
    )
    if len(set(astuple(ports))) < len(astuple(ports)):
        raise StartError(f"{NAMES.format(' and')} must differ.")
    return ports


def refuse_taken(port: int) -> None:
    """Raise StartError where somebody listens on a port already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise StartError(
                f"Port {port} cannot be used ({error.strerror}): "
                f"choose another with {NAMES.format(' or')}."
            ) from error


def _port(name: str, default: int) -> int:
    text = os.environ.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise StartError(f"{name} must be a number from 1 to 65535, not {text!r}.")
    return int(text)
