"""A service that says something else was paid than what was: on command, of one payment."""

from __future__ import annotations

import pytest

from tests.sandbox.conftest import Product
from tests.sandbox.pawapay_merchant import Merchant, merchant

__all__ = ["merchant"]


def test_it_tells_another_amount_of_one_deposit_and_the_truth_again(
    merchant: Merchant, product: Product
) -> None:
    lied, other = merchant.accepted(), merchant.accepted()
    merchant.simulate(f"told/{lied}", amount="200", currency="GHS")
    merchant.answer(lied, pin="4826")
    [called] = product.wait_for("pawapay")
    assert (called["amount"], called["currency"], called["status"]) == ("200", "GHS", "COMPLETED")
    told = merchant.data("deposits", lied)
    assert (told["amount"], told["currency"]) == ("200", "GHS")
    assert merchant.data("deposits", other)["amount"] == "500"
    # What really moved did not change.
    assert merchant.balance() == "500"
    merchant.simulate(f"told/{lied}")
    assert merchant.data("deposits", lied)["currency"] == "XOF"


@pytest.mark.parametrize("body", [{"status": "FAILED"}, {"amount": 200}])
def test_nothing_else_can_be_told(merchant: Merchant, body: dict[str, object]) -> None:
    answer = merchant.call("POST", f"/simulator/told/{merchant.accepted()}", body)
    assert answer.status_code == 400
