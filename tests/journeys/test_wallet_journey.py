"""A donor pays, links a wallet, claims what vested, and a stranger finds all of it true.

Over real HTTP, with a worker, on a real chain; both step through pages as a browser without
scripts does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
import requests
from django.core.cache import cache
from django.utils import timezone

from accounts.models import Donor, Household, Notice, PaymentAttempt, Pledge
from launcher.dev_accounts import DevAccount
from tests.chain_node import ChainNode, chain_node, chained
from tests.epoch_village import HALF
from tests.minted_village import MintedVillage
from tests.mirror import check
from tests.over_http import Outside, eventually
from tests.signing import AMINA, BARAKA, contract_wallet, signed
from tokens import verification, wallets
from tokens.models import Claim, OutboxTransfer, WalletLink
from tokens.tasks import decide_sign_ins

__all__ = ["chain_node", "chained"]

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.slow,
]

TIMEOUT_SECONDS = 20


@dataclass(kw_only=True)
class Browser:
    """Somebody's browser, without scripts."""

    url: str
    session: requests.Session = field(default_factory=requests.Session)

    def get(self, path: str) -> str:
        answer = self.session.get(self.url + path, timeout=TIMEOUT_SECONDS)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
        return unescape(answer.text)

    def send(self, path: str, **fields: str) -> requests.Response:
        """Send the form of a page, with the token that the page gave out."""
        self.session.get(self.url + path.replace("/claim/", "/"), timeout=TIMEOUT_SECONDS)
        token = self.session.cookies["csrftoken"]
        return self.session.post(
            self.url + path,
            data={**fields, "csrfmiddlewaretoken": token},
            headers={"Referer": self.url + path},
            timeout=TIMEOUT_SECONDS,
            allow_redirects=False,
        )

    def follow(self, answer: requests.Response) -> requests.Response:
        """Go where an answer leads."""
        return self.session.get(self.url + answer.headers["Location"], timeout=TIMEOUT_SECONDS)

    def sign(self, path: str, *, address: str, by: DevAccount) -> requests.Response:
        page = unescape(self.send(path, address=address).text)
        found = re.search(r"<textarea id=\"message\"[^>]*>\n(.*?)</textarea>", page, re.DOTALL)
        assert found, page
        message = found[1]
        return self.send(path, message=message, signature=signed(message, by=by))


@pytest.fixture
def minted(chained: ChainNode, transactional_db: None) -> Iterator[MintedVillage]:
    """Kisima with six households, in a chain's first blocks."""
    at = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=6)
    cache.clear()
    yield MintedVillage.found(chained, at=at)


def _gave(minted: MintedVillage) -> str:
    """A gift by card that has vested; the token of the page that thanks for it."""
    donor = Donor.objects.create(created_at=minted.life.at)
    minted.life.donate(donor=donor)
    pledge = Pledge.objects.create(
        donor=donor,
        site=minted.site,
        rail=minted.life.village.rail,
        amount_minor=250_000,
        currency="KES",
        idempotency_key="donate:journey",
        created_at=minted.life.at,
    )
    PaymentAttempt.objects.create(
        pledge=pledge, token="journey" * 4, state="succeeded", created_at=minted.life.at
    )
    return "journey" * 4


