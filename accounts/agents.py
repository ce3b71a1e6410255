"""Cash and agents: who takes money by hand and credits households, as far as their float goes.

An agent buys float from the operator; each payment taken lowers it by what the household pays (less
what the cash rail leaves the agent as commission). The float stands in the books of the agent's
site, where the database keeps it from falling below zero.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from accounts import attempts, ledger, notices, payees, sites, topups
from accounts.floats import money_words
from accounts.ledger import Leg, Overdrawn
from accounts.models import (
    Agent,
    AgentFloatChange,
    Household,
    LedgerAccount,
    Payment,
    Rail,
    Site,
    User,
)
from accounts.payees import normalise_code
from accounts.topups import ConfirmedPayment

Kind = AgentFloatChange.Kind

CODE = re.compile(r"[A-Z0-9]{3,12}")
REFERENCE_CHARACTERS = 12
"""Of 32 letters and digits each: of a hundred million payments no two will be alike, and with the
word before them they can be copied from a screen."""


class NotBooked(Exception):
    """Nothing was booked; the message says why, for a person."""


class BadAgent(NotBooked):
    """The agent can't be opened, or closed, like that."""


class FloatTooSmall(NotBooked):
    """The agent's float does not hold that much. left_minor is what it holds."""

    def __init__(self, *, agent: Agent, left_minor: int) -> None:
        left = money_words(amount_minor=left_minor, currency=agent.rail.currency)
        super().__init__(f"The float of {agent.code} holds only {left}.")
        self.left_minor = left_minor


class NoSuchHousehold(NotBooked):
    """The agent's site has no open household of that code."""


class KeyReused(NotBooked):
    """The idempotency key stands for something else already."""


@transaction.atomic
def open_agent(
    *,
    site: Site,
    code: str,
    name: str,
    at: datetime,
    phone: str = "",
    user: User | None = None,
    pin_hash: str = "",
    language: str = "en",
) -> Agent:
    """Open an agent of a site, over its operator's cash rail, with nothing in the float.

    phone (E.164) needs a PIN; user is a log-in of the operator's staff, which from then on is good
    for nothing but taking this agent's cash. Raises BadAgent.
    """
    agent = Agent(
        site=site,
        code=normalise_code(code),
        name=name,
        phone=phone,
        user=user,
        pin_hash=pin_hash,
        language=language,
        created_at=at,
    )
    check_new(agent=agent)
    agent.save()
    return agent


def check_new(*, agent: Agent) -> None:
    """Give an agent who is not stored yet the cash rail of the site. Raises BadAgent."""
    site, rail = agent.site, cash_rail(site=agent.site)
    if rail is None:
        raise BadAgent(f"{site.operator} has no open cash rail in {site.currency}: add one first.")
    if CODE.fullmatch(agent.code) is None:
        raise BadAgent("A code has 3 to 12 letters and digits, for example AG01.")
    if Agent.objects.filter(code=agent.code).exists():
        raise BadAgent(f"{agent.code} is another agent's code.")
    agent.rail = rail
    check_access(agent=agent)


def check_access(*, agent: Agent) -> None:
    """Raise BadAgent where an open agent could not work from its phone and log-in."""
    others = Agent.objects.exclude(pk=agent.pk)
    user, operator = agent.user, agent.site.operator
    if not agent.phone and user is None:
        raise BadAgent("An agent needs a phone or a log-in to work from.")
    if agent.phone and not agent.pin_hash:
        raise BadAgent("An agent who works from a phone needs a PIN.")
    if agent.phone and others.filter(phone=agent.phone, closed_at__isnull=True).exists():
        raise BadAgent(f"{agent.phone} is another agent's phone.")
    if user is None:
        return
    if user.is_superuser or not user.is_staff or user.operator_id != operator.pk:
        raise BadAgent(f"{user} has to be staff of {operator}, and no superuser.")
    if others.filter(user=user).exists():
        raise BadAgent(f"{user} is another agent's log-in.")


def close_agent(*, agent: Agent, at: datetime) -> Agent:
    """Close an agent who holds no float any more. Raises BadAgent."""
    with transaction.atomic():
        stored = _locked(agent)
        left_minor = float_minor(agent=stored)
        if left_minor:
            left = money_words(amount_minor=left_minor, currency=stored.rail.currency)
            raise BadAgent(f"{stored.code} still holds a float of {left}: take it back first.")
        if stored.closed_at is None:
            stored.closed_at = at
            stored.save(update_fields=["closed_at"])
        return stored


