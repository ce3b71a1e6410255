"""Votes on the web: what everybody sees, donors who vote logged in or by a signature, proposing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client
from django.utils import translation
from eth_account import Account
from pytest_django import Settings

from accounts.models import Donor
from launcher.dev_accounts import DevAccount
from tests.integration.test_ballots import link
from tests.integration.test_pages import Page
from tests.integration.voting_pages import CENT, round_, voting
from tests.signing import AMINA, BARAKA
from tests.voting_village import VotingVillage
from tokens.models import Ballot, Proposal, Round, SignInNonce
from tokens.voting import proposals, published, queries, rounds

__all__ = ["round_", "voting"]

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def english(settings: Settings) -> Iterator[None]:
    settings.CHAIN_ID = 31_337
    cache.clear()
    with translation.override("en"):
        yield


@pytest.fixture
def donor(voting: VotingVillage) -> Donor:
    """Has given, earned, and linked AMINA's wallet."""
    donor = voting.donor()
    voting.life.everybody_uses()
    link(donor, AMINA.address, voting.at)
    return donor


@pytest.fixture
def client(donor: Donor) -> Client:
    """AMINA's browser, logged in."""
    return logged_in(AMINA)


def logged_in(who: DevAccount) -> Client:
    client = Client()
    session = client.session
    session["wallet"] = who.address
    session.save()
    return client


def read(response: HttpResponse, *, status: int = 200) -> Page:
    assert response.status_code == status, response.content.decode()
    return Page(response.content.decode())


def nonce_of(response: HttpResponse) -> str:
    found = re.search(r'name="nonce" value="([^"]+)"', response.content.decode())
    assert found is not None
    return found[1]


def vote(client: Client, round_: Round, *options: int, nonce: str = "") -> HttpResponse:
    path = f"/vote/{round_.uid}/"
    nonce = nonce or nonce_of(client.get(path))  # type: ignore[arg-type]
    return client.post(path, {"options": options, "nonce": nonce}, follow=True)  # type: ignore[return-value]


def asked(client: Client, round_: Round, *options: int) -> HttpResponse:
    """The page that shows what is to be signed."""
    nonce = nonce_of(client.get(f"/vote/{round_.uid}/"))  # type: ignore[arg-type]
    path = f"/vote/{round_.uid}/sign/"
    return client.post(path, {"options": options, "nonce": nonce})  # type: ignore[return-value]


def typed_of(response: HttpResponse) -> dict[str, object]:
    found = re.search(
        r"<textarea id=\"typed\"[^>]*>\n(.*?)</textarea>", response.content.decode(), re.S
    )
    assert found is not None
    typed: dict[str, object] = json.loads(unescape(found[1]))
    return typed


def signature_of(typed: dict[str, object], *, by: DevAccount) -> str:
    """What a wallet answers to eth_signTypedData_v4."""
    signed = Account.sign_typed_data(by.key, full_message=typed)
    return "0x" + bytes(signed.signature).hex()


def send(client: Client, round_: Round, *, nonce: str, signature: str) -> HttpResponse:
    path = f"/vote/{round_.uid}/sign/"
    return client.post(path, {"nonce": nonce, "signature": signature})  # type: ignore[return-value]