def test_a_donor_links_a_wallet_claims_and_is_paid_to_the_wei(
    minted: MintedVillage, outside: Outside, worker: None, tmp_path: Path
) -> None:
    browser = Browser(url=outside.product_url)
    token = _gave(minted)
    gift = f"/donor/gift/{token}/"
    assert gift in browser.get(f"/pay/{token}/")
    linked = browser.sign(f"{gift}wallet/", address=AMINA.address, by=AMINA)
    assert linked.headers["Location"] == gift
    minted.life.use(KIS0001=1_000_003, KIS0002=1_200_001)
    minted.mint()
    minted.life.everybody_uses(777_777)
    minted.mint()

    back = Browser(url=outside.product_url)
    back.sign("/donor/enter/", address=AMINA.address, by=AMINA)
    page = back.get("/donor/")
    found = re.search(r"/proof/0x[0-9a-f]{64}/claim/", page)
    assert found, page
    back.send(found[0])
    eventually(lambda: OutboxTransfer.objects.filter(intent__startswith="claim:").first())
    minted.send()
    assert minted.read_claims() == 1

    tokens = (1_000_003 + 1_200_001 + 6 * 777_777) * HALF
    assert minted.holds(AMINA.address) == tokens
    assert Claim.objects.get().tokens_wei == tokens
    page = back.get("/donor/")
    assert "/claim/" not in page
    assert f"{tokens / 10**18:.4f}" in page

    # A stranger, with the public API and a node.
    verdict = check(api=outside.product_url, rpc=minted.node.url, more=("--epoch", "all"))
    assert verdict.exit_code == 0, verdict.texts
    assert "claimed by 1 holders" in verdict.texts["claims"]
    proof = requests.get(
        f"{outside.product_url}/api/v1/leaves/{found[0].split('/')[2]}/proof/",
        timeout=TIMEOUT_SECONDS,
    ).json()
    stored = tmp_path / "proof.json"
    stored.write_text(json.dumps(proof))
    more = ("--epoch", "2", "--proof", str(stored))
    told = check(api=outside.product_url, rpc=minted.node.url, more=more)
    assert told.exit_code == 0, told.texts
    amount = f"{tokens // 10**14 / 10**4:.4f} IT"
    assert told.texts["proof"] == f"{amount} are in the root of epoch 2; {amount} were claimed"

    # The service says of itself what the stranger found.
    run = verification.run(site=minted.site, at=timezone.now())
    assert (run.exit_code, run.epoch_number) == (0, 2), run.checks
    impact = browser.get("/sites/kisima/impact/")
    assert "Our own last run: every check holds." in impact
    assert "[ ok ] supply" in impact
    assert verification.run_due(at=timezone.now()) == []


def test_a_contracts_wallet_is_linked_while_the_page_waits(
    minted: MintedVillage, outside: Outside, worker: None
) -> None:
    wallet = contract_wallet(minted.node, owner=BARAKA)
    browser = Browser(url=outside.product_url)
    gift = f"/donor/gift/{_gave(minted)}/"

    waiting = browser.sign(f"{gift}wallet/", address=wallet, by=BARAKA)
    assert "?answer=" in waiting.headers["Location"]
    eventually(WalletLink.objects.first, beat=[decide_sign_ins])

    assert WalletLink.objects.get().address == wallet
    landed = browser.follow(waiting)
    assert landed.url == browser.url + gift
    assert wallet in landed.text


def test_a_household_gets_its_page_by_sms_links_a_wallet_and_may_refuse_it(
    minted: MintedVillage, outside: Outside, worker: None
) -> None:
    home = Household.objects.get(code="KIS0001")
    phone = outside.phone(home.phones.get().phone)
    minted.life.everybody_uses(1_000_000)
    minted.mint()

    phone.send_sms("PROOF")
    text = phone.wait_for_message("KIS0001 tokens: ")
    found = re.search(r"/proof/\S+", text)
    assert found, text
    browser = Browser(url=outside.product_url)
    assert "0.5000" in browser.get(found[0])

    browser.sign(found[0].replace("/?", "/wallet/?"), address=AMINA.address, by=AMINA)
    assert AMINA.address in browser.get(found[0])
    warned = phone.wait_for_message("on your tokens go to wallet")
    assert f"{AMINA.address[:6]}..{AMINA.address[-4:]}" in warned

    phone.send_sms("PROOF NO")
    phone.wait_for_message("the new wallet was refused")
    assert AMINA.address not in browser.get(found[0])
    assert wallets.take_effect(at=timezone.now() + timedelta(days=30)) == 0
    assert Notice.objects.filter(kind="wallet_coming").count() == 1
