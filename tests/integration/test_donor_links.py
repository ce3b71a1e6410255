"""Logging in by a link: nobody learns who gave, it is good once, and mail is nobody's wallet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from accounts import addresses, links
from accounts.links import LinkSpent
from accounts.models import Donor, DonorContact, DonorLink, Letter, LetterOptOut, LinkRequest
from gateway.donors import news
from gateway.donors.tasks import answer_links
from gateway.donors.views import ASKED_A_MINUTE
from gateway.logs import mask
from gateway.mail import delivery
from gateway.wallet.who import donors_of_session
from tests import mailbox as boxes
from tests.integration.test_wallet_pages import sign
from tests.mailbox import Mailbox, giver
from tests.signing import AMINA, BARAKA
from tokens import wallets

pytestmark = pytest.mark.django_db

ASHA = "asha@example.org"


@pytest.fixture(autouse=True)
def fresh(settings: Settings) -> None:
    """What an earlier test left in the cache is gone."""
    settings.CHAIN_ID = 31_337
    cache.clear()


@pytest.fixture
def mailbox(settings: Settings) -> Iterator[Mailbox]:
    with boxes.serving(settings) as mailbox:
        yield mailbox


@pytest.fixture
def donors(db: None) -> list[Donor]:
    """Asha gave twice, somebody else once."""
    at = timezone.now()
    return [
        giver(at=at),
        giver(at=at, email="other@example.org"),
        giver(at=at, email="ASHA@example.org"),
    ]


def ask(client: Client, email: str, **more: str) -> HttpResponse:
    answer = client.post("/donor/link/", {"email": email}, **more)  # type: ignore[arg-type]
    assert isinstance(answer, HttpResponse)
    return answer


def issued(donor: Donor, *, email: str = ASHA) -> str:
    return links.issue(donor=donor, email=email, at=timezone.now())


def page(answer: HttpResponseBase, *, status: int = 200) -> str:
    assert isinstance(answer, HttpResponse)
    assert answer.status_code == status, answer.content.decode()
    return answer.content.decode()


def uids(client: Client) -> list[str]:
    return list(client.session.get("donors", []))


class TestAsking:
    """The same answer and the same work, whoever has the address."""

    def test_the_donors_page_asks_for_an_address_or_a_wallet(self, client: Client) -> None:
        shown = page(client.get("/donor/"))
        assert 'action="/donor/link/"' in shown
        assert 'href="/donor/enter/"' in shown

    def test_who_gave_gets_a_link_and_who_did_not_gets_nothing(
        self, client: Client, mailbox: Mailbox, donors: list[Donor]
    ) -> None:
        for email in (ASHA, "nobody@example.org"):
            assert ask(client, email)["Location"] == "/donor/link/?asked=1"
        answer_links()
        delivery.deliver_due(clock=timezone.now)
        (message,) = mailbox.messages()
        assert message["to"] == ASHA
        assert not LinkRequest.objects.exists()

    def test_nothing_tells_whether_anybody_has_an_address(
        self, client: Client, donors: list[Donor]
    ) -> None:
        """Not the answer, and not the work that is done for it: statement by statement."""
        client.get("/donor/link/")
        seen = []
        for email in (ASHA, "none@example.org", "other@example.org"):
            with CaptureQueriesContext(
                connection,
            ) as queries:
                answer = ask(client, email)
            statements = [re.sub(r"'[^']*'", "?", each["sql"]) for each in queries]
            seen.append((answer.status_code, answer["Location"], answer.content, statements))
        assert seen[0] == seen[1] == seen[2]
        assert any("INSERT" in statement for statement in seen[0][3])
        after = page(client.get("/donor/link/?asked=1"))
        assert "If somebody gave with this address" in after
        assert not Letter.objects.exists()

    def test_what_is_no_address_is_told(self, client: Client) -> None:
        shown = page(ask(client, "asha@"), status=422)
        assert "Enter a valid email address" in shown
        assert 'aria-invalid="true"' in shown
        assert not LinkRequest.objects.exists()

    def test_a_computer_asks_so_often_a_minute(self, client: Client, donors: list[Donor]) -> None:
        for number in range(ASKED_A_MINUTE):
            assert ask(client, f"{number}@example.org").status_code == 302
        assert "That was too often" in page(ask(client, ASHA), status=429)
        assert LinkRequest.objects.count() == ASKED_A_MINUTE
        assert ask(client, ASHA, REMOTE_ADDR="10.0.0.7").status_code == 302

    def test_an_address_gets_three_letters_in_a_quarter_of_an_hour(
        self, donors: list[Donor]
    ) -> None:
        at = timezone.now()
        for number in range(5):
            links.ask(email=f" {ASHA} ", language="fr", at=at + timedelta(seconds=number))
        assert links.answer_asked(at=at + timedelta(seconds=5)) == 5
        assert Letter.objects.count() == 3
        links.ask(email=ASHA, language="en", at=at + timedelta(minutes=16))
        links.answer_asked(at=at + timedelta(minutes=16))
        assert list(Letter.objects.order_by("pk").values_list("language", flat=True)) == [
            *("fr", "fr", "fr"),
            "en",
        ]

    def test_a_request_that_nobody_answered_in_time_is_forgotten(self, donors: list[Donor]) -> None:
        at = timezone.now()
        links.ask(email=ASHA, language="en", at=at)
        links.answer_asked(at=at + timedelta(minutes=31))
        assert (Letter.objects.count(), LinkRequest.objects.count()) == (0, 0)

    def test_two_workers_answer_a_request_once(self, donors: list[Donor]) -> None:
        at = timezone.now()
        request = links.ask(email=ASHA, language="en", at=at)
        assert links.answer_asked(at=at) == 1
        # The other one had read the request before it was deleted.
        links._answer(request, at=at)
        assert Letter.objects.count() == 1


class TestUsing:
    """Once, by a button, within half an hour."""

    def test_a_link_logs_in_as_every_donor_of_its_address(
        self, client: Client, donors: list[Donor]
    ) -> None:
        path = f"/donor/link/{issued(donors[0])}/"
        client.get("/donor/")
        before = client.session.session_key
        answer = client.post(path)
        assert (answer.status_code, answer["Location"]) == (302, "/donor/")
        asha = [donors[0], donors[2]]
        assert client.session["donor"] == str(donors[0].uid)
        assert uids(client) == [str(donor.uid) for donor in asha]
        assert client.session.session_key != before
        assert client.session.get_expiry_age() <= 12 * 3600
        request = client.get("/donor/").wsgi_request
        assert donors_of_session(request) == asha
        proved = DonorContact.objects.exclude(verified_email="")
        assert {each.donor_id for each in proved} == {donor.pk for donor in asha}

    def test_looking_at_a_link_uses_nothing_up(self, client: Client, donors: list[Donor]) -> None:
        """Programs that guard mailboxes open every link, and press no button."""
        path = f"/donor/link/{issued(donors[0])}/"
        for _ in range(3):
            shown = client.get(path)
            assert "Show my gifts" in page(shown)
        assert uids(client) == []
        assert client.post(path).status_code == 302

    def test_its_page_is_kept_and_told_nowhere(self, client: Client, donors: list[Donor]) -> None:
        shown = client.get(f"/donor/link/{issued(donors[0])}/")
        assert shown["Referrer-Policy"] == "same-origin"
        assert "no-store" in shown["Cache-Control"]
        assert shown["X-Robots-Tag"] == "noindex, nofollow"
        assert not re.search(r'(?:src|href)="https?://', page(shown))

    def test_a_link_is_good_once(self, client: Client, donors: list[Donor]) -> None:
        path = f"/donor/link/{issued(donors[0])}/"
        client.post(path)
        other = Client()
        assert "This link is not good any more" in page(other.post(path), status=410)
        assert "Ask for a new one" in page(other.get(path), status=410)
        assert uids(other) == []

    def test_a_link_is_good_for_half_an_hour(self, client: Client, donors: list[Donor]) -> None:
        token = issued(donors[0])
        at = timezone.now()
        assert links.is_good(token=token, at=at + timedelta(minutes=29))
        DonorLink.objects.update(expires_at=at)
        assert client.get(f"/donor/link/{token}/").status_code == 410
        assert client.post(f"/donor/link/{token}/").status_code == 410
        assert uids(client) == []

    @pytest.mark.parametrize("token", ["x", "0" * 64, "a" * 43, "%00"])
    def test_a_token_that_nobody_made_opens_nothing(
        self, client: Client, donors: list[Donor], token: str
    ) -> None:
        issued(donors[0])
        assert client.post(f"/donor/link/{token}/").status_code == 410

    def test_the_hash_of_a_token_opens_nothing(self, client: Client, donors: list[Donor]) -> None:
        issued(donors[0])
        stolen = DonorLink.objects.get().token_hash
        assert client.post(f"/donor/link/{stolen}/").status_code == 410

    def test_using_one_ends_the_others_of_the_address_and_no_more(
        self, client: Client, donors: list[Donor]
    ) -> None:
        first, second = issued(donors[0]), issued(donors[0])
        strangers = issued(donors[1], email="other@example.org")
        client.post(f"/donor/link/{second}/")
        assert not links.is_good(token=first, at=timezone.now())
        assert links.is_good(token=strangers, at=timezone.now())

    def test_a_link_belongs_to_the_address_it_was_sent_to(self, donors: list[Donor]) -> None:
        """Should somebody correct a donor's address meanwhile, the old one opens nothing of it."""
        token = issued(donors[1], email="other@example.org")
        DonorContact.objects.filter(donor=donors[1]).update(email=ASHA)
        with pytest.raises(LinkSpent, match="nobody has the address"):
            links.use(token=token, at=timezone.now())

    def test_another_site_cannot_press_the_button(self, donors: list[Donor]) -> None:
        careful = Client(enforce_csrf_checks=True)
        assert careful.post(f"/donor/link/{issued(donors[0])}/").status_code == 403
        assert DonorLink.objects.get().used_at is None

    def test_guessing_is_slow(self, client: Client, donors: list[Donor]) -> None:
        for _ in range(20):
            client.post("/donor/link/guess/")
        token = issued(donors[0])
        assert "too often" in page(client.post(f"/donor/link/{token}/"), status=429)
        assert links.is_good(token=token, at=timezone.now())

    def test_signing_out_forgets_who_it_was(self, client: Client, donors: list[Donor]) -> None:
        client.post(f"/donor/link/{issued(donors[0])}/")
        assert client.post("/donor/leave/")["Location"] == "/donor/"
        assert donors_of_session(client.get("/donor/").wsgi_request) == []
        assert 'action="/donor/link/"' in page(client.get("/donor/"))

    def test_a_closed_donor_is_logged_in_no_more(self, client: Client, donors: list[Donor]) -> None:
        client.post(f"/donor/link/{issued(donors[0])}/")
        Donor.objects.filter(pk=donors[0].pk).update(closed_at=timezone.now())
        assert donors_of_session(client.get("/donor/").wsgi_request) == [donors[2]]

    @pytest.mark.parametrize("path", ["/donor/link/abc-_1/", "/donor/news/u.abc/"])
    def test_logs_mask_what_opens_something(self, path: str) -> None:
        assert mask(f'"GET {path} HTTP/1.1"').count("***") == 1
        assert "abc" not in mask(f"request GET {path}")


