"""A phone's prompts, whatever rail they came over."""

from __future__ import annotations

import requests

from tests.sandbox.conftest import DarajaClient, MovableClock, Product
from tests.sandbox.momo_merchant import Merchant as MomoMerchant
from tests.sandbox.pawapay_merchant import Merchant, merchant, payer

__all__ = ["merchant"]

ZAMBIAN = "260963456789"


def prompts(url: str, phone: str) -> list[dict[str, str]]:
    listed: list[dict[str, str]] = requests.get(
        f"{url}/phones/simulator/phones/{phone}/prompts", timeout=5
    ).json()
    return listed


def answer(url: str, phone: str, prompt_id: str, **body: object) -> requests.Response:
    path = f"{url}/phones/simulator/phones/{phone}/prompts/{prompt_id}"
    return requests.post(path, json=body, timeout=5)


def test_prompts_of_two_rails_come_newest_first_and_are_answered_by_their_own(
    sandbox_url: str, merchant: Merchant, product: Product, clock: MovableClock
) -> None:
    momo = MomoMerchant(
        url=f"{sandbox_url}/momo",
        product_url=product.base_url,
        environment="mtnzambia",
        currency="ZMW",
    )
    first = momo.asked(phone=ZAMBIAN, amount="7.5")
    clock.move(seconds=1)
    wish = {"amount": "15.5", "currency": "ZMW", "payer": payer(ZAMBIAN, "MTN_MOMO_ZMB")}
    second = merchant.accepted(**wish)
    clock.move(seconds=1)
    third = momo.asked(phone=ZAMBIAN, amount="20")
    assert prompts(sandbox_url, ZAMBIAN) == [
        {"id": third, "amount": "20", "currency": "ZMW"},
        {"id": second, "amount": "15.50", "currency": "ZMW"},
        {"id": first, "amount": "7.5", "currency": "ZMW"},
    ]
    assert answer(sandbox_url, ZAMBIAN, second, pin="4826").json()["result_code"] == "COMPLETED"
    assert "receipt" not in answer(sandbox_url, ZAMBIAN, third, cancel=True).json()
    assert [prompt["id"] for prompt in prompts(sandbox_url, ZAMBIAN)] == [first]
    assert merchant.data("deposits", second)["status"] == "COMPLETED"
    assert momo.status(third)["status"] == "FAILED"
    assert answer(sandbox_url, ZAMBIAN, second, pin="4826").status_code == 409


def test_a_kenyan_phone_is_asked_over_daraja(sandbox_url: str, daraja: DarajaClient) -> None:
    checkout_id = daraja.push().json()["CheckoutRequestID"]
    phone = "+254711000001"
    assert prompts(sandbox_url, phone) == [{"id": checkout_id, "amount": "500", "currency": "KES"}]
    other = answer(sandbox_url, "254711000002", checkout_id, pin="4826")
    assert other.status_code == 404
    assert answer(sandbox_url, phone, checkout_id, pin="4826").json()["receipt"]
    assert prompts(sandbox_url, phone) == []


def test_a_prompt_nobody_has_is_404(sandbox_url: str) -> None:
    unknown = answer(sandbox_url, ZAMBIAN, "3f0b5c1e-7a0d-4c55-9a0e-0d6f1c0a9b11", pin="4826")
    assert unknown.status_code == 404
    assert answer(sandbox_url, ZAMBIAN, "ws_CO_1", pin="4826").status_code == 404
