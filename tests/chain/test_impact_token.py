"""ImpactToken: ERC-20 with permit, minted by its ledger alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from launcher.dev_accounts import DEV_ACCOUNTS
from tests.chain.conftest import leaves
from tests.chain.deployed import NOBODY, Contract, Site, deploy, reason
from tests.chain.reference import path, tree
from tests.chain_node import CHAIN_ID, ChainNode, NodeError
from tokens.chain.artifacts import artifact

AMINA, JUMA, KITO = DEV_ACCOUNTS[6:9]
MOST = 2**256 - 1
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@pytest.fixture
def token(site: Site) -> Iterator[Contract]:
    """The token, with 3 IT of Amina's, paid to her by the ledger."""
    households = leaves(6)
    households[0] = households[0].but(wallet=AMINA.address)
    root = tree(households)
    site.close(1, root)
    leaf = households[0]
    claim = (leaf.key, leaf.wallet, leaf.milliwatt_hours, leaf.tokens, path(root, leaf))
    site.ledger.send("claim", *claim, sender=site.stranger)
    assert site.token.read("balanceOf", AMINA.address) == 3 * 10**18
    yield site.token


def test_it_tells_what_it_is(token: Contract, site: Site) -> None:
    assert token.read("name") == "Kisima impact"
    assert token.read("symbol") == "IT"
    assert token.read("decimals") == 18
    assert token.read("minter") == site.ledger.address
    assert token.read("totalSupply") == 6 * 10**18


def test_nobody_but_the_ledger_mints(token: Contract, site: Site) -> None:
    everybody = [account.address for account in DEV_ACCOUNTS]
    for sender in (*everybody, token.address, NOBODY):
        assert token.refusal("mint", AMINA.address, 1, sender=sender) == "only the minter"
    with site.node.impersonate(site.ledger.address) as ledger:
        (event,) = token.send("mint", AMINA.address, 5, sender=ledger)
        assert event.values == {"sender": NOBODY, "receiver": AMINA.address, "value": 5}
        assert token.refusal("mint", NOBODY, 5, sender=ledger) == "no receiver"
        assert token.refusal("mint", AMINA.address, MOST, sender=ledger) == ""


def test_nothing_changes_the_minter_or_administers_the_token(token: Contract) -> None:
    changing = {
        item["name"]
        for item in token.artifact.abi
        if item["type"] == "function" and item["stateMutability"] not in ("view", "pure")
    }
    assert changing == {"mint", "transfer", "transferFrom", "approve", "permit"}


def test_a_token_without_a_minter_is_not_founded(node: ChainNode) -> None:
    with pytest.raises(NodeError) as refused:
        deploy(node, artifact("ImpactToken"), "Impact", "IT", NOBODY)
    assert reason(refused.value) == "no minter"


def test_tokens_are_sent(token: Contract) -> None:
    (event,) = token.send("transfer", JUMA.address, 10**18, sender=AMINA.address)
    assert event.name == "Transfer"
    assert event.values == {"sender": AMINA.address, "receiver": JUMA.address, "value": 10**18}
    assert token.read("balanceOf", AMINA.address) == 2 * 10**18
    assert token.read("balanceOf", JUMA.address) == 10**18
    assert token.read("totalSupply") == 6 * 10**18


def test_tokens_sent_to_oneself_stay_as_many(token: Contract) -> None:
    token.send("transfer", AMINA.address, 3 * 10**18, sender=AMINA.address)
    assert token.read("balanceOf", AMINA.address) == 3 * 10**18


def test_more_than_one_has_is_not_sent(token: Contract) -> None:
    for amount in (3 * 10**18 + 1, MOST):
        why = token.refusal("transfer", JUMA.address, amount, sender=AMINA.address)
        assert why == "not enough tokens"
    assert token.refusal("transfer", JUMA.address, 1, sender=JUMA.address) == "not enough tokens"


def test_tokens_are_not_sent_to_nobody(token: Contract) -> None:
    assert token.refusal("transfer", NOBODY, 1, sender=AMINA.address) == "no receiver"