class TestWallets:
    """A first wallet by who reads the mail; another one only by the present one."""

    def test_who_logged_in_links_a_first_wallet(self, client: Client, donors: list[Donor]) -> None:
        client.post(f"/donor/link/{issued(donors[0])}/")
        path = f"/donor/wallet/{donors[0].uid}/"
        assert sign(client, path)["Location"] == "/donor/"
        current = wallets.current(donor=donors[0])
        assert current is not None
        assert current.address == AMINA.address

    def test_who_reads_the_mail_does_not_replace_a_wallet(
        self, client: Client, donors: list[Donor]
    ) -> None:
        client.post(f"/donor/link/{issued(donors[0])}/")
        sign(client, f"/donor/wallet/{donors[0].uid}/", by=AMINA)
        refused = sign(client, f"/donor/wallet/{donors[0].uid}/", by=BARAKA)
        assert "A wallet is linked already" in page(refused, status=422)
        current = wallets.current(donor=donors[0])
        assert current is not None
        assert current.address == AMINA.address

    def test_nobody_links_a_wallet_to_a_strangers_gifts(
        self, client: Client, donors: list[Donor]
    ) -> None:
        client.post(f"/donor/link/{issued(donors[0])}/")
        assert client.get(f"/donor/wallet/{donors[1].uid}/").status_code == 404
        assert Client().get(f"/donor/wallet/{donors[0].uid}/").status_code == 404


