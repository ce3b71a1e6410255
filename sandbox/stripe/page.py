"""The hosted Checkout page: plain HTML, no script, readable by a screen reader."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from html import escape

from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from sandbox.stripe import cards, currencies
from sandbox.stripe.cards import Means
from sandbox.stripe.errors import ApiError
from sandbox.stripe.objects import Body, Objects
from sandbox.stripe.session_shapes import KIND
from sandbox.stripe.sessions import Sessions
from sandbox.stripe.shapes import Payer
from sandbox.web import Route

PLACEHOLDER = "{CHECKOUT_SESSION_ID}"
_STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0; background: #f6f7f9; color: #1a1f36 }
main { max-width: 26rem; margin: 2rem auto; padding: 1.5rem; background: #fff;
  border: 1px solid #d5dae1; border-radius: .5rem }
h1 { font-size: 1rem; margin: 0 0 .25rem } .amount { font-size: 2rem; font-weight: 700; margin: 0 }
ul { padding-left: 1.2rem } label { display: block; margin-top: .75rem; font-weight: 600 }
input { font: inherit; width: 100%; box-sizing: border-box; padding: .5rem;
  border: 1px solid #697386; border-radius: .25rem }
button, .cancel { font: inherit; display: block; width: 100%; box-sizing: border-box;
  margin-top: 1rem; padding: .7rem; border-radius: .25rem; text-align: center }
button { background: #1d4ed8; color: #fff; border: 0; font-weight: 700; cursor: pointer }
.cancel { color: #1d4ed8; border: 1px solid #1d4ed8; text-decoration: none }
.error { background: #fdecea; border-left: .3rem solid #b42318; padding: .6rem; color: #7a271a }
.notice { background: #fff4d6; padding: .4rem .75rem; margin: 0; text-align: center }
.pair { display: flex; gap: .75rem } .pair div { flex: 1 }
fieldset { border: 0; padding: 0; margin: 1rem 0 0 } legend { font-weight: 700; padding: 0 }
"""
_ACCOUNT_LABELS = {
    "sepa_debit": ("SEPA Direct Debit", "IBAN", "AT611904300234573201"),
    "us_bank_account": ("US bank account", "Account number", "000123456789"),
}


class CheckoutPage:
    """`GET` shows a session's page, `POST` submits it."""

    def __init__(self, *, objects: Objects, sessions: Sessions) -> None:
        self._objects = objects
        self._sessions = sessions

    def routes(self) -> list[Route]:
        """`/checkout/<session id>`."""
        return [
            Route("GET", "/checkout/<reference>", self.show),
            Route("POST", "/checkout/<reference>", self.submit),
        ]

    def show(self, _request: Request, reference: str) -> Response:
        """The form, or why there is none."""
        session = self._objects.get(reference, kind=KIND)
        if session is None:
            return _closed("This page does not exist.", status=404)
        if session["status"] == "complete":
            return _closed("This payment is complete.", link=success_url(session))
        if session["status"] == "expired":
            return _closed("This page has expired.", link=cancel_url(session), status=410)
        return self._form(session)

    def submit(self, request: Request, reference: str) -> Response:
        """Pay; on to `success_url`, or the form again with the reason of a refusal."""
        session = self._objects.get(reference, kind=KIND)
        if session is None or session["status"] != "open":
            return self.show(request, reference)
        form = request.form.to_dict()
        try:
            means, payer = read_payment(form, session=session)
            session, attempt = self._sessions.pay(reference, means=means, payer=payer)
        except ApiError as error:
            return self._form(session, error=error.message, form=form, status=400)
        if attempt.error is not None:
            return self._form(session, error=attempt.error.message, form=form, status=402)
        return redirect(success_url(session) or "/", code=303)

    def _form(
        self,
        session: Body,
        *,
        error: str | None = None,
        form: Mapping[str, str] | None = None,
        status: int = 200,
    ) -> Response:
        amount = escape(currencies.display(session["amount_total"], session["currency"]))
        if session["mode"] == "subscription":
            amount = f"{amount} per month"
        items = self._objects.hidden(session["id"])["items"]
        title = ", ".join(str(item["description"]) for item in items)
        lines = "".join(
            f"<li>{escape(str(item['description']))} &times; {item['quantity']}:"
            f" {escape(currencies.display(item['amount_total'], item['currency']))}</li>"
            for item in items
        )
        parts = [
            f"<h1>{escape(title)}</h1>",
            f'<p class="amount">{amount}</p>',
            f"<ul>{lines}</ul>",
        ]
        if error is not None:
            parts.append(f'<p class="error" role="alert" id="error">{escape(error)}</p>')
        email = session["customer_email"] or (form or {}).get("email", "")
        for method in session["payment_method_types"]:
            parts.append(_method_form(method, amount=amount, email=email))
        cancel = cancel_url(session)
        if cancel is not None:
            parts.append(f'<a class="cancel" href="{escape(cancel)}">Cancel and go back</a>')
        return _page(f"Pay {amount}", "".join(parts), status=status)


