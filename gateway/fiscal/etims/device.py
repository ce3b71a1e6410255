"""eTIMS behind the interface of fiscal devices."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from django.conf import settings

from gateway.fiscal.etims import sale
from gateway.fiscal.etims.account import EtimsAccount, key_of
from gateway.fiscal.etims.client import Etims
from gateway.fiscal.interface import DeviceUnavailable, Document, NumberTaken, Signed


class EtimsDevice:
    """One control unit of eTIMS."""

    def __init__(self, *, account: EtimsAccount, client: Etims) -> None:
        self._account = account
        self._client = client

    def sign(self, *, document: Document) -> Signed:
        """Register what is sold, then have it signed."""
        goods = _goods()
        items = sale.items_of(document, goods=goods)
        for item in items:
            self._client.register(item=sale.registration(item, item_class=goods.item_class))
        body = sale.body_of(document, items=items, item_class=goods.item_class)
        return self._signed(self._client.save_sale(sale=body), document=document)

    def find(self, *, document: Document) -> Signed | None:
        """Look the number up; what was signed must be this very document."""
        told = self._client.look_up(invoice=document.number)
        if told is None:
            return None
        if not _is_same(told, document=document):
            raise NumberTaken(f"eTIMS has signed something else under {document.number}")
        return self._signed(told, document=document)

    def _signed(self, told: dict[str, Any], *, document: Document) -> Signed:
        try:
            signed_at = sale.read_stamp(told["sdcDateTime"])
            signature, count, total = told["rcptSign"], told["curRcptNo"], told["totRcptNo"]
        except (KeyError, ValueError) as error:
            raise DeviceUnavailable(f"etims: the signature lacks {error}") from error
        kind = "NC" if document.is_credit_note else "NS"
        return Signed(
            device=self._account.unit,
            number=f"{count}/{total} {kind}",
            signature=str(signature),
            signed_at=signed_at,
            verification_url=self._public_page(str(signature)),
        )

    def _public_page(self, signature: str) -> str:
        if not settings.ETIMS_RECEIPT_URL:
            return ""
        data = quote(f"{self._account.tin}{self._account.branch}{signature}", safe="")
        return f"{settings.ETIMS_RECEIPT_URL}?Data={data}"


@lru_cache(maxsize=1024)
def _client(base_url: str, tin: str, branch: str, key: str, lookup_path: str) -> Etims:
    return Etims(base_url=base_url, tin=tin, branch=branch, key=key, lookup_path=lookup_path)


def shared_client(tin: str, branch: str) -> Etims:
    """Return the client of a device, with its connections. Raises LookupError without a key."""
    if not settings.ETIMS_URL:
        raise LookupError("ETIMS_URL is not set")
    key = key_of(keys=settings.ETIMS_API_KEY, tin=tin, branch=branch)
    return _client(settings.ETIMS_URL, tin, branch, key, settings.ETIMS_LOOKUP_PATH)


def _goods() -> sale.Goods:
    return sale.Goods(
        item_code=settings.ETIMS_ITEM_CODE,
        levy_item_code=settings.ETIMS_LEVY_ITEM_CODE,
        item_class=settings.ETIMS_ITEM_CLASS,
    )


def _is_same(told: dict[str, Any], *, document: Document) -> bool:
    """Whether a sale that was looked up is ours; what it does not tell contradicts nothing."""
    reference, amount = told.get("trdInvcNo"), told.get("totAmt")
    if reference is not None and str(reference).strip() != document.reference[:50]:
        return False
    if amount is None:
        return True
    try:
        return Decimal(str(amount)) * 100 == document.gross_minor
    except InvalidOperation:
        return False
