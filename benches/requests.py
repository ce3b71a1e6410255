"""What the load generator sends: requests as bytes, and what their answers begin with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import count, cycle
from random import Random
from urllib.parse import urlencode
from uuid import NAMESPACE_OID, uuid5

from benches import signed

SECRET, PUBLIC_URL = "test-secret", "http://127.0.0.1:1"
"""Of launcher.stack.offline_environment."""
SIGNED, SIGNED_AHEAD = ("pawapay", "stripe"), 200
ACCEPTED = b'{"ResultCode": "0"'
NONE: Mapping[str, str] = {}

Step = tuple[bytes, bytes]
"""A whole HTTP request, and the beginning of the body that is expected."""
Session = tuple[Step, ...]
"""Steps that follow one another, each after the answer to the one before."""
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


def sessions(*, scenario: str, households: int, prefix: str, run: str) -> Iterator[Session]:
    """Return an endless supply; run keeps the ids of one measurement apart from another's."""
    make = SCENARIOS[scenario]
    rng = Random(run)

    def made(number: int) -> Session:
        return make(f"{run}-{number}", rng.randrange(1, households + 1), prefix)

    if scenario not in SIGNED:
        yield from map(made, count())
        return
    # Signing costs as much as checking, on the processors that check. So some are made before it
    # begins, and sent again and again: to the hook each is a new one.
    yield from cycle([made(number) for number in range(SIGNED_AHEAD)])


def _empty(_unique: str, _household: int, _prefix: str) -> Session:
    return ((_post("/bench/empty", "", FORM), b""),)


def _balance(unique: str, household: int, _prefix: str) -> Session:
    """Dial, then 1: the balance."""
    return tuple(
        (
            _post(
                f"/hooks/{SECRET}/ussd",
                urlencode(
                    {
                        "sessionId": f"ATUid_{unique}",
                        "serviceCode": "*384*4826#",
                        "phoneNumber": f"+254711{household:06d}",
                        "networkCode": "63902",
                        "text": text,
                    }
                ),
                FORM,
            ),
            expected,
        )
        for text, expected in (("", b"CON "), ("1", b"END "))
    )


def _confirmation(unique: str, household: int, prefix: str) -> Session:
    """M-Pesa: somebody paid the paybill."""
    body = {
        "TransactionType": "Pay Bill",
        "TransID": f"R{unique}",
        "TransTime": "20260302120000",
        "TransAmount": "500.00",
        "BusinessShortCode": "174379",
        "BillRefNumber": f"{prefix}{household:06d}",
        "InvoiceNumber": "",
        "OrgAccountBalance": "",
        "ThirdPartyTransID": "",
        "MSISDN": "2547 ***** 126",
        "FirstName": "NEEMA",
    }
    return ((_post(f"/hooks/{SECRET}/daraja/confirmation", json.dumps(body), JSON), ACCEPTED),)


def _prompt(unique: str, household: int, _prefix: str) -> Session:
    """M-Pesa: a prompt was paid."""
    result = {
        "Body": {
            "stkCallback": {
                "MerchantRequestID": f"M{unique}",
                "CheckoutRequestID": f"ws_CO_{unique}",
                "ResultCode": 0,
                "ResultDesc": "The service request is processed successfully.",
                "CallbackMetadata": {
                    "Item": [
                        {"Name": "Amount", "Value": 500.00},
                        {"Name": "MpesaReceiptNumber", "Value": f"S{unique}"},
                        {"Name": "TransactionDate", "Value": 20260302120000},
                        {"Name": "PhoneNumber", "Value": 254711000000 + household},
                    ]
                },
            }
        }
    }
    return ((_post(f"/hooks/{SECRET}/daraja/stk/{unique}", json.dumps(result), JSON), ACCEPTED),)


def _hooks(unique: str, household: int, prefix: str) -> Session:
    """A paybill confirmation and the result of a prompt."""
    return (*_confirmation(unique, household, prefix), *_prompt(unique, household, prefix))


def _momo(unique: str, household: int, prefix: str) -> Session:
    """MTN MoMo: a request to pay was paid."""
    body = {
        "financialTransactionId": f"{household:010d}",
        "externalId": f"{prefix}{household:06d}",
        "amount": "5000",
        "currency": "UGX",
        "payer": {"partyIdType": "MSISDN", "partyId": f"256772{household:06d}"},
        "payeeNote": "Solar power",
        "status": "SUCCESSFUL",
    }
    return ((_post(f"/hooks/{SECRET}/momo/{unique}", json.dumps(body), JSON), b""),)


def _pawapay(unique: str, household: int, prefix: str) -> Session:
    """pawaPay: a deposit was completed, signed a moment ago."""
    path = f"/hooks/{SECRET}/pawapay"
    account = {"phoneNumber": f"221770{household:06d}", "provider": "ORANGE_SEN"}
    body = json.dumps(
        {
            "depositId": str(uuid5(NAMESPACE_OID, unique)),
            "status": "COMPLETED",
            "amount": "5000",
            "currency": "XOF",
            "country": "SEN",
            "payer": {"type": "MMO", "accountDetails": account},
            "customerMessage": "Solar power",
            "created": "2026-03-02T12:00:00Z",
            "providerTransactionId": f"MP{unique}",
            "metadata": {"account": f"{prefix}{household:06d}"},
        }
    )
    headers = signed.pawapay_headers(
        body, path=path, public_url=PUBLIC_URL, content_type=JSON, at=datetime.now(UTC)
    )
    return ((_post(path, body, JSON, headers), b""),)


def _stripe(unique: str, household: int, prefix: str) -> Session:
    """Stripe: a Checkout Session was paid, as long an event as they are, signed a moment ago."""
    session = {
        "id": f"cs_test_{unique}",
        "object": "checkout.session",
        "amount_total": 250_000,
        "currency": "kes",
        "client_reference_id": unique,
        "metadata": {"account": f"{prefix}{household:06d}"},
        "payment_intent": f"pi_{unique}",
        "payment_status": "paid",
        "status": "complete",
        **{f"field_{number}": None for number in range(60)},
    }
    event = {
        "id": f"evt_{unique}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "data": {"object": session},
        "type": "checkout.session.completed",
    }
    body = json.dumps(event, indent=2)
    headers = signed.stripe_headers(body, at=datetime.now(UTC))
    return ((_post("/hooks/stripe", body, JSON, headers), b""),)


SCENARIOS: dict[str, Callable[[str, int, str], Session]] = {
    "empty": _empty,
    "ussd": _balance,
    "hooks": _hooks,
    "daraja_confirmation": _confirmation,
    "daraja_stk": _prompt,
    "momo": _momo,
    "pawapay": _pawapay,
    "stripe": _stripe,
}
RAILS = ("daraja_confirmation", "daraja_stk", "momo", "pawapay", "stripe")


def _post(path: str, body: str, content_type: str, headers: Mapping[str, str] = NONE) -> bytes:
    payload = body.encode()
    more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {content_type}\r\n"
        f"{more}Content-Length: {len(payload)}\r\n\r\n"
    )
    return head.encode() + payload
