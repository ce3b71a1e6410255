"""A merchant's Stripe account in the sandbox, through the official library, and its webhooks."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import requests
import stripe
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from sandbox.app import QuietHandler

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from tests.sandbox.conftest import MovableClock

SECRET = "whsec_sandbox"
OK, DECLINED, DISPUTED = "4242424242424242", "4000000000000002", "4000000000000259"


@dataclass(frozen=True)
class Delivery:
    """One webhook as it came."""

    path: str
    signature: str | None
    headers: dict[str, str]
    body: bytes

    def event(self, *, secret: str = SECRET) -> stripe.Event:
        """The event, once its signature is verified by the official library."""
        event: stripe.Event = stripe.Webhook.construct_event(self.body, self.signature, secret)
        return event


@dataclass
class Hooks:
    """The product's end of the webhooks: keeps every delivery, answers `status`."""

    base_url: str = ""
    status: int = 200
    deliveries: list[Delivery] = field(default_factory=list)

    def wsgi_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        request = Request(environ)
        self.deliveries.append(
            Delivery(
                request.path,
                request.headers.get("Stripe-Signature"),
                dict(request.headers),
                request.get_data(),
            )
        )
        return Response("ok", status=self.status)(environ, start_response)

    def types(self) -> list[str]:
        """Types of the events delivered so far."""
        return [delivery.event().type for delivery in self.deliveries]

    def of_type(self, kind: str) -> list[Delivery]:
        """Deliveries of one type, whether or not their signatures are good."""
        marker = f'"type": "{kind}"\n}}'.encode()
        return [delivery for delivery in self.deliveries if delivery.body.endswith(marker)]

    def wait_for(self, kind: str, *, count: int = 1) -> list[stripe.Event]:
        """Wait until `count` events of the type came; returns them verified, in order."""
        wait_until(lambda: len(self.of_type(kind)) >= count, lambda: f"{kind} in {self.types()}")
        return [delivery.event() for delivery in self.of_type(kind)]


def wait_until(condition: Any, explain: Any = lambda: "", *, seconds: float = 6.0) -> None:
    """Wait for a condition, at most `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, explain()
        time.sleep(0.01)


def metadata(item: Any) -> dict[str, str]:
    """An object's metadata as a dict, which the library's own objects are not."""
    found: dict[str, str] = item.metadata.to_dict()
    return found


@contextmanager
def serving_hooks() -> Iterator[Hooks]:
    """Serve the product's end on a free port."""
    hooks = Hooks()
    server = make_server(
        "127.0.0.1", 0, hooks.wsgi_app, threaded=True, request_handler=QuietHandler
    )
    hooks.base_url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hooks
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=3)


@dataclass
class Account:
    """The account: `client` is the merchant, the methods are payers and banks."""

    url: str
    hooks: Hooks
    clock: MovableClock

    def __post_init__(self) -> None:
        self.client = self.client_with("sk_test_sandbox")

    def client_with(self, key: str, *, retries: int = 0) -> stripe.StripeClient:
        return stripe.StripeClient(
            key,
            base_addresses={"api": self.url},
            stripe_version=stripe.api_version,
            max_network_retries=retries,
        )

    def session(
        self, *, amount: int = 2500, currency: str = "usd", **changes: Any
    ) -> stripe.checkout.Session:
        """A new Checkout Session over one item."""
        price = {
            "currency": currency,
            "unit_amount": amount,
            "product_data": {"name": "Light for Kisima"},
        }
        params: Any = {
            "mode": "payment",
            "line_items": [{"price_data": price, "quantity": 1}],
            "success_url": "https://example.org/thanks?session={CHECKOUT_SESSION_ID}",
            "cancel_url": "https://example.org/back",
            "client_reference_id": "KIS0001",
            "metadata": {"attempt": "a1"},
            "payment_intent_data": {"metadata": {"attempt": "a1"}},
            **changes,
        }
        return self.client.v1.checkout.sessions.create(params)

    def simulate(self, path: str, **body: Any) -> requests.Response:
        return requests.post(f"{self.url}/simulator/{path}", json=body, timeout=10)

    def pay(self, session_id: str, *, card: str = OK, **more: Any) -> dict[str, Any]:
        """Submit a session's page with a card that is not declined."""
        response = self.simulate(f"checkout/{session_id}", card=card, **more)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def paid(self, *, card: str = OK, **session: Any) -> stripe.Charge:
        """The charge of a new session, paid, with its balance transaction."""
        reference = self.pay(self.session(**session).id, card=card)["charge"]
        self.clock.move(seconds=1.0)
        charge = self.client.v1.charges.retrieve(reference)
        assert charge.balance_transaction is not None
        return charge

    def fault(self, **body: Any) -> None:
        assert self.simulate("faults", **body).status_code == 201

    def movements(self, **filters: Any) -> list[tuple[str, str, int, int]]:
        """Balance transactions, oldest first: type, reporting category, amount, fee."""
        params: Any = {"limit": 100, **filters}
        listed = self.client.v1.balance_transactions.list(params).data
        return [
            (item.type, item.reporting_category, item.amount, item.fee) for item in listed[::-1]
        ]

    def totals(self, currency: str = "usd") -> tuple[int, int]:
        """What is available and what is pending in a currency."""
        balance = self.client.v1.balance.retrieve()
        available = {item.currency: item.amount for item in balance.available}
        pending = {item.currency: item.amount for item in balance.pending}
        return available.get(currency, 0), pending.get(currency, 0)
