"""Clients that other people wrote for MTN's API, pointed at the sandbox as they are."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from decimal import Decimal

import httpx
import pytest
from momo_api import (
    CollectionApi,
    Config,
    ConflictException,
    DisbursementApi,
    InternalServerErrorException,
    InvalidSubscriptionKeyException,
    PaymentRequest,
    RefundRequest,
    ResourceNotFoundException,
    SandboxApi,
)
from momo_openapi import (
    AuthenticationError,
    Collection,
    Disbursement,
    MomoAPIError,
    MomoConfig,
    check_connectivity,
)

from tests.sandbox.conftest import MovableClock, Product
from tests.sandbox.momo_merchant import KEYS, PHONE, USER, Merchant

KEY = "sandbox-key"


@pytest.fixture
def momo(sandbox_url: str, product: Product) -> Merchant:
    """Whose phones the payers hold."""
    return Merchant(url=f"{sandbox_url}/momo", product_url=product.base_url)


def config(
    momo: Merchant,
    product: str,
    *,
    subscription_key: str | None = None,
    credential_token: str = KEY,
) -> MomoConfig:
    return MomoConfig(
        subscription_key=subscription_key or KEYS[product],
        user_id=USER,
        credential_token=credential_token,
        target_environment="mtnuganda",
        base_url=momo.url,
        currency="UGX",
        callback_url=f"{momo.product_url}/hooks/demo/momo/abc",
    )


class TestMomoOpenapi:
    """`momo-openapi`: collections, transfers and balances over `requests`."""

    def test_it_collects(self, momo: Merchant, product: Product) -> None:
        assert check_connectivity(momo.url).reachable
        client = Collection(config(momo, "collection"))
        reference = client.request_to_pay(Decimal(5000), PHONE, "KIS0001", payee_note="Top up")
        assert client.get_transaction_status(reference)["status"] == "PENDING"
        receipt = momo.pay(reference)
        told = client.get_transaction_status(reference)
        assert (told["status"], told["financialTransactionId"]) == ("SUCCESSFUL", receipt)
        assert client.get_balance() == {"availableBalance": "5000", "currency": "UGX"}
        disbursement = Disbursement(config(momo, "disbursement"))
        assert disbursement.get_balance() == client.get_balance()
        assert product.wait_for("momo/abc")[0]["financialTransactionId"] == receipt

    def test_it_sends_an_id_of_our_own_once(self, momo: Merchant) -> None:
        client, reference = Collection(config(momo, "collection")), str(uuid.uuid4())
        assert client.request_to_pay("1", PHONE, "a", reference_id=reference) == reference
        with pytest.raises(MomoAPIError) as again:
            client.request_to_pay("1", PHONE, "a", reference_id=reference)
        assert (again.value.status_code, again.value.code) == (409, "RESOURCE_ALREADY_EXIST")

    def test_it_tells_what_was_refused(self, momo: Merchant) -> None:
        with pytest.raises(AuthenticationError) as refused:
            Collection(config(momo, "collection", credential_token="guess")).get_balance()
        assert refused.value.code == "invalid_client"
        with pytest.raises(AuthenticationError, match="subscription key"):
            Collection(config(momo, "collection", subscription_key="guess")).get_balance()
        client = Collection(config(momo, "collection"))
        with pytest.raises(MomoAPIError) as wrong:
            client.request_to_pay("1", PHONE, "a", currency="EUR")
        assert (wrong.value.status_code, wrong.value.code) == (500, "INVALID_CURRENCY")
        with pytest.raises(MomoAPIError) as missing:
            client.get_transaction_status(str(uuid.uuid4()))
        assert missing.value.code == "RESOURCE_NOT_FOUND"


class TestMtnMomoClient:
    """`mtn-momo-client`: collections, refunds and provisioning over `httpx`."""

    @pytest.fixture
    def http(self) -> Iterator[httpx.Client]:
        with httpx.Client(timeout=5) as client:
            yield client

    def provisioned(self, momo: Merchant, product: str, http: httpx.Client) -> Config:
        """A new API user of the vendor's sandbox."""
        sandbox = SandboxApi(KEYS[product], momo.url, http)
        user = sandbox.create_api_user(str(uuid.uuid4()), "127.0.0.1")
        assert sandbox.get_api_user(user)["targetEnvironment"] == "sandbox"
        return Config(
            subscription_key=KEYS[product],
            api_user=user,
            api_key=sandbox.create_api_key(user),
            callback_uri=f"{momo.product_url}/hooks/demo/momo/abc",
        )

    def test_it_provisions_collects_and_refunds(
        self, momo: Merchant, product: Product, http: httpx.Client, clock: MovableClock
    ) -> None:
        collection = CollectionApi(
            self.provisioned(momo, "collection", http), momo.url, "sandbox", http
        )
        payment = collection.request_to_pay(
            PaymentRequest.make("12.50", PHONE, "KIS0001", "EUR"), str(uuid.uuid4())
        )
        assert collection.get_payment_status(payment).is_pending()
        receipt = momo.pay(payment)
        told = collection.get_payment_status(payment)
        assert (told.is_successful(), told.financial_transaction_id) == (True, receipt)
        assert (told.amount, told.payer) == ("12.5", PHONE)
        disbursement = DisbursementApi(
            self.provisioned(momo, "disbursement", http), momo.url, "sandbox", http
        )
        refund = disbursement.refund(RefundRequest.make("2.50", payment, "refund-1", "EUR"))
        assert disbursement.get_refund_status(refund).is_pending()
        clock.move(seconds=2)
        refunded = disbursement.get_refund_status(refund)
        assert (refunded.is_successful(), refunded.payee) == (True, PHONE)
        assert disbursement.get_balance().available_balance == "10"
        assert len(product.wait_for("momo/abc", count=2)) == 2

    def test_it_reads_failures_and_refusals(self, momo: Merchant, http: httpx.Client) -> None:
        keys = Config(subscription_key=KEYS["collection"], api_user=USER, api_key=KEY)
        client = CollectionApi(keys, momo.url, "sandbox", http)
        failed = client.get_payment_status(client.quick_pay("10", "46733123451", "a", "EUR"))
        assert failed.is_failed()
        assert failed.reason is not None
        assert failed.reason.is_approval_rejected()
        with pytest.raises(ConflictException):
            reference = client.quick_pay("10", PHONE, "a", "EUR")
            client.quick_pay("10", PHONE, "a", "EUR", reference_id=reference)
        with pytest.raises(InternalServerErrorException) as refused:
            client.quick_pay("10", "46733123457", "a", "EUR")
        assert refused.value.code == "NOT_ALLOWED"
        with pytest.raises(ResourceNotFoundException):
            client.get_payment_status(str(uuid.uuid4()))
        with pytest.raises(InvalidSubscriptionKeyException):
            CollectionApi(Config("guess", "u", "k"), momo.url, "sandbox", http).get_balance()
        assert client.check_account_holder(PHONE)
        assert not client.check_account_holder("46733123450")
