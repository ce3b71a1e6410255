"""Villagers who act by themselves: households 10 to 30 top up and answer their prompts.

In Kisima they pay the paybill. In Lofé nobody can be paid unasked, so they dial the service and ask
for a prompt.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable

from werkzeug.exceptions import HTTPException

from sandbox.africastalking.ussd import ERROR_SCREEN, Ussd
from sandbox.context import Context
from sandbox.daraja.c2b import C2b
from sandbox.phones import Phones
from sandbox.sites import SITES, Meter

log = logging.getLogger(__name__)

FIRST_HOUSEHOLD = 10
MEAN_SECONDS_BETWEEN_PAYMENTS = 6 * 3600.0
TRIES_AGAIN_AFTER_SECONDS = 120.0
ANSWER_AFTER_SECONDS = 4.0
CANCEL_PROBABILITY = 0.05
SHILLINGS = range(50, 301, 10)
FRANCS = range(200, 1_501, 50)


class Autopilot:
    """Call `step()` about once a second. Households 1 to 9 never do anything by themselves."""

    def __init__(self, *, context: Context, phones: Phones, c2b: C2b, ussd: Ussd) -> None:
        self._context = context
        self._phones = phones
        self._c2b = c2b
        self._ussd = ussd
        self._rng = random.Random(f"{context.seed}:autopilot")
        ways: dict[str, Callable[[Meter, float], bool]] = {
            "kisima": self._pay_paybill,
            "lofe": self._ask_for_prompt,
        }
        self._pays_by = {
            villager.phone: (villager, way)
            for slug, way in ways.items()
            for villager in SITES[slug].meters[FIRST_HOUSEHOLD - 1 :]
        }
        now = context.now()
        self._pays_at = {
            # At first any part of an interval may have passed already.
            phone: now + self._rng.uniform(30.0, MEAN_SECONDS_BETWEEN_PAYMENTS)
            for phone in self._pays_by
        }

    def step(self) -> None:
        """Do what is due now."""
        self._answer_prompts()
        now = self._context.now()
        for phone, due_at in self._pays_at.items():
            if now >= due_at:
                villager, pay = self._pays_by[phone]
                done = pay(villager, now)
                self._pays_at[phone] = now + (
                    self._next_interval() if done else TRIES_AGAIN_AFTER_SECONDS
                )

    def _next_interval(self) -> float:
        return self._rng.uniform(0.5, 1.5) * MEAN_SECONDS_BETWEEN_PAYMENTS

    def _pay_paybill(self, villager: Meter, at: float) -> bool:
        shillings = self._rng.choice(SHILLINGS)
        answer = self._c2b.pay(
            phone=villager.phone,
            account=villager.customer_code,
            cents=shillings * 100,
            at=at,
            silent=False,
        )
        log.info("%s pays %d KES: %s", villager.customer_code, shillings, answer)
        return True

    def _ask_for_prompt(self, villager: Meter, _at: float) -> bool:
        """Dial, choose Top up, type the amount, confirm; the prompt is answered when it comes."""
        francs = self._rng.choice(FRANCS)
        screen = self._ussd.call(phone=villager.phone, text=f"3*{francs}*1")
        log.info("%s asks for a prompt of %d XOF: %s", villager.customer_code, francs, screen)
        return screen != ERROR_SCREEN

    def _answer_prompts(self) -> None:
        now = self._context.now()
        for prompt in self._phones.open_prompts():
            waited = now - prompt.opened_at
            if prompt.phone in self._pays_by and waited >= ANSWER_AFTER_SECONDS:
                try:
                    prompt.press(self._rng.random() >= CANCEL_PROBABILITY)
                except HTTPException:
                    # Somebody answered it on the villager's phone in the meantime.
                    log.info("Prompt %s is closed already.", prompt.id)
