"""The client of eTIMS that PyPI carries, as it is, against the sandbox."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from etims import (
    CreditNoteReason,
    DeviceError,
    DuplicateError,
    Item,
    OscuClient,
    PaymentType,
    ProductType,
    ReceiptType,
    RequestError,
    Sale,
    SaleLine,
    SaleOutbox,
    TaxType,
    tax_rates_from_codes,
)

ITEM = "KE3NTU0000001"
PIN = "P051234567A"


@pytest.fixture
def client(sandbox_url: str) -> Iterator[OscuClient]:
    base_url = f"{sandbox_url}/etims"
    requests.post(
        f"{base_url}/simulator/devices",
        json={"tin": PIN, "bhfId": "00", "dvcSrlNo": "tower-7"},
        timeout=5,
    )
    device = OscuClient.initialize_device(PIN, "00", "tower-7", base_url=base_url)
    with OscuClient(PIN, "00", device.cmc_key or "", base_url=base_url) as made:
        yield made


def bought(invoice: int, **changes: Any) -> Sale:
    line = SaleLine(
        item_code=ITEM,
        item_class_code="8310180000",
        name="Prepaid electricity",
        quantity=1,
        unit_price=Decimal("500.00"),
        tax_type=TaxType.STANDARD,
    )
    fields: dict[str, Any] = {
        "trader_invoice_no": f"K-{invoice}",
        "lines": [line],
        "confirmed_at": datetime(2026, 1, 1, 9, tzinfo=UTC),
        "invoice_no": invoice,
        "payment_type": PaymentType.MOBILE_MONEY,
    }
    return Sale(**{**fields, **changes})


def register(client: OscuClient) -> None:
    client.save_item(
        Item(
            item_code=ITEM,
            item_class_code="8310180000",
            name="Prepaid electricity",
            product_type=ProductType.SERVICE,
            tax_type=TaxType.STANDARD,
            packaging_unit="NT",
            quantity_unit="U",
            default_price=Decimal(1),
        )
    )


def test_a_third_party_client_signs_a_sale_and_its_credit_note(client: OscuClient) -> None:
    rates = tax_rates_from_codes(client.get_codes())
    assert rates[TaxType.STANDARD] == Decimal(16)
    with pytest.raises(RequestError, match="not registered"):
        client.save_sale(bought(1))
    register(client)
    assert [found.item_code for found in client.get_items()] == [ITEM]
    receipt = client.save_sale(bought(1))
    assert (receipt.receipt_no, receipt.total_receipt_no) == (1, 1)
    assert receipt.qr_data == f"{PIN}00{receipt.signature}"
    assert receipt.signed_at is not None
    with pytest.raises(DuplicateError):
        client.save_sale(bought(1))
    note = client.save_sale(
        bought(
            2,
            receipt_type=ReceiptType.CREDIT_NOTE,
            original_invoice_no=1,
            credit_note_reason=CreditNoteReason.REFUND,
        )
    )
    assert (note.receipt_no, note.total_receipt_no) == (1, 2)


def test_a_third_party_client_meets_an_installed_device_and_an_outage(
    client: OscuClient, sandbox_url: str, tmp_path: Path
) -> None:
    base_url = f"{sandbox_url}/etims"
    with pytest.raises(DeviceError, match="902"):
        OscuClient.initialize_device(PIN, "00", "tower-7", base_url=base_url)
    register(client)
    fault = {"kind": "slow_response", "seconds": 1.0}
    requests.post(f"{base_url}/simulator/faults", json=fault, timeout=5)
    key = client._cmc_key
    with (
        OscuClient(PIN, "00", key, base_url=base_url, timeout=0.3) as hasty,
        SaleOutbox(tmp_path / "outbox.sqlite3", hasty) as outbox,
    ):
        outbox.enqueue(bought(0, invoice_no=None))
        outbox.enqueue(bought(0, invoice_no=None))
        assert outbox.flush().uncertain == [1]
        time.sleep(1.0)
        report = outbox.flush()
    assert (report.duplicates, report.sent) == ([1], [2])