def test_an_approved_spender_sends_as_much_as_it_may(token: Contract) -> None:
    (event,) = token.send("approve", JUMA.address, 10, sender=AMINA.address)
    assert event.name == "Approval"
    assert event.values == {"owner": AMINA.address, "spender": JUMA.address, "value": 10}
    assert token.read("allowance", AMINA.address, JUMA.address) == 10
    token.send("transferFrom", AMINA.address, KITO.address, 4, sender=JUMA.address)
    assert token.read("balanceOf", KITO.address) == 4
    assert token.read("allowance", AMINA.address, JUMA.address) == 6
    why = token.refusal("transferFrom", AMINA.address, KITO.address, 7, sender=JUMA.address)
    assert why == "not allowed"
    why = token.refusal("transferFrom", AMINA.address, NOBODY, 1, sender=JUMA.address)
    assert why == "no receiver"


def test_nobody_sends_anothers_tokens_unapproved(token: Contract) -> None:
    for sender in (JUMA.address, token.address, AMINA.address):
        why = token.refusal("transferFrom", AMINA.address, KITO.address, 1, sender=sender)
        assert why == "not allowed"


def test_an_approval_is_replaced_and_one_without_end_stays(token: Contract) -> None:
    token.send("approve", JUMA.address, 10, sender=AMINA.address)
    token.send("approve", JUMA.address, MOST, sender=AMINA.address)
    token.send("transferFrom", AMINA.address, KITO.address, 10**18, sender=JUMA.address)
    assert token.read("allowance", AMINA.address, JUMA.address) == MOST
    why = token.refusal(
        "transferFrom", AMINA.address, KITO.address, 2 * 10**18 + 1, sender=JUMA.address
    )
    assert why == "not enough tokens"
    token.send("approve", JUMA.address, 0, sender=AMINA.address)
    why = token.refusal("transferFrom", AMINA.address, KITO.address, 1, sender=JUMA.address)
    assert why == "not allowed"


def test_nobody_is_approved(token: Contract) -> None:
    assert token.refusal("approve", NOBODY, 1, sender=AMINA.address) == "no spender"


def test_a_signed_permit_approves_whoever_brings_it(token: Contract) -> None:
    signed = permit(token, deadline=deadline(token.node))
    (event,) = token.send("permit", *signed, sender=KITO.address)
    assert event.values == {"owner": AMINA.address, "spender": JUMA.address, "value": 10**18}
    assert token.read("allowance", AMINA.address, JUMA.address) == 10**18
    assert token.read("nonces", AMINA.address) == 1
    token.send("transferFrom", AMINA.address, KITO.address, 10**18, sender=JUMA.address)


def test_a_permit_is_brought_once(token: Contract) -> None:
    signed = permit(token, deadline=deadline(token.node))
    token.send("permit", *signed, sender=JUMA.address)
    assert refused(token, signed) == "not signed by the owner"


def test_a_permit_expires(token: Contract) -> None:
    last = deadline(token.node)
    signed = permit(token, deadline=last)
    token.node.set_time(last + 1)
    token.node.mine(seconds=0)
    assert refused(token, signed) == "expired"


def test_a_permit_counts_in_its_last_second(token: Contract) -> None:
    last = deadline(token.node)
    token.node.set_time(last)
    token.send("permit", *permit(token, deadline=last), sender=JUMA.address)


@pytest.mark.parametrize(
    "changes",
    [
        {"spender": KITO.address},
        {"amount": 10**18 + 1},
        {"deadline": MOST},
        {"owner": JUMA.address},
        {"owner": NOBODY},
    ],
)
def test_what_was_not_signed_is_not_permitted(token: Contract, changes: dict[str, Any]) -> None:
    signed = dict(zip(PERMIT_NAMES, permit(token, deadline=deadline(token.node)), strict=True))
    assert refused(token, list((signed | changes).values())) == "not signed by the owner"


