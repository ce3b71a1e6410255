"""The wire of Daraja: token, STK push and query, C2B registration, pull, an operator's commands."""

from __future__ import annotations

import base64
import json
import threading
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import requests

from gateway.outbound import was_never_sent
from gateway.providers.interface import (
    ProviderRefused,
    ProviderUnavailable,
    ProviderUnreachable,
)

EAST_AFRICA = ZoneInfo("Africa/Nairobi")
TIMEOUT_SECONDS = (5, 20)
TOKEN_MARGIN = timedelta(seconds=60)
STILL_PROCESSING = "500.001.1001"
BAD_TOKEN = "404.001.03"  # noqa: S105 - an error code
PULL_PAGE_ROWS = 100
ACCOUNT_LENGTH = 12
LATE = "-late"
"""Behind the token where Daraja says that a command found no time in its queue."""
REFUSALS = {"500.001.1001", "500.003.02", "500.003.03"}
"""Codes of HTTP 500 that say no (busy subscriber, spike arrest, quota). After any other 5xx the
prompt may be on the phone all the same; every 4xx is a refusal."""


class Daraja:
    """A thin client of one short code."""

    def __init__(
        self,
        *,
        base_url: str,
        consumer_key: str,
        consumer_secret: str,
        short_code: str,
        passkey: str,
        initiator: str = "",
        security_credential: str = "",
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.short_code = short_code
        self._credentials = (consumer_key, consumer_secret)
        self._passkey = passkey
        self._initiator = {"Initiator": initiator, "SecurityCredential": security_credential}
        self._session = requests.Session()
        self._lock = threading.Lock()
        self._token = ""
        self._token_ends_at: datetime | None = None

    @property
    def can_command(self) -> bool:
        """Whether there is an API operator, without whom nothing is reversed or enquired."""
        return all(self._initiator.values())

    def stk_push(
        self,
        *,
        phone: str,
        amount_shillings: int,
        account: str,
        description: str,
        callback_url: str,
        at: datetime,
    ) -> str:
        """Put a prompt on a phone (E.164); return the CheckoutRequestID."""
        answer = self._post(
            "/mpesa/stkpush/v1/processrequest",
            {
                **self._password(at),
                "TransactionType": "CustomerPayBillOnline",
                "Amount": amount_shillings,
                "PartyA": phone.lstrip("+"),
                "PartyB": self.short_code,
                "PhoneNumber": phone.lstrip("+"),
                "CallBackURL": callback_url,
                "AccountReference": account[:ACCOUNT_LENGTH],
                "TransactionDesc": description[:13],
            },
            at=at,
        )
        if str(answer.get("ResponseCode")) != "0" or not answer.get("CheckoutRequestID"):
            raise ProviderRefused(
                code=str(answer.get("ResponseCode", "")),
                text=str(answer.get("ResponseDescription", "")),
            )
        return str(answer["CheckoutRequestID"])

    def stk_query(self, *, checkout_request_id: str, at: datetime) -> tuple[str, str] | None:
        """Return (ResultCode, ResultDesc) of a prompt, or None while it is being processed."""
        try:
            answer = self._post(
                "/mpesa/stkpushquery/v1/query",
                {**self._password(at), "CheckoutRequestID": checkout_request_id},
                at=at,
            )
        except ProviderRefused as refusal:
            if refusal.code == STILL_PROCESSING:
                return None
            raise ProviderUnavailable(f"query refused: {refusal}") from refusal
        if "ResultCode" not in answer:
            return None
        return str(answer["ResultCode"]), str(answer.get("ResultDesc", ""))

    def register_urls(self, *, confirmation_url: str, validation_url: str, at: datetime) -> None:
        """Tell Daraja where paybill payments are announced. Money is taken if we don't answer."""
        self._post(
            "/mpesa/c2b/v2/registerurl",
            {
                "ShortCode": self.short_code,
                "ResponseType": "Completed",
                "ConfirmationURL": confirmation_url,
                "ValidationURL": validation_url,
            },
            at=at,
        )

    def register_pull(self, *, phone: str, callback_url: str, at: datetime) -> None:
        """Allow the pull of transactions for the short code; doing it again does no harm."""
        self._post(
            "/pulltransactions/v1/register",
            {
                "ShortCode": self.short_code,
                "RequestType": "Pull",
                "NominatedNumber": phone,
                "CallBackURL": callback_url,
            },
            at=at,
        )

    def pull(
        self, *, since: datetime, until: datetime, offset: int, at: datetime
    ) -> list[dict[str, Any]]:
        """Return up to PULL_PAGE_ROWS rows of the statement from row `offset` on."""
        answer = self._post(
            "/pulltransactions/v1/query",
            {
                "ShortCode": self.short_code,
                "StartDate": f"{since.astimezone(EAST_AFRICA):%Y-%m-%d %H:%M:%S}",
                "EndDate": f"{until.astimezone(EAST_AFRICA):%Y-%m-%d %H:%M:%S}",
                "OffSetValue": str(offset),
            },
            at=at,
        )
        groups = answer.get("Response")
        if not isinstance(groups, list):
            raise ProviderUnavailable("the statement has no Response list")
        return [row for group in groups if isinstance(group, list) for row in group]

    def reverse(
        self, *, receipt: str, amount: str, remarks: str, result_url: str, at: datetime
    ) -> str:
        """Ask to give a payment, or a part of it, back; return the OriginatorConversationID.

        amount is in shillings. The outcome is posted to result_url later.
        """
        return self._command(
            "/mpesa/reversal/v1/request",
            {
                "CommandID": "TransactionReversal",
                "TransactionID": receipt,
                "Amount": amount,
                "ReceiverParty": self.short_code,
                # Misspelt by the vendor; 11 is its type of a short code that gives back.
                "RecieverIdentifierType": "11",
                "Remarks": remarks[:100].ljust(2, "."),
                "Occasion": "",
            },
            result_url=result_url,
            at=at,
        )

    def pay_out(
        self,
        *,
        conversation: str,
        phone: str,
        amount_shillings: int,
        remarks: str,
        result_url: str,
        at: datetime,
    ) -> str:
        """Send money to a phone (E.164) under a conversation that we name; otherwise as `reverse`.

        Whether Daraja takes the same conversation twice is not published: never ask twice.
        """
        return self._command(
            "/mpesa/b2c/v3/paymentrequest",
            {
                "OriginatorConversationID": conversation,
                # This command alone calls the operator so.
                "InitiatorName": self._initiator["Initiator"],
                "CommandID": "BusinessPayment",
                "Amount": amount_shillings,
                "PartyA": self.short_code,
                "PartyB": phone.removeprefix("+"),
                "Remarks": remarks[:100].ljust(2, "."),
                # Misspelt by the vendor.
                "Occassion": "",
            },
            result_url=result_url,
            at=at,
        )

    def ask_status(
        self, *, receipt: str = "", conversation: str = "", result_url: str, at: datetime
    ) -> str:
        """Ask what became of a receipt, or of an earlier command; otherwise as `reverse`."""
        named = {"TransactionID": receipt} if receipt else {"OriginalConversationID": conversation}
        return self._command(
            "/mpesa/transactionstatus/v1/query",
            {"CommandID": "TransactionStatusQuery", "Occasion": "", **named, **self._party()},
            result_url=result_url,
            at=at,
        )

    def ask_balance(self, *, result_url: str, at: datetime) -> str:
        """Ask what the short code's accounts hold; otherwise as `reverse`."""
        return self._command(
            "/mpesa/accountbalance/v1/query",
            {"CommandID": "AccountBalance", **self._party()},
            result_url=result_url,
            at=at,
        )

    def _party(self) -> dict[str, str]:
        return {"PartyA": self.short_code, "IdentifierType": "4", "Remarks": "Asked by API"}

    def _command(self, path: str, body: dict[str, Any], *, result_url: str, at: datetime) -> str:
        if not self.can_command:
            raise ProviderRefused(code="initiator", text="DARAJA_INITIATOR_NAME is not set")
        urls = {"ResultURL": result_url, "QueueTimeOutURL": f"{result_url}{LATE}"}
        answer = self._post(path, {**self._initiator, **body, **urls}, at=at)
        if str(answer.get("ResponseCode")) != "0" or not answer.get("OriginatorConversationID"):
            raise ProviderRefused(
                code=str(answer.get("ResponseCode", "")),
                text=str(answer.get("ResponseDescription", "")),
            )
        return str(answer["OriginatorConversationID"])

    def _password(self, at: datetime) -> dict[str, str]:
        timestamp = f"{at.astimezone(EAST_AFRICA):%Y%m%d%H%M%S}"
        clear = f"{self.short_code}{self._passkey}{timestamp}"
        return {
            "BusinessShortCode": self.short_code,
            "Password": base64.b64encode(clear.encode()).decode(),
            "Timestamp": timestamp,
        }

    def _post(self, path: str, body: dict[str, Any], *, at: datetime) -> dict[str, Any]:
        response, answer = self._sent(path, body, at=at)
        if _is_token_refused(response, answer):
            # Daraja did nothing but look at the token, so asking again is safe.
            self._token_ends_at = None
            response, answer = self._sent(path, body, at=at)
        if _is_token_refused(response, answer):
            self._token_ends_at = None
            raise ProviderRefused(code=BAD_TOKEN, text="the access token was not accepted")
        if "errorCode" in answer:
            code, text = str(answer["errorCode"]), str(answer.get("errorMessage", ""))
            if code.startswith("5") and code not in REFUSALS:
                raise ProviderUnavailable(f"daraja {path}: {code} {text}")
            raise ProviderRefused(code=code, text=text)
        if not response.ok:
            raise ProviderUnavailable(f"daraja {path}: HTTP {response.status_code}")
        return answer

    def _sent(
        self, path: str, body: dict[str, Any], *, at: datetime
    ) -> tuple[requests.Response, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self._access_token(at)}"}
        try:
            response = self._session.post(
                self.base_url + path, json=body, headers=headers, timeout=TIMEOUT_SECONDS
            )
            answer = json.loads(response.text, parse_float=Decimal)
        except requests.RequestException as error:
            kind = ProviderUnreachable if was_never_sent(error) else ProviderUnavailable
            raise kind(f"daraja {path}: {error}") from error
        except (ValueError, RecursionError) as error:
            raise ProviderUnavailable(f"daraja {path}: {error!r}") from error
        if not isinstance(answer, dict):
            raise ProviderUnavailable(f"daraja {path}: the answer is no object")
        return response, answer

    def _access_token(self, at: datetime) -> str:
        with self._lock:
            if self._token_ends_at is not None and at < self._token_ends_at:
                return self._token
            try:
                response = self._session.get(
                    f"{self.base_url}/oauth/v1/generate",
                    params={"grant_type": "client_credentials"},
                    auth=self._credentials,
                    timeout=TIMEOUT_SECONDS,
                )
                response.raise_for_status()
                answer = response.json()
                self._token = str(answer["access_token"])
                life = timedelta(seconds=int(answer["expires_in"]))
            except (requests.RequestException, ValueError, KeyError, TypeError) as error:
                # Without a token nothing was asked of it yet.
                raise ProviderUnreachable(f"daraja token: {error}") from error
            self._token_ends_at = at + max(life - TOKEN_MARGIN, timedelta())
            return self._token


def _is_token_refused(response: requests.Response, answer: dict[str, Any]) -> bool:
    is_unauthorized = response.status_code == requests.codes.unauthorized
    return is_unauthorized or answer.get("errorCode") == BAD_TOKEN
