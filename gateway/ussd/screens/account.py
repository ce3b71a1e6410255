"""What a household has, used and paid."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from gateway.texts import numbers
from gateway.texts.fit import Line
from gateway.texts.languages import Language
from gateway.texts.receipts import shown
from gateway.texts.ussd import USSD
from gateway.ussd.effects import Effect, SetLanguage
from gateway.ussd.facts import PERIODS, AccountFacts, Context, Period
from gateway.ussd.screen import Option, Screen
from gateway.ussd.screens.menus import says
from gateway.ussd.state import State

PAYMENTS_SHOWN: Final = 3
DAYS_LEFT_SHOWN: Final = 999
# Slots are settled some minutes after their end; what is older than this says so.
FRESH: Final = timedelta(minutes=5)

_USE_KEYS: Final[dict[Period, str]] = {
    "today": "use_today",
    "yesterday": "use_yesterday",
    "days_7": "use_7_days",
    "days_30": "use_30_days",
}


def age_line(language: Language, *, as_of: datetime, now: datetime) -> str:
    """How old a figure is, in its largest unit; "" while it is fresh."""
    age = now - as_of
    if age <= FRESH:
        return ""
    if age < timedelta(hours=1):
        return USSD.say(language, "age_minutes", count=age // timedelta(minutes=1))
    if age >= timedelta(days=2):
        days = numbers.whole(age // timedelta(days=1), language=language)
        return USSD.say(language, "age_days_many", count=days)
    hours = age // timedelta(hours=1)
    if hours == 1:
        return USSD.say(language, "age_hours_one")
    return USSD.say(language, "age_hours_many", count=hours)


def _days_left(language: Language, days: int | None) -> str:
    if days is None:
        return ""
    if days > DAYS_LEFT_SHOWN:
        return USSD.say(language, "days_left_over", days=DAYS_LEFT_SHOWN)
    if days > 1:
        return USSD.say(language, "days_left_many", days=days)
    return USSD.say(language, "days_left_one" if days else "days_left_none")


def _energy_and_price(language: Language, account: AccountFacts) -> tuple[str, str]:
    energy, price = account.energy_left_milliwatt_hours, account.price_units_per_kwh
    buys = (
        ""
        if energy is None
        else USSD.say(language, "buys", kwh=numbers.kwh(energy, language=language))
    )
    now = (
        ""
        if price is None
        else USSD.say(
            language,
            "price",
            price=numbers.unit_price(price, account.currency, language=language),
        )
    )
    return buys, now


def _show_balance(state: State, context: Context) -> Sequence[Line]:
    language = state.language
    account = context.facts.account(state.household_code)

    def local(minor: int) -> str:
        return numbers.money(minor, account.currency, language=language)

    buys, price = _energy_and_price(language, account)
    owed = (
        USSD.say(language, "arrears", arrears=local(account.arrears_minor))
        if account.arrears_wei
        else ""
    )
    return [
        Line(USSD.say(language, "funds", funds=local(account.funds_minor))),
        Line(_days_left(language, account.days_left)),
        Line(buys),
        Line(price),
        Line(owed),
        Line(age_line(language, as_of=account.as_of, now=context.now), rank=1),
        Line(USSD.say(language, "dai", dai=numbers.dai(account.funds_wei, language=language))),
    ]


def _show_usage(state: State, context: Context) -> Sequence[Line]:
    language = state.language
    usage = context.facts.usage(state.household_code)
    lines = []
    for period in PERIODS:
        energy = usage.of(period).energy_milliwatt_hours
        use = USSD.say(language, _USE_KEYS[period], kwh=numbers.kwh(energy, language=language))
        cost = numbers.money(usage.cost_minor(period), usage.currency, language=language)
        lines.append(Line(f"{use}, {cost}", rank=2, short=use))
    lines.append(Line(age_line(language, as_of=usage.as_of, now=context.now), rank=1))
    return lines


def _show_payments(state: State, context: Context) -> Sequence[Line]:
    language = state.language
    payments = context.facts.last_payments(state.household_code, at_most=PAYMENTS_SHOWN)
    if not payments:
        return [Line(USSD.say(language, "no_payments"))]
    lines = [Line(USSD.say(language, "payments"), rank=1)]
    for payment in payments[:PAYMENTS_SHOWN]:
        day = f"{payment.at:%d/%m}"
        amount = numbers.money(
            payment.amount_minor, payment.currency, language=language, exact=True
        )
        receipt = shown(payment.reference)
        full = USSD.say(language, "payment", day=day, amount=amount, reference=receipt)
        lines.append(
            Line(full, rank=2, short=USSD.say(language, "payment_short", day=day, amount=amount))
        )
    return lines


def _show_receipt(state: State, context: Context) -> Sequence[Line]:
    language = state.language
    receipt = context.facts.last_receipt(state.household_code)
    if receipt is None:
        return [Line(USSD.say(language, "no_receipt"))]

    def paid(minor: int) -> str:
        return numbers.money(minor, receipt.currency, language=language, exact=True)

    kind = "credit_note" if receipt.is_credit_note else "receipt"
    lines = [
        Line(USSD.say(language, kind, number=receipt.number)),
        Line(f"{receipt.at:%d/%m/%Y} {paid(receipt.gross_minor)}"),
    ]
    for tax in receipt.taxes:
        rate = numbers.percent(tax.rate_basis_points, language=language)
        lines.append(Line(f"{tax.name} {rate} {paid(tax.amount_minor)}", rank=2))
    if receipt.signing == "signed":
        lines += [Line(receipt.device_number, rank=1), Line(receipt.signature, rank=3)]
    elif receipt.signing == "waiting":
        lines.append(Line(USSD.say(language, "receipt_waiting"), rank=1))
    return lines


def paybill_line(language: Language, account: AccountFacts) -> str:
    """How to pay without a prompt from us."""
    if account.paybill is None:
        return USSD.say(language, "no_paybill")
    return USSD.say(
        language,
        "paybill",
        service=account.paybill.service,
        number=account.paybill.business_number,
        code=account.code,
    )


def _show_paybill(state: State, context: Context) -> Sequence[Line]:
    return [Line(paybill_line(state.language, context.facts.account(state.household_code)))]


def _set_language(state: State, context: Context) -> tuple[Effect, ...]:
    return (SetLanguage(household_code=state.household_code, language=state.language),)


SCREENS = (
    Screen(name="balance", show=_show_balance, ends=True),
    Screen(name="usage", show=_show_usage, ends=True),
    Screen(name="payments", show=_show_payments, ends=True),
    Screen(name="paybill", show=_show_paybill, ends=True),
    Screen(name="receipt", show=_show_receipt, ends=True),
    Screen(
        name="languages",
        show=says("languages"),
        options={
            "1": Option("language_set", language="en"),
            "2": Option("language_set", language="fr"),
            "3": Option("language_set", language="sw"),
            "0": Option("my_account"),
        },
        notes=("wrong_choice",),
    ),
    Screen(name="language_set", show=says("language_set"), effects=_set_language, ends=True),
)
