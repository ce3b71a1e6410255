"""Mobile money operators (MMOs) behind pawaPay, and the toolkit resources that describe them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from werkzeug.wrappers import Request, Response

from sandbox.context import Context
from sandbox.pawapay.access import body_of, check_token, error
from sandbox.pawapay.money import DECIMALS, text_of
from sandbox.web import Route, json_response

OPERATIONS = ("DEPOSIT", "PAYOUT", "REFUND")


@dataclass(frozen=True, slots=True)
class Country:
    """digits: length of a phone number with its country code, without a plus sign."""

    name: str
    prefix: str
    digits: int
    currency: str


@dataclass(frozen=True, slots=True)
class Mmo:
    """prefixes: first digits of the numbers it gave out; none where it serves any number.

    A number that another operator gave out has no wallet here. Portability is left out.
    """

    code: str
    country: str
    name: str
    prefixes: tuple[str, ...]
    auth_type: str = "PROVIDER_AUTH"
    min_minor: int = 1
    max_minor: int = 2_000_000

    @property
    def currency(self) -> str:
        """The one currency that its wallets hold."""
        return COUNTRIES[self.country].currency


COUNTRIES = {
    "SEN": Country(name="Senegal", prefix="221", digits=12, currency="XOF"),
    "BEN": Country(name="Benin", prefix="229", digits=13, currency="XOF"),
    "ZMB": Country(name="Zambia", prefix="260", digits=12, currency="ZMW"),
}
MMOS = {
    mmo.code: mmo
    for mmo in (
        Mmo("ORANGE_SEN", "SEN", "Orange", ("22177", "22178")),
        Mmo("FREE_SEN", "SEN", "Free", ("22176",)),
        Mmo("WAVE_SEN", "SEN", "Wave", (), auth_type="REDIRECT_AUTH"),
        Mmo("MTN_MOMO_BEN", "BEN", "MTN", ("2290196", "2290197")),
        Mmo("MTN_MOMO_ZMB", "ZMB", "MTN", ("26076", "26096")),
    )
}


def country_of(digits: str) -> str | None:
    """The country whose numbers look like this, None if there is none."""
    for code, country in COUNTRIES.items():
        if digits.startswith(country.prefix) and len(digits) == country.digits:
            return code
    return None


def operator_of(digits: str) -> Mmo | None:
    """The MMO that gave out the number, None if none did."""
    return next((mmo for mmo in MMOS.values() if digits.startswith(mmo.prefixes or "-")), None)


class Toolkit:
    """active-conf, availability and predict-provider."""

    def __init__(self, *, context: Context) -> None:
        self._context = context

    def routes(self) -> list[Route]:
        """The three vendor paths."""
        return [
            Route("GET", "/v2/active-conf", self.active_configuration),
            Route("GET", "/v2/availability", self.availability),
            Route("POST", "/v2/predict-provider", self.predict),
        ]

    def active_configuration(self, request: Request) -> Response:
        """Countries, MMOs, currencies, limits; `?country=` and `?operationType=` narrow it."""
        check_token(request, context=self._context)
        operations = _operations(request)
        return json_response(
            {
                "companyName": "Sandbox Solar",
                "signatureConfiguration": {"signedRequestsOnly": False, "signedCallbacks": True},
                "countries": [
                    {
                        "country": code,
                        "displayName": {"en": country.name, "fr": country.name},
                        "prefix": country.prefix,
                        "providers": [
                            self._provider(mmo, operations)
                            for mmo in MMOS.values()
                            if mmo.country == code
                        ],
                    }
                    for code, country in COUNTRIES.items()
                    if request.args.get("country", code) == code
                ],
            }
        )

    def _provider(self, mmo: Mmo, operations: tuple[str, ...]) -> dict[str, Any]:
        limits = {
            "minAmount": text_of(mmo.min_minor, currency=mmo.currency),
            "maxAmount": text_of(mmo.max_minor, currency=mmo.currency),
            "decimalsInAmount": "TWO_PLACES" if DECIMALS[mmo.currency] else "NONE",
            "status": "OPERATIONAL",
            "callbackUrl": self._context.hook("pawapay"),
        }
        deposit = {
            "authType": mmo.auth_type,
            "pinPrompt": "AUTOMATIC",
            "pinPromptRevivable": False,
            **limits,
        }
        kinds = {"DEPOSIT": deposit, "REFUND": limits}
        return {
            "provider": mmo.code,
            "displayName": mmo.name,
            "nameDisplayedToCustomer": "Sandbox Solar",
            "currencies": [
                {
                    "currency": mmo.currency,
                    "displayName": mmo.currency,
                    "operationTypes": {name: kinds[name] for name in operations},
                }
            ],
        }

    def availability(self, request: Request) -> Response:
        """Every MMO's operations by country. It needs no token."""
        return json_response(
            [
                {
                    "country": code,
                    "providers": [
                        {
                            "provider": mmo.code,
                            "operationTypes": [
                                {"operationType": name, "status": "OPERATIONAL"}
                                for name in _operations(request)
                            ],
                        }
                        for mmo in MMOS.values()
                        if mmo.country == code
                    ],
                }
                for code in COUNTRIES
                if request.args.get("country", code) == code
            ]
        )

    def predict(self, request: Request) -> Response:
        """`{"phoneNumber"}`, however it is spelt -> its country, MMO and digits."""
        check_token(request, context=self._context)
        body = body_of(request, required=("phoneNumber",), optional=())
        digits = re.sub(r"[^0-9]", "", str(body["phoneNumber"]))
        mmo = operator_of(digits) if country_of(digits) else None
        if mmo is None:
            error("INVALID_PHONE_NUMBER", "No provider has this number.", status=400)
        return json_response({"country": mmo.country, "provider": mmo.code, "phoneNumber": digits})


def _operations(request: Request) -> tuple[str, ...]:
    wanted = request.args.get("operationType")
    return tuple(name for name in OPERATIONS if wanted in (None, name))
