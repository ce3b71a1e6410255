"""Letters in the admin: whose they are, what they show, and sending a failed one again."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts import letters, sites
from accounts.models import Donor, DonorContact, Letter, Operator, User
from tests.integration.test_letters import PLAN
from tests.mailbox import giver
from tests.village import Village
from tests.voting_village import VotingVillage

pytestmark = pytest.mark.django_db


def staff(operator: Operator, *rights: str) -> Client:
    user = User.objects.create_user(f"staff{User.objects.count()}", is_staff=True)
    user.operator = operator
    user.save()
    for codename in rights:
        user.user_permissions.add(Permission.objects.get(codename=codename))
    client = Client()
    client.force_login(user)
    return client


def listed(client: Client) -> list[Letter]:
    answer = client.get(reverse("admin:accounts_letter_changelist"))
    return list(answer.context["cl"].result_list)


def failed(donor: Donor, *, at: datetime) -> Letter:
    letter = letters.write(donor=donor, kind="plan_started", key="k", params=PLAN, at=at)
    assert letter is not None
    Letter.objects.update(state="failed", failure="550 no such mailbox", next_attempt_at=None)
    return letter


def page(name: str, letter: Letter) -> str:
    return reverse(f"admin:accounts_letter_{name}", args=[letter.pk])


def test_staff_see_letters_of_their_sites_and_log_ins_of_their_donors(now: datetime) -> None:
    voting = VotingVillage.found(at=now)
    other = sites.open_operator(slug="other", name="Other Power", at=now)
    sites.open_site(
        at=now,
        operator=other,
        slug="lofe",
        name="Lofé",
        country="SN",
        currency="XOF",
        time_zone="Africa/Dakar",
        slot_seconds=900,
    )
    donor, stranger = voting.donor(), giver(at=now, email="stranger@example.org")
    DonorContact.objects.create(donor=donor, email="asha@example.org")
    told = letters.write(donor=donor, kind="plan_started", key="a", params=PLAN, at=now)
    login = letters.write(donor=donor, kind="login_link", key="b", params={}, at=now)
    elsewhere = letters.write(
        donor=donor, kind="plan_started", key="c", params={**PLAN, "site": "lofe"}, at=now
    )
    letters.write(donor=stranger, kind="login_link", key="d", params={}, at=now)
    assert listed(staff(voting.life.village.operator)) == [login, told]
    assert listed(staff(other)) == [elsewhere]


def test_a_failed_letter_is_sent_again_by_who_may(village: Village, now: datetime) -> None:
    letter = failed(giver(at=now), at=now)
    may = staff(village.operator, "change_letter")
    shown = may.get(page("change", letter)).content.decode()
    assert "550 no such mailbox" in shown
    path = page("send_again", letter)
    assert "Send plan_started again" in may.get(path).content.decode()
    assert Letter.objects.get().state == "failed"
    assert may.post(path).status_code == 302
    letter.refresh_from_db()
    assert (letter.state, letter.attempts) == ("queued", 0)
    answer = may.post(path)
    assert "It is queued, not failed." in answer.content.decode()


def test_sending_again_needs_the_right(village: Village, now: datetime) -> None:
    letter = failed(giver(at=now), at=now)
    looking = staff(village.operator)
    assert looking.get(page("change", letter)).status_code == 200
    assert looking.post(page("send_again", letter)).status_code == 403
    assert looking.post(page("change", letter), {"state": "sent"}).status_code == 403
    assert Letter.objects.get().state == "failed"
