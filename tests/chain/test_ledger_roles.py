"""ImpactLedger: who may appoint whom."""

from __future__ import annotations

import pytest

from tests.chain.conftest import leaves
from tests.chain.deployed import NOBODY, Site, proposal, reason
from tests.chain.reference import tree
from tests.chain_node import ChainNode, NodeError

ROOT = tree(leaves(3, 5))


@pytest.fixture
def other(node: ChainNode) -> str:
    return node.accounts[5].address


def test_the_founders_roles_are_told_by_events(site: Site) -> None:
    logs = site.node.rpc("eth_getLogs", {"fromBlock": "0x0", "address": site.ledger.address})
    events = site.ledger.events({"logs": logs})
    assert [(event.name, event.values["previous"]) for event in events] == [
        ("PosterRotated", NOBODY),
        ("GuardianRotated", NOBODY),
    ]
    assert events[0].values["poster"] == site.poster
    assert events[1].values["guardian"] == site.guardian


def test_the_guardian_appoints_another_poster(site: Site, other: str) -> None:
    (event,) = site.ledger.send("rotate_poster", other, sender=site.guardian)
    assert (event.name, event.values) == (
        "PosterRotated",
        {"previous": site.poster, "poster": other},
    )
    assert site.ledger.read("poster") == other
    assert site.ledger.refusal("propose", *proposal(1, ROOT), sender=site.poster) == (
        "only the poster"
    )
    site.propose(1, ROOT, sender=other)


def test_what_the_poster_before_proposed_stays_pending_until_it_is_vetoed(
    site: Site, other: str
) -> None:
    site.propose(1, ROOT)
    site.ledger.send("rotate_poster", other, sender=site.guardian)
    assert site.ledger.refusal("propose", *proposal(1, ROOT), sender=other) == "one is pending"
    site.ledger.send("veto", 1, sender=site.guardian)
    site.propose(1, ROOT, sender=other)


def test_nobody_else_appoints_a_poster(site: Site, other: str) -> None:
    for sender in (site.poster, site.stranger, other):
        assert site.ledger.refusal("rotate_poster", other, sender=sender) == "only the guardian"


def test_the_guardian_appoints_neither_nobody_nor_itself(site: Site) -> None:
    def refused(poster: str) -> str:
        return site.ledger.refusal("rotate_poster", poster, sender=site.guardian)

    assert refused(NOBODY) == "no poster"
    assert refused(site.guardian) == "poster and guardian are one"


def test_a_guardian_hands_over_to_whoever_accepts(site: Site, other: str) -> None:
    (event,) = site.ledger.send("offer_guardian", other, sender=site.guardian)
    assert (event.name, event.values) == ("GuardianOffered", {"guardian": other})
    assert site.ledger.read("offered_guardian") == other
    assert site.ledger.read("guardian") == site.guardian
    assert site.ledger.refusal("rotate_poster", site.stranger, sender=other) == "only the guardian"
    (event,) = site.ledger.send("accept_guardian", sender=other)
    assert (event.name, event.values) == (
        "GuardianRotated",
        {"previous": site.guardian, "guardian": other},
    )
    assert site.ledger.read("guardian") == other
    assert site.ledger.read("offered_guardian") == NOBODY
    site.propose(1, ROOT)
    assert site.ledger.refusal("veto", 1, sender=site.guardian) == "only the guardian"
    site.ledger.send("veto", 1, sender=other)


def test_an_offer_is_accepted_once(site: Site, other: str) -> None:
    site.ledger.send("offer_guardian", other, sender=site.guardian)
    site.ledger.send("accept_guardian", sender=other)
    assert site.ledger.refusal("accept_guardian", sender=other) == "not offered to you"


def test_nobody_accepts_what_was_not_offered_to_them(site: Site, other: str) -> None:
    for sender in (site.stranger, site.poster, site.guardian):
        assert site.ledger.refusal("accept_guardian", sender=sender) == "not offered to you"
    site.ledger.send("offer_guardian", other, sender=site.guardian)
    for sender in (site.stranger, site.poster, site.guardian):
        assert site.ledger.refusal("accept_guardian", sender=sender) == "not offered to you"


def test_an_offer_is_taken_back_or_replaced(site: Site, other: str) -> None:
    site.ledger.send("offer_guardian", other, sender=site.guardian)
    site.ledger.send("offer_guardian", site.stranger, sender=site.guardian)
    assert site.ledger.refusal("accept_guardian", sender=other) == "not offered to you"
    site.ledger.send("offer_guardian", NOBODY, sender=site.guardian)
    assert site.ledger.refusal("accept_guardian", sender=site.stranger) == "not offered to you"


def test_only_the_guardian_offers_its_role(site: Site, other: str) -> None:
    for sender in (site.poster, site.stranger, other):
        assert site.ledger.refusal("offer_guardian", other, sender=sender) == "only the guardian"


def test_a_poster_does_not_become_the_guardian(site: Site, other: str) -> None:
    site.ledger.send("offer_guardian", site.poster, sender=site.guardian)
    assert site.ledger.refusal("accept_guardian", sender=site.poster) == (
        "poster and guardian are one"
    )
    site.ledger.send("rotate_poster", other, sender=site.guardian)
    site.ledger.send("accept_guardian", sender=site.poster)


def test_the_ledger_has_no_other_way_to_change_anything(site: Site) -> None:
    changing = {
        item["name"]
        for item in site.ledger.artifact.abi
        if item["type"] == "function" and item["stateMutability"] not in ("view", "pure")
    }
    assert changing == {
        *("propose", "veto", "activate", "claim"),
        *("rotate_poster", "offer_guardian", "accept_guardian"),
    }


def test_the_ledger_takes_no_money(site: Site) -> None:
    site.propose(1, ROOT)
    fields = {"from": site.guardian, "to": site.ledger.address}
    veto = site.ledger.data("veto", [1])
    assert site.node.rpc("eth_call", fields | {"data": veto}, "latest") == "0x"
    for data in ("0x", veto, "0xdeadbeef"):
        with pytest.raises(NodeError) as refused:
            site.node.rpc("eth_call", fields | {"data": data, "value": "0x1"}, "latest")
        assert reason(refused.value) == ""
