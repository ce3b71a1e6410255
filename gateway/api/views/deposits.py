"""Where crypto money for a household is sent to: only for staff of its operator."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import sites
from accounts.money import decimal_string
from gateway.api import shapes
from gateway.api.deposit_serializers import DepositAddress
from gateway.api.problems import Conflict
from gateway.api.schema import answers
from gateway.api.views.base import StaffView, now
from gateway.deposits import offers
from gateway.deposits.offers import Came, Offer
from tokens.chain import forwarders
from tokens.chain.forwarders import CryptoRefused


class HouseholdDepositAddress(StaffView):
    """`/households/<code>/deposit-address/`."""

    @extend_schema(
        operation_id="households_deposit_address",
        responses=answers(ok=DepositAddress, problems=(401, 403, 404, 409)),
    )
    def get(self, request: Request, code: str) -> Response:
        """Return the household's address for crypto money, the same at every call, with what may be
        sent there and what came. 409 where its operator takes none."""
        at = now()
        household = self.household(code, at=at)
        site = sites.site_of(household=household, at=at)
        assert site is not None  # noqa: S101 - staff see only households that live at a site
        try:
            forwarder = forwarders.of_household(household=household, site=site, at=at)
            offered = offers.offers(forwarder=forwarder, at=at)
        except CryptoRefused as error:
            raise Conflict(kind="no-crypto", detail=str(error)) from error
        path = reverse("deposits:deposit", args=[forwarder.uid])
        return Response(
            {
                "address": forwarder.address,
                "chain_id": forwarder.chain_id,
                "page": f"{settings.PUBLIC_URL}{path}",
                "assets": [_asset(offer) for offer in offered],
                "deposits": [_deposit(came) for came in offers.seen(forwarder=forwarder).deposits],
            }
        )


def _asset(offer: Offer) -> dict[str, Any]:
    asset = offer.asset
    return {
        "asset": asset.code,
        "token": asset.address or None,
        "decimals": asset.decimals,
        "uri": offer.uri,
        "is_ready": offer.is_ready,
        "least": _amount(offer.least_units, decimals=asset.decimals, asset=asset.code),
        "worth": None if offer.worth_wei is None else shapes.dai(offer.worth_wei),
        "quoted_at": shapes.instant_or_none(offer.quoted_at),
    }


def _deposit(came: Came) -> dict[str, Any]:
    deposit = came.deposit
    credited_wei = deposit.credited_wei
    return {
        "amount": _amount(deposit.units, decimals=deposit.asset.decimals, asset=deposit.asset.code),
        "state": deposit.state,
        "blocks_to_go": came.blocks_to_go,
        "credited": None if credited_wei is None else shapes.dai(credited_wei),
        "transfer_hash": deposit.transfer_hash,
        "seen_at": shapes.instant(deposit.seen_at),
        "credited_at": shapes.instant_or_none(deposit.credited_at),
    }


def _amount(units: int, *, decimals: int, asset: str) -> dict[str, str]:
    return {"amount": decimal_string(amount=units, decimals=decimals), "asset": asset}
