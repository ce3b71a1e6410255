"""MoMo's parts put together."""

from __future__ import annotations

from sandbox.context import Context
from sandbox.momo import access, collection, disbursement, wallet
from sandbox.momo.callbacks import Callbacks
from sandbox.web import Route

SERVICE = access.SERVICE
SCHEMAS = (access.SCHEMA, wallet.SCHEMA, collection.SCHEMA, disbursement.SCHEMA)
OWN_FAULTS = (*collection.OWN_FAULTS, *disbursement.OWN_FAULTS)


class Momo:
    """Collections and refunds over one merchant's wallets."""

    def __init__(self, *, context: Context) -> None:
        self._access = access.Access(context=context)
        self._wallet = wallet.Wallet(context=context, access=self._access)
        self._callbacks = Callbacks(context=context)
        self.collection = collection.Collection(
            context=context, access=self._access, wallet=self._wallet, callbacks=self._callbacks
        )
        self._disbursement = disbursement.Disbursement(
            context=context,
            access=self._access,
            wallet=self._wallet,
            collection=self.collection,
            callbacks=self._callbacks,
        )

    def routes(self) -> list[Route]:
        """Every path under `/momo`."""
        return [
            *self._access.routes(),
            *self._wallet.routes(),
            *self._callbacks.routes(),
            *self.collection.routes(),
            *self._disbursement.routes(),
        ]

    def expire(self) -> None:
        """Let prompts run out and refunds end."""
        self.collection.expire()
        self._disbursement.settle_due()