@pytest.mark.parametrize(
    "domain",
    [
        {"name": "Lofe impact"},
        {"version": "2"},
        {"chainId": 100},
        {"verifyingContract": AMINA.address},
    ],
)
def test_a_permit_for_another_token_or_chain_counts_nothing(
    token: Contract, domain: dict[str, Any]
) -> None:
    signed = permit(token, deadline=deadline(token.node), domain=domain)
    assert refused(token, signed) == "not signed by the owner"


def test_a_permit_of_a_later_nonce_waits_for_its_turn(token: Contract) -> None:
    second = permit(token, deadline=deadline(token.node), nonce=1)
    assert refused(token, second) == "not signed by the owner"
    token.send("permit", *permit(token, deadline=deadline(token.node)), sender=JUMA.address)
    token.send("permit", *second, sender=JUMA.address)


def test_the_other_signature_of_the_same_permit_is_refused(token: Contract) -> None:
    *said, v, r, s = permit(token, deadline=deadline(token.node))
    upper = (CURVE_ORDER - int.from_bytes(s, "big")).to_bytes(32, "big")
    assert refused(token, [*said, 27 + 28 - v, r, upper]) == "not signed by the owner"


def test_a_signature_that_nobody_made_approves_nobody(token: Contract) -> None:
    """ecrecover answers the empty address, which must not pass as the owner's."""
    *said, _, _, _ = permit(token, deadline=deadline(token.node))
    said[0] = NOBODY
    for v in (0, 27, 29, 255):
        assert refused(token, [*said, v, bytes(32), bytes(32)]) == "not signed by the owner"


def test_the_domain_is_that_of_eip_712(token: Contract) -> None:
    kind = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    words = (
        keccak(text=kind),
        keccak(text="Kisima impact"),
        keccak(text="1"),
        CHAIN_ID.to_bytes(32, "big"),
        bytes.fromhex(token.address[2:]).rjust(32, b"\0"),
    )
    assert token.read("DOMAIN_SEPARATOR") == "0x" + keccak(b"".join(words)).hex()


def test_where_the_chain_splits_permits_of_the_other_half_count_nothing(token: Contract) -> None:
    before = token.read("DOMAIN_SEPARATOR")
    signed = permit(token, deadline=deadline(token.node))
    token.node.rpc("anvil_setChainId", CHAIN_ID + 1)
    try:
        assert token.read("DOMAIN_SEPARATOR") != before
        assert refused(token, signed) == "not signed by the owner"
        again = permit(token, deadline=deadline(token.node), domain={"chainId": CHAIN_ID + 1})
        data = token.data("permit", again)
        assert token.node.call(to=token.address, data=data, sender=JUMA.address) == "0x"
    finally:
        token.node.rpc("anvil_setChainId", CHAIN_ID)


PERMIT_NAMES = ("owner", "spender", "amount", "deadline", "v", "r", "s")


def permit(
    token: Contract,
    *,
    deadline: int,
    nonce: int = 0,
    domain: dict[str, Any] | None = None,
) -> list[Any]:
    """The arguments of `permit`: Amina lets Juma have 1 IT, signed by eth_account."""
    message = {
        "owner": AMINA.address,
        "spender": JUMA.address,
        "value": 10**18,
        "nonce": nonce,
        "deadline": deadline,
    }
    typed = encode_typed_data(
        domain_data={
            "name": "Kisima impact",
            "version": "1",
            "chainId": CHAIN_ID,
            "verifyingContract": token.address,
            **(domain or {}),
        },
        message_types={
            "Permit": [
                {"name": "owner", "type": "address"},
                {"name": "spender", "type": "address"},
                {"name": "value", "type": "uint256"},
                {"name": "nonce", "type": "uint256"},
                {"name": "deadline", "type": "uint256"},
            ]
        },
        message_data=message,
    )
    signed = Account.sign_message(typed, AMINA.key)
    r, s = (number.to_bytes(32, "big") for number in (signed.r, signed.s))
    return [AMINA.address, JUMA.address, 10**18, deadline, signed.v, r, s]


def deadline(node: ChainNode) -> int:
    return int(node.block()["timestamp"], 16) + 100


def refused(token: Contract, signed: list[Any]) -> str:
    return token.refusal("permit", *signed, sender=KITO.address)
