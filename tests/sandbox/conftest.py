"""A sandbox on a free port, and a product that records what the sandbox calls back."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from sandbox.app import QuietHandler, Sandbox, create_sandbox
from tests.sandbox.stripe_account import Account, Hooks, serving_hooks

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

PHONE = "254711000001"


@dataclass(frozen=True)
class Received:
    """One request as it came, in the shape that signature libraries read."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Product:
    """The product's double: keeps every callback, answers USSD and validation as told."""

    base_url: str = ""
    hooks: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    ussd_answer: Callable[[str], str] = lambda text: f"CON menu {text}"
    validation_answer: dict[str, str] = field(
        default_factory=lambda: {"ResultCode": "0", "ResultDesc": "Accepted"}
    )
    status: int = 200

    def wsgi_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        """Record one callback, under its path behind the secret."""
        request = Request(environ)
        path = request.path.removeprefix("/hooks/demo/")
        body = request.form.to_dict() or json.loads(request.get_data() or b"{}")
        answer = Response("ok", status=self.status)
        if path == "ussd":
            answer = Response(self.ussd_answer(body["text"]), mimetype="text/plain")
        elif path == "daraja/validation":
            answer = Response(json.dumps(self.validation_answer), mimetype="application/json")
        self.methods.append(request.method)
        self.received.append(
            Received(request.method, request.url, dict(request.headers), request.get_data())
        )
        self.hooks.append((path, body))
        return answer(environ, start_response)

    def bodies(self, path: str) -> list[dict[str, Any]]:
        """Callbacks that came to a path so far."""
        return [body for hook, body in self.hooks if hook == path]

    def wait_for(self, path: str, *, count: int = 1, seconds: float = 5.0) -> list[dict[str, Any]]:
        """Wait until a path has had `count` callbacks."""
        deadline = time.monotonic() + seconds
        while len(self.bodies(path)) < count:
            assert time.monotonic() < deadline, f"{path} was not called: {self.hooks}"
            time.sleep(0.01)
        return self.bodies(path)


@dataclass
class MovableClock:
    """The real clock, moved ahead at will."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def move(self, *, seconds: float) -> None:
        """Let time pass."""
        self.ahead += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def product() -> Iterator[Product]:
    double = Product()
    server = make_server(
        "127.0.0.1", 0, double.wsgi_app, threaded=True, request_handler=QuietHandler
    )
    double.base_url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield double
    server.shutdown()
    server.server_close()
    thread.join(timeout=3)


StartSandbox = Callable[..., tuple[Sandbox, str]]


@pytest.fixture
def start_sandbox(product: Product, clock: MovableClock, tmp_path: Path) -> Iterator[StartSandbox]:
    """Start sandboxes over one state file; all are stopped at the end."""
    started: list[Sandbox] = []

    def start(**options: Any) -> tuple[Sandbox, str]:
        sandbox = create_sandbox(
            **{
                "product_url": product.base_url,
                "state_path": tmp_path / "state.sqlite3",
                "clock": clock,
                "callback_delay_seconds": 0.05,
                **options,
            }
        )
        started.append(sandbox)
        return sandbox, sandbox.start()

    yield start
    for sandbox in started:
        sandbox.stop()


@pytest.fixture
def sandbox_url(start_sandbox: StartSandbox) -> str:
    return start_sandbox()[1]


@pytest.fixture
def stripe_hooks() -> Iterator[Hooks]:
    with serving_hooks() as hooks:
        yield hooks


@pytest.fixture
def stripe_account(
    stripe_hooks: Hooks, start_sandbox: StartSandbox, clock: MovableClock
) -> Account:
    url = start_sandbox(product_url=stripe_hooks.base_url)[1]
    return Account(url=f"{url}/stripe", hooks=stripe_hooks, clock=clock)


@dataclass
class DarajaClient:
    """Signed-in calls of one merchant, and what its customers do on their phones."""

    url: str
    product_url: str
    token: str = ""

    def sign_in(self) -> None:
        response = requests.get(
            f"{self.url}/oauth/v1/generate?grant_type=client_credentials",
            auth=("sandbox-key", "sandbox-secret"),
            timeout=5,
        )
        assert response.json()["expires_in"] == "3599"
        self.token = response.json()["access_token"]

    def post(self, path: str, body: dict[str, Any]) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return requests.post(f"{self.url}{path}", json=body, headers=headers, timeout=10)

    def password(self) -> dict[str, str]:
        clear = "174379sandbox-passkey20260101120000"
        return {
            "BusinessShortCode": "174379",
            "Password": base64.b64encode(clear.encode()).decode(),
            "Timestamp": "20260101120000",
        }

    def push(self, **changes: Any) -> requests.Response:
        body = {
            **self.password(),
            "TransactionType": "CustomerPayBillOnline",
            "Amount": 500,
            "PartyA": PHONE,
            "PartyB": "174379",
            "PhoneNumber": PHONE,
            "CallBackURL": f"{self.product_url}/hooks/demo/daraja/stk/abc",
            "AccountReference": "KIS0001",
            "TransactionDesc": "Top up",
        }
        return self.post("/mpesa/stkpush/v1/processrequest", {**body, **changes})

    def query(self, checkout_id: str) -> requests.Response:
        body = {**self.password(), "CheckoutRequestID": checkout_id}
        return self.post("/mpesa/stkpushquery/v1/query", body)

    def register_urls(self, *, response_type: str = "Completed") -> requests.Response:
        hooks = f"{self.product_url}/hooks/demo/daraja"
        body = {
            "ShortCode": "174379",
            "ResponseType": response_type,
            "ConfirmationURL": f"{hooks}/confirmation",
            "ValidationURL": f"{hooks}/validation",
        }
        return self.post("/mpesa/c2b/v2/registerurl", body)

    def register_pull(self) -> requests.Response:
        body = {
            "ShortCode": "174379",
            "RequestType": "Pull",
            "NominatedNumber": "254711000099",
            "CallBackURL": f"{self.product_url}/hooks/demo/daraja/pull",
        }
        return self.post("/pulltransactions/v1/register", body)

    def prompts(self) -> list[dict[str, str]]:
        response = requests.get(f"{self.url}/simulator/phones/{PHONE}/prompts", timeout=5)
        listed: list[dict[str, str]] = response.json()
        return listed

    def answer(self, prompt_id: str, body: dict[str, Any]) -> requests.Response:
        url = f"{self.url}/simulator/phones/+{PHONE}/prompts/{prompt_id}"
        return requests.post(url, json=body, timeout=10)

    def paybill(self, **body: Any) -> dict[str, Any]:
        url = f"{self.url}/simulator/phones/{PHONE}/paybill"
        answer: dict[str, Any] = requests.post(url, json=body, timeout=15).json()
        return answer

    def statement(self) -> dict[str, Any]:
        listed: dict[str, Any] = requests.get(f"{self.url}/simulator/statement", timeout=5).json()
        return listed

    def fault(self, **body: Any) -> None:
        response = requests.post(f"{self.url}/simulator/faults", json=body, timeout=5)
        assert response.status_code == 201, response.text


@pytest.fixture
def daraja(sandbox_url: str, product: Product) -> DarajaClient:
    client = DarajaClient(url=f"{sandbox_url}/daraja", product_url=product.base_url)
    client.sign_in()
    return client