class TestRoundPage:
    """`/sites/<slug>/rounds/<number>/`."""

    def test_a_draft_shows_what_was_vetted_only(self, voting: VotingVillage) -> None:
        draft = voting.plan()
        voting.admit(draft, "Well pump", 20 * CENT, household=voting.home(1))
        voting.propose(draft, "Not vetted yet", CENT, household=voting.home(2))
        refused = voting.propose(draft, "A palace", CENT, household=voting.home(3))
        proposals.refuse(proposal=refused, reason="Nobody needs it.", by=voting.user, at=voting.at)
        page = read(Client().get("/sites/kisima/rounds/1/"))  # type: ignore[arg-type]
        assert "1. Well pump" in page.text
        assert "Not vetted yet" not in page.text
        assert "Reason: Nobody needs it." in page.text
        assert "/sites/kisima/propose/" in page.addresses

    def test_an_open_round_tells_how_to_vote_and_nothing_of_how_it_stands(
        self, round_: Round, voting: VotingVillage
    ) -> None:
        before = Client().get("/sites/kisima/rounds/1/")
        for number in range(1, 6):
            voting.cast(round_, voting.home(number), 1)
        after = Client().get("/sites/kisima/rounds/1/")
        page = read(after)  # type: ignore[arg-type]
        assert "*384*4826#" in page.text
        assert f"/vote/{round_.uid}/" in page.addresses
        assert "0.2000 DAI" in page.text
        assert "about 25.85 KES" in page.text
        assert figures(before.content) == figures(after.content)
        assert Client().get("/sites/kisima/rounds/1/count.json").status_code == 404

    def test_a_counted_round_shows_results_ballots_and_how_to_count_again(
        self, round_: Round, voting: VotingVillage
    ) -> None:
        cast = [voting.cast(round_, voting.home(number), 1) for number in (1, 2)]
        cast.append(voting.cast(round_, voting.home(3), 2))
        counted = voting.count(round_)
        page = read(Client().get("/sites/kisima/rounds/1/"))  # type: ignore[arg-type]
        for ballot in cast:
            assert ballot.receipt_code in page.text
        assert "2 households" in page.text
        assert counted.result_hash in page.text
        assert "count_round --file kisima-round-1.json" in page.text
        content = Client().get("/sites/kisima/rounds/1/count.json").content
        assert published.hash_of(content) == counted.result_hash
        assert not re.search(r"KIS\d{4}|\+2547", page.text + content.decode())

    def test_it_is_the_same_for_everybody_and_small(self, round_: Round, client: Client) -> None:
        response = client.get("/sites/kisima/rounds/1/", headers={"accept-encoding": "gzip"})
        assert response["Content-Encoding"] == "gzip"
        assert len(response.content) < 100_000
        assert "no-cache" in response["Cache-Control"]
        again = client.get(
            "/sites/kisima/rounds/1/",
            headers={"accept-encoding": "gzip", "if-none-match": response["ETag"]},
        )
        assert again.status_code == 304

    def test_in_french_it_shows_french_titles(self, voting: VotingVillage) -> None:
        draft = voting.plan()
        made = voting.propose(draft, "Well pump", CENT)
        proposals.admit(proposal=made, by=voting.user, at=voting.at, title_fr="Pompe du puits")
        response = Client().get("/sites/kisima/rounds/1/", headers={"accept-language": "fr"})
        page = read(response)  # type: ignore[arg-type]
        assert "Saison sèche" in page.text
        assert "Pompe du puits" in page.text
        assert "Proposer un projet" in page.text

    @pytest.mark.parametrize("path", ["kisima/rounds/9/", "nowhere/rounds/1/"])
    def test_what_there_is_not_is_404(self, round_: Round, path: str) -> None:
        assert Client().get(f"/sites/{path}").status_code == 404

    def test_what_people_wrote_is_escaped(self, voting: VotingVillage) -> None:
        draft = voting.plan()
        voting.admit(draft, "<script>alert(1)</script>", CENT)
        assert b"<script>alert" not in Client().get("/sites/kisima/rounds/1/").content


class TestLoggedIn:
    """`/vote/<uid>/` with a log-in."""

    def test_a_donor_votes_once_and_sees_the_receipt(
        self, client: Client, round_: Round, donor: Donor
    ) -> None:
        page = read(vote(client, round_, 1, 3))
        ballot = Ballot.objects.get()
        assert (ballot.donor, ballot.channel) == (donor, "web")
        assert ballot.receipt_code in page.text
        assert "You chose: 1, 3." in page.text
        assert ballot.receipt_code in read(client.get(f"/vote/{round_.uid}/")).text  # type: ignore[arg-type]

    def test_a_second_vote_is_refused_with_the_first_receipt(
        self, client: Client, round_: Round
    ) -> None:
        nonce = nonce_of(client.get(f"/vote/{round_.uid}/"))  # type: ignore[arg-type]
        vote(client, round_, 1)
        page = read(vote(client, round_, 2, nonce=nonce))
        assert "You have voted already." in page.text
        assert Ballot.objects.get().receipt_code in page.text

    def test_the_same_form_again_is_the_same_vote(self, client: Client, round_: Round) -> None:
        nonce = nonce_of(client.get(f"/vote/{round_.uid}/"))  # type: ignore[arg-type]
        for _ in range(2):
            page = read(vote(client, round_, 1, nonce=nonce))
            assert "You have voted already." not in page.text
        assert Ballot.objects.count() == 1

    @pytest.mark.parametrize(
        ("options", "told"), [((), "Choose one project"), ((9,), "not on the ballot")]
    )
    def test_what_can_not_be_chosen_is_refused(
        self, client: Client, round_: Round, options: tuple[int, ...], told: str
    ) -> None:
        assert told in read(vote(client, round_, *options), status=422).text
        assert not Ballot.objects.exists()

    def test_somebody_else_s_log_in_gives_no_vote(self, round_: Round, donor: Donor) -> None:
        for client in (Client(), logged_in(BARAKA)):
            nonce = "n" * 20
            assert vote(client, round_, 1, nonce=nonce).status_code == 422
        assert not Ballot.objects.exists()

    def test_a_forged_post_is_refused(self, round_: Round, donor: Donor) -> None:
        client = Client(enforce_csrf_checks=True)
        session = client.session
        session["wallet"] = AMINA.address
        session.save()
        answer = client.post(f"/vote/{round_.uid}/", {"options": [1], "nonce": "n" * 20})
        assert answer.status_code == 403
        assert not Ballot.objects.exists()

    def test_the_page_is_private(self, client: Client, round_: Round) -> None:
        response = client.get(f"/vote/{round_.uid}/")
        assert "no-store" in response["Cache-Control"]
        assert response["X-Robots-Tag"] == "noindex, nofollow"

    def test_a_draft_is_no_page_and_a_closed_round_takes_nothing(
        self, client: Client, voting: VotingVillage, round_: Round
    ) -> None:
        draft = voting.plan()
        assert client.get(f"/vote/{draft.uid}/").status_code == 404
        nonce = nonce_of(client.get(f"/vote/{round_.uid}/"))  # type: ignore[arg-type]
        rounds.cancel(round_=round_, reason="The pump broke.", at=voting.at)
        assert "takes no votes" in read(client.get(f"/vote/{round_.uid}/")).text  # type: ignore[arg-type]
        assert vote(client, round_, 1, nonce=nonce).status_code == 422


