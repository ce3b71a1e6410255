"""The product in its own process, the outside world beside it, and people who hold phones.

Real HTTP all the way: phone -> handset's JSON face -> sandbox -> hooks -> broker -> worker ->
sandbox. `tests/journeys/conftest.py` hands these fixtures to the journeys.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
import requests
from celery import Task, signals
from celery.contrib.testing.worker import start_worker
from celery.worker import state as worker_state
from django.core.cache import cache
from django.db import close_old_connections
from django.urls import clear_url_caches
from django.utils import timezone
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

import gateway.urls
from gateway.celery import app
from gateway.providers.daraja.provider import shared_client
from gateway.providers.pawapay import keys
from gateway.providers.pawapay.client import shared_client as pawapay_client
from gateway.providers.stripe.client import shared_client as stripe_client
from gateway.sms.tasks import deliver_notices
from sandbox.app import create_sandbox
from settlement.meters import registry
from tests import mailbox
from tests.village import Village

TIMEOUT_SECONDS = 20
MPESA_PIN = "4826"

T = TypeVar("T")


def eventually(
    look: Callable[[], T | None], *, beat: Sequence[Task] = (), seconds: float = TIMEOUT_SECONDS
) -> T:
    """Look until there is something to see and return it.

    Each time round the worker is sent the tasks of `beat`, as the scheduler would.
    """
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, f"nothing came within {seconds} s"
        for task in beat:
            task.delay()
        time.sleep(0.1)
    return seen


@dataclass(frozen=True, kw_only=True)
class Phone:
    """A phone in somebody's hand, through the handset's JSON face at `url`."""

    url: str
    number: str

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        url = f"{self.url}/handset/{self.number}/{path}"
        return requests.request(method, url, timeout=TIMEOUT_SECONDS, **options)

    def dial(self, text: str) -> tuple[str, bool]:
        """Return the screen and whether the session is open."""
        answer = self._right(self.ask("POST", "dial", json={"text": text}))
        return answer["screen"], answer["open"]

    def messages(self) -> list[str]:
        """Texts received, newest first."""
        received = self._right(self.ask("GET", "messages"))
        return [message["text"] for message in received]

    def prompts(self) -> list[dict[str, str]]:
        prompts: list[dict[str, str]] = self._right(self.ask("GET", "prompts"))
        return prompts

    def answer(self, prompt: dict[str, str], **body: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._right(self.ask("POST", f"prompts/{prompt['id']}", json=body))
        return answer

    def paybill(self, *, account: str, amount: str) -> dict[str, Any]:
        body = {"account": account, "amount": amount}
        answer: dict[str, Any] = self._right(self.ask("POST", "paybill", json=body))
        return answer

    def send_sms(self, text: str) -> None:
        self._right(self.ask("POST", "sms", json={"text": text}))

    def wait_for_prompt(self) -> dict[str, str]:
        return eventually(self.prompts)[0]

    def wait_for_message(self, part: str) -> str:
        """Wait for a message that holds `part`; the worker delivers meanwhile."""
        found = eventually(
            lambda: [text for text in self.messages() if part in text], beat=[deliver_notices]
        )
        return found[0]

    @staticmethod
    def _right(response: requests.Response) -> Any:
        assert response.ok, response.text
        return response.json()


@dataclass(frozen=True, kw_only=True)
class Outside:
    """The sandbox at `url`, and what a test commands there."""

    url: str
    product_url: str

    def phone(self, number: str = "+254711000001") -> Phone:
        return Phone(url=self.product_url, number=number)

    def fault(self, service: str, kind: str, **body: Any) -> None:
        """Let the next fitting callback or answer go wrong."""
        url = f"{self.url}/{service}/simulator/faults"
        response = requests.post(url, json={"kind": kind, **body}, timeout=TIMEOUT_SECONDS)
        assert response.status_code == 201, response.text

    def callbacks(self, service: str) -> list[dict[str, Any]]:
        """Callbacks of a service, newest first."""
        url = f"{self.url}/{service}/simulator/callbacks"
        listed: list[dict[str, Any]] = requests.get(url, timeout=TIMEOUT_SECONDS).json()
        return listed

    def statement(self) -> dict[str, Any]:
        """What the paybill received."""
        url = f"{self.url}/daraja/simulator/statement"
        listed: dict[str, Any] = requests.get(url, timeout=TIMEOUT_SECONDS).json()
        return listed

    def set_daraja(self, **settings: Any) -> None:
        """How Safaricom treats the short code, e.g. statement_delay_seconds."""
        url = f"{self.url}/daraja/simulator/settings"
        response = requests.post(url, json=settings, timeout=TIMEOUT_SECONDS)
        assert response.status_code == 200, response.text

    def set_meter_faults(self, **per_million: int) -> None:
        """How many of a million readings come late, repeated, not at all, absurd."""
        rates = {"late": 0, "repeated": 0, "missing": 0, "absurd": 0, "reset": 0, **per_million}
        url = f"{self.url}/koios/simulator/rates"
        response = requests.post(url, json=rates, timeout=TIMEOUT_SECONDS)
        assert response.status_code == 200, response.text

    def meter_rows(self, *, since: datetime, until: datetime) -> list[dict[str, Any]]:
        """Rows of the head-end as it sends them, repeats and all."""
        response = requests.post(
            f"{self.url}/koios/api/v2/organizations/demo/data/historical",
            json={
                "filters": {
                    "sites": ["kisima"],
                    "date_range": {"from": since.isoformat(), "to": until.isoformat()},
                },
                "per_page": 5_000,
            },
            headers={"X-API-KEY": "sandbox-key", "X-API-SECRET": "sandbox-secret"},
            timeout=TIMEOUT_SECONDS,
        )
        page = response.json()
        assert page["pagination"]["has_more"] is False
        rows: list[dict[str, Any]] = page["data"]
        return rows


@pytest.fixture
def demo(settings: Settings) -> Iterator[None]:
    """The URLs as they are in the demo."""
    settings.DEMO = True
    _reload_urls()
    yield
    settings.DEMO = False
    _reload_urls()


@pytest.fixture
def outside(
    demo: None, live_server: LiveServer, settings: Settings, tmp_path: Path
) -> Iterator[Outside]:
    """The sandbox, in threads of this process, which both sides call by HTTP."""
    sandbox = create_sandbox(
        product_url=live_server.url,
        state_path=tmp_path / "sandbox.sqlite3",
        hook_secret=settings.HOOK_SECRETS[0],
        callback_delay_seconds=0.05,
    )
    url = sandbox.start()
    mailbox.point_to(sandbox, settings=settings)
    settings.SANDBOX_URL = url
    settings.PUBLIC_URL = live_server.url
    settings.AFRICASTALKING_URL = f"{url}/africastalking"
    settings.DARAJA_URL = f"{url}/daraja"
    settings.PAWAPAY_URL = f"{url}/pawapay"
    settings.PAWAPAY_API_TOKEN = "sandbox-key"
    settings.PAWAPAY_CALLBACKS_SIGNED = True
    settings.STRIPE_URL = f"{url}/stripe"
    settings.STRIPE_SECRET_KEY = "sk_test_sandbox"
    settings.STRIPE_WEBHOOK_SECRETS = ["whsec_sandbox"]
    settings.KOIOS_URL = f"{url}/koios"
    settings.PLANT_URL = f"{url}/plant"
    _forget_clients()
    hooks = f"{live_server.url}/hooks/{settings.HOOK_SECRETS[0]}/daraja"
    client, now = shared_client(), timezone.now()
    client.register_urls(
        confirmation_url=f"{hooks}/confirmation", validation_url=f"{hooks}/validation", at=now
    )
    client.register_pull(phone="254711000000", callback_url=f"{hooks}/result/pull", at=now)
    yield Outside(url=url, product_url=live_server.url)
    sandbox.stop()
    _forget_clients()


@pytest.fixture(scope="module")
def worker_thread() -> Iterator[None]:
    """A Celery worker on the tests' broker, several tasks at a time as in production."""
    app.control.purge()
    # The embedded worker does not announce itself, so Celery's own Django hooks stay out.
    for signal in (signals.task_prerun, signals.task_postrun):
        signal.connect(_close_connections)
    with start_worker(app, pool="threads", concurrency=4, perform_ping_check=False):
        yield
    for signal in (signals.task_prerun, signals.task_postrun):
        signal.disconnect(_close_connections)


@pytest.fixture
def worker(outside: Outside, worker_thread: None) -> Iterator[None]:
    """The worker during one test: it begins and leaves with nothing to do."""
    app.control.purge()
    yield
    app.control.purge()
    eventually(lambda: not worker_state.reserved_requests)


@pytest.fixture
def kisima(transactional_db: None) -> Village:
    """Kisima as it stands today: slots of a minute, the head-end and plant of the sandbox."""
    village = Village.found(at=timezone.now(), slot_seconds=60)
    village.site.head_end = "koios"
    village.site.head_end_account = "demo/kisima"
    village.site.plant_account = "kisima"
    village.site.save()
    return village


def _reload_urls() -> None:
    importlib.reload(gateway.urls)
    clear_url_caches()


def _forget_clients() -> None:
    shared_client.cache_clear()
    pawapay_client.cache_clear()
    stripe_client.cache_clear()
    # Each sandbox signs with a key of its own.
    cache.delete(keys.CACHE_KEY)
    registry._koios.cache_clear()


def _close_connections(**_: object) -> None:
    close_old_connections()
