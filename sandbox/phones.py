"""A phone as its owner holds it: the payment prompts of every rail, in one list.

A prompt knows its rail, so whoever answers need not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter

from werkzeug.wrappers import Request, Response

from sandbox.daraja import stk
from sandbox.momo.collection import REJECTED as MOMO_REJECTED
from sandbox.momo.collection import Collection
from sandbox.momo.market import MARKETS
from sandbox.pawapay.deposits import Deposits
from sandbox.pawapay.money import text_of
from sandbox.pawapay.prompts import NOT_APPROVED, Prompts
from sandbox.web import Route, json_response, phone_number, refuse

SERVICE = "phones"
DARAJA_ID_PREFIX = "ws_CO_"
Handler = Callable[[Request, str, str], Response]


@dataclass(frozen=True, slots=True)
class Prompt:
    """An open prompt. phone has its `+`; opened_at is an epoch second.

    press(pays) answers it for its owner, who knows the PIN; a closed one is answered 409.
    """

    id: str
    phone: str
    amount: str
    currency: str
    opened_at: float
    press: Callable[[bool], object]


class Phones:
    """What every rail shows on a phone."""

    def __init__(
        self,
        *,
        now: Callable[[], float],
        daraja: stk.Stk,
        momo: Collection,
        deposits: Deposits,
        prompts: Prompts,
    ) -> None:
        self._now = now
        self._daraja = daraja
        self._momo = momo
        self._deposits = deposits
        self._prompts = prompts

    def routes(self) -> list[Route]:
        """`/simulator/phones/<phone>/prompts`."""
        prompts = "/simulator/phones/<phone>/prompts"
        return [
            Route("GET", prompts, self.listing),
            Route("POST", f"{prompts}/<prompt_id>", self.answer),
        ]

    def open_prompts(self, *, phone: str | None = None) -> list[Prompt]:
        """Prompts nobody has answered yet (of one phone, or all), newest first."""
        found = [*self._of_daraja(phone), *self._of_momo(phone), *self._of_pawapay(phone)]
        return sorted(found, key=attrgetter("opened_at"), reverse=True)

    def _of_daraja(self, phone: str | None) -> list[Prompt]:
        def press(checkout_id: str, pays: bool) -> object:
            code = stk.PAID if pays else stk.CANCELLED
            return self._daraja.settle(checkout_id=checkout_id, result_code=code)

        return [
            Prompt(
                id=row["checkout_id"],
                phone=row["phone"],
                amount=str(row["shillings"]),
                currency="KES",
                opened_at=row["opened_at"],
                press=_pressed(press, row["checkout_id"]),
            )
            for row in self._daraja.open_prompts(phone=phone)
        ]

    def _of_momo(self, phone: str | None) -> list[Prompt]:
        def press(reference: str, pays: bool) -> object:
            return self._momo.settle(reference=reference, reason=None if pays else MOMO_REJECTED)

        return [
            Prompt(
                id=row["reference"],
                phone=f"+{row['party']}",
                amount=MARKETS[row["environment"]].text_of(row["minor"]),
                currency=MARKETS[row["environment"]].currency,
                opened_at=row["opened_at"],
                press=_pressed(press, row["reference"]),
            )
            for row in self._momo.open_prompts(phone=phone)
        ]

    def _of_pawapay(self, phone: str | None) -> list[Prompt]:
        def press(deposit_id: str, pays: bool) -> object:
            if pays:
                return self._deposits.complete(deposit_id, at=self._now())
            return self._deposits.fail(deposit_id, NOT_APPROVED)

        return [
            Prompt(
                id=row["deposit_id"],
                phone=f"+{row['phone']}",
                amount=text_of(row["minor"], currency=row["currency"]),
                currency=row["currency"],
                opened_at=row["opened_at"],
                press=_pressed(press, row["deposit_id"]),
            )
            for row in self._deposits.open_rows(phone=None if phone is None else phone[1:])
        ]

    def listing(self, _request: Request, phone: str) -> Response:
        """The phone's open prompts, newest first."""
        return json_response(
            [
                {"id": prompt.id, "amount": prompt.amount, "currency": prompt.currency}
                for prompt in self.open_prompts(phone=phone_number(phone))
            ]
        )

    def answer(self, request: Request, phone: str, prompt_id: str) -> Response:
        """`{"pin"}` or `{"cancel": true}`, answered as the prompt's own rail does."""
        handler = self._handler(prompt_id)
        if handler is None:
            refuse({"error": "This phone has no such prompt."}, status=404)
        return handler(request, phone, prompt_id)

    def _handler(self, prompt_id: str) -> Handler | None:
        if prompt_id.startswith(DARAJA_ID_PREFIX):
            return self._daraja.answer
        if self._deposits.row(prompt_id) is not None:
            return self._prompts.answer
        if self._momo.payment(prompt_id) is not None:
            return self._momo.answer
        return None


def _pressed(press: Callable[[str, bool], object], prompt_id: str) -> Callable[[bool], object]:
    return lambda pays: press(prompt_id, pays)
