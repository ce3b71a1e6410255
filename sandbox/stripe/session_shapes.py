"""What Checkout Sessions and their line items look like when they are new."""

from __future__ import annotations

from sandbox.stripe import currencies
from sandbox.stripe.errors import ApiError, invalid
from sandbox.stripe.objects import Body, Objects
from sandbox.stripe.params import Params

KIND = "checkout.session"
LONGEST_SECONDS = 24 * 3600


def total_of(items: list[Body]) -> tuple[str, int]:
    """The currency of all items and what they cost together, in API units."""
    used = {item["currency"] for item in items}
    if len(used) > 1:
        raise invalid(
            "All prices in a Checkout Session must have the same currency.", param="line_items"
        )
    currency, total = used.pop(), sum(item["amount_total"] for item in items)
    currencies.check_charge(total, currency, param="line_items")
    return currency, total


def line_item(row: Params, *, mode: str, objects: Objects) -> Body:
    """One line of `line_items`, with a price made for it from `price_data`."""
    if row.given("price"):
        raise ApiError(
            f"No such price: '{row.text('price')}'",
            code="resource_missing",
            param=row.name("price"),
            executed=False,
        )
    data = row.group("price_data")
    if data is None:
        raise row.missing("price_data")
    currency = currencies.checked(data.required("currency"), param=data.name("currency"))
    unit_amount, product = data.integer("unit_amount"), data.group("product_data")
    if unit_amount is None:
        raise data.missing("unit_amount")
    if product is None:
        raise data.missing("product_data")
    recurring = _recurring(data.group("recurring"), mode=mode)
    name = product.required("name")
    product.ignore("description", "images", "metadata", "tax_code", "unit_label")
    data.ignore("tax_behavior")
    quantity, metadata = row.integer("quantity", lowest=1) or 1, row.metadata()
    row.ignore("adjustable_quantity")
    total, now = unit_amount * quantity, objects.now()
    return {
        "id": objects.new_id("li"),
        "object": "item",
        "amount_discount": 0,
        "amount_subtotal": total,
        "amount_tax": 0,
        "amount_total": total,
        "currency": currency,
        "description": name,
        "metadata": metadata,
        "price": {
            "id": objects.new_id("price"),
            "object": "price",
            "active": False,
            "billing_scheme": "per_unit",
            "created": now,
            "currency": currency,
            "custom_unit_amount": None,
            "livemode": False,
            "lookup_key": None,
            "metadata": {},
            "nickname": None,
            "product": objects.new_id("prod", length=14),
            "recurring": recurring,
            "tax_behavior": "unspecified",
            "tiers_mode": None,
            "transform_quantity": None,
            "type": "one_time" if recurring is None else "recurring",
            "unit_amount": unit_amount,
            "unit_amount_decimal": str(unit_amount),
        },
        "quantity": quantity,
    }


def _recurring(group: Params | None, *, mode: str) -> Body | None:
    """How often a price is paid; months only, one at a time."""
    if (group is not None) != (mode == "subscription"):
        raise invalid(
            "You specified `payment` mode but passed a recurring price. Either switch to"
            " `subscription` mode or use only one-time prices."
            if group is not None
            else "You must provide at least one recurring price in `subscription` mode when using"
            " prices.",
            param="line_items",
        )
    if group is None:
        return None
    interval = group.required("interval", choices=("day", "week", "month", "year"))
    count = group.integer("interval_count", lowest=1) or 1
    if (interval, count) != ("month", 1):
        raise invalid("This sandbox knows prices by the month only.", param=group.name("interval"))
    return {
        "interval": interval,
        "interval_count": count,
        "meter": None,
        "trial_period_days": None,
        "usage_type": "licensed",
    }


def blank(reference: str, *, created: int) -> Body:
    """A session before anything is asked of it."""
    return {
        "id": reference,
        "object": KIND,
        "adaptive_pricing": {"enabled": False},
        "after_expiration": None,
        "allow_promotion_codes": None,
        "amount_subtotal": None,
        "amount_total": None,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "billing_address_collection": None,
        "branding_settings": None,
        "cancel_url": None,
        "client_reference_id": None,
        "client_secret": None,
        "collected_information": None,
        "consent": None,
        "consent_collection": None,
        "created": created,
        "currency": None,
        "currency_conversion": None,
        "custom_fields": [],
        "custom_text": {
            "after_submit": None,
            "shipping_address": None,
            "submit": None,
            "terms_of_service_acceptance": None,
        },
        "customer": None,
        "customer_account": None,
        "customer_creation": "if_required",
        "customer_details": None,
        "customer_email": None,
        "discounts": [],
        "expires_at": created + LONGEST_SECONDS,
        "integration_identifier": None,
        "invoice": None,
        "invoice_creation": None,
        "livemode": False,
        "locale": None,
        "metadata": {},
        "mode": "payment",
        "origin_context": None,
        "payment_intent": None,
        "payment_link": None,
        "payment_method_collection": "if_required",
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "payment_status": "unpaid",
        "permissions": None,
        "phone_number_collection": {"enabled": False},
        "recovered_from": None,
        "saved_payment_method_options": None,
        "setup_intent": None,
        "shipping_address_collection": None,
        "shipping_cost": None,
        "shipping_options": [],
        "status": "open",
        "submit_type": None,
        "subscription": None,
        "success_url": None,
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "url": None,
        "wallet_options": None,
    }
