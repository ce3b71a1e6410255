"""Events, and their delivery to webhook endpoints under real signatures."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Mapping
from typing import Any

from sandbox.context import Context
from sandbox.courier import Callback, Outgoing
from sandbox.stripe.api import API_VERSION, SERVICE, Api, Call
from sandbox.stripe.errors import invalid
from sandbox.stripe.objects import Body, Objects
from sandbox.web import Route

OWN_ENDPOINT = "we_sandbox"
# The vendor repeats for three days, ever more slowly; here for half a minute.
ATTEMPTS = 10
RETRY_SECONDS = 3.0
OLD_SECONDS = 3600
# What a forger, or a bad line, makes of a delivery. truncated: cut on its way, under the
# signature of the whole; malformed: cut before it was signed.
FORGERIES = (
    *("bad_signature", "old_timestamp", "no_signature", "wrong_scheme", "truncated", "malformed"),
)


class Events:
    """Records what happened and tells the endpoints."""

    def __init__(self, *, context: Context, objects: Objects) -> None:
        self._context = context
        self._objects = objects
        self._cause = threading.local()
        context.courier.sign_with(name=SERVICE, signer=self._sign)
        self._keep_own_endpoint()

    def _keep_own_endpoint(self) -> None:
        """The endpoint of the product, as its operator made it in the dashboard."""
        url = f"{self._context.product_url}/hooks/stripe"
        secret = self._context.credentials.stripe_webhook_secret
        with self._context.store.transaction():
            if self._objects.get(OWN_ENDPOINT) is None:
                body = _endpoint(OWN_ENDPOINT, url=url, events=["*"], created=self._objects.now())
                self._objects.add(body)
            self._objects.change(OWN_ENDPOINT, url=url)
            self._objects.remember(OWN_ENDPOINT, secret=secret)

    def during(self, call: Call | None) -> None:
        """Name the API call that causes what this thread records next; None for no call."""
        self._cause.call = call

    def record(self, kind: str, body: Body, *, previous: Body | None = None) -> Body:
        """Store an event about an object as it is now and deliver it to whoever wants it.

        previous: the fields an update changed, with their old values.
        """
        call: Call | None = getattr(self._cause, "call", None)
        data: Body = {"object": body}
        if previous is not None:
            data["previous_attributes"] = previous
        endpoints = [endpoint for endpoint in self._endpoints() if _wants(endpoint, kind)]
        event = self._objects.add(
            {
                "id": self._objects.new_id("evt"),
                "object": "event",
                "api_version": API_VERSION,
                "created": self._objects.now(),
                "data": data,
                "livemode": False,
                "pending_webhooks": len(endpoints),
                "request": {
                    "id": None if call is None else call.id,
                    "idempotency_key": None if call is None else call.idempotency_key,
                },
                "type": kind,
            }
        )
        for endpoint in endpoints:
            self.deliver(event, endpoint=endpoint)
        return event

    def _endpoints(self) -> list[Body]:
        return self._objects.find("webhook_endpoint", status="enabled")

    def deliver(
        self, event: Body, *, endpoint: Body | None = None, forgery: str | None = None
    ) -> None:
        """Send an event (again) to an endpoint, the product's own by default.

        forgery is one of FORGERIES; such a delivery is not repeated.
        """
        endpoint = endpoint or self._objects.require(OWN_ENDPOINT, kind="webhook_endpoint")
        text = json.dumps(event, indent=2, ensure_ascii=False)
        headers = {
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Accept": "*/*; q=0.5, application/xml",
        }
        if forgery == "truncated":
            headers |= self._signature(text.encode(), endpoint["id"])
        if forgery in ("truncated", "malformed"):
            text = text[: len(text) // 2]
        self._context.courier.post(
            Callback(
                service=SERVICE,
                topic=str(event.get("type")),
                url=endpoint["url"],
                raw=text,
                content_type="application/json; charset=utf-8",
                headers=headers,
                signer=f"{SERVICE}:{endpoint['id']}:{forgery or ''}",
                attempts=1 if forgery else ATTEMPTS,
                retry_seconds=RETRY_SECONDS,
            )
        )

    def _sign(self, outgoing: Outgoing) -> Mapping[str, str]:
        reference, _, forgery = outgoing.note.partition(":")
        if forgery in ("no_signature", "truncated"):
            return {}
        return self._signature(outgoing.body, reference, forgery=forgery)

    def _signature(self, body: bytes, endpoint_id: str, *, forgery: str = "") -> dict[str, str]:
        secret, at = str(self._objects.hidden(endpoint_id)["secret"]), self._objects.now()
        if forgery == "bad_signature":
            secret = "whsec_of_somebody_else"
        if forgery == "old_timestamp":
            at -= OLD_SECONDS
        signature = signed(body, secret=secret, at=at)
        if forgery == "wrong_scheme":
            return {"Stripe-Signature": f"t={at},v0={signature}"}
        # Test mode sends a v0 as well, which verifies nothing.
        fake = hashlib.sha256(signature.encode()).hexdigest()
        return {"Stripe-Signature": f"t={at},v1={signature},v0={fake}"}

    def routes(self, api: Api) -> list[Route]:
        """`/events` and `/webhook_endpoints`."""
        endpoints = "/webhook_endpoints"
        return [
            api.route("GET", "/events", self.listing),
            api.route("GET", "/events/<reference>", self.retrieve),
            api.route("GET", endpoints, self.list_endpoints),
            api.route("POST", endpoints, self.create_endpoint),
            api.route("GET", f"{endpoints}/<reference>", self.retrieve_endpoint),
            api.route("POST", f"{endpoints}/<reference>", self.update_endpoint),
            api.route("DELETE", f"{endpoints}/<reference>", self.delete_endpoint),
        ]

    def listing(self, call: Call) -> Body:
        """Events, newest first, by `type` (with `*`) or `types`."""
        kind, kinds = call.params.text("type"), call.params.texts("types")
        if kind is not None and kinds:
            raise invalid("You may pass either type or types, not both.", param="types")
        call.params.ignore("delivery_success")
        page = self._objects.page("event", call.params, url="/v1/events", type=kinds or kind)
        call.params.finish()
        return page

    def retrieve(self, call: Call, reference: str) -> Body:
        """One event."""
        call.params.finish()
        return self._objects.require(reference, kind="event")

    def list_endpoints(self, call: Call) -> Body:
        """Endpoints, newest first, without their secrets."""
        page = self._objects.page("webhook_endpoint", call.params, url="/v1/webhook_endpoints")
        call.params.finish()
        return page

    def create_endpoint(self, call: Call) -> Body:
        """A new endpoint; only this answer tells its secret."""
        params = call.params
        url, events = params.required("url"), params.texts("enabled_events")
        if not events:
            raise params.missing("enabled_events")
        description, metadata = params.text("description"), params.metadata()
        version = params.text("api_version")
        params.ignore("connect")
        params.finish()
        _check_url(url)
        body = {
            **_endpoint(
                self._objects.new_id("we"), url=url, events=events, created=self._objects.now()
            ),
            "api_version": version,
            "description": description,
            "metadata": metadata,
        }
        secret = self._objects.new_id("whsec", length=32)
        self._objects.add(body, hidden={"secret": secret})
        return {**body, "secret": secret}

    def retrieve_endpoint(self, call: Call, reference: str) -> Body:
        """One endpoint, without its secret."""
        call.params.finish()
        return self._objects.require(reference, kind="webhook_endpoint")

    def update_endpoint(self, call: Call, reference: str) -> Body:
        """Change `url`, `enabled_events`, `description`, `metadata`; `disabled` stops it."""
        params = call.params
        body = self._objects.require(reference, kind="webhook_endpoint")
        url, events = params.text("url"), params.texts("enabled_events")
        disabled, description = params.flag("disabled"), params.text("description", empty=True)
        metadata = params.metadata(before=body["metadata"])
        params.finish()
        changes: dict[str, Any] = {"metadata": metadata}
        if url is not None:
            _check_url(url)
            changes["url"] = url
        if events:
            changes["enabled_events"] = events
        if disabled is not None:
            changes["status"] = "disabled" if disabled else "enabled"
        if description is not None:
            changes["description"] = description or None
        return self._objects.change(reference, **changes)

    def delete_endpoint(self, call: Call, reference: str) -> Body:
        """No further event goes to the endpoint."""
        call.params.finish()
        self._objects.require(reference, kind="webhook_endpoint")
        # Kept under another kind: deliveries on their way still need its secret.
        self._objects.forget(reference)
        return {"id": reference, "object": "webhook_endpoint", "deleted": True}


def signed(body: bytes, *, secret: str, at: int) -> str:
    """The v1 signature: HMAC-SHA256 of `<epoch seconds>.<body>`, hexadecimal."""
    return hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()


def _endpoint(reference: str, *, url: str, events: list[str], created: int) -> Body:
    return {
        "id": reference,
        "object": "webhook_endpoint",
        "api_version": None,
        "application": None,
        "created": created,
        "description": None,
        "enabled_events": events,
        "livemode": False,
        "metadata": {},
        "status": "enabled",
        "url": url,
    }


def _wants(endpoint: Body, kind: str) -> bool:
    return kind in endpoint["enabled_events"] or "*" in endpoint["enabled_events"]


def _check_url(url: str) -> None:
    if not url.startswith(("https://", "http://")):
        raise invalid(
            "Invalid URL: An explicit scheme (such as https) must be provided.", param="url"
        )
