"""The shapes of the API as the schema declares them, and the checks of what comes in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rest_framework import serializers

AMOUNT_PATTERN = r"^[0-9]{1,12}(\.[0-9]{1,2})?$"
PHONE_PATTERN = r"^\+[1-9][0-9]{6,14}$"
MOST_PER_PAGE = 500
LAST_OFFSET = 1_000_000_000
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)


class ProblemField(serializers.Serializer[Any]):
    """One field that was refused."""

    field = serializers.CharField(help_text="path of the field; empty for the whole request")
    code = serializers.CharField()
    detail = serializers.CharField()


class Problem(serializers.Serializer[Any]):
    """RFC 9457 problem details."""

    type = serializers.CharField(help_text="stable; names the kind of problem")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField(help_text="path of the request")
    errors = ProblemField(many=True, required=False)  # type: ignore[assignment]


class Amount(serializers.Serializer[Any]):
    """An amount with all its decimals, and what it is of: DAI or IT (impact tokens)."""

    amount = serializers.CharField(help_text="decimal")
    asset = serializers.CharField()


class LocalAmount(serializers.Serializer[Any]):
    """An amount of a currency."""

    amount = serializers.CharField(help_text="decimal")
    currency = serializers.CharField(help_text="ISO 4217")


class PerKwh(serializers.Serializer[Any]):
    """A price per kWh."""

    amount = serializers.CharField(help_text="decimal")
    asset = serializers.CharField()
    per = serializers.CharField()


class PriceInForce(PerKwh):
    """A price per kWh and since when it is in force."""

    starts_at = serializers.DateTimeField()


class SiteRate(serializers.Serializer[Any]):
    """What a site credits at: units of the currency per DAI."""

    amount = serializers.CharField(help_text="decimal")
    currency = serializers.CharField(help_text="ISO 4217")
    per = serializers.CharField()
    valid_from = serializers.DateTimeField()


class Battery(serializers.Serializer[Any]):
    """Usable state of charge: 0 to 10,000 basis points."""

    state_of_charge_basis_points = serializers.IntegerField()
    as_of = serializers.DateTimeField()


class SiteSummary(serializers.Serializer[Any]):
    """A site in the list."""

    slug = serializers.CharField()
    name = serializers.CharField()
    country = serializers.CharField(help_text="ISO 3166-1")
    currency = serializers.CharField(help_text="ISO 4217")
    time_zone = serializers.CharField()
    slot_seconds = serializers.IntegerField()
    price_now = PriceInForce(allow_null=True)
    site_rate = SiteRate(allow_null=True)


class SiteDetail(SiteSummary):
    """A site's public sums."""

    battery = Battery(allow_null=True)
    pools = serializers.DictField(
        child=Amount(),
        help_text="`revenue` is everything ever collected; the others are balances of split lines",
    )
    kwh_settled = serializers.CharField(help_text="decimal, kWh")
    impact_tokens_minted = Amount()
    donated = Amount()
    funding_goal = Amount()
    as_of = serializers.DateTimeField(allow_null=True, help_text="when a sum last changed")


class SlotPrice(serializers.Serializer[Any]):
    """A published price: in force from its start until the next one's."""

    starts_at = serializers.DateTimeField()
    price = PerKwh()
    state_of_charge_basis_points = serializers.IntegerField(allow_null=True)
    published_at = serializers.DateTimeField()


class SlotReadings(serializers.Serializer[Any]):
    """The sum over the households' meters in one slot."""

    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    energy_wh = serializers.CharField(
        allow_null=True, help_text="null where fewer than five meters reported"
    )
    meters = serializers.IntegerField(help_text="how many reported")


class SlotPlant(serializers.Serializer[Any]):
    """What the plant said of one slot."""

    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    state_of_charge_basis_points = serializers.IntegerField()
    production_wh = serializers.CharField()
    battery_in_wh = serializers.CharField()
    battery_out_wh = serializers.CharField()
    feeder_wh = serializers.CharField()
    solar_share_basis_points = serializers.IntegerField()


class _Series(serializers.Serializer[Any]):
    since = serializers.DateTimeField()
    until = serializers.DateTimeField(help_text="the slots told end here at the latest")
    next = serializers.CharField(allow_null=True, help_text="address of the rest of the span")


class PriceSeries(_Series):
    """Prices of a span."""

    results = SlotPrice(many=True)


class ReadingsSeries(_Series):
    """Sums of a span's slots."""

    results = SlotReadings(many=True)


class PlantSeries(_Series):
    """The plant's slots of a span."""

    results = SlotPlant(many=True)


class HouseholdDetail(serializers.Serializer[Any]):
    """A household's account. Only for staff of its operator."""

    code = serializers.CharField()
    name = serializers.CharField(allow_blank=True)
    site = serializers.CharField(help_text="slug")
    phone = serializers.CharField(allow_null=True)
    phones = serializers.ListField(child=serializers.CharField())
    language = serializers.CharField()
    tier = serializers.CharField()
    has_lifeline = serializers.BooleanField()
    balance = Amount(help_text="deposited funds")
    balance_local = LocalAmount(allow_null=True, help_text="at the site rate, rounded down")
    arrears = Amount(help_text="owed; zero or more")
    impact_tokens = Amount()
    energy_today_wh = serializers.CharField(help_text="local day so far")
    energy_30d_wh = serializers.CharField(help_text="30 local days, today included")
    energy_as_of = serializers.DateTimeField(
        allow_null=True, help_text="end of the last slot known"
    )
    price_now = PriceInForce(allow_null=True, help_text="what this household pays")
    created_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)
    as_of = serializers.DateTimeField(help_text="when this was read")


