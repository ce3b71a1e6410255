"""Letters and links under workers and browsers at once."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Barrier

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts import letters, links
from accounts.links import LinkSpent
from accounts.models import Letter
from gateway.mail import delivery
from tests import mailbox as boxes
from tests.integration.test_concurrency import run_together
from tests.integration.test_letters import PLAN
from tests.mailbox import Mailbox, giver

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])

AT_ONCE = 4
ASHA = "asha@example.org"


@pytest.fixture
def mailbox(settings: Settings) -> Iterator[Mailbox]:
    with boxes.serving(settings) as mailbox:
        yield mailbox


def test_workers_at_once_send_each_letter_once(transactional_db: None, mailbox: Mailbox) -> None:
    donor, at = giver(at=timezone.now()), timezone.now()
    for number in range(8):
        letters.write(donor=donor, kind="plan_started", key=str(number), params=PLAN, at=at)
    start = Barrier(AT_ONCE)

    def work() -> None:
        start.wait()
        delivery.deliver_due(clock=timezone.now)

    run_together(*[work] * AT_ONCE)
    names = [message["headers"]["Message-ID"] for message in mailbox.messages()]
    assert (len(names), len(set(names))) == (8, 8)
    assert set(Letter.objects.values_list("state", "attempts")) == {("sent", 1)}


def test_a_link_that_is_used_at_once_logs_in_once(transactional_db: None) -> None:
    donor = giver(at=timezone.now())
    token = links.issue(donor=donor, email=ASHA, at=timezone.now())
    start = Barrier(AT_ONCE)
    came: list[str] = []

    def use() -> None:
        start.wait()
        try:
            links.use(token=token, at=timezone.now())
            came.append("in")
        except LinkSpent:
            came.append("refused")

    run_together(*[use] * AT_ONCE)
    assert sorted(came) == ["in", *["refused"] * (AT_ONCE - 1)]


def test_workers_at_once_answer_each_request_once(transactional_db: None) -> None:
    giver(at=timezone.now())
    for _ in range(3):
        links.ask(email=ASHA, language="en", at=timezone.now())
    start = Barrier(AT_ONCE)

    def answer() -> None:
        start.wait()
        links.answer_asked(at=timezone.now())

    run_together(*[answer] * AT_ONCE)
    assert Letter.objects.filter(kind="login_link").count() == 3
