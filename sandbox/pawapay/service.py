"""pawaPay's parts put together."""

from __future__ import annotations

from sandbox.context import Context
from sandbox.pawapay import (
    access,
    callbacks,
    deposits,
    payouts,
    refunds,
    signing,
    statements,
    wallet,
)
from sandbox.pawapay.prompts import Prompts
from sandbox.pawapay.providers import Toolkit
from sandbox.web import Route

SERVICE = access.SERVICE
SCHEMAS = (
    wallet.SCHEMA,
    signing.SCHEMA,
    deposits.SCHEMA,
    payouts.SCHEMA,
    refunds.SCHEMA,
    statements.SCHEMA,
)
OWN_FAULTS = (
    *deposits.OWN_FAULTS,
    *payouts.OWN_FAULTS,
    *refunds.OWN_FAULTS,
    *statements.OWN_FAULTS,
    *callbacks.OWN_FAULTS,
)


class Pawapay:
    """One merchant's account."""

    def __init__(self, *, context: Context) -> None:
        own_callbacks = callbacks.Callbacks(context=context)
        own_wallet = wallet.Wallet(context=context)
        self.deposits = deposits.Deposits(
            context=context, wallet=own_wallet, callbacks=own_callbacks
        )
        self._refunds = refunds.Refunds(
            context=context, wallet=own_wallet, deposits=self.deposits, callbacks=own_callbacks
        )
        self._payouts = payouts.Payouts(context=context, wallet=own_wallet, callbacks=own_callbacks)
        self._statements = statements.Statements(
            context=context, wallet=own_wallet, callbacks=own_callbacks
        )
        self.prompts = Prompts(context=context, deposits=self.deposits)
        self._parts = (
            own_wallet,
            signing.Signing(context=context),
            Toolkit(context=context),
            self.prompts,
        )

    def routes(self) -> list[Route]:
        """Every path under `/pawapay`."""
        parts = (*self._parts, self.deposits, self._payouts, self._refunds, self._statements)
        return [route for part in parts for route in part.routes()]

    def expire(self) -> None:
        """Let prompts run out, payouts and refunds end and statements be made."""
        self.deposits.expire()
        self._payouts.settle_due()
        self._refunds.settle_due()
        self._statements.make_due()