class ChargedSlot(serializers.Serializer[Any]):
    """One priced slot, before any lifeline rebate."""

    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    site = serializers.CharField(help_text="slug")
    meter = serializers.CharField(help_text="serial")
    energy_wh = serializers.CharField()
    price = PerKwh()
    charge = Amount()
    is_late = serializers.BooleanField(help_text="came too late to become arrears")


class TopUpDetail(serializers.Serializer[Any]):
    """A top-up: asked for (a prompt on a phone), or paid straight to the paybill."""

    id = serializers.UUIDField()
    origin = serializers.ChoiceField(choices=["prompt", "paybill", "card", "cash"])
    household = serializers.CharField(help_text="code")
    amount = serializers.CharField(help_text="decimal, in the currency beside it")
    currency = serializers.CharField(help_text="ISO 4217")
    phone = serializers.CharField(help_text="who is asked, or who paid (may be masked or empty)")
    rail = serializers.CharField()
    state = serializers.CharField(
        help_text="created, submitting, pending, unknown, succeeded, failed, expired, refunded,"
        " reversed or disputed"
    )
    reference = serializers.CharField(allow_null=True, help_text="the provider's receipt")
    credited = Amount(allow_null=True)
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class _Page(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class Sites(_Page):
    """A page of sites."""

    results = SiteSummary(many=True)


class PoolFlow(serializers.Serializer[Any]):
    """One line of the split: what came in, where it is, and what left."""

    name = serializers.CharField()
    received = Amount(help_text="of revenue, over all time")
    held = Amount(help_text="now; the operator's may be below zero")
    reserved = Amount(help_text="for projects that a vote funded")
    set_aside = Amount(help_text="for payouts on their way")
    paid = Amount()


class PaidOut(serializers.Serializer[Any]):
    """What one payee got out of one pool, all payouts together."""

    pool = serializers.CharField()
    role = serializers.ChoiceField(choices=["contractor", "operator", "grantee"])
    payee = serializers.CharField(help_text="public name")
    amount = Amount()
    payouts = serializers.IntegerField()
    last_paid_at = serializers.DateTimeField()


class PayoutDetail(serializers.Serializer[Any]):
    """A payout that arrived."""

    uid = serializers.UUIDField()
    pool = serializers.CharField()
    role = serializers.ChoiceField(choices=["contractor", "operator", "grantee"])
    payee = serializers.CharField(help_text="public name")
    reason = serializers.ChoiceField(choices=["milestone", "uptime", "grant"])
    amount = Amount(help_text="out of the pool")
    way = serializers.ChoiceField(choices=["mobile", "bank", "chain"])
    transfer = serializers.CharField(allow_null=True, help_text="hash, of one that went on chain")
    paid_at = serializers.DateTimeField()


class Payouts(_Page):
    """Revenue, pools and payees of a site, and a page of its payouts, newest first."""

    revenue = Amount()
    pools = PoolFlow(many=True)
    paid_out = PaidOut(many=True)
    results = PayoutDetail(many=True)


class Households(_Page):
    """A page of households."""

    results = HouseholdDetail(many=True)


class TopUps(_Page):
    """A page of top-ups."""

    results = TopUpDetail(many=True)


class Charges(serializers.Serializer[Any]):
    """A page of charges, newest first."""

    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
    results = ChargedSlot(many=True)


class TopUpRequest(serializers.Serializer[Any]):
    """A wish to top up: the phone gets the provider's prompt."""

    amount = serializers.RegexField(AMOUNT_PATTERN, help_text='decimal string, e.g. "500"')
    currency = serializers.RegexField(
        r"^[A-Z]{3}$", required=False, help_text="ISO 4217; the site's where left out"
    )
    phone = serializers.RegexField(
        PHONE_PATTERN, required=False, help_text="E.164; the household's own where left out"
    )

    def to_internal_value(self, data: Any) -> Any:
        """Refuse numbers where strings are due: a JSON number may have lost digits already."""
        if isinstance(data, dict):
            wrong: dict[str, Any] = {
                str(name): ["Write this as a string."]
                for name in self.fields
                if name in data and not isinstance(data[name], str)
            }
            if wrong:
                raise serializers.ValidationError(wrong)
        return super().to_internal_value(data)


class Span(serializers.Serializer[Any]):
    """A span of slots by their start: [since, until)."""

    since = serializers.DateTimeField(required=False, help_text="the last 24 hours if left out")
    until = serializers.DateTimeField(required=False, help_text="now if left out")

    def validate_since(self, value: datetime) -> datetime:
        return _sensible(value)

    def validate_until(self, value: datetime) -> datetime:
        return _sensible(value)


class Limit(serializers.Serializer[Any]):
    """How many rows to tell at once."""

    limit = serializers.IntegerField(
        required=False, min_value=1, max_value=MOST_PER_PAGE, help_text="100 if left out"
    )


class Paging(Limit):
    """Which rows to tell."""

    offset = serializers.IntegerField(required=False, min_value=0, max_value=LAST_OFFSET)


class Search(serializers.Serializer[Any]):
    """What to look for among households."""

    search = serializers.CharField(
        required=False,
        default="",
        allow_blank=True,
        max_length=120,
        help_text="part of a code, a name or a phone",
    )
    site = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=50, help_text="slug"
    )


def _sensible(value: datetime) -> datetime:
    if not EARLIEST <= value < LATEST:
        raise serializers.ValidationError("Choose an instant between the years 2000 and 2200.")
    return value
