"""Holders' pages without a script: signing in two steps, what is shown, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from html import unescape
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone, translation
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from accounts.models import Donation, Donor, Household, Notice, PaymentAttempt, Pledge
from launcher.dev_accounts import DevAccount
from tests.epoch_village import EpochVillage
from tests.integration.test_pages import Page
from tests.signing import AMINA, BARAKA, signed
from tokens import wallets
from tokens.models import Claim, Leaf, OutboxTransfer, SignIn, Verification, WalletLink
from tokens.tasks import claim_tokens, decide_sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def english(settings: Settings) -> Iterator[None]:
    settings.EPOCH_SECONDS = 300
    settings.CHAIN_ID = 31_337
    settings.CHAIN_POSTER = "local:0x" + "11" * 32
    cache.clear()
    with translation.override("en"):
        yield


@pytest.fixture
def life() -> EpochVillage:
    """Six households and a donor; one epoch is active."""
    at = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    life = EpochVillage.found(at=at, households=6)
    life.deploy()
    life.donate()
    life.everybody_uses()
    life.closed_and_active()
    return life


@pytest.fixture
def donation(life: EpochVillage) -> Donation:
    return Donation.objects.get()


@pytest.fixture
def token(life: EpochVillage, donation: Donation) -> str:
    """The last part of the page that the donor saw after paying."""
    pledge = Pledge.objects.create(
        donor=donation.donor,
        site=life.village.site,
        rail=life.village.rail,
        amount_minor=250_000,
        currency="KES",
        idempotency_key="donate:1",
        created_at=life.at,
    )
    attempt = PaymentAttempt.objects.create(
        pledge=pledge, token="t" * 32, state="succeeded", created_at=life.at
    )
    return attempt.token


@pytest.fixture
def home_url(life: EpochVillage) -> str:
    leaf = Leaf.objects.get(household__code="KIS0001")
    return f"/proof/{leaf.key}/?c={wallets.code_of(leaf=leaf)}"


def shown(answer: object, *, status: int = 200) -> Page:
    assert isinstance(answer, HttpResponse)
    assert answer.status_code == status
    return Page(answer.content.decode())


def sign(
    client: Client, url: str, *, by: DevAccount = AMINA, signer: DevAccount | None = None
) -> HttpResponse:
    """Go through both steps as somebody whose browser has no wallet."""
    page = client.post(url, {"address": by.address})
    found = re.search(
        r"<textarea id=\"message\"[^>]*>\n(.*?)</textarea>", page.content.decode(), re.S
    )
    assert found, page.content.decode()
    message = unescape(found[1])
    answer = client.post(
        url, {"message": message, "signature": signed(message, by=signer or by), "signer": ""}
    )
    assert isinstance(answer, HttpResponse)
    return answer


def test_the_page_after_paying_leads_to_a_wallet(
    client: Client, token: str, donation: Donation
) -> None:
    paid = shown(client.get(f"/pay/{token}/"))
    assert f"/donor/gift/{token}/" in paid.addresses
    gift = shown(client.get(f"/donor/gift/{token}/"))
    assert f"/donor/gift/{token}/wallet/" in gift.addresses

    answer = sign(client, f"/donor/gift/{token}/wallet/")

    assert (answer.status_code, answer["Location"]) == (302, f"/donor/gift/{token}/")
    assert WalletLink.objects.get().donor == donation.donor
    assert AMINA.address in shown(client.get(f"/donor/gift/{token}/")).text


def test_a_gift_shows_share_earned_vested_and_claimed_with_units(
    client: Client, token: str
) -> None:
    text = shown(client.get(f"/donor/gift/{token}/")).text

    assert "100.0000 DAI for Kisima" in text or "100.00 DAI for Kisima" in text
    assert "Share of the site's donations 100.00 %" in text
    assert "Tokens earned 3.0000 IT" in text
    assert "Vested, on chain 3.0000 IT" in text
    assert "epoch 1," in text
    assert "Claimed 0.0000 IT" in text


def test_a_gift_shows_what_the_check_of_its_site_says_and_how_to_run_it(
    client: Client, token: str, life: EpochVillage
) -> None:
    assert (
        "We have not run the check ourselves yet."
        in shown(client.get(f"/donor/gift/{token}/")).text
    )
    Verification.objects.create(
        site=life.village.site,
        exit_code=1,
        epoch_number=1,
        checks=[{"name": "supply", "state": "failed", "text": "4 IT exist, 3 were minted"}],
        ran_at=life.at,
    )
    text = shown(client.get(f"/donor/gift/{token}/")).text
    assert text.count("Check the tokens of Kisima yourself") == 1
    assert "Our own last run: a check does not hold!" in text
    assert "4 IT exist, 3 were minted" in text
    assert "--rpc NODE --site kisima" in text
    text = shown(client.get(f"/donor/gift/{token}/", headers={"accept-language": "fr"})).text
    assert "Vérifiez vous-même les jetons de Kisima" in text


def test_a_donor_comes_back_with_the_wallet_and_leaves_again(client: Client, token: str) -> None:
    assert "Sign in with your wallet" in shown(client.get("/donor/")).text
    sign(client, f"/donor/gift/{token}/wallet/")
    other = Client()

    answer = sign(other, "/donor/enter/")

    assert (answer.status_code, answer["Location"]) == (302, "/donor/")
    page = shown(other.get("/donor/"))
    assert "Tokens earned 3.0000 IT" in page.text
    assert AMINA.address in page.text
    other.post("/donor/leave/")
    assert AMINA.address not in shown(other.get("/donor/")).text


def test_a_wallet_that_nobody_linked_sees_no_donation(client: Client, token: str) -> None:
    sign(client, "/donor/enter/", by=BARAKA)

    assert "No donation is linked with this wallet." in shown(client.get("/donor/")).text


def test_another_wallet_is_linked_by_who_signed_in_only(
    client: Client, token: str, donation: Donation
) -> None:
    next_url = f"/donor/wallet/{donation.donor.uid}/"
    sign(client, f"/donor/gift/{token}/wallet/")
    assert client.get(next_url).status_code == 404
    refused = sign(client, f"/donor/gift/{token}/wallet/", by=BARAKA)
    assert "A wallet is linked already" in shown(refused, status=422).text

    sign(client, "/donor/enter/")
    assert next_url in shown(client.get("/donor/")).addresses
    sign(client, next_url, by=BARAKA)

    link = wallets.current(donor=donation.donor)
    assert link is not None
    assert link.address == BARAKA.address
    assert client.get(f"/donor/wallet/{uuid4()}/").status_code == 404


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"address": ""}, "This is no wallet address"),
        ({"address": "amina.eth"}, "This is no wallet address"),
        ({}, "This is no wallet address"),
        ({"message": "hello", "signature": "0x12"}, "incomplete"),
        ({"message": "", "signature": ""}, "incomplete"),
    ],
)
def test_what_is_wrong_is_said_and_the_form_comes_again(
    client: Client, fields: dict[str, str], told: str
) -> None:
    page = shown(client.post("/donor/enter/", fields), status=422)

    assert told in page.text
    assert ("input", "address") in [(tag, found.get("name")) for tag, found in page.attributes]


def test_a_replayed_message_is_refused_on_the_page(client: Client) -> None:
    page = client.post("/donor/enter/", {"address": AMINA.address}).content.decode()
    found = re.search(r"<textarea id=\"message\"[^>]*>\n(.*?)</textarea>", page, re.S)
    assert found
    message = unescape(found[1])
    fields = {"message": message, "signature": signed(message, by=AMINA)}
    client.post("/donor/enter/", fields)

    again = shown(Client().post("/donor/enter/", fields), status=422)
    assert "used already" in again.text


def test_a_message_is_good_on_its_own_page_only(client: Client, token: str) -> None:
    page = client.post("/donor/enter/", {"address": AMINA.address}).content.decode()
    found = re.search(r"<textarea id=\"message\"[^>]*>\n(.*?)</textarea>", page, re.S)
    assert found
    message = unescape(found[1])

    answer = client.post(
        f"/donor/gift/{token}/wallet/",
        {"message": message, "signature": signed(message, by=AMINA)},
    )
    assert "not for this page" in shown(answer, status=422).text
    assert not WalletLink.objects.exists()


def test_a_contracts_wallet_lets_the_page_wait_for_a_worker(
    client: Client,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    settings.CHAIN_RPC_URL = "http://127.0.0.1:1"
    asked: list[int] = []
    monkeypatch.setattr(decide_sign_in, "delay", asked.append)
    with django_capture_on_commit_callbacks(execute=True):
        answer = sign(client, "/donor/enter/", by=AMINA, signer=BARAKA)

    assert asked == [SignIn.objects.get().pk]
    page = shown(client.get(answer["Location"]))
    assert "is being asked" in page.text
    assert ("meta", "refresh") in [(tag, found.get("http-equiv")) for tag, found in page.attributes]
    assert Client().get(answer["Location"]).status_code == 404

    SignIn.objects.update(state="refused", reason="signature")
    refused = shown(client.get(answer["Location"]), status=422)
    assert "did not sign" in refused.text
    SignIn.objects.update(state="accepted", reason="")
    assert client.get(answer["Location"])["Location"] == "/donor/"
    assert client.session["wallet"] == AMINA.address


def test_signing_too_often_is_slowed_down(client: Client) -> None:
    answers = [client.post("/donor/enter/", {"address": "0x"}).status_code for _ in range(21)]

    assert answers == [422] * 20 + [429]


@pytest.mark.parametrize("path", ["/donor/", "/donor/enter/", "/donor/gift/{token}/", "{home}"])
def test_holders_pages_are_private(client: Client, token: str, home_url: str, path: str) -> None:
    answer = client.get(path.format(token=token, home=home_url))

    assert "no-store" in answer["Cache-Control"]
    assert "private" in answer["Cache-Control"]
    assert answer["Referrer-Policy"] == "same-origin"
    assert "noindex" in answer["X-Robots-Tag"]
    page = Page(answer.content.decode())
    outside = [each for each in page.addresses if re.match(r"(?:[a-z]+:)?//", each)]
    assert outside == []


@pytest.mark.parametrize(
    "path",
    [
        "/donor/gift/unknown/",
        "/donor/gift/unknown/wallet/",
        "/proof/0x12/",
        "/proof/" + "ab" * 32 + "/",
        "/proof/0x" + "zz" * 32 + "/",
        "/donor/wallet/nobody/",
    ],
)
def test_what_nobody_was_given_is_not_found(client: Client, life: EpochVillage, path: str) -> None:
    assert client.get(path).status_code == 404


def test_an_unpaid_pledge_has_no_page_of_a_gift(client: Client, token: str) -> None:
    PaymentAttempt.objects.update(state="pending")

    assert client.get(f"/donor/gift/{token}/").status_code == 404


def test_a_household_sees_its_proof_by_key_and_code(client: Client, home_url: str) -> None:
    page = shown(client.get(home_url))
    leaf = Leaf.objects.get(household__code="KIS0001")

    assert "Impact tokens 0.5000 IT" in page.text
    assert "Energy they stand for 1.00 kWh" in page.text or "1.000 kWh" in page.text
    assert leaf.key in page.text
    assert "python3 verify.py --api" in page.text
    assert shown(client.get(home_url.replace("0x", ""))).text == page.text
    assert client.get(home_url.split("?", maxsplit=1)[0]).status_code == 404
    assert client.get(home_url[:-1] + "_").status_code == 404


def test_the_sites_own_leaves_have_no_page(client: Client, life: EpochVillage) -> None:
    for leaf in Leaf.objects.filter(kind__in=("reserve", "unallocated")):
        assert client.get(f"/proof/{leaf.key}/").status_code == 404


def test_a_households_wallet_is_told_by_sms_and_shown_as_coming(
    client: Client, home_url: str
) -> None:
    url = home_url.replace("/?", "/wallet/?")
    answer = sign(client, url)

    assert answer["Location"] == home_url
    page = shown(client.get(home_url)).text
    assert AMINA.address in page
    assert "No wallet is linked." in page
    assert Notice.objects.get().kind == "wallet_coming"
    assert client.get(url.split("?")[0]).status_code == 404


def test_a_donations_leaf_links_no_wallet_by_its_public_key(
    client: Client, donation: Donation
) -> None:
    leaf = Leaf.objects.get(donation=donation)

    assert "Vested" not in shown(client.get(f"/proof/{leaf.key}/")).text
    assert client.get(f"/proof/{leaf.key}/wallet/").status_code == 404


def test_claiming_hands_the_leaf_to_a_worker_once_there_is_a_wallet(
    client: Client, life: EpochVillage, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(claim_tokens, "delay", asked.append)
    leaf = Leaf.objects.get(kind="donation")
    url = f"/proof/{leaf.key}/claim/"
    early = client.post(url, follow=True)
    assert "No wallet is in the active epoch yet." in shown(early).text

    sign(client, f"/donor/gift/{token}/wallet/")
    life.everybody_uses()
    life.closed_and_active()
    gift = client.get(f"/donor/gift/{token}/").content.decode()
    assert url in gift
    assert "Claim 6.0000 IT" in gift
    later = shown(client.post(url, follow=True)).text

    assert asked == [leaf.pk]
    assert "The claim was taken on." in later
    claim_tokens(leaf.pk)
    assert OutboxTransfer.objects.get().intent == f"claim:{leaf.key}:2"
    assert "A claim is on its way to the chain." in shown(client.get(f"/proof/{leaf.key}/")).text


def test_what_was_claimed_is_shown_with_its_time(
    client: Client, life: EpochVillage, donation: Donation, now: datetime
) -> None:
    leaf = Leaf.objects.get(donation=donation)
    Claim.objects.create(
        chain_id=31_337,
        site=life.village.site,
        leaf=leaf,
        wallet=AMINA.address,
        tokens_wei=10**18,
        transfer_hash="0x" + "01" * 32,
        log_index=0,
        block_number=1,
        claimed_at=now,
    )

    text = shown(client.get(f"/proof/{leaf.key}/")).text
    assert "Claimed 1.0000 IT" in text
    assert "2 Mar 2026 09:00 1.0000" in text


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_page_speaks_the_readers_language(
    token: str, home_url: str, donation: Donation, language: str
) -> None:
    client = Client(headers={"Accept-Language": language})
    expected = {
        "/donor/": ("Vos dons", "Your donations"),
        "/donor/enter/": ("Connectez-vous", "Sign in with your wallet"),
        f"/donor/gift/{token}/": ("Jetons gagnés", "Tokens earned"),
        home_url: ("Vers la racine", "The way to the root"),
        home_url.replace("/?", "/wallet/?"): ("Associer un portefeuille", "Link a wallet"),
    }
    for path, (french, english) in expected.items():
        text = client.get(path).content.decode()
        assert (french if language == "fr" else english) in unescape(text).replace("’", "'"), path


def test_households_and_donors_are_told_apart(home_url: str, client: Client) -> None:
    assert Household.objects.count() == 6
    assert Donor.objects.count() == 1
    assert "This page is yours alone" in shown(client.get(home_url)).text
