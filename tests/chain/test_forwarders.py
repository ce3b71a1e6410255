"""DepositForwarder and its factory: known addresses, whose money goes to the treasury alone."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from launcher.dev_accounts import DEV_ACCOUNTS
from tests.chain.deployed import (
    NOBODY,
    Contract,
    deploy,
    mined,
    own_artifact,
    reason,
    sandbox_artifact,
)
from tests.chain_node import ChainNode, NodeError
from tokens.chain.artifacts import artifact

PAYER, STRANGER = (account.address for account in DEV_ACCOUNTS[6:8])
SALT, OTHER_SALT = b"\x01" * 32, b"\x02" * 32


@dataclass(frozen=True, kw_only=True)
class Forwarders:
    """The factory, the code of its forwarders, and where their money goes."""

    node: ChainNode
    factory: Contract
    implementation: Contract
    treasury: str

    def at(self, salt: bytes) -> Contract:
        """The forwarder of a salt, whether it stands or not."""
        address = self.factory.read("address_of", salt)
        return Contract(node=self.node, address=address, artifact=artifact("DepositForwarder"))

    def pay(self, address: str, *, wei: int) -> None:
        mined(self.node, self.node.send(sender=PAYER, to=address, value_wei=wei))


@pytest.fixture
def forwarders(node: ChainNode) -> Forwarders:
    treasury = node.treasury.address
    implementation = deploy(node, artifact("DepositForwarder"), treasury)
    factory = deploy(node, artifact("ForwarderFactory"), implementation.address, treasury)
    return Forwarders(node=node, factory=factory, implementation=implementation, treasury=treasury)


def create2(*, factory: str, salt: bytes, implementation: str) -> str:
    """The address by the formulas of EIP-1014 and EIP-1167."""
    code = (
        bytes.fromhex("363d3d373d3d3d363d73")
        + bytes.fromhex(implementation[2:])
        + bytes.fromhex("5af43d82803e903d91602b57fd5bf3")
    )
    init = bytes.fromhex("602d3d8160093d39f3") + code
    found = keccak(b"\xff" + bytes.fromhex(factory[2:]) + salt + keccak(init))
    return str(to_checksum_address(found[12:]))


@pytest.mark.parametrize("salt", [bytes(32), SALT, b"\xff" * 32, bytes(range(32))])
def test_addresses_are_those_of_create2(forwarders: Forwarders, salt: bytes) -> None:
    expected = create2(
        factory=forwarders.factory.address,
        salt=salt,
        implementation=forwarders.implementation.address,
    )
    assert forwarders.factory.read("address_of", salt) == expected
    assert forwarders.node.code(expected) == "0x"
    (event,) = forwarders.factory.send("create", salt, sender=STRANGER)
    assert (event.name, event.values) == (
        "Created",
        {"salt": "0x" + salt.hex(), "forwarder": expected},
    )
    assert len(forwarders.node.code(expected)) == 2 + 2 * 45
    assert forwarders.factory.read("address_of", salt) == expected


def test_a_forwarder_is_created_once(forwarders: Forwarders) -> None:
    assert forwarders.factory.read("create", SALT) == forwarders.at(SALT).address
    forwarders.factory.send("create", SALT, sender=STRANGER)
    code = forwarders.node.code(forwarders.at(SALT).address)
    assert forwarders.factory.read("create", SALT) == forwarders.at(SALT).address
    assert forwarders.factory.send("create", SALT, sender=PAYER) == []
    assert forwarders.node.code(forwarders.at(SALT).address) == code
    assert forwarders.at(SALT).address != forwarders.at(OTHER_SALT).address


def test_factory_and_forwarders_tell_the_same_treasury(forwarders: Forwarders) -> None:
    forwarders.factory.send("create", SALT, sender=STRANGER)
    assert forwarders.factory.read("implementation") == forwarders.implementation.address
    assert forwarders.factory.read("treasury") == forwarders.treasury
    assert forwarders.at(SALT).read("treasury") == forwarders.treasury
    assert forwarders.implementation.read("treasury") == forwarders.treasury


def test_a_factory_of_another_treasury_is_not_founded(forwarders: Forwarders) -> None:
    for implementation, treasury in (
        (forwarders.implementation.address, STRANGER),
        (forwarders.implementation.address, NOBODY),
    ):
        with pytest.raises(NodeError) as refused:
            deploy(forwarders.node, artifact("ForwarderFactory"), implementation, treasury)
        assert reason(refused.value) == "another treasury"


def test_an_implementation_without_a_treasury_is_not_founded(node: ChainNode) -> None:
    with pytest.raises(NodeError) as refused:
        deploy(node, artifact("DepositForwarder"), NOBODY)
    assert reason(refused.value) == "no treasury"


def test_a_factory_wants_a_forwarder_for_its_implementation(node: ChainNode) -> None:
    for address in (STRANGER, deploy(node, own_artifact("Closed")).address):
        with pytest.raises(NodeError) as refused:
            deploy(node, artifact("ForwarderFactory"), address, node.treasury.address)
        assert reason(refused.value) == ""


def test_native_currency_is_received_with_an_event(forwarders: Forwarders) -> None:
    forwarders.factory.send("create", SALT, sender=STRANGER)
    forwarder = forwarders.at(SALT)
    receipt = mined(
        forwarders.node,
        forwarders.node.send(sender=PAYER, to=forwarder.address, value_wei=1234),
    )
    (event,) = forwarder.events(receipt)
    assert (event.name, event.values) == ("Received", {"sender": PAYER, "amount": 1234})
    assert forwarders.node.balance(forwarder.address) == 1234


@pytest.mark.parametrize("is_created", [True, False])
def test_anybody_flushes_native_currency_to_the_treasury(
    forwarders: Forwarders, is_created: bool
) -> None:
    forwarder = forwarders.at(SALT)
    if is_created:
        forwarders.factory.send("create", SALT, sender=PAYER)
    forwarders.pay(forwarder.address, wei=10**18)
    before = forwarders.node.balance(forwarders.treasury)
    forwarders.factory.send("flush", SALT, NOBODY, sender=STRANGER)
    assert forwarders.node.balance(forwarders.treasury) == before + 10**18
    assert forwarders.node.balance(forwarder.address) == 0


def test_a_forwarder_is_flushed_without_the_factory_and_tells_so(forwarders: Forwarders) -> None:
    forwarders.factory.send("create", SALT, sender=PAYER)
    forwarder = forwarders.at(SALT)
    forwarders.pay(forwarder.address, wei=7)
    before = forwarders.node.balance(forwarders.treasury)
    assert forwarder.read("flush", NOBODY) == 7
    (event,) = forwarder.send("flush", NOBODY, sender=STRANGER)
    assert (event.name, event.values) == ("Flushed", {"token": NOBODY, "amount": 7})
    assert forwarders.node.balance(forwarders.treasury) == before + 7


@pytest.mark.parametrize("is_created", [True, False])
@pytest.mark.parametrize("kind", ["usual", "silent"])
def test_anybody_flushes_tokens_to_the_treasury(
    forwarders: Forwarders, kind: str, is_created: bool
) -> None:
    token = usual_token(forwarders.node) if kind == "usual" else silent_token(forwarders.node)
    forwarder = forwarders.at(SALT)
    if is_created:
        forwarders.factory.send("create", SALT, sender=PAYER)
    token.send("mint", forwarder.address, 500, sender=PAYER)
    forwarders.factory.send("flush", SALT, token.address, sender=STRANGER)
    assert token.read("balanceOf", forwarders.treasury) == 500
    assert token.read("balanceOf", forwarder.address) == 0
    token.send("mint", forwarder.address, 30, sender=PAYER)
    (event,) = forwarder.send("flush", token.address, sender=STRANGER)
    assert event.values == {"token": token.address, "amount": 30}
    assert token.read("balanceOf", forwarders.treasury) == 530


def usual_token(node: ChainNode) -> Contract:
    return deploy(node, sandbox_artifact("SandboxToken"), "Dai Stablecoin", "DAI", 18)


def silent_token(node: ChainNode) -> Contract:
    return deploy(node, own_artifact("SilentToken"))


def test_one_forwarders_money_is_not_anothers(forwarders: Forwarders) -> None:
    token = usual_token(forwarders.node)
    for salt, amount in ((SALT, 5), (OTHER_SALT, 9)):
        token.send("mint", forwarders.at(salt).address, amount, sender=PAYER)
    forwarders.factory.send("flush", SALT, token.address, sender=STRANGER)
    assert token.read("balanceOf", forwarders.treasury) == 5
    assert token.read("balanceOf", forwarders.at(OTHER_SALT).address) == 9


def test_flushing_nothing_moves_nothing(forwarders: Forwarders) -> None:
    token = usual_token(forwarders.node)
    forwarders.factory.send("create", SALT, sender=PAYER)
    for asset in (NOBODY, token.address):
        assert forwarders.factory.read("flush", SALT, asset) == 0
        assert forwarders.at(SALT).send("flush", asset, sender=STRANGER) == []


def test_a_token_that_moves_nothing_is_not_taken_for_flushed(forwarders: Forwarders) -> None:
    token = deploy(forwarders.node, own_artifact("RefusingToken"))
    token.send("mint", forwarders.at(SALT).address, 5, sender=PAYER)
    why = forwarders.factory.refusal("flush", SALT, token.address, sender=STRANGER)
    assert why == "not moved"


def test_what_is_no_token_is_not_flushed(forwarders: Forwarders) -> None:
    closed = deploy(forwarders.node, own_artifact("Closed"))
    for address in (STRANGER, closed.address):
        assert forwarders.factory.refusal("flush", SALT, address, sender=PAYER) == ""


def test_a_treasury_that_takes_nothing_leaves_the_money_where_it_is(node: ChainNode) -> None:
    closed = deploy(node, own_artifact("Closed"))
    implementation = deploy(node, artifact("DepositForwarder"), closed.address)
    mined(node, node.send(sender=PAYER, to=implementation.address, value_wei=3))
    assert implementation.refusal("flush", NOBODY, sender=STRANGER) == ""
    assert node.balance(implementation.address) == 3


def test_a_token_that_calls_back_only_moves_more_to_the_treasury(forwarders: Forwarders) -> None:
    token = deploy(forwarders.node, own_artifact("Greedy"))
    forwarder = forwarders.at(SALT)
    token.send("mint", forwarder.address, 5, sender=PAYER)
    forwarders.pay(forwarder.address, wei=11)
    before = forwarders.node.balance(forwarders.treasury)
    forwarders.factory.send("flush", SALT, token.address, sender=STRANGER)
    assert token.read("balanceOf", forwarders.treasury) == 5
    assert forwarders.node.balance(forwarders.treasury) == before + 11


def test_a_call_of_no_function_is_refused(forwarders: Forwarders) -> None:
    forwarders.factory.send("create", SALT, sender=PAYER)
    fields = {"from": PAYER, "to": forwarders.at(SALT).address}
    for data in ("0xdeadbeef", "0x00", "0xdeadbeef" + "00" * 64):
        with pytest.raises(NodeError) as refused:
            forwarders.node.rpc("eth_call", fields | {"data": data, "value": "0x1"}, "latest")
        assert reason(refused.value) == "no such function"


def test_what_comes_to_the_implementation_goes_to_the_treasury_too(forwarders: Forwarders) -> None:
    forwarders.pay(forwarders.implementation.address, wei=8)
    before = forwarders.node.balance(forwarders.treasury)
    forwarders.implementation.send("flush", NOBODY, sender=STRANGER)
    assert forwarders.node.balance(forwarders.treasury) == before + 8


def test_the_factory_takes_no_money(forwarders: Forwarders) -> None:
    fields = {"from": PAYER, "to": forwarders.factory.address, "value": "0x1"}
    for data in ("0x", forwarders.factory.data("create", [SALT])):
        with pytest.raises(NodeError) as refused:
            forwarders.node.rpc("eth_call", fields | {"data": data}, "latest")
        assert reason(refused.value) == ""
