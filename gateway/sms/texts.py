"""The text of every message we send, from a notice's kind and its JSON-able parameters.

A kind's TypedDict in `params` is its contract: a missing parameter raises KeyError, an unknown
kind UnknownKind. The answer is GSM-7 and one message of 160 septets (help and fiscal receipts: two
parts); what matters least is left out first.
"""

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, Final

from gateway.sms.gsm import SINGLE_SEPTETS, cut, to_gsm7
from gateway.sms.params import (
    FAILURE_REASONS,
    AboutHousehold,
    AgentTookCash,
    AmountWrong,
    BalanceReply,
    DepositCredited,
    FiscalReceiptReply,
    FloatReply,
    HelpReply,
    LastPaymentsReply,
    LowFunds,
    Nothing,
    NotRegistered,
    PayByPaybill,
    PaymentTaken,
    ProofReply,
    RateCompensation,
    RatePublished,
    TopUpCredited,
    TopUpFailed,
    TopUpInSuspense,
    TopUpPromptSent,
    UsageReply,
    WalletComing,
    WhichAccount,
)
from gateway.sms.payout_texts import PAYOUT_KINDS
from gateway.sms.voice import TWO_PARTS_SEPTETS, Voice
from gateway.sms.vote_texts import VOTE_KINDS, VOTE_LIMITS
from gateway.texts import numbers
from gateway.texts.fit import Line, fit
from gateway.texts.languages import language_of
from gateway.texts.sms import SMS

_MAX_TYPED_CHARACTERS: Final = 12


class UnknownKind(ValueError):
    """No message of this kind exists."""


def _top_up_credited(voice: Voice, params: TopUpCredited) -> list[Line]:
    currency = params["currency"]
    lines = [
        voice.line(
            "received",
            amount=voice.paid(params["amount_minor"], currency),
            code=params["household_code"],
            receipt=params["receipt"],
        )
    ]
    return lines + _after_credit(voice, params)


def _deposit_credited(voice: Voice, params: DepositCredited) -> list[Line]:
    units = numbers.crypto(
        params["asset_units"], decimals=params["asset_decimals"], language=voice.language
    )
    received = voice.line(
        "deposit",
        amount=voice.money(params["amount_minor"], params["currency"]),
        code=params["household_code"],
        crypto=f"{units} {params['asset']}",
        receipt=params["receipt"],
    )
    return [received, *_after_credit(voice, params)]


def _after_credit(voice: Voice, params: TopUpCredited | DepositCredited) -> list[Line]:
    """What became of a credit: arrears, funds, and how far they go."""
    lines, currency = [], params["currency"]
    if taken_minor := params.get("arrears_taken_minor", 0):
        taken = voice.paid(taken_minor, currency)
        lines.append(voice.line("arrears_taken", rank=1, arrears=taken))
    lines.append(voice.line("balance", funds=voice.money(params["funds_minor"], currency)))
    return lines + voice.lasts(params, rank=2)


def _payment_taken(key: str) -> Callable[[Voice, PaymentTaken], list[Line]]:
    def lines(voice: Voice, params: PaymentTaken) -> list[Line]:
        currency = params["currency"]
        amount = voice.paid(params["amount_minor"], currency)
        return [
            voice.line(key, amount=amount, code=params["household_code"]),
            voice.line("receipt_named", rank=1, receipt=params["receipt"]),
            voice.line("balance", funds=voice.money(params["funds_minor"], currency)),
            *voice.lasts(params, rank=2),
        ]

    return lines


def _low_funds(voice: Voice, params: LowFunds) -> list[Line]:
    funds = voice.money(params["funds_minor"], params["currency"])
    lines = [voice.line("low", code=params["household_code"], funds=funds)]
    lines += voice.lasts(params, rank=1)
    if ussd_code := params.get("ussd_code"):
        lines.append(voice.line("dial_to_top_up", rank=2, ussd_code=ussd_code))
    return lines


