"""The daily reconciliation against the sandbox's Daraja: what is found, when, and what is gone."""

from __future__ import annotations

import io
from datetime import date, timedelta

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone
from pytest_django import Settings

from accounts.locks import singleton
from accounts.models import Alarm, Household, JournalEntry, Payment, Rail
from gateway.providers import collection, comparison, reconciliation, tasks
from gateway.providers.models import Difference, Reconciliation
from tests.integration.reconciling import (
    counts,
    day_of,
    noon,
    reconcile,
    row,
    run_due,
    silent,
)
from tests.integration.sandboxed import World, home, hooks, later, today, world
from tests.integration.test_concurrency import run_together
from tests.village import Village

__all__ = ["home", "hooks", "today", "world"]

pytestmark = pytest.mark.django_db


class TestFinding:
    """What agrees, what does not, and what happens when it is looked at again."""

    def test_a_day_on_which_everything_agrees(
        self, world: World, home: Household, today: Village
    ) -> None:
        for amount in ("100", "200", "350"):
            silent(world, "KIS0001", amount)
        assert collection.pull(rail=today.rail, at=timezone.now(), since=noon(days_ago=3)) == 3

        made = reconcile(today)
        assert counts(made) == (3, 0, 0, 0)
        assert (made.failure, made.is_young) == ("", False)
        assert not Difference.objects.exists()
        assert not Alarm.objects.exists()

    def test_three_kinds_of_differences_and_the_same_again(
        self, world: World, home: Household, today: Village
    ) -> None:
        missed = silent(world, "KIS0001", "80")
        changed = silent(world, "KIS0001", "450")
        agreed = silent(world, "KIS0001", "20")
        for reference, amount_minor in ((changed, 50_000), (agreed, 2_000), ("OURSONLY01", 7_000)):
            today.pay("KIS0001", amount_minor=amount_minor, at=noon(), reference=reference)

        for _ in range(3):
            assert counts(reconcile(today)) == (1, 1, 1, 1)
        assert set(
            Difference.objects.values_list("kind", "reference", "ours_minor", "theirs_minor")
        ) == {
            ("missing_here", missed, 0, 8_000),
            ("missing_there", "OURSONLY01", 7_000, 0),
            ("amount_differs", changed, 50_000, 45_000),
        }
        assert set(Difference.objects.values_list("state", flat=True)) == {"open"}
        assert Reconciliation.objects.count() == 1
        alarm = Alarm.objects.get(cleared_at=None)
        assert alarm.operator == today.operator
        assert alarm.text == (
            "M-Pesa 174379: 3 differences between statement and books, "
            f"the oldest of {day_of(noon())}"
        )

    def test_the_reconciliation_itself_moves_no_money(
        self, world: World, home: Household, today: Village
    ) -> None:
        silent(world, "KIS0001", "80")
        reconcile(today)
        assert not Payment.objects.exists()
        assert not JournalEntry.objects.exists()

    def test_a_day_begins_at_midnight_where_the_sites_are(self, today: Village) -> None:
        begins_at, ends_at = reconciliation.span(rail=today.rail, day=date(2026, 3, 2))
        assert begins_at.isoformat() == "2026-03-01T21:00:00+00:00"
        assert ends_at.isoformat() == "2026-03-02T21:00:00+00:00"
        elsewhere = Village.found(at=timezone.now(), slug="other", beside=today).site
        elsewhere.time_zone = "Africa/Dakar"
        elsewhere.save()
        elsewhere.rails.add(today.rail)
        begins_at, _ = reconciliation.span(rail=today.rail, day=date(2026, 3, 2))
        assert begins_at.isoformat() == "2026-03-02T00:00:00+00:00"

    def test_clocks_that_differ_around_midnight_make_no_difference(
        self, world: World, home: Household, today: Village
    ) -> None:
        midnight = noon() + timedelta(hours=12)
        receipt = silent(world, "KIS0001", "80", at=midnight + timedelta(seconds=20))
        today.pay(
            "KIS0001",
            amount_minor=8_000,
            at=midnight - timedelta(seconds=20),
            reference=receipt,
        )
        assert counts(reconcile(today)) == (0, 0, 0, 0)
        assert counts(reconcile(today, days_ago=1)) == (1, 0, 0, 0)

    def test_a_row_that_comes_late_lets_its_difference_go(
        self, world: World, home: Household, today: Village
    ) -> None:
        paid_at = timezone.now() - timedelta(hours=20)
        day = (paid_at + timedelta(hours=3)).date()
        world.ask("POST", "daraja/simulator/settings", statement_delay_seconds=86_400)
        receipt = silent(world, "KIS0001", "80", at=paid_at)
        today.pay("KIS0001", amount_minor=8_000, at=paid_at, reference=receipt)
        made = reconciliation.run(rail=today.rail, day=day, at=later(days=2))
        assert counts(made) == (0, 0, 1, 0)

        world.ask("POST", "daraja/simulator/settings", statement_delay_seconds=0)
        made = reconciliation.run(rail=today.rail, day=day, at=later(days=2, minutes=5))
        assert counts(made) == (1, 0, 0, 0)
        difference = Difference.objects.get()
        assert (difference.state, difference.resolved_by) == ("gone", None)
        assert difference.history.count() == 1
        assert not Alarm.objects.filter(cleared_at=None).exists()

    def test_a_late_callback_lets_its_difference_go_on_any_later_day(
        self, world: World, home: Household, today: Village
    ) -> None:
        receipt = silent(world, "KIS0001", "80")
        reconcile(today)
        today.pay("KIS0001", amount_minor=8_000, at=noon(), reference=receipt)
        reconcile(today, days_ago=1)
        assert Difference.objects.get().state == "gone"

    def test_a_late_callback_with_another_amount_is_another_difference(
        self, world: World, home: Household, today: Village
    ) -> None:
        receipt = silent(world, "KIS0001", "80")
        reconcile(today)
        today.pay("KIS0001", amount_minor=9_000, at=noon(), reference=receipt)
        assert reconciliation.look_again(rail=today.rail, at=timezone.now()) == 1
        reconcile(today)
        assert list(Difference.objects.order_by("id").values_list("kind", "state")) == [
            ("missing_here", "gone"),
            ("amount_differs", "open"),
        ]

    def test_a_fee_that_the_statement_tells_has_to_be_ours_too(
        self, home: Household, today: Village
    ) -> None:
        for number, (fee_told, kind) in enumerate(
            [(0, None), (100, None), (170, "amount_differs")]
        ):
            payment = today.pay("KIS0001", amount_minor=10_000, at=noon())
            Payment.objects.filter(pk=payment.pk).update(fee_minor=100)
            row(today, payment.reference, 10_000, fee_minor=fee_told)
            found = comparison.compare(
                rail=today.rail,
                begins_at=noon(days_ago=3),
                ends_at=noon(days_ago=1),
            )
            assert found.matched == min(number + 1, 2)
            assert [each.kind for each in found.discrepancies] == ([kind] if kind else [])
        assert (found.discrepancies[0].ours_minor, found.discrepancies[0].theirs_minor) == (
            9_900,
            9_830,
        )

    def test_the_same_reference_of_another_rail_is_not_ours(
        self, home: Household, today: Village
    ) -> None:
        payment = today.pay("KIS0001", amount_minor=10_000, at=noon())
        today.rail = Rail.objects.create(
            operator=today.operator,
            provider=Rail.Provider.DARAJA,
            code="second",
            merchant_account="555",
            currency="KES",
            min_top_up_minor=1_000,
            max_top_up_minor=15_000_000,
        )
        row(today, payment.reference, 10_000)
        found = comparison.compare(
            rail=today.rail, begins_at=noon(days_ago=3), ends_at=timezone.now()
        )
        assert [each.kind for each in found.discrepancies] == ["missing_here"]


