"""Villagers who act by themselves: households 10 to 30 of Kisima top up and answer prompts."""

from __future__ import annotations

import logging
import random

from werkzeug.exceptions import HTTPException

from sandbox.context import Context
from sandbox.daraja.c2b import C2b
from sandbox.daraja.stk import CANCELLED, PAID, Stk
from sandbox.sites import SITES, Meter

log = logging.getLogger(__name__)

FIRST_HOUSEHOLD = 10
MEAN_SECONDS_BETWEEN_PAYMENTS = 6 * 3600.0
ANSWER_AFTER_SECONDS = 4.0
CANCEL_PROBABILITY = 0.05


class Autopilot:
    """Call `step()` about once a second. Households 1 to 9 never do anything by themselves."""

    def __init__(self, *, context: Context, stk: Stk, c2b: C2b) -> None:
        self._context = context
        self._stk = stk
        self._c2b = c2b
        self._rng = random.Random(f"{context.seed}:autopilot")
        villagers = SITES["kisima"].meters[FIRST_HOUSEHOLD - 1 :]
        self._villagers = {villager.phone: villager for villager in villagers}
        now = context.now()
        self._pays_at = {
            # At first any part of an interval may have passed already.
            villager.phone: now + self._rng.uniform(30.0, MEAN_SECONDS_BETWEEN_PAYMENTS)
            for villager in villagers
        }

    def step(self) -> None:
        """Do what is due now."""
        self._answer_prompts()
        now = self._context.now()
        for phone, due_at in self._pays_at.items():
            if now >= due_at:
                self._pays_at[phone] = now + self._next_interval()
                self._pay(self._villagers[phone], at=now)

    def _next_interval(self) -> float:
        return self._rng.uniform(0.5, 1.5) * MEAN_SECONDS_BETWEEN_PAYMENTS

    def _pay(self, villager: Meter, *, at: float) -> None:
        shillings = self._rng.randrange(50, 301, 10)
        answer = self._c2b.pay(
            phone=villager.phone,
            account=villager.customer_code,
            cents=shillings * 100,
            at=at,
            silent=False,
        )
        log.info("%s pays %d KES: %s", villager.customer_code, shillings, answer)

    def _answer_prompts(self) -> None:
        now = self._context.now()
        for prompt in self._stk.open_prompts():
            waited = now - prompt["opened_at"]
            if prompt["phone"] in self._villagers and waited >= ANSWER_AFTER_SECONDS:
                cancels = self._rng.random() < CANCEL_PROBABILITY
                try:
                    self._stk.settle(
                        checkout_id=prompt["checkout_id"],
                        result_code=CANCELLED if cancels else PAID,
                    )
                except HTTPException:
                    # Somebody answered it on the villager's phone in the meantime.
                    log.info("Prompt %s is closed already.", prompt["checkout_id"])