def _top_up_failed(voice: Voice, params: TopUpFailed) -> list[Line]:
    reason = params["reason"] if params["reason"] in FAILURE_REASONS else "other"
    lines = [
        voice.line(
            "failed",
            amount=voice.paid(params["amount_minor"], params["currency"]),
            code=params["household_code"],
            reason=SMS.say(voice.language, f"failed_{reason}"),
        )
    ]
    if ussd_code := params.get("ussd_code"):
        lines.append(voice.line("dial_to_retry", rank=1, ussd_code=ussd_code))
    return lines


def _top_up_in_suspense(voice: Voice, params: TopUpInSuspense) -> list[Line]:
    lines = [
        voice.line(
            "suspense",
            amount=voice.paid(params["amount_minor"], params["currency"]),
            receipt=params["receipt"],
            account=params["account"].strip()[:_MAX_TYPED_CHARACTERS] or "-",
        )
    ]
    if phone := params.get("help_phone"):
        return [*lines, voice.line("suspense_call", rank=1, phone=phone)]
    return [*lines, voice.line("suspense_operator", rank=1)]


def _balance_reply(voice: Voice, params: BalanceReply) -> list[Line]:
    currency = params["currency"]
    funds = voice.money(params["funds_minor"], currency)
    lines = [voice.line("code_balance", code=params["household_code"], funds=funds)]
    lines += voice.lasts(params, rank=2)
    price_minor = params.get("price_minor_per_kwh")
    if price_minor is not None:
        lines.append(voice.line("price", rank=3, price=voice.paid(price_minor, currency)))
    if arrears_minor := params.get("arrears_minor", 0):
        lines.append(voice.line("arrears", rank=1, arrears=voice.money(arrears_minor, currency)))
    dai = numbers.dai(params["funds_wei"], language=voice.language)
    return [*lines, voice.line("dai", rank=4, dai=dai)]


def _usage_reply(voice: Voice, params: UsageReply) -> list[Line]:
    lines = [voice.line("usage", code=params["household_code"])]
    periods = params["periods"]
    for number, period in enumerate(periods, start=1):
        key, values = "use_" + period["period"], {}
        if period["period"] == "days":
            key = "use_day" if period["days"] == 1 else "use_days"
            values = {} if period["days"] == 1 else {"days": period["days"]}
        cost_minor = period.get("cost_minor")
        cost = "" if cost_minor is None else f" ({voice.money(cost_minor, params['currency'])})"
        end = "." if number == len(periods) else ","
        told = {**values, "kwh": voice.kwh(period["energy_milliwatt_hours"])}
        full = SMS.say(voice.language, key, **told, cost=cost) + end
        lines.append(Line(full, rank=1, short=SMS.say(voice.language, key, **told, cost="") + end))
    return lines


def _help_reply(voice: Voice, params: HelpReply) -> list[Line]:
    lines = [voice.line("help")]
    if ussd_code := params.get("ussd_code"):
        lines.append(voice.line("help_dial", rank=1, ussd_code=ussd_code))
    if phone := params.get("help_phone"):
        lines.append(voice.line("help_call", rank=2, phone=phone))
    return lines


def _last_payments_reply(voice: Voice, params: LastPaymentsReply) -> list[Line]:
    payments = params["payments"][:3]
    if not payments:
        return [voice.line("no_payments", code=params["household_code"])]
    lines = [voice.line("payments", code=params["household_code"])]
    for number, payment in enumerate(payments, start=1):
        _, month, day = payment["day"].split("-")
        told = {
            "day": f"{day}/{month}",
            "amount": voice.paid(payment["amount_minor"], payment["currency"]),
        }
        end = "." if number == len(payments) else ","
        full = SMS.say(voice.language, "payment", **told, receipt=payment["receipt"]) + end
        short = SMS.say(voice.language, "payment_short", **told) + end
        lines.append(Line(full, rank=1, short=short))
    return lines