class TestNews:
    """One click, without logging in; by a person or by their mail program."""

    def path(self, donor: Donor) -> str:
        return news.url_of(donor=donor).removeprefix("http://127.0.0.1:1")

    def test_a_mail_program_ends_the_news_with_one_post(self, donors: list[Donor]) -> None:
        program = Client(enforce_csrf_checks=True)
        answer = program.post(self.path(donors[2]), {"List-Unsubscribe": "One-Click"})
        assert "gets no more news" in page(answer)
        assert LetterOptOut.objects.get().email == ASHA

    def test_a_person_ends_them_and_has_them_again(
        self, client: Client, donors: list[Donor]
    ) -> None:
        path = self.path(donors[0])
        assert "Send me no more news" in page(client.get(path))
        assert not LetterOptOut.objects.exists()
        assert "Send me news again" in page(client.post(path))
        assert addresses.is_opted_out(email=ASHA)
        assert "Send me no more news" in page(client.post(path, {"again": "1"}))
        assert not addresses.is_opted_out(email=ASHA)

    def test_nobody_ends_a_strangers_news(self, client: Client, donors: list[Donor]) -> None:
        forged = f"/donor/news/{donors[0].uid}.{'A' * 43}/"
        assert client.post(forged).status_code == 404
        assert client.post(f"/donor/news/{donors[0].uid}/").status_code == 404
        assert not LetterOptOut.objects.exists()

    def test_the_pages_are_in_french_too(self, client: Client, donors: list[Donor]) -> None:
        french = {"HTTP_ACCEPT_LANGUAGE": "fr"}
        for path, words in (
            (self.path(donors[0]), "Ne m’envoyez plus de nouvelles"),
            ("/donor/link/", "Envoyez-moi un lien"),
            (f"/donor/link/{issued(donors[0])}/", "Montrer mes dons"),
        ):
            assert words in page(client.get(path, **french))  # type: ignore[arg-type]