class TestSigned:
    """`/vote/<uid>/sign/`: EIP-712, pasted."""

    def test_a_wallet_signs_what_it_is_shown_and_votes(self, round_: Round, donor: Donor) -> None:
        client = Client()
        page = asked(client, round_, 3, 1)
        typed = typed_of(page)
        assert typed["domain"] == {
            "name": "Solar village votes",
            "version": "1",
            "chainId": 31_337,
        }
        assert typed["message"] == {
            "site": "Kisima",
            "round": str(round_.uid),
            "options": [1, 3],
            "nonce": nonce_of(page),
        }
        signature = signature_of(typed, by=AMINA)
        done = read(send(client, round_, nonce=nonce_of(page), signature=signature))
        ballot = Ballot.objects.get()
        assert (ballot.donor, ballot.channel, ballot.signature) == (donor, "signed", signature)
        assert ballot.receipt_code in done.text

    def test_sent_twice_it_is_one_vote(self, round_: Round, donor: Donor) -> None:
        client = Client()
        page = asked(client, round_, 1)
        signature = signature_of(typed_of(page), by=AMINA)
        first, second = (
            read(send(client, round_, nonce=nonce_of(page), signature=signature)).text
            for _ in range(2)
        )
        assert "You have voted already" not in second
        assert Ballot.objects.get().receipt_code in first
        assert Ballot.objects.get().receipt_code in second

    def test_after_a_log_in_s_vote_a_signed_one_is_refused(
        self, client: Client, round_: Round
    ) -> None:
        page = asked(Client(), round_, 2)
        vote(client, round_, 1)
        signature = signature_of(typed_of(page), by=AMINA)
        told = read(send(Client(), round_, nonce=nonce_of(page), signature=signature)).text
        assert "You have voted already" in told
        assert Ballot.objects.get().receipt_code in told

    def test_a_stranger_s_signature_is_no_vote(self, round_: Round, donor: Donor) -> None:
        page = asked(Client(), round_, 1)
        signature = signature_of(typed_of(page), by=BARAKA)
        told = read(send(Client(), round_, nonce=nonce_of(page), signature=signature), status=422)
        assert "No donor of this site" in told.text
        assert not Ballot.objects.exists()

    @pytest.mark.parametrize(
        "change",
        [
            {"message": {"options": [2]}},
            {"message": {"round": "another"}},
            {"message": {"nonce": "another"}},
            {"domain": {"chainId": 1}},
            {"domain": {"name": "Another game"}},
            {"domain": {"version": "2"}},
        ],
    )
    def test_what_was_signed_for_something_else_is_no_vote(
        self, round_: Round, donor: Donor, change: dict[str, dict[str, object]]
    ) -> None:
        page = asked(Client(), round_, 1)
        typed = typed_of(page)
        for part, values in change.items():
            typed[part].update(values)  # type: ignore[attr-defined]
        signature = signature_of(typed, by=AMINA)
        answer = send(Client(), round_, nonce=nonce_of(page), signature=signature)
        assert answer.status_code == 422
        assert not Ballot.objects.exists()

    @pytest.mark.parametrize("signature", ["", "0x12", "hello", "0x" + "00" * 65, "0x" + "ff" * 65])
    def test_what_is_no_signature_is_refused(
        self, round_: Round, donor: Donor, signature: str
    ) -> None:
        page = asked(Client(), round_, 1)
        answer = send(Client(), round_, nonce=nonce_of(page), signature=signature)
        assert "no signature" in read(answer, status=422).text

    def test_a_nonce_is_good_for_its_round_and_a_quarter_of_an_hour(
        self, round_: Round, donor: Donor
    ) -> None:
        page = asked(Client(), round_, 1)
        signature = signature_of(typed_of(page), by=AMINA)
        unknown = send(Client(), round_, nonce="unknown", signature=signature)
        assert "another vote" in read(unknown, status=422).text
        SignInNonce.objects.update(expires_at=round_.opens_at)
        late = send(Client(), round_, nonce=nonce_of(page), signature=signature)
        assert "older than 15 minutes" in read(late, status=422).text
        assert not Ballot.objects.exists()

    def test_nothing_chosen_is_not_asked_for(self, round_: Round) -> None:
        assert asked(Client(), round_).status_code == 422
        assert asked(Client(), round_, 9).status_code == 422
        assert not SignInNonce.objects.exists()

    def test_somebody_who_plays_with_it_has_to_wait(self, round_: Round) -> None:
        client = Client()
        answers = [asked(client, round_, 1).status_code for _ in range(22)]
        assert answers[0] == 200
        assert answers[-1] == 429