def _fiscal_receipt_reply(voice: Voice, params: FiscalReceiptReply) -> list[Line]:
    code = params["household_code"]
    if params["number"] is None:
        return [voice.line("no_receipt", code=code)]
    currency = params["currency"]
    year, month, day = params["day"].split("-")
    lines = [
        voice.line(
            "credit_note" if params["is_credit_note"] else "receipt",
            code=code,
            number=params["number"],
            day=f"{day}/{month}/{year}",
            amount=voice.paid(params["gross_minor"], currency),
        )
    ]
    if taxes := params["taxes"]:
        told = [
            f"{tax['name']} {numbers.percent(tax['rate_basis_points'], language=voice.language)} "
            f"{voice.paid(tax['amount_minor'], currency)}"
            for tax in taxes
        ]
        whole = voice.paid(sum(tax["amount_minor"] for tax in taxes), currency)
        short = SMS.say(voice.language, "receipt_taxes", taxes=whole)
        full = SMS.say(voice.language, "receipt_taxes", taxes=", ".join(told))
        lines.append(Line(full, rank=2, short=short))
    # Before the last sentence: a full stop behind it would be taken for a part of the link.
    lines.append(Line(params["url"], rank=3))
    if params["signing"] == "signed":
        short = SMS.say(voice.language, "receipt_signed", signature=params["signature"])
        marks = (params["device"], params["device_number"], params["signature"])
        full = SMS.say(voice.language, "receipt_signed", signature=" ".join(filter(None, marks)))
        lines.append(Line(full, rank=1, short=short))
    elif params["signing"] == "waiting":
        lines.append(voice.line("receipt_waiting", rank=1))
    else:
        lines.append(voice.line("receipt_unsigned", rank=1))
    return lines


def _top_up_prompt_sent(voice: Voice, params: TopUpPromptSent) -> list[Line]:
    amount = voice.paid(params["amount_minor"], params["currency"])
    return [voice.line("prompt_sent", code=params["household_code"], amount=amount)]


def _rate_compensation(voice: Voice, params: RateCompensation) -> list[Line]:
    funds = voice.money(params["funds_minor"], params["currency"])
    lines = [voice.line("rate", code=params["household_code"], funds=funds)]
    if arrears_minor := params.get("arrears_minor", 0):
        owed = voice.money(arrears_minor, params["currency"])
        lines.append(voice.line("arrears", rank=1, arrears=owed))
    return lines


def _rate_published(voice: Voice, params: RatePublished) -> list[Line]:
    year, month, day = params["day"].split("-")
    rate = numbers.rate(
        Fraction(params["local_per_dai"]), params["currency"], language=voice.language
    )
    code = params["household_code"]
    return [voice.line("rate_published", day=f"{day}/{month}/{year}", rate=rate, code=code)]


def _which_account(voice: Voice, params: WhichAccount) -> list[Line]:
    codes = params["household_codes"][:5]
    return [voice.line("which_account", codes=", ".join(codes), code=codes[0])]


def _not_registered(voice: Voice, params: NotRegistered) -> list[Line]:
    if phone := params.get("help_phone"):
        return [voice.line("unregistered_call", phone=phone)]
    return [voice.line("unregistered")]


