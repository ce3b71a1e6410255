"""What the merchant asks of Daraja when it doesn't ask for a payment."""

from __future__ import annotations

from sandbox.context import Context
from sandbox.daraja.access import Access
from sandbox.daraja.b2c import BusinessToCustomer
from sandbox.daraja.commands import Commands
from sandbox.daraja.enquiries import Enquiries
from sandbox.daraja.merchant import Merchant
from sandbox.daraja.pull import Pull
from sandbox.daraja.reversal import Reversals
from sandbox.daraja.statement import Statement
from sandbox.web import Route


def merchant_routes(*, context: Context, access: Access, statement: Statement) -> list[Route]:
    """Statement, reversals, payouts, status and balance queries, and the simulator's side."""
    merchant = Merchant(context=context, statement=statement)
    commands = Commands(context=context, access=access)
    pull = Pull(context=context, access=access, statement=statement, merchant=merchant)
    reversals = Reversals(
        context=context, commands=commands, statement=statement, merchant=merchant
    )
    enquiries = Enquiries(context=context, commands=commands, statement=statement)
    payouts = BusinessToCustomer(
        context=context, access=access, commands=commands, statement=statement
    )
    return [
        *payouts.routes(),
        *statement.routes(),
        *pull.routes(),
        *merchant.routes(),
        *reversals.routes(),
        *enquiries.routes(),
    ]