class TestProposing:
    """`/sites/<slug>/propose/`."""

    PATH = "/sites/kisima/propose/"

    def propose(self, client: Client, **told: str) -> HttpResponse:
        given = {"code": "KIS0001", "title": "Well pump", "cost": "20", "text": "For the school"}
        return client.post(self.PATH, {**given, **told})  # type: ignore[return-value]

    def test_a_household_proposes_by_its_code_and_is_told(self, voting: VotingVillage) -> None:
        voting.plan()
        assert self.propose(Client(), code="kis 0001").status_code == 302
        made = Proposal.objects.get()
        assert (made.household, made.state) == (voting.home(1), Proposal.State.PROPOSED)
        # 20 shillings at 129.25 for a DAI, rounded down to the wei.
        assert made.cost_wei == 20 * 10**20 // 12_925
        (told,) = voting.told("proposal_made")
        assert told.phone == "+254711000001"
        page = read(Client().get(f"{self.PATH}?proposed=1"))  # type: ignore[arg-type]
        assert "Thank you." in page.text

    def test_a_donor_proposes_logged_in(
        self, client: Client, donor: Donor, voting: VotingVillage
    ) -> None:
        voting.plan()
        assert 'name="code"' not in client.get(self.PATH).content.decode()
        assert self.propose(client).status_code == 302
        assert Proposal.objects.get().donor == donor

    @pytest.mark.parametrize(
        ("told", "words"),
        [
            ({"code": "KIS9999"}, "There is no household"),
            ({"code": ""}, "There is no household"),
            ({"cost": "a lot"}, "Write the amount in figures"),
            ({"cost": "999999"}, "more than the round has"),
            ({"cost": "0"}, "more than the round has"),
            ({"title": ""}, "required"),
            ({"title": "x" * 41}, "at most 40"),
        ],
    )
    def test_what_is_wrong_is_said(
        self, voting: VotingVillage, told: dict[str, str], words: str
    ) -> None:
        voting.plan()
        assert words in read(self.propose(Client(), **told), status=422).text
        assert not Proposal.objects.exists()

    def test_without_a_draft_nothing_is_taken(self, round_: Round) -> None:
        page = read(Client().get(self.PATH))  # type: ignore[arg-type]
        assert "No round takes proposals now." in page.text
        assert "No round takes proposals" in read(self.propose(Client()), status=422).text

    def test_nobody_floods_it(self, voting: VotingVillage) -> None:
        voting.plan()
        codes = [f"KIS000{1 + number % 8}" for number in range(7)]
        answers = [self.propose(Client(), code=code).status_code for code in codes]
        assert answers == [302] * 5 + [429] * 2


def test_a_donor_reads_what_became_of_what_they_voted_for(
    voting: VotingVillage, round_: Round, donor: Donor
) -> None:
    voting.cast(round_, voting.home(1), 1)
    ballot = voting.cast(round_, donor, 1, 2)
    voting.count(round_)
    proposals.tell(
        proposal=round_.proposals.get(number=1), text="The pump runs.", at=round_.closes_at
    )
    ((mine, projects),) = queries.voted_for(donors=[donor])
    assert (mine, mine.round) == (ballot, round_)
    assert [(p.number, p.what_became) for p in projects] == [(1, "The pump runs."), (2, "")]
    assert queries.voted_for(donors=[]) == []


def figures(content: bytes) -> list[str]:
    """What a page tells in digits, without its clock."""
    text = re.sub(r"<time[^>]*>.*?</span>\)", "", content.decode(), flags=re.S)
    return re.findall(r"\d+", re.sub(r"nonce=\S+|csrf\S+", "", text))


def test_a_round_that_nobody_opened_yet_says_when(voting: VotingVillage) -> None:
    voting.plan()
    page = read(Client().get("/sites/kisima/rounds/1/"))  # type: ignore[arg-type]
    assert "Votes are taken from" in page.text
