"""A round from a proposal to reserved money: on the web, by USSD, by SMS, by a signed message."""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import requests
from django.core.cache import cache
from django.core.management import call_command
from django.utils import timezone
from eth_account import Account

from accounts.models import Notice, User
from tests.integration.test_ballots import link
from tests.integration.voting_pages import some_while_ago
from tests.over_http import TIMEOUT_SECONDS, Outside, eventually
from tests.signing import AMINA
from tests.voting_village import PIN, POOL_WEI, VotingVillage
from tokens.models import Ballot, Proposal, Round
from tokens.tasks import run_rounds
from tokens.voting import published, rounds

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.usefixtures("worker"),
]

CENT = 10**16


@dataclass(frozen=True, kw_only=True)
class Browser:
    """Pages and forms over real HTTP, with cookies and without a script."""

    url: str
    session: requests.Session = field(default_factory=requests.Session)

    def get(self, path: str) -> str:
        answer = self.session.get(self.url + path, timeout=TIMEOUT_SECONDS)
        assert answer.status_code == 200, answer.text[:500]
        return answer.text

    def send(self, path: str, *, to: str = "", **told: Any) -> str:
        """Fill in the form of a page and send it."""
        shown = self.get(path)
        hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', shown))
        return self.post(to or path, **{**hidden, **told})

    def post(self, path: str, **told: Any) -> str:
        answer = self.session.post(
            self.url + path,
            data=told,
            headers={"Referer": self.url + path},
            timeout=TIMEOUT_SECONDS,
        )
        assert answer.ok, answer.text[:2_000]
        return answer.text


@pytest.fixture
def voting(outside: Outside) -> VotingVillage:
    cache.clear()
    return VotingVillage.found(at=some_while_ago())


def operator_of(outside: Outside) -> Browser:
    """Somebody of the operator, who may do everything, at the admin."""
    User.objects.filter(username="vetter").update(is_superuser=True)
    browser = Browser(url=outside.product_url)
    browser.send("/admin/login/", username="vetter", password="vetter", next="/admin/")
    return browser


def proposed(outside: Outside, voting: VotingVillage, **told: str) -> Proposal:
    """A household proposes on the web."""
    visitor = Browser(url=outside.product_url)
    said = visitor.send("/sites/kisima/propose/", text="", **told)
    assert "Thank you." in said
    return Proposal.objects.get(title=told["title"])


def signed_by_amina(outside: Outside, round_: Round, *, option: int) -> str:
    """A donor chooses, signs what is shown, and sends the signature; the page with the receipt."""
    visitor = Browser(url=outside.product_url)
    page = visitor.send(f"/vote/{round_.uid}/", to=f"/vote/{round_.uid}/sign/", options=str(option))
    shown = re.search(r'<textarea id="typed"[^>]*>\n(.*?)</textarea>', page, re.S)
    assert shown is not None
    typed = json.loads(unescape(shown[1]))
    signature = Account.sign_typed_data(AMINA.key, full_message=typed).signature
    hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page))
    return visitor.post(
        f"/vote/{round_.uid}/sign/", signature="0x" + bytes(signature).hex(), **hidden
    )


def test_a_village_decides_over_its_grant_pool(
    outside: Outside, voting: VotingVillage, tmp_path: Path
) -> None:
    donor = voting.donor()
    voting.life.everybody_uses()
    link(donor, AMINA.address, voting.at)
    held_wei = voting.pool_wei
    assert held_wei == 2 * POOL_WEI
    round_ = voting.plan(budget_wei=held_wei)
    first, second, third = (outside.phone(f"+2547110000{number:02}") for number in (1, 2, 3))

    # Proposed on the web, vetted in the admin, opened by the task.
    pump = proposed(outside, voting, code="KIS0001", title="Well pump", cost="51.70")
    lamps = proposed(outside, voting, code="KIS0002", title="School lamps", cost="25.85")
    assert "Well pump" in first.wait_for_message("KIS0001 proposed")
    operator = operator_of(outside)
    for project in (pump, lamps):
        operator.send(f"/admin/tokens/proposal/{project.pk}/admit/", title_fr="", payee="")
    eventually(
        lambda: Round.objects.filter(pk=round_.pk, state=Round.State.OPEN).first(),
        beat=[run_rounds],
    )
    assert "Vote 1 is open until" in first.wait_for_message("Vote 1 is open")

    # By USSD with the PIN, by SMS, and on the web with a signature.
    screen, is_open = first.dial(f"4*1*{PIN}")
    assert not is_open
    ussd_receipt = Ballot.objects.get(household=voting.home(1)).receipt_code
    assert ussd_receipt in screen
    assert ussd_receipt in first.wait_for_message("has voted in vote 1")
    second.send_sms("VOTE 1 1 2")
    second.wait_for_message("KIS0002 has voted")
    third.send_sms("VOTE 1 2")
    third.wait_for_message("KIS0003 has voted")
    assert "Your vote is in" in signed_by_amina(outside, round_, option=2)

    # A second vote of anybody gets the receipt of the first.
    first.send_sms("VOTE 1 2")
    assert ussd_receipt in first.wait_for_message("already")
    assert "You have voted already" in signed_by_amina(outside, round_, option=1)
    assert Ballot.objects.count() == 4

    # Counted when it has closed: the money is set aside, the result is published.
    rounds.run_due(at=round_.closes_at)
    assert (pump.cost_wei, lamps.cost_wei) == (40 * CENT, 20 * CENT)
    told = requests.get(
        f"{outside.product_url}/api/v1/sites/kisima/rounds/1/", timeout=TIMEOUT_SECONDS
    ).json()
    assert {p["title"]: p["state"] for p in told["projects"]} == {
        "Well pump": "funded",
        "School lamps": "funded",
    }
    assert told["reserved"]["amount"] == "0.600000000000000000"
    assert (voting.pool_wei, voting.reserved_wei) == (held_wei - 60 * CENT, 60 * CENT)
    site = requests.get(f"{outside.product_url}/api/v1/sites/kisima/", timeout=TIMEOUT_SECONDS)
    assert site.json()["pools"]["grant"]["amount"] == f"0.{(held_wei - 60 * CENT):018d}"
    # The clock was put forward for the count; the network's was not.
    Notice.objects.filter(kind="round_counted").update(next_attempt_at=timezone.now())
    assert "Well pump" in first.wait_for_message("Vote 1 is counted")

    # Whoever voted finds the ballot; whoever doubts counts again.
    content = requests.get(
        f"{outside.product_url}/api/v1/sites/kisima/rounds/1/ballots/", timeout=TIMEOUT_SECONDS
    ).content
    ballots = {each["receipt_code"]: each["options"] for each in json.loads(content)["ballots"]}
    assert ballots[ussd_receipt] == ["1"]
    assert published.hash_of(content) == told["result_hash"]
    file = tmp_path / "published.json"
    file.write_bytes(content)
    out = io.StringIO()
    call_command("count_round", file=file, stdout=out)
    assert "reproduced, byte for byte" in out.getvalue()
    page = Browser(url=outside.product_url).get("/sites/kisima/rounds/1/")
    assert ussd_receipt in page


def test_a_household_without_the_pin_casts_nothing(outside: Outside, voting: VotingVillage) -> None:
    round_ = voting.open(10 * CENT)
    phone = outside.phone("+254711000001")
    screen, is_open = phone.dial("4*1*0000")
    assert (screen, is_open) == ("Wrong PIN. Your vote was not taken.", False)
    assert not Ballot.objects.exists()
    assert Round.objects.get() == round_