class TestWhen:
    """Days that are young, providers that are away, and days that are due."""

    def test_a_young_day_says_so_and_misses_nothing_that_may_still_come(
        self, world: World, home: Household, today: Village
    ) -> None:
        now = timezone.now()
        today.pay("KIS0001", amount_minor=8_000, at=now - timedelta(minutes=5))
        made = reconciliation.run(rail=today.rail, day=(now + timedelta(hours=3)).date(), at=now)
        assert made.is_young
        assert counts(made) == (0, 0, 0, 0)
        with pytest.raises(ValueError, match="has not begun"):
            reconciliation.run(rail=today.rail, day=(now + timedelta(days=2)).date(), at=now)

    def test_a_provider_that_is_away_is_noted_and_the_next_run_repairs(
        self, world: World, home: Household, today: Village
    ) -> None:
        silent(world, "KIS0001", "80")
        day, ends_at = day_of(noon()), reconciliation.span(rail=today.rail, day=day_of(noon()))[1]
        world.fault("unavailable", count=2)
        made = reconciliation.run(rail=today.rail, day=day, at=ends_at + timedelta(hours=30))
        assert "the provider is away" in made.failure
        assert "503" in made.failure
        assert counts(made) == (0, 0, 0, 0)
        assert not Alarm.objects.exists()

        reconciliation.run(rail=today.rail, day=day, at=ends_at + timedelta(hours=49))
        alarm = Alarm.objects.get()
        assert alarm.kind == "provider"
        assert alarm.text.startswith(f"M-Pesa 174379: no complete statement of {day}: the provider")

        made = reconciliation.run(rail=today.rail, day=day, at=ends_at + timedelta(hours=50))
        assert (counts(made), made.failure) == ((0, 1, 0, 0), "")
        alarm.refresh_from_db()
        assert alarm.cleared_at is not None

    def test_a_day_that_was_compared_keeps_its_counts_while_the_provider_is_away(
        self, world: World, home: Household, today: Village
    ) -> None:
        silent(world, "KIS0001", "80")
        first = reconcile(today)
        world.fault("unavailable")
        again = reconcile(today)
        assert (counts(again), again.made_at) == ((0, 1, 0, 0), first.made_at)
        assert again.failure

    def test_rows_that_cannot_be_read_are_named(
        self, world: World, home: Household, today: Village, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        silent(world, "KIS0001", "80")
        bad = {"transactionId": "WRONG00001", "amount": "ten", "trxDate": noon().isoformat()}
        original = type(reconciliation.provider(rail=today.rail).client).pull  # type: ignore[attr-defined]
        monkeypatch.setattr(
            "gateway.providers.daraja.client.Daraja.pull",
            lambda self, **span: [*original(self, **span), bad],
        )
        made = reconcile(today)
        assert counts(made) == (0, 1, 0, 0)
        assert made.failure.startswith("WRONG00001 unreadable")

    def test_a_row_that_tells_another_amount_than_before_is_named(
        self, world: World, home: Household, today: Village
    ) -> None:
        receipt = silent(world, "KIS0001", "80")
        row(today, receipt, 9_000)
        made = reconcile(today)
        assert made.failure == (f"{receipt} was 9000 minor units of KES and is now 8000 of KES")

    def test_every_day_that_is_due_is_compared_once(
        self, world: World, home: Household, today: Village
    ) -> None:
        at = noon(days_ago=0)
        assert run_due(today, at=at) == 1
        assert run_due(today, at=at + timedelta(hours=1)) == 0
        # Three days later, beat having been away.
        assert run_due(today, at=at + timedelta(days=3)) == 3
        days = sorted(each.day for each in Reconciliation.objects.all())
        assert days == [day_of(at) + timedelta(days=n) for n in (-1, 0, 1, 2)]

    def test_a_day_that_is_only_planned_keeps_no_other_day_from_being_compared(
        self, world: World, home: Household, today: Village
    ) -> None:
        at = noon(days_ago=0)
        reconciliation.plan(rail=today.rail, day=day_of(at))
        assert run_due(today, at=at) == 1
        assert run_due(today, at=at + timedelta(days=1)) == 1
        assert not Reconciliation.objects.filter(matched__gt=0).exists()

    def test_a_provider_that_is_away_is_not_asked_for_every_day(
        self, world: World, home: Household, today: Village
    ) -> None:
        at = noon(days_ago=0)
        run_due(today, at=at)
        world.fault("unavailable")
        assert run_due(today, at=at + timedelta(days=3)) == 0
        assert Reconciliation.objects.exclude(failure="").count() == 1
        assert run_due(today, at=at + timedelta(days=3, hours=1)) == 3
        assert not Reconciliation.objects.exclude(failure="").exists()


class TestCommand:
    """manage.py reconcile, and what beat starts."""

    def test_any_past_day_can_be_compared_by_hand(
        self, world: World, home: Household, today: Village
    ) -> None:
        silent(world, "KIS0001", "80")
        said = io.StringIO()
        call_command("reconcile", rail="mpesa", day=day_of(noon()), stdout=said)
        assert said.getvalue() == (
            f"mpesa {day_of(noon())}: 0 matched, 1 missing here, 0 missing there, "
            "0 differ in amount\n"
        )
        call_command("reconcile", rail="mpesa", day=day_of(timezone.now()), stdout=said)
        assert said.getvalue().endswith("the day is still young\n")

    @pytest.mark.parametrize(("rail", "days"), [("nothing", 2), ("mpesa", -3)])
    def test_what_cannot_be_compared_is_said(
        self, world: World, today: Village, rail: str, days: int
    ) -> None:
        with pytest.raises(CommandError, match=r"no rail 'nothing'|has not begun"):
            call_command("reconcile", rail=rail, day=day_of(noon(days_ago=days)))

    def test_a_provider_that_is_away_is_an_error(self, world: World, today: Village) -> None:
        world.fault("unavailable")
        with pytest.raises(CommandError, match="the provider is away"):
            call_command("reconcile", rail="mpesa", day=day_of(noon()))

    def test_beat_starts_each_rail_that_has_a_provider(
        self, world: World, today: Village, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.MOMO_URL = ""
        started: list[int] = []
        monkeypatch.setattr(tasks.reconcile_rail, "delay", started.append)
        for code in ("cash", "momo"):
            Rail.objects.create(
                operator=today.operator,
                provider=code,
                code=code,
                merchant_account=code,
                currency="KES",
                min_top_up_minor=1,
                max_top_up_minor=2,
            )
        tasks.reconcile_rails()
        assert started == [today.rail.pk]
        tasks.reconcile_rail(today.rail.pk)
        assert Reconciliation.objects.get().rail == today.rail


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_a_worker_that_is_not_alone_does_nothing(
    world: World, home: Household, today: Village
) -> None:
    compared: list[int] = []
    with singleton(f"reconcile:{today.rail.pk}") as is_alone:
        assert is_alone
        run_together(lambda: compared.append(run_due(today, at=noon(days_ago=0))))
    assert compared == [0]
