"""What tests of payouts share: revenue in the pools, payees, two people, and what stands."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

import settlement.audit
from accounts import amounts, audit, ledger, treasury
from accounts.ledger import DAI, Leg
from accounts.models import LedgerAccount, User
from settlement import payouts, service_tokens, settle
from settlement.models import Meter, Payee, Payout, Price, Reading, ServiceToken
from settlement.prices import slot_start
from tests.village import Village

WEI = 10**18
KES_PER_DAI_MINOR = 12_925
"""129.25 shillings, as the village's rate has it."""
WALLET = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
WAYS: dict[str, dict[str, Any]] = {
    "mobile": {"phone": "+254711000009"},
    "bank": {"bank_account": "KE0100010001234567890", "bank_code": "EQBLKENA"},
    "chain": {"wallet": WALLET},
}


def earn_revenue(village: Village, *, dai: int = 200, at: datetime | None = None) -> None:
    """KIS0001 pays shillings worth so many DAI and uses them up: the split fills the pools.

    Of 200 DAI: tax 32, levies 3, reserve 20, grant 40, contractor 50, operator 55.
    """
    at = at or timezone.now()
    if not Meter.objects.filter(serial="SM0001").exists():
        village.household("KIS0001")
    if not Price.objects.filter(site=village.site).exists():
        village.price(ticks=5_000, starts_at=village.founded_at)
    Meter.objects.update(max_power_watts=10_000_000)
    village.pay("KIS0001", amount_minor=dai * KES_PER_DAI_MINOR, at=at)
    taken = Reading.objects.filter(site=village.site).count() + 2
    starts_at = slot_start(at=at, slot_seconds=900) - timedelta(seconds=900 * taken)
    village.read("SM0001", starts_at=starts_at, energy_milliwatt_hours=dai * 2 * 10**6, at=at)
    settle.run_all(site_id=village.site.pk, at=at)


def person(village: Village, name: str) -> User:
    """A member of the operator's staff."""
    known = User.objects.filter(username=name).first()
    return known or User.objects.create_user(name, is_staff=True, operator=village.operator)


def payee(
    village: Village,
    *,
    way: str = "mobile",
    role: str = "contractor",
    code: str = "",
    **fields: Any,
) -> Payee:
    """A payee who can be paid over a way."""
    return Payee.objects.create(
        operator=village.operator,
        code=code or f"{role}-{way}",
        role=role,
        public_name=f"Jua {role}",
        way=way,
        rail=village.rail if way == "mobile" else None,
        created_at=village.founded_at,
        **{**WAYS[way], **fields},
    )


def earned(
    village: Village, payee: Payee, *, dai: int = 10, subject: str = "", **fields: Any
) -> ServiceToken:
    """A service token of so many DAI."""
    is_grant = payee.role == Payee.Role.GRANTEE
    told: dict[str, Any] = {
        "site": village.site,
        "payee": payee,
        "reason": "grant" if is_grant else "milestone",
        "subject": subject or f"milestone:{ServiceToken.objects.count()}",
        "amount_wei": dai * WEI,
        "accepted_by": person(village, "proposer"),
        "at": timezone.now(),
    }
    return service_tokens.earn(**{**told, **fields})


def proposed(village: Village, token: ServiceToken, *, pool: str = "contractor") -> Payout:
    return payouts.propose(
        service_token=token,
        pool=pool,
        proposed_by=person(village, "proposer"),
        at=timezone.now(),
    )


def approved(
    village: Village, *, way: str = "mobile", dai: int = 10, pool: str = "contractor"
) -> Payout:
    """A payout that a second person agreed to."""
    code = f"payee-{Payee.objects.count()}"
    token = earned(village, payee(village, way=way, code=code), dai=dai)
    payout = proposed(village, token, pool=pool)
    return payouts.approve(
        payout=payout, approved_by=person(village, "approver"), at=timezone.now()
    )


def stands(village: Village, kind: str, name: str = "", asset: str = DAI) -> int:
    return amounts.of_site(site=village.site).get((kind, name, asset), 0)


def pool(village: Village, name: str = "contractor") -> int:
    return stands(village, "pool", name)


def tokens_held() -> int:
    """Service tokens of all payees, in wei."""
    rows = LedgerAccount.objects.filter(kind="service_tokens")
    return sum(rows.values_list("amount", flat=True))


def fresh(payout: Payout) -> Payout:
    return Payout.objects.select_related("service_token").get(pk=payout.pk)


def fill_treasury(village: Village, *, dai: int) -> None:
    """Part of the float is turned into DAI."""
    treasury.convert(
        site=village.site,
        rail=village.rail,
        sold_minor=dai * KES_PER_DAI_MINOR,
        fee_minor=0,
        bought_wei=dai * WEI,
        reference=f"OUT{dai}",
        converted_at=timezone.now(),
        made_by=person(village, "proposer"),
        note="",
        at=timezone.now(),
    )


def reserve_grants(village: Village, *, dai: int) -> None:
    """A vote funded projects: their costs stand apart from the grant pool."""
    ledger.post(
        book_id=village.site.book.pk,
        kind="round",
        key=f"round:{village.site.slug}:1",
        legs=[
            Leg(kind="pool", name="grant", amount=-dai * WEI),
            Leg(kind="grant_reserved", amount=dai * WEI),
        ],
        occurred_at=timezone.now(),
        at=timezone.now(),
    )


def assert_all_books_hold() -> None:
    checks = (*audit.CHECKS, *settlement.audit.CHECKS)
    wrong = [finding for result in audit.run(checks=checks) for finding in result.findings]
    assert not wrong, wrong
