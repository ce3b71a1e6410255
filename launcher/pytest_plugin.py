"""Starts one PostgreSQL and one Valkey for a whole test run, and finds the dev chain's binary.

Loaded by `-p` before pytest-django reads the settings. Under pytest-xdist the
controller starts them and the workers inherit the environment; each worker has
databases of its own in the one Valkey.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from launcher import anvil_install
from launcher.progress import Progress
from launcher.stack import TemporaryStack, cache_urls, given_names, offline_environment
from launcher.steps import BootstrapError
from launcher.supervisor import StartError

_SOCKET = "LAUNCHER_TEST_VALKEY_SOCKET"
_running: list[TemporaryStack] = []


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests() -> Generator[None, None, None]:
    """A wrapper runs before every plain implementation, pytest-django's among them."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        _start()
    elif _SOCKET in os.environ:
        pair = int(worker.removeprefix("gw")) + 1
        os.environ.update(cache_urls(Path(os.environ[_SOCKET]), pair=pair))
    return (yield)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    _stop()


def _start() -> None:
    os.environ.pop("DEMO", None)
    os.environ.update(offline_environment())
    given = given_names(dict(os.environ))
    progress = Progress(stream=sys.stderr)
    try:
        anvil = anvil_install.ensure(python=Path(sys.executable), progress=progress)
        os.environ["TEST_ANVIL"] = str(anvil)
        stack = TemporaryStack(progress=progress, durable=False)
        _running.append(stack)
        atexit.register(_stop)
        found = stack.start()
    except StartError as error:
        tail = "\n".join(error.tail)
        raise pytest.UsageError(f"{tail}\n{error}") from error
    except BootstrapError as error:
        raise pytest.UsageError(str(error)) from error
    os.environ.update(found)
    if "CACHE_URL" not in given and "BROKER_URL" not in given:
        os.environ[_SOCKET] = str(stack.valkey_socket)


def _stop() -> None:
    while _running:
        _running.pop().stop()