def cash_rail(*, site: Site) -> Rail | None:
    """Return the rail over which the site's operator takes cash in its currency, or None."""
    return (
        Rail.objects.filter(
            operator=site.operator_id,
            provider=Rail.Provider.CASH,
            currency=site.currency,
            closed_at__isnull=True,
        )
        .order_by("pk")
        .first()
    )


def of_phone(*, phone: str) -> Agent | None:
    """Return the open agent who works from a phone (E.164), or None."""
    if not phone:
        return None
    return _loaded().filter(phone=phone, closed_at__isnull=True).first()


def float_minor(*, agent: Agent) -> int:
    """Return what an agent's float holds, in minor units of the cash rail's currency."""
    return floats_minor(agents=[agent])[agent.pk]


def floats_minor(*, agents: Iterable[Agent]) -> dict[int, int]:
    """Return what each agent's float holds by the agent's id; one query where books are loaded."""
    listed = list(agents)
    accounts = LedgerAccount.objects.filter(
        kind=LedgerAccount.Kind.AGENT_FLOAT,
        household_id__isnull=True,
        book_id__in={agent.site.book.pk for agent in listed},
        name__in=[agent.code for agent in listed],
    )
    held = {(each.book_id, each.name, each.asset): each.amount for each in accounts}
    return {
        agent.pk: held.get((agent.site.book.pk, agent.code, agent.rail.currency), 0)
        for agent in listed
    }


def buy_float(
    *,
    agent: Agent,
    amount_minor: int,
    made_by: User,
    idempotency_key: str,
    at: datetime,
    note: str = "",
) -> AgentFloatChange:
    """Sell float to an agent for money handed to the operator; the same key sells once.

    amount_minor is in minor units of the cash rail's currency. Raises NotBooked.
    """
    return _change(
        agent=agent,
        kind=Kind.BOUGHT,
        amount_minor=amount_minor,
        made_by=made_by,
        idempotency_key=idempotency_key,
        note=note,
        at=at,
    )


def return_float(
    *,
    agent: Agent,
    amount_minor: int,
    made_by: User,
    idempotency_key: str,
    at: datetime,
    note: str = "",
) -> AgentFloatChange:
    """Take float back for money handed to the agent; the same key takes once.

    Raises FloatTooSmall, NotBooked.
    """
    return _change(
        agent=agent,
        kind=Kind.RETURNED,
        amount_minor=amount_minor,
        made_by=made_by,
        idempotency_key=idempotency_key,
        note=note,
        at=at,
    )


def take_cash(
    *, agent: Agent, household_code: str, amount_minor: int, idempotency_key: str, at: datetime
) -> Payment:
    """Credit a household of the agent's site with cash that the agent took; the same key once.

    household_code as it was typed: it alone decides whose the money is. Raises FloatTooSmall,
    NoSuchHousehold, KeyReused, NotBooked, attempts.BadAmount (outside the rail's limits).
    """
    code, reference = normalise_code(household_code), reference_of(agent, key=idempotency_key)
    with transaction.atomic():
        stored = _locked(agent)
        known = Payment.objects.filter(provider=stored.rail.provider, reference=reference).first()
        if known is not None:
            if (known.account_text, known.amount_minor) != (code, amount_minor):
                raise KeyReused(f"{reference} was taken for {known.account_text} already.")
            return known
        attempts.check_amount(rail=stored.rail, amount_minor=amount_minor)
        # Nobody closes it until this is booked.
        found = Household.objects.select_for_update(no_key=True).filter(code=code).first()
        household = _check_payee(found, code=code, agent=stored, at=at)
        payment = ConfirmedPayment(
            rail=stored.rail,
            reference=reference,
            amount_minor=amount_minor,
            currency=stored.rail.currency,
            paid_at=at,
            account_text=household.code,
            agent=stored,
        )
        try:
            made = topups.confirm(payment=payment, at=at)
        except Overdrawn:
            left_minor = float_minor(agent=stored)
            raise FloatTooSmall(agent=stored, left_minor=left_minor) from None
        _tell(stored, payment=made, at=at)
        return made


def find_household(*, agent: Agent, code: str, at: datetime) -> Household:
    """Return the household that an agent may take cash for by a code as typed.

    Raises NoSuchHousehold, NotBooked.
    """
    code = normalise_code(code)
    found = Household.objects.filter(code=code).first()
    return _check_payee(found, code=code, agent=agent, at=at)


