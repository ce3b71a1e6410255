"""What the contract of providers needs of one: its payer, its callbacks, its troubles.

A rig stands over the real sandbox. Callbacks wait there until a test hands them over: when, in
which order and as often as it likes, signed at that moment by the sandbox's own signer. Sandbox and
product share one clock, which a test can move ahead.
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pytest
import requests
from django.http import HttpResponse
from django.test import Client, override_settings

from accounts import attempts, site_rates, sites
from accounts.models import Household, Payment, PaymentAttempt, Rail, Refund, Site
from accounts.money import minor_from_string
from gateway.providers import collection, refunding
from gateway.providers.interface import Provider
from gateway.providers.registry import provider
from gateway.webhooks import events
from gateway.webhooks.models import InboundEvent
from sandbox.app import Sandbox
from sandbox.courier import Outgoing
from tests.sandbox.conftest import MovableClock

PUBLIC_URL = "http://product.test"
HOOKS_URL = f"{PUBLIC_URL}/hooks/test-secret"
PIN = "4826"
NOWHERE = "http://127.0.0.1:9"


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A callback on its way; path is what stands behind /hooks/."""

    path: str
    body: str
    method: str = "POST"
    topic: str = ""


class Rig(ABC):
    """One provider. A class for a new one sets the names below and fills in the abstract parts."""

    provider: ClassVar[Rail.Provider]
    """Also what its settings begin with, and its prefix in the sandbox, in lower case."""
    merchant_account: ClassVar[str]
    country: ClassVar[str]
    time_zone: ClassVar[str]
    currency: ClassVar[str]
    local_per_dai: ClassVar[Decimal]
    payers: ClassVar[tuple[str, str]]
    """Phones of the household and of its neighbour (E.164); "" where a page asks."""
    amount_minor: ClassVar[int]
    odd_minor: ClassVar[int]
    """An amount that the rail cannot carry."""
    signer: ClassVar[str] = ""
    """Whom the sandbox's courier lets sign the callbacks; "" where nobody does."""
    bad_signers: ClassVar[tuple[str, ...]] = ()
    """Those who sign badly: a forger, nobody, somebody long ago."""
    methods: ClassVar[tuple[str, ...]] = ("POST",)
    tells_money: ClassVar[bool] = True
    """`query` tells amount and currency; see `tell`."""
    client: ClassVar[Any]
    """The adapter's cached `shared_client`."""

    def __init__(self, *, sandbox: Sandbox, url: str, clock: MovableClock) -> None:
        self.sandbox = sandbox
        self.url = f"{url}/{self.provider}"
        self.clock = clock
        self.handed_over: set[int] = set()
        self.rail, self.site = self._found()
        self.home, self.neighbour = (
            sites.open_household(
                site=self.site,
                code=f"{self.site.slug[:3].upper()}000{number}",
                at=self.rail_opened_at,
                phones=(phone,) if phone else (),
            )
            for number, phone in enumerate(self.payers, start=1)
        )
        self.set_up()

    # What a provider's own rig says

    def set_up(self) -> None:  # noqa: B027 - most want nothing
        """Whatever the provider wants before the first payment."""

    def sign_in(self) -> None:
        """Have the client ready to ask, so that what goes wrong next is the question itself."""
        self.adapter.balance(at=self.clock())

    @abstractmethod
    def pay(self, attempt: PaymentAttempt) -> str:
        """The payer says yes; the reference of the payment."""

    @abstractmethod
    def decline(self, attempt: PaymentAttempt) -> None:
        """The payer says no."""

    @abstractmethod
    def spoil(self, attempt: PaymentAttempt) -> None:
        """Change the attempt (unsaved) into one that the provider refuses."""

    @abstractmethod
    def open_requests(self) -> list[str]:
        """What payers could pay now, as the provider calls it."""

    @abstractmethod
    def claim(
        self,
        attempt: PaymentAttempt,
        *,
        request: str = "",
        reference: str = "",
        amount_minor: int | None = None,
        currency: str = "",
    ) -> Sent:
        """A callback that says the attempt was paid, whoever sends it.

        request is another name of the request than the attempt's, reference another receipt than
        one made up, amount_minor and currency what it says was paid.
        """

    @abstractmethod
    def unasked(self) -> Sent:
        """A callback of a kind that this service knows nothing of, or never asked for."""

    def tell(self, attempt: PaymentAttempt, *, amount_minor: int, currency: str) -> None:
        """Let the provider say from now on that this much was paid, where `tells_money`."""
        raise NotImplementedError

    # The same for all

    @property
    def rail_opened_at(self) -> datetime:
        """90 days ago."""
        return self.clock() - timedelta(days=90)

    @property
    def adapter(self) -> Provider:
        return provider(rail=self.rail)

    def _found(self) -> tuple[Rail, Site]:
        at = self.rail_opened_at
        operator = sites.open_operator(slug="kijiji-operator", name="Kijiji Power", at=at)
        rail = Rail.objects.create(
            operator=operator,
            provider=self.provider,
            code=f"rail-{self.provider}",
            merchant_account=self.merchant_account,
            currency=self.currency,
            min_top_up_minor=1,
            max_top_up_minor=10**14,
        )
        site = sites.open_site(
            at=at,
            operator=operator,
            slug="kijiji",
            name="Kijiji",
            country=self.country,
            currency=self.currency,
            time_zone=self.time_zone,
            slot_seconds=900,
        )
        site.rails.add(rail)
        site_rates.publish(site=site, local_per_dai=self.local_per_dai, starts_at=at, at=at)
        return rail, site

    def simulate(self, path: str, **body: Any) -> Any:
        """What happens at the provider; GET without a body."""
        method = "POST" if body else "GET"
        answer = requests.request(
            method, f"{self.url}/simulator/{path}", json=body or None, timeout=10
        )
        assert answer.ok, answer.text
        return answer.json()

    def open_prompts(self) -> list[str]:
        """What phones ask their owners now."""
        prompts = [self.simulate(f"phones/{phone}/prompts") for phone in self.payers]
        return [prompt["id"] for listed in prompts for prompt in listed]

    def pass_time(self, **delta: float) -> datetime:
        """Move the clock ahead; the instant it shows then."""
        self.clock.ahead += timedelta(**delta)
        return self.clock()

    # Asking for money

    def asked(
        self,
        *,
        amount_minor: int | None = None,
        household: Household | None = None,
        key: str = "",
    ) -> PaymentAttempt:
        """A household wants to pay; the attempt, not submitted yet."""
        payee = household or self.home
        return attempts.request(
            household=payee,
            site=self.site,
            rail=self.rail,
            phone=self.payers[payee == self.neighbour],
            amount_minor=self.amount_minor if amount_minor is None else amount_minor,
            idempotency_key=key or secrets.token_hex(8),
            at=self.clock(),
        )

    def submitted(self, **changes: Any) -> PaymentAttempt:
        """The attempt after it was submitted, however that went."""
        attempt = self.asked(**changes)
        collection.submit(attempt_id=attempt.pk, at=self.clock())
        return attempts.load(attempt_id=attempt.pk)

    def prompted(self, **changes: Any) -> PaymentAttempt:
        """The payer is asked."""
        attempt = self.submitted(**changes)
        assert attempt.state == "pending", attempt.failure_text
        return attempt

    def paid(self, **changes: Any) -> Payment:
        """A payment that was asked for, made, told of and credited."""
        attempt = self.prompted(**changes)
        reference = self.pay(attempt)
        self.deliver(*self.waiting())
        payment = Payment.objects.get(reference=reference)
        assert payment.state == "credited", payment.reason
        return payment

    # Callbacks

    def callbacks(self) -> list[Sent]:
        """Every callback so far, oldest first."""
        return [self._as_sent(row) for row in self._rows()]

    def waiting(self) -> list[Sent]:
        """Those that were not asked for here before, oldest first."""
        rows = [row for row in self._rows() if row["id"] not in self.handed_over]
        self.handed_over |= {row["id"] for row in rows}
        return [self._as_sent(row) for row in rows]

    def _rows(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = self.simulate("callbacks")
        return sorted(listed, key=lambda row: int(row["id"]))

    def _as_sent(self, row: dict[str, Any]) -> Sent:
        path = row["url"].removeprefix(f"{PUBLIC_URL}/hooks/")
        return Sent(path=path, body=row["body"], topic=row["topic"], method=self.methods[0])

    def hand_over(
        self, sent: Sent, *, signer: str | None = None, signed_body: str | None = None
    ) -> HttpResponse:
        """Call the hook, signed by the provider unless told otherwise, and let nobody work."""
        outgoing = Outgoing(
            method=sent.method,
            url=f"{PUBLIC_URL}/hooks/{sent.path}",
            headers={"Content-Type": "application/json; charset=UTF-8"},
            body=(sent.body if signed_body is None else signed_body).encode(),
        )
        signer = self.signer if signer is None else signer
        headers = dict(self.sandbox.context.courier.signed(outgoing, signer=signer).headers)
        answer = Client().generic(
            sent.method,
            f"/hooks/{sent.path}",
            sent.body.encode(),
            content_type=headers.pop("Content-Type"),
            headers=headers,
        )
        assert isinstance(answer, HttpResponse)
        return answer

    def deliver(self, *callbacks: Sent) -> None:
        """Hand callbacks over in this order, and do after each what it makes the workers do."""
        for sent in callbacks:
            assert self.hand_over(sent).status_code == 200
            self.work()

    def work(self) -> None:
        """What the workers do with stored events."""
        for event_id in InboundEvent.objects.filter(outcome="").values_list("pk", flat=True):
            events.handle(event_id=event_id, at=self.clock())

    def look(self) -> None:
        """The janitor, the statement, and the janitor once more: nobody told us anything."""
        collection.poll_due(clock=self.clock)
        if self.adapter.capabilities.has_statement:
            collection.pull(rail=self.rail, at=self.clock())
            collection.poll_due(clock=lambda: self.pass_time(minutes=2))
        refunding.poll_due(clock=self.clock)

    # The provider's own account

    def minor(self, text: str) -> int:
        """Major units as minor ones: "1000" of KES is 100,000."""
        return minor_from_string(text=text, currency=self.currency)

    def balance(self) -> int:
        """What the provider says lies there now; its answer may come by callback."""
        self.pass_time(minutes=6)
        if self.adapter.balance(at=self.clock()) is None:
            self.deliver(*self.waiting())
        told = self.adapter.balance(at=self.clock())
        assert told is not None
        assert told.currency == self.currency
        return told.amount_minor

    # Giving money back

    def refund_of(self, payment: Payment, *, amount_minor: int | None = None) -> Refund:
        """A refund that is stored, and not submitted yet."""
        return Refund.objects.create(
            payment=payment,
            amount_minor=payment.amount_minor if amount_minor is None else amount_minor,
            currency=payment.currency,
            reason="paid twice",
            idempotency_key=secrets.token_hex(8),
            token=secrets.token_hex(32),
            created_at=self.clock(),
            submitted_at=self.clock(),
        )

    # Troubles

    def fault(self, kind: str, *, seconds: float = 0.0, count: int = 1) -> None:
        """Let the provider's next answers go wrong."""
        self.sandbox.context.faults.command(
            service=self.provider, kind=kind, topic=None, seconds=seconds, count=count
        )

    def recover(self) -> None:
        """The provider is there again; it keeps its callbacks for us to hand over."""
        self.sandbox.context.faults.forget(service=self.provider)
        self.fault("never", count=1_000_000)

    @contextmanager
    def impatience(self) -> Iterator[None]:
        """The adapter's client gives up after 0.3 s."""
        name = f"gateway.providers.{self.provider}.client.TIMEOUT_SECONDS"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(name, (1.0, 0.3))
            self.client.cache_clear()
            self.sign_in()
            yield
        self.client.cache_clear()

    @contextmanager
    def unreachable(self) -> Iterator[None]:
        """Nobody listens any more."""
        with override_settings(**{f"{self.provider.upper()}_URL": NOWHERE}):
            self.client.cache_clear()
            yield
        self.client.cache_clear()


def cut(sent: Sent) -> Sent:
    """A callback whose second half got lost."""
    return replace(sent, body=sent.body[: len(sent.body) // 2])
