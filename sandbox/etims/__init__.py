"""Counterpart of eTIMS, the Kenya Revenue Authority's invoice system: one signed receipt a sale.

What it answers follows the OSCU specification v2.0 as two independent clients read it (the PyPI
package `etims` and Odoo's l10n_ke_edi_oscu). Where the live service is known to differ from the
specification, the live service is followed: 905 for a serial that was never approved, 902 without
the key for a device that is installed, `taxblAmt` with or without the tax in it. From memory, and
therefore settable under `/simulator/settings`: the code of a duplicate, whether numbers must follow
one another, whether items must be registered. The shape of `/selectInvoiceDetails` is from memory
too: public descriptions name the path and its `invcNo`, not its answer.
"""

from __future__ import annotations

from sandbox.context import Context
from sandbox.etims import access, items, receipts, sales
from sandbox.etims.access import OWN_FAULTS, SERVICE
from sandbox.web import Route

SCHEMAS = (access.SCHEMA, items.SCHEMA, receipts.SCHEMA)

__all__ = ["OWN_FAULTS", "SCHEMAS", "SERVICE", "routes"]


def routes(*, context: Context) -> list[Route]:
    """Every path of the service, under its prefix."""
    own_access = access.Access(context=context)
    own_items = items.Items(context=context, access=own_access)
    own_receipts = receipts.Receipts(context=context, access=own_access)
    own_sales = sales.Sales(
        context=context, access=own_access, items=own_items, receipts=own_receipts
    )
    return [
        *own_access.routes(),
        *own_items.routes(),
        *own_receipts.routes(),
        *own_sales.routes(),
    ]
