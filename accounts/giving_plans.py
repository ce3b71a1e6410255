"""Monthly donations: begun by a donor at the provider, who then charges the card every month.

A month that the provider was paid for becomes a pledge with an attempt of its own, once per name
that the provider gives the month (an invoice); the attempt asks what was paid, and credits it, as
for a payment that somebody asked for. What a plan's state is, only the provider says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from accounts import attempts, campaigns, letters, payees, pledges, rails
from accounts.models import Donor, GivingPlan, PaymentAttempt, Pledge, Rail, Site

State = GivingPlan.State

FIRST_CHECK = timedelta(minutes=2)
PENDING_CHECK = timedelta(minutes=5)
ACTIVE_CHECK = timedelta(days=1)
"""How soon a month is found that nobody told us of."""
PAST_DUE_CHECK = timedelta(hours=6)
ENDING_CHECK = timedelta(minutes=1)
AWAY_CHECK = timedelta(minutes=10)
ASKING_LIMIT = timedelta(minutes=5)
"""A worker that asks the provider is given this long before another one may."""
LOOK_BACK = timedelta(days=45)
"""A month that was refused may be paid this long after it began."""
NEVER_BEGUN = timedelta(hours=3)
"""The page on which a plan begins is over by then."""

LIVE = (State.ACTIVE, State.PAST_DUE)


class NotMonthly(ValueError):
    """The rail can't charge by the month; the message says what to do."""


class NotEndable(Exception):
    """The plan has not begun, or has ended."""


def start(
    *,
    site: Site,
    rail: Rail,
    amount_minor: int,
    idempotency_key: str,
    at: datetime,
    donor: Donor | None = None,
    name: str = "",
    email: str = "",
    language: str = "en",
    public_name: str = "",
) -> PaymentAttempt:
    """Store a donor's wish to give every month, and the attempt at the first; the same key returns
    the first. amount_minor is of the rail's currency, a month; the rest as in pledges.request.

    Raises NotMonthly, and attempts.BadAmount outside the rail's limits.
    """
    if not rails.gives_monthly(rail=rail):
        raise NotMonthly(f"{rail.code} can't charge every month: choose another rail, or give once")
    with transaction.atomic():
        attempt = pledges.request(
            site=site,
            rail=rail,
            amount_minor=amount_minor,
            idempotency_key=first_key(idempotency_key=idempotency_key),
            at=at,
            donor=donor,
            name=name,
            email=email,
            language=language,
            public_name=public_name,
        )
        pledge = Pledge.objects.select_related("donor").get(attempts=attempt.pk)
        plan, _ = GivingPlan.objects.get_or_create(
            idempotency_key=idempotency_key,
            defaults={
                "donor": pledge.donor,
                "site": site,
                "rail": rail,
                "amount_minor": pledge.amount_minor,
                "currency": pledge.currency,
                "created_at": at,
                "next_check_at": at + FIRST_CHECK,
            },
        )
        Pledge.objects.filter(pk=pledge.pk).update(plan=plan)
    return attempt


def first_key(*, idempotency_key: str) -> str:
    """Return the key of a plan's first pledge: never that of a single gift."""
    return f"plan:{idempotency_key}"


def find(*, provider: str, reference: str, subject: str = "") -> GivingPlan | None:
    """Return the plan that a provider calls reference, or that subject (our uid) names, or None."""
    ours = GivingPlan.objects.filter(rail__provider=provider).select_related(*_RELATED)
    found = ours.filter(provider_plan=reference).first() if reference else None
    if found is not None or not subject:
        return found
    try:
        uid = UUID(subject)
    except ValueError:
        return None
    named = ours.filter(uid=uid).first()
    # A plan has one name at its provider: a second subscription that copied our words is not it.
    return named if named is not None and named.provider_plan in ("", reference) else None


def load(*, plan_id: int) -> GivingPlan:
    """Return a plan with everything that a provider needs to be asked about it."""
    return GivingPlan.objects.select_related(*_RELATED).get(pk=plan_id)


def first_attempt(*, plan: GivingPlan) -> PaymentAttempt:
    """Return the attempt that began the plan."""
    first = PaymentAttempt.objects.filter(pledge__plan=plan).order_by("pledge_id", "-id").first()
    if first is None:
        raise LookupError(f"plan {plan.uid} has no pledge")
    return attempts.load(attempt_id=first.pk)


def open_month(
    *, plan: GivingPlan, reference: str, began_at: datetime, at: datetime
) -> PaymentAttempt:
    """Return the attempt of a month after the first; whoever asks first, and only they, open it.

    reference is what the provider calls the month, began_at when it began. The month belongs to
    the campaign that the plan was begun for as long as that takes gifts, afterwards to the site.
    """
    first = first_attempt(plan=plan).pledge
    assert first is not None  # noqa: S101 - a plan's attempts are pledges'
    campaign = first.campaign
    if campaign is not None and not campaigns.takes_gifts(campaign=campaign, at=began_at):
        campaign = None
    with transaction.atomic():
        pledge, is_new = Pledge.objects.get_or_create(
            idempotency_key=payees.month_key(provider=plan.rail.provider, reference=reference),
            defaults={
                "donor": plan.donor,
                "site": plan.site,
                "rail": plan.rail,
                "plan": plan,
                "campaign": campaign,
                "public_name": first.public_name,
                "amount_minor": plan.amount_minor,
                "currency": plan.currency,
                "created_at": at,
            },
        )
        if not is_new:
            return pledge.attempts.latest("id")
        attempt = attempts.open_for(intent=pledge, at=at)
        attempts.claim(attempt_id=attempt.pk, at=at)
        attempt.refresh_from_db()
        attempts.submitted(attempt=attempt, provider_request=reference, at=at)
        return attempt


