"""Two clients of Daraja that other people wrote, pointed at the sandbox as they are.

daraja-v3 (MIT) takes a base URL with a path; mpesakit (Apache-2.0) takes a host only, so that the
sandbox is put at the root of a host of its own, as Safaricom's is.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import mpesa
import pytest
from mpesakit import MpesaClient as KitClient
from mpesakit.errors import MpesaApiException
from werkzeug.serving import make_server

from sandbox.app import QuietHandler
from tests.sandbox.conftest import PHONE, DarajaClient, Product, StartSandbox

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

SIGN_IN = {"initiator": "sandbox-initiator", "security_credential": "sandbox-credential"}


@pytest.fixture
def at_root(start_sandbox: StartSandbox) -> Iterator[tuple[str, str]]:
    """Daraja at the root of a host, and the sandbox's own address."""
    sandbox, url = start_sandbox()

    def front(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        environ["PATH_INFO"] = f"/daraja{environ['PATH_INFO']}"
        return sandbox.wsgi_app(environ, start_response)

    server = make_server("127.0.0.1", 0, front, threaded=True, request_handler=QuietHandler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", url
    server.shutdown()
    server.server_close()
    thread.join(timeout=3)


@pytest.fixture
def customer(at_root: tuple[str, str], product: Product) -> DarajaClient:
    """Whoever holds the phones."""
    return DarajaClient(url=f"{at_root[1]}/daraja", product_url=product.base_url)


@pytest.fixture
def kit(at_root: tuple[str, str]) -> KitClient:
    client = KitClient(
        consumer_key="sandbox-key", consumer_secret="sandbox-secret", environment="sandbox"
    )
    client.http_client.base_url = at_root[0]
    return client


@pytest.fixture
def urls(product: Product) -> dict[str, str]:
    hook = f"{product.base_url}/hooks/demo/daraja/result/kit"
    return {"result_url": hook, "queue_timeout_url": f"{hook}/late"}


def kit_pays(kit: KitClient, customer: DarajaClient, product: Product) -> str:
    """500 shillings by a prompt of mpesakit's; the receipt it reads from the callback."""
    pushed = kit.stk_push(
        business_short_code=174379,
        transaction_type="CustomerPayBillOnline",
        amount=500,
        party_a=PHONE,
        party_b="174379",
        phone_number=PHONE,
        callback_url=f"{product.base_url}/hooks/demo/daraja/stk/kit",
        account_reference="KIS0001",
        transaction_desc="Top up",
        passkey="sandbox-passkey",
    )
    assert pushed.is_successful()
    with pytest.raises(MpesaApiException, match="being processed"):
        kit_asks(kit, pushed.CheckoutRequestID)
    customer.answer(pushed.CheckoutRequestID, {"pin": "4826"})
    [body] = product.wait_for("daraja/stk/kit")
    callback = kit.process_stk_callback(body)
    assert (callback.is_successful, callback.phone_number) == (True, PHONE)
    assert str(kit_asks(kit, pushed.CheckoutRequestID).ResultCode) == "0"
    return str(callback.mpesa_receipt_number)


def kit_asks(kit: KitClient, checkout_id: str) -> Any:
    return kit.stk_query(
        business_short_code=174379, checkout_request_id=checkout_id, passkey="sandbox-passkey"
    )


def test_mpesakit_prompts_queries_and_reverses(
    kit: KitClient, customer: DarajaClient, product: Product, urls: dict[str, str]
) -> None:
    receipt = kit_pays(kit, customer, product)
    # Its model of a Result takes texts only.
    customer.fault(kind="string_codes", topic="reversal", count=2)
    for count, code in ((1, "0"), (2, "R000001")):
        asked = kit.reversal.reverse(
            **SIGN_IN,
            **urls,
            transaction_id=receipt,
            amount=500,
            receiver_party=174379,
            remarks="Paid twice",
        )
        assert asked.is_successful()
        body = product.wait_for("daraja/result/kit", count=count)[-1]
        told = kit.process_reversal_callback(body)
        assert told.Result.ResultCode == code
        assert told.Result.OriginatorConversationID == asked.OriginatorConversationID
        assert told.is_successful() is (code == "0")
    assert customer.statement()["float"]["amount"] == "0"


def test_mpesakit_asks_for_a_status_and_the_balance(
    kit: KitClient, customer: DarajaClient, product: Product, urls: dict[str, str]
) -> None:
    receipt = kit_pays(kit, customer, product)
    party = {"party_a": 174379, "identifier_type": 4}
    status = kit.transactions.query_status(**SIGN_IN, **urls, **party, transaction_id=receipt)
    assert status.is_successful()
    [body] = product.wait_for("daraja/result/kit")
    listed = body["Result"]["ResultParameters"]["ResultParameter"]
    assert {"Key": "ReceiptNo", "Value": receipt} in listed
    balance = kit.balance.query(
        **SIGN_IN, **urls, **party, command_id="AccountBalance", remarks="Balance"
    )
    assert balance.is_successful()
    told = kit.process_account_balance_callback(
        product.wait_for("daraja/result/kit", count=2)[-1]
    ).Result
    assert (told.ResultCode, told.ConversationID) == (0, balance.ConversationID)


def test_mpesakit_is_refused_with_a_wrong_secret(at_root: tuple[str, str]) -> None:
    client = KitClient(consumer_key="sandbox-key", consumer_secret="guess", environment="sandbox")
    client.http_client.base_url = at_root[0]
    with pytest.raises(MpesaApiException, match="Invalid Authentication"):
        client.token_manager.get_token()


def test_daraja_v3_prompts_queries_and_asks_for_the_balance(
    at_root: tuple[str, str], customer: DarajaClient, product: Product, urls: dict[str, str]
) -> None:
    client = mpesa.MpesaClient(
        "sandbox-key",
        "sandbox-secret",
        "174379",
        passkey="sandbox-passkey",
        base_url=f"{at_root[1]}/daraja",
    )
    pushed = client.stk_push(
        "0711000001",
        250,
        "KIS0001",
        callback_url=f"{product.base_url}/hooks/demo/daraja/stk/v3",
    )
    with pytest.raises(mpesa.MpesaError) as pending:
        client.stk_query(pushed.checkout_request_id)
    assert pending.value.code == "500.001.1001"
    customer.answer(pushed.checkout_request_id, {"pin": "4826"})
    assert client.stk_query(pushed.checkout_request_id).is_paid
    [body] = product.wait_for("daraja/stk/v3")
    told = client.parse_stk_callback(body)
    [paid] = customer.statement()["transactions"]
    assert (told["paid"], told["mpesa_receipt"], told["amount"]) == (True, paid["receipt"], 250.0)
    client.account_balance(
        urls["result_url"],
        urls["queue_timeout_url"],
        initiator_name=SIGN_IN["initiator"],
        security_credential=SIGN_IN["security_credential"],
    )
    [result] = product.wait_for("daraja/result/kit")
    assert "Utility Account|KES|250.00|" in str(result)