def success_url(session: Body) -> str | None:
    """Where a payer goes after paying."""
    return _filled(session["success_url"], session)


def cancel_url(session: Body) -> str | None:
    """Where a payer goes who does not want to pay (the session stays open)."""
    return _filled(session["cancel_url"], session)


def _filled(url: str | None, session: Body) -> str | None:
    return None if url is None else url.replace(PLACEHOLDER, session["id"])


def read_payment(form: Mapping[str, str], *, session: Body) -> tuple[Means, Payer]:
    """What somebody pays with: `card` (and `expiry`, `cvc`) or `account`; `email`, `name`.

    ApiError says what is wrong with it.
    """
    name, email = form.get("name") or None, form.get("email") or None
    if form.get("account"):
        means = cards.account(form["account"], currency=session["currency"])
        if means is None or means.kind not in session["payment_method_types"]:
            raise ApiError("The account number is not valid for this payment.", param="account")
        return means, Payer(email=email, name=name)
    if not form.get("card"):
        raise ApiError("Enter a card number.", param="card")
    if "card" not in session["payment_method_types"]:
        raise ApiError("This payment cannot be made by card.", param="card")
    if not re.fullmatch(r"[0-9]{3,4}", form.get("cvc") or "123"):
        raise ApiError("Your card's security code is incomplete.", param="cvc")
    expiry = _expiry(form.get("expiry") or "12/34", created=session["created"])
    return cards.card(form["card"]), Payer(email=email, name=name, expiry=expiry)


def _expiry(text: str, *, created: int) -> tuple[int, int]:
    match = re.fullmatch(r"\s*(0?[1-9]|1[0-2])\s*/\s*(?:20)?([0-9]{2})\s*", text)
    if match is None:
        raise ApiError("Your card's expiration date is incomplete.", param="expiry")
    month, year = int(match[1]), 2000 + int(match[2])
    today = datetime.fromtimestamp(created, UTC)
    if (year, month) < (today.year, today.month):
        raise ApiError("Your card's expiration date is in the past.", param="expiry")
    return month, year


def _field(name: str, label: str, *, autocomplete: str, hint: str = "", value: str = "") -> str:
    kind = "email" if name == "email" else "text"
    required = "" if name == "name" else " required"
    mode = ' inputmode="numeric"' if autocomplete.startswith("cc-") and name != "name" else ""
    return (
        f'<label for="{name}">{label}</label><input id="{name}" name="{name}" type="{kind}"'
        f' autocomplete="{autocomplete}" placeholder="{hint}" value="{escape(value)}"'
        f"{mode}{required}>"
    )


def _method_form(method: str, *, amount: str, email: str) -> str:
    if method == "card":
        fields = (
            _field("email", "Email", autocomplete="email", value=email)
            + _field("card", "Card number", autocomplete="cc-number", hint="4242 4242 4242 4242")
            + '<div class="pair"><div>'
            + _field("expiry", "Expiry (MM/YY)", autocomplete="cc-exp", hint="12/34")
            + "</div><div>"
            + _field("cvc", "Security code", autocomplete="cc-csc", hint="123")
            + "</div></div>"
            + _field("name", "Name on card", autocomplete="cc-name")
        )
        return _form_of("Card", fields, button=f"Pay {amount}")
    title, label, hint = _ACCOUNT_LABELS[method]
    field = _field("account", label, autocomplete="off", hint=hint)
    return _form_of(title, field, button=f"Pay {amount} by bank debit")


def _form_of(legend: str, fields: str, *, button: str) -> str:
    return (
        f'<form method="post"><fieldset><legend>{legend}</legend>{fields}'
        f'<button type="submit">{button}</button></fieldset></form>'
    )


def _closed(text: str, *, link: str | None = None, status: int = 200) -> Response:
    back = "" if link is None else f'<a class="cancel" href="{escape(link)}">Go back</a>'
    return _page(text, f"<h1>{escape(text)}</h1>{back}", status=status)


def _page(title: str, content: str, *, status: int) -> Response:
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body>"
        '<p class="notice">Sandbox: test cards only, no real money.</p>'
        f"<main>{content}</main></body></html>"
    )
    return Response(html, status=status, content_type="text/html; charset=utf-8")
