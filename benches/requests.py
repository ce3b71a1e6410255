"""What the load generator sends: requests as bytes, and what their answers begin with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import count
from random import Random
from urllib.parse import urlencode

SECRET = "test-secret"
"""Of launcher.stack.offline_environment."""

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
    for number in count():
        yield make(f"{run}-{number}", rng.randrange(1, households + 1), prefix)


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


def _hooks(unique: str, household: int, prefix: str) -> Session:
    """A paybill confirmation and the result of a prompt."""
    confirmation = {
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
    accepted = b'{"ResultCode": "0"'
    return (
        (_post(f"/hooks/{SECRET}/daraja/confirmation", json.dumps(confirmation), JSON), accepted),
        (_post(f"/hooks/{SECRET}/daraja/stk/{unique}", json.dumps(result), JSON), accepted),
    )


SCENARIOS: dict[str, Callable[[str, int, str], Session]] = {
    "empty": _empty,
    "ussd": _balance,
    "hooks": _hooks,
}


def _post(path: str, body: str, content_type: str) -> bytes:
    payload = body.encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(payload)}\r\n\r\n"
    )
    return head.encode() + payload
