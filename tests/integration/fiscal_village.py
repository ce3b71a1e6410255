"""A village that taxes what is paid, with a control unit at the sandbox's eTIMS."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts import fiscal
from accounts.models import FiscalReceipt, Household, Payment, Site, TakeBack, TaxLine
from gateway.fiscal import delivery
from gateway.fiscal.etims import device
from tests.integration.sandboxed import World
from tests.village import Village

ACCOUNT = "P000000001A/00/KRACU0000000001"
HEADERS = {"tin": "P000000001A", "bhfId": "00", "cmcKey": "sandbox-key"}


def tax(
    site: Site, *, name: str = "VAT", rate: int = 1_600, code: str = "B", **fields: Any
) -> TaxLine:
    """Tax what is paid to a site, from its founding on unless told otherwise."""
    return TaxLine.objects.create(
        **{
            "site": site,
            "kind": TaxLine.Kind.TAX,
            "name": name,
            "code": code,
            "rate_basis_points": rate,
            "validity": (timezone.now() - timedelta(days=90), None),
            **fields,
        }
    )


def take_back(payment: Payment, *, amount_minor: int, at: datetime) -> TakeBack:
    """What the ledger's side of a refund leaves behind, once the money is gone."""
    assert payment.entry_id is not None
    return TakeBack.objects.create(
        payment=payment,
        amount_minor=amount_minor,
        taken_wei=1,
        entry_id=payment.entry_id,
        paid_entry_id=payment.entry_id,
        taken_at=at,
    )


def receipts(**fields: Any) -> list[FiscalReceipt]:
    """Receipts and credit notes, oldest first."""
    return list(FiscalReceipt.objects.filter(**fields).order_by("id"))


def sign(*, at: datetime | None = None) -> int:
    """What the beat has done."""
    return delivery.sign_due(clock=lambda: at or timezone.now())


def at_etims(world: World) -> list[dict[str, Any]]:
    """What eTIMS has signed, oldest first."""
    listed: list[dict[str, Any]] = world.ask("GET", "etims/simulator/receipts")
    return listed


@pytest.fixture
def taxed(world: World, settings: Settings, today: Village) -> Iterator[Village]:
    """Kisima with 16 % VAT and a control unit of eTIMS."""
    settings.ETIMS_URL = f"{world.url}/etims"
    settings.ETIMS_API_KEY = "sandbox-key"
    settings.ETIMS_RECEIPT_URL = (
        f"{world.url}/etims/common/link/etims/receipt/indexEtimsReceiptData"
    )
    tax(today.site)
    today.site.fiscal_device = Site.FiscalDevice.ETIMS
    today.site.fiscal_account = ACCOUNT
    today.site.save()
    yield today
    device._client.cache_clear()


def paid(village: Village, home: Household, *, amount_minor: int = 50_000) -> FiscalReceipt:
    """A payment of now, and its receipt."""
    payment = village.pay(home.code, amount_minor=amount_minor, at=timezone.now())
    return FiscalReceipt.objects.get(payment=payment)


def noted(receipt: FiscalReceipt, *, amount_minor: int) -> FiscalReceipt:
    """A credit note of part of a receipt's payment."""
    now = timezone.now()
    taken = take_back(receipt.payment, amount_minor=amount_minor, at=now)
    note = fiscal.credit(take_back=taken, at=now)
    assert note is not None
    return note