def follow(
    *,
    plan: GivingPlan,
    reference: str,
    state: str,
    asked_at: datetime,
    failure: str = "",
    failed_month: str = "",
) -> GivingPlan:
    """Note how the provider says that the plan stands, and write its donor what is new.

    An answer to a question older than the last one counts for nothing, nor does any after the end.
    failed_month is the month that was refused last: each is told of once.
    """
    with transaction.atomic():
        stored = GivingPlan.objects.select_for_update(of=("self",)).get(pk=plan.pk)
        stored.donor, stored.site, stored.rail = plan.donor, plan.site, plan.rail
        is_over = stored.state == State.CANCELLED and bool(stored.provider_plan)
        is_old = stored.checked_at is not None and stored.checked_at > asked_at
        if is_over or is_old:
            return stored
        before = State(stored.state)
        stored.provider_plan = stored.provider_plan or reference
        stored.state = State(state)
        stored.failure = failure[:200]
        stored.checked_at = asked_at
        if stored.state == State.CANCELLED:
            stored.cancelled_at = stored.cancelled_at or asked_at
        else:
            stored.cancelled_at = None
        stored.next_check_at = _next_check(stored, at=asked_at)
        stored.save()
        _tell(stored, before=before, failed_month=failed_month, at=asked_at)
    return stored


def not_begun(*, plan: GivingPlan, at: datetime) -> None:
    """Wait for the donor to begin the plan; give it up when the page for that is over."""
    attempt = first_attempt(plan=plan)
    is_over = attempt.finished_at is not None and at - plan.created_at > NEVER_BEGUN
    waiting = GivingPlan.objects.filter(pk=plan.pk, provider_plan="", state=State.PENDING)
    if is_over and attempt.state != PaymentAttempt.State.SUCCEEDED:
        waiting.update(
            state=State.CANCELLED, failure="never begun", cancelled_at=at, next_check_at=None
        )
    else:
        waiting.update(next_check_at=at + PENDING_CHECK)


def postpone(*, plan: GivingPlan, text: str, at: datetime) -> None:
    """Ask again later: the provider was away, or would not."""
    GivingPlan.objects.filter(pk=plan.pk).exclude(state=State.CANCELLED).update(
        next_check_at=at + AWAY_CHECK, failure=text[:200]
    )


def ask_to_end(*, plan: GivingPlan, at: datetime) -> GivingPlan:
    """Note that the donor wants no further month. A worker asks the provider; until that says so,
    the plan stands. Asking twice is asking once. Raises NotEndable.
    """
    asked = GivingPlan.objects.filter(pk=plan.pk, state__in=LIVE, end_asked_at__isnull=True)
    asked.update(end_asked_at=at, next_check_at=at)
    plan.refresh_from_db()
    if plan.end_asked_at is None:
        raise NotEndable(f"plan {plan.uid} is {plan.get_state_display()}")
    return plan


def is_to_end(*, plan: GivingPlan) -> bool:
    """Return whether the provider has still to be told that no further month is wanted: by the
    donor, or because donor or site is closed."""
    asked = (plan.end_asked_at, plan.donor.closed_at, plan.site.closed_at)
    return any(asked) and plan.state != State.CANCELLED


def of_donors(donors: Iterable[Donor]) -> QuerySet[GivingPlan]:
    """Return the plans of donors that ever began, newest first."""
    begun = GivingPlan.objects.filter(donor__in=[donor.pk for donor in donors])
    return begun.exclude(provider_plan="").select_related("site", "donor").order_by("-id")


def take_due(*, at: datetime, limit: int = 100) -> Iterator[int]:
    """Yield the ids of plans that are to be asked after, each taken from the other workers."""
    due = GivingPlan.objects.filter(next_check_at__lte=at)
    for plan_id in list(due.order_by("next_check_at").values_list("pk", flat=True)[:limit]):
        if due.filter(pk=plan_id).update(next_check_at=at + ASKING_LIMIT):
            yield plan_id


_RELATED = ("donor", "site__book", "rail__operator__book")


def _next_check(plan: GivingPlan, *, at: datetime) -> datetime | None:
    if plan.state == State.CANCELLED:
        return None
    if plan.end_asked_at is not None:
        return at + ENDING_CHECK
    waits = {State.ACTIVE: ACTIVE_CHECK, State.PAST_DUE: PAST_DUE_CHECK}
    return at + waits.get(State(plan.state), PENDING_CHECK)


def _tell(plan: GivingPlan, *, before: State, failed_month: str, at: datetime) -> None:
    if before == State.PENDING and plan.state in LIVE:
        _write(plan, kind="plan_started", key=f"plan_started:{plan.uid}", at=at)
    if plan.state == State.PAST_DUE:
        _write(plan, kind="plan_failed", key=f"plan_failed:{plan.uid}:{failed_month}"[:120], at=at)
    if plan.state == State.CANCELLED and before != State.CANCELLED:
        _write(plan, kind="plan_ended", key=f"plan_ended:{plan.uid}", at=at)


def _write(plan: GivingPlan, *, kind: str, key: str, at: datetime) -> None:
    letters.write(
        donor=plan.donor,
        kind=kind,
        key=key,
        params={
            "site": plan.site.slug,
            "site_name": plan.site.name,
            "amount_minor": plan.amount_minor,
            "currency": plan.currency,
        },
        at=at,
    )