def _amount_wrong(voice: Voice, params: AmountWrong) -> list[Line]:
    currency = params["currency"]
    least, most = params["min_top_up_minor"], params["max_top_up_minor"]
    example = -(-least // 10 ** numbers.exponent(currency))
    return [
        voice.line(
            "amount_wrong",
            least=voice.money(least, currency),
            most=voice.money(most, currency),
            example=example,
        )
    ]


def _pay_by_paybill(voice: Voice, params: PayByPaybill) -> list[Line]:
    code, number = params["household_code"], params.get("business_number")
    if not number:
        return [voice.line("no_paybill", code=code)]
    service = params.get("service") or "paybill"
    return [voice.line("paybill", code=code, service=service, number=number)]


def _agent_took_cash(voice: Voice, params: AgentTookCash) -> list[Line]:
    currency = params["currency"]
    taken = voice.line(
        "cash_taken",
        amount=voice.paid(params["amount_minor"], currency),
        code=params["household_code"],
        receipt=params["receipt"],
    )
    left = voice.paid(params["float_minor"], currency)
    return [taken, voice.line("float_left", rank=1, left=left)]


def _float_reply(voice: Voice, params: FloatReply) -> list[Line]:
    left = voice.paid(params["float_minor"], params["currency"])
    return [voice.line("float", code=params["agent_code"], left=left)]


def _proof_reply(voice: Voice, params: ProofReply) -> list[Line]:
    # The link stands before the last sentence: a full stop behind it would become a part of it.
    link = voice.line("proof", code=params["household_code"], url=params["proof_url"])
    return [link, voice.line("proof_secret")]


def _about_household(key: str) -> Callable[[Voice, AboutHousehold], list[Line]]:
    def lines(voice: Voice, params: AboutHousehold) -> list[Line]:
        return [voice.line(key, code=params["household_code"])]

    return lines


def _wallet_coming(voice: Voice, params: WalletComing) -> list[Line]:
    year, month, day = params["day"].split("-")
    code, wallet = params["household_code"], params["wallet"]
    short = f"{wallet[:6]}..{wallet[-4:]}"
    coming = voice.line("wallet", code=code, day=f"{day}/{month}/{year}", wallet=short)
    return [coming, voice.line("wallet_not_you", code=code)]


def _one_sentence(key: str) -> Callable[[Voice, Nothing], list[Line]]:
    def lines(voice: Voice, params: Nothing) -> list[Line]:
        return [voice.line(key)]

    return lines


_KINDS: Final[dict[str, Callable[[Voice, Any], list[Line]]]] = {
    "top_up_credited": _top_up_credited,
    "deposit_credited": _deposit_credited,
    "payment_refunded": _payment_taken("refunded"),
    "payment_reversed": _payment_taken("reversed"),
    "low_funds": _low_funds,
    "top_up_failed": _top_up_failed,
    "top_up_in_suspense": _top_up_in_suspense,
    "balance_reply": _balance_reply,
    "usage_reply": _usage_reply,
    "help_reply": _help_reply,
    "last_payments_reply": _last_payments_reply,
    "fiscal_receipt_reply": _fiscal_receipt_reply,
    "language_set": _one_sentence("language_set"),
    "top_up_prompt_sent": _top_up_prompt_sent,
    "unknown_word": _one_sentence("unknown_word"),
    "try_later": _one_sentence("try_later"),
    "vote_not_open": _one_sentence("vote_not_open"),
    "rate_compensation": _rate_compensation,
    "rate_published": _rate_published,
    "which_account": _which_account,
    "not_registered": _not_registered,
    "amount_wrong": _amount_wrong,
    "pay_by_paybill": _pay_by_paybill,
    "agent_took_cash": _agent_took_cash,
    "float_reply": _float_reply,
    "proof_reply": _proof_reply,
    "proof_none": _about_household("proof_none"),
    "wallet_coming": _wallet_coming,
    "wallet_refused": _about_household("wallet_refused"),
    "wallet_none": _about_household("wallet_none"),
    **VOTE_KINDS,
    **PAYOUT_KINDS,
    "stopped": _one_sentence("stopped"),
    "started": _one_sentence("started"),
}
KINDS: Final = tuple(_KINDS)

LIMITS_SEPTETS: Final = {
    "help_reply": TWO_PARTS_SEPTETS,
    "fiscal_receipt_reply": TWO_PARTS_SEPTETS,
    **VOTE_LIMITS,
}


def render(kind: str, params: Mapping[str, Any], language: str) -> str:
    """The message of `kind` in `language` ("en", "fr", "sw"; English for any other)."""
    if kind not in _KINDS:
        raise UnknownKind(f"no message is called {kind!r}")
    limit = LIMITS_SEPTETS.get(kind, SINGLE_SEPTETS)
    lines = [
        Line(text=to_gsm7(line.text), rank=line.rank, short=to_gsm7(line.short))
        for line in _KINDS[kind](Voice(language_of(language)), params)
    ]
    return cut(fit(lines, at_most_septets=limit, joiner=" "), at_most_septets=limit)
