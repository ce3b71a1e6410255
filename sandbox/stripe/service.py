"""The sandbox Stripe put together."""

from __future__ import annotations

import logging
from collections.abc import Callable

from sandbox.context import Context
from sandbox.stripe import api, objects
from sandbox.stripe.balance import Balance
from sandbox.stripe.disputes import Disputes
from sandbox.stripe.errors import ApiError
from sandbox.stripe.events import Events
from sandbox.stripe.page import CheckoutPage
from sandbox.stripe.payments import Payments
from sandbox.stripe.payments_api import PaymentsApi
from sandbox.stripe.refunds import Refunds
from sandbox.stripe.sessions import Sessions
from sandbox.stripe.simulator import Simulator
from sandbox.stripe.subscriptions import BILL, RETRY, Subscriptions
from sandbox.stripe.subscriptions_api import SubscriptionsApi
from sandbox.web import Route

log = logging.getLogger(__name__)

SERVICE = api.SERVICE
OWN_FAULTS = api.OWN_FAULTS
SCHEMAS = (objects.SCHEMA, api.SCHEMA)
UNAVAILABLE_BODY = ApiError("Service unavailable.", status=503, kind="api_error").body()


class Stripe:
    """One test-mode account."""

    def __init__(self, *, context: Context) -> None:
        self._context = context
        self._objects = objects.Objects(context=context)
        self._events = Events(context=context, objects=self._objects)
        self._api = api.Api(
            context=context,
            objects=self._objects,
            before=self.expire,
            listener=self._events.during,
        )
        balance = Balance(objects=self._objects, events=self._events)
        payments = Payments(objects=self._objects, events=self._events, balance=balance)
        subscriptions = Subscriptions(objects=self._objects, events=self._events, payments=payments)
        subscriptions_api = SubscriptionsApi(
            objects=self._objects, events=self._events, subscriptions=subscriptions
        )
        sessions = Sessions(
            objects=self._objects,
            events=self._events,
            payments=payments,
            subscriptions=subscriptions,
        )
        refunds = Refunds(
            objects=self._objects, events=self._events, balance=balance, payments=payments
        )
        disputes = Disputes(
            objects=self._objects, events=self._events, balance=balance, payments=payments
        )
        payments_api = PaymentsApi(objects=self._objects, events=self._events, payments=payments)
        page = CheckoutPage(objects=self._objects, sessions=sessions)
        simulator = Simulator(
            objects=self._objects,
            events=self._events,
            balance=balance,
            payments=payments,
            sessions=sessions,
            subscriptions=subscriptions,
            refunds=refunds,
            disputes=disputes,
            before=self.expire,
        )
        parts = (
            *(self._events, balance, payments_api, sessions),
            *(subscriptions_api, refunds, disputes),
        )
        self._routes: list[Route] = [
            *(route for part in parts for route in part.routes(self._api)),
            *self._api.unknown_routes(),
            *page.routes(),
            *simulator.routes(),
        ]
        self._actions: dict[str, Callable[[str], object]] = {
            "settle_funds": balance.settle_funds,
            "pay_payout": balance.pay_payout,
            "capture": payments.capture,
            "settle_payment": sessions.settle,
            "expire_session": sessions.run_out,
            BILL: subscriptions.bill,
            RETRY: subscriptions.retry,
            "name_refund": refunds.name,
            "succeed_refund": refunds.succeed,
            "fail_refund": refunds.fail,
            "dispute_overdue": disputes.overdue,
            "win_dispute": disputes.win,
            "lose_dispute": disputes.lose,
            "dispute_charge": lambda charge: self._dispute(charge, payments, disputes),
        }

    def routes(self) -> list[Route]:
        """The API under /v1, the Checkout page, the simulator."""
        return self._routes

    def expire(self) -> None:
        """Do what is due by the sandbox's clock."""
        while True:
            with self._context.store.transaction():
                due = self._objects.take_due()
                if due is None:
                    return
                action, reference = due
                try:
                    self._actions[action](reference)
                except ApiError as error:
                    # Somebody was faster, such as a refund before the dispute of its card.
                    log.warning("stripe %s of %s: %s", action, reference, error)

    def _dispute(self, charge_id: str, payments: Payments, disputes: Disputes) -> None:
        means = payments.means({"id": charge_id})
        disputes.open(charge_id, reason=means.dispute or "fraudulent", inquiry=means.inquiry)