def reference_of(agent: Agent, *, key: str) -> str:
    """Return the reference of what an agent takes under an idempotency key: "CASHK3J5QF7TZ2AB"."""
    digest = hashlib.sha256(f"{agent.uid}:{key}".encode()).digest()
    return f"CASH{base64.b32encode(digest).decode()[:REFERENCE_CHARACTERS]}"


def _change(
    *,
    agent: Agent,
    kind: AgentFloatChange.Kind,
    amount_minor: int,
    made_by: User,
    idempotency_key: str,
    note: str,
    at: datetime,
) -> AgentFloatChange:
    with transaction.atomic():
        stored = _locked(agent)
        known = AgentFloatChange.objects.filter(idempotency_key=idempotency_key).first()
        if known is not None:
            if (known.agent_id, known.kind, known.amount_minor) != (stored.pk, kind, amount_minor):
                raise KeyReused("This form was sent before, with something else in it.")
            return known
        _check_change(stored, kind=kind, amount_minor=amount_minor)
        change = AgentFloatChange(
            agent=stored,
            kind=kind,
            amount_minor=amount_minor,
            currency=stored.rail.currency,
            note=note[:200],
            made_by=made_by,
            idempotency_key=idempotency_key,
            made_at=at,
        )
        change.entry_id = _post(change, at=at)
        change.save()
        return change


def _check_change(agent: Agent, *, kind: AgentFloatChange.Kind, amount_minor: int) -> None:
    if amount_minor <= 0:
        raise NotBooked("Write an amount above zero.")
    if kind == Kind.BOUGHT and (agent.closed_at or agent.rail.closed_at):
        raise NotBooked(f"{agent.code}, or the cash rail, is closed.")


def _post(change: AgentFloatChange, *, at: datetime) -> int:
    """Write the entry: cash in the operator's hands on one side, the agent's float on the other."""
    agent, currency = change.agent, change.currency
    bought_minor = change.amount_minor if change.kind == Kind.BOUGHT else -change.amount_minor
    try:
        entry = ledger.post(
            book_id=agent.site.book.pk,
            kind="agent_float",
            key=f"agent_float:{change.uid}",
            legs=[
                Leg(kind="float", name=agent.rail.code, asset=currency, amount=-bought_minor),
                Leg(kind="agent_float", name=agent.code, asset=currency, amount=bought_minor),
            ],
            occurred_at=at,
            at=at,
        )
    except Overdrawn:
        raise FloatTooSmall(agent=agent, left_minor=float_minor(agent=agent)) from None
    return entry.entry_id


def _check_payee(
    household: Household | None, *, code: str, agent: Agent, at: datetime
) -> Household:
    """Return the household if the agent may take cash for it; code is what was asked for.

    An agent's payment never waits in suspense: there is no float in the operator's book.
    """
    if agent.closed_at is not None or agent.rail.closed_at is not None:
        raise NotBooked(f"{agent.code} takes no cash any more.")
    if agent.site.closed_at is not None:
        raise NotBooked(f"{agent.site} is closed and takes no payments.")
    if household is None or sites.site_of(household=household, at=at) != agent.site:
        raise NoSuchHousehold(f"There is no account {code or '?'} at {agent.site}.")
    obstacle = payees.obstacle(
        household=household, rail=agent.rail, currency=agent.rail.currency, at=at
    )
    if obstacle:
        raise NotBooked(f"Nothing was taken: {obstacle}.")
    return household


def _tell(agent: Agent, *, payment: Payment, at: datetime) -> None:
    if agent.phone:
        notices.tell_phone(
            phone=agent.phone,
            kind="agent_took_cash",
            key=f"agent_took_cash:{payment.pk}",
            params={
                "household_code": payment.account_text,
                "amount_minor": payment.amount_minor,
                "currency": payment.currency,
                "receipt": payment.reference,
                "float_minor": float_minor(agent=agent),
            },
            at=at,
            language=agent.language,
        )


def _locked(agent: Agent) -> Agent:
    """Lock the book of the agent's site, then the agent; return the agent as it is."""
    ledger.lock(book_id=agent.site.book.pk)
    return _loaded().select_for_update(of=("self",), no_key=True).get(pk=agent.pk)


def _loaded() -> QuerySet[Agent]:
    return Agent.objects.select_related("site__book", "site__operator", "rail__operator__book")
