"""Contracts are deployed once, by the poster, whatever comes in between; on a real chain."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from io import StringIO
from typing import Any
from unittest import mock

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts import sites
from accounts.models import Operator, Site
from gateway.demo import chain as demo_chain
from launcher.places import ROOT
from sandbox import chain as sandbox_chain
from tests.chain_node import ChainNode
from tests.village import Village
from tokens.chain import calls, client, deployment, outbox, outbox_signing
from tokens.chain.artifacts import artifact
from tokens.chain.client import Chain, ChainLies
from tokens.chain.deployment import DeploymentRefused
from tokens.management.commands import deploy_contracts
from tokens.models import ChainAsset, Contract, OutboxTransfer

MOST_PASSES = 60
Kind = Contract.Kind


class Killed(BaseException):
    """Stands for kill -9: nobody catches it."""


def advance(wanted: list[Site] | None = None) -> list[deployment.Standing]:
    return deployment.advance(
        chain=client.connected(),
        sites=sites.open_sites() if wanted is None else wanted,
        at=timezone.now(),
    )


def deploy(node: ChainNode, wanted: list[Site] | None = None) -> dict[str, Contract]:
    """Advance, with blocks going on, until all is there; returns contracts by kind."""
    for _ in range(MOST_PASSES):
        standings = advance(wanted)
        if all(standing.contracts for standing in standings):
            return {made.kind: made for standing in standings for made in standing.contracts}
        node.drain()
        node.mine()
    raise AssertionError(standings)


def read(contract: Contract, name: str, function: str) -> Any:
    data = calls.encode_call(artifact=artifact(name), function=function, arguments=[])
    answer = client.connected().call(to=contract.address, data=data)
    return calls.decode_result(artifact=artifact(name), function=function, data=answer)


@pytest.fixture
def kisima(village: Village, chained: ChainNode) -> Site:
    return village.site


def second_site(kisima: Site) -> Site:
    return sites.open_site(
        at=timezone.now(),
        operator=kisima.operator,
        slug="lofe",
        name="Lofé",
        country="SN",
        currency="XOF",
        time_zone="Africa/Dakar",
    )


def test_a_site_gets_its_token_and_its_ledger_and_the_chain_its_forwarders(
    kisima: Site, chained: ChainNode, settings: Any
) -> None:
    found = deploy(chained)

    token, ledger = found[Kind.TOKEN], found[Kind.LEDGER]
    assert (token.site, ledger.site) == (kisima, kisima)
    assert (found[Kind.FORWARDER].site, found[Kind.FACTORY].site) == (None, None)
    assert read(token, "ImpactToken", "name") == "Impact token Kisima"
    assert read(token, "ImpactToken", "symbol") == "IT-KISIMA"
    assert read(token, "ImpactToken", "minter") == ledger.address
    assert read(ledger, "ImpactLedger", "token") == token.address
    assert read(ledger, "ImpactLedger", "site") == "0x" + b"kisima".ljust(32, b"\0").hex()
    assert read(ledger, "ImpactLedger", "wei_per_milliwatt_hour") == 10**12
    assert read(ledger, "ImpactLedger", "window_seconds") == settings.EPOCH_VETO_SECONDS
    assert read(ledger, "ImpactLedger", "poster") == chained.poster.address
    assert read(ledger, "ImpactLedger", "guardian") == chained.guardian.address
    assert read(found[Kind.FACTORY], "ForwarderFactory", "treasury") == chained.treasury.address
    assert (
        read(found[Kind.FACTORY], "ForwarderFactory", "implementation")
        == found[Kind.FORWARDER].address
    )


def test_contracts_are_known_once_their_blocks_are_final_and_where_they_lie(
    kisima: Site, chained: ChainNode
) -> None:
    advance()
    chained.drain()
    advance()
    assert not Contract.objects.exists()

    found = deploy(chained)

    for contract in found.values():
        assert contract.block_number <= chained.finalized()
        assert chained.code(contract.address, contract.block_number) != "0x"
        assert chained.code(contract.address, contract.block_number - 1) == "0x"


def test_deploying_again_sends_nothing(kisima: Site, chained: ChainNode) -> None:
    first = deploy(chained)
    sent = chained.nonce(chained.poster.address)

    assert deploy(chained) == first
    assert chained.nonce(chained.poster.address) == sent
    assert OutboxTransfer.objects.count() == 4


def test_a_later_site_gets_only_its_own_contracts(kisima: Site, chained: ChainNode) -> None:
    deploy(chained)
    later = second_site(kisima)

    found = deploy(chained)

    assert found[Kind.TOKEN].site == later
    assert read(found[Kind.TOKEN], "ImpactToken", "name") == "Impact token Lofé"
    assert Contract.objects.count() == 6
    assert OutboxTransfer.objects.count() == 6


def test_only_the_sites_that_are_named_are_deployed(kisima: Site, chained: ChainNode) -> None:
    second_site(kisima)

    deploy(chained, [kisima])

    assert set(Contract.objects.values_list("site__slug", flat=True)) == {None, "kisima"}


def kill_before(target: Any, name: str, call: int) -> Any:
    """A patch with which the call-th call of a function is not made any more."""
    original: Callable[..., Any] = getattr(target, name)
    calls_made = 0

    def counted(*arguments: Any, **named: Any) -> Any:
        nonlocal calls_made
        calls_made += 1
        if calls_made == call:
            raise Killed
        return original(*arguments, **named)

    return mock.patch.object(target, name, counted)


@pytest.mark.parametrize(
    ("target", "name", "call"),
    [
        (outbox, "queue", 2),  # one of a pair is queued, in a transaction that never ends
        (outbox, "queue", 3),
        (outbox, "advance", 1),
        (outbox_signing, "_store", 2),
        (Chain, "send", 1),  # signed, not sent
        (Chain, "send", 4),
        (Chain, "receipt", 1),
        (deployment, "_record", 1),
        (deployment, "_record", 2),
    ],
)
@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_a_run_that_was_killed_is_run_again_and_each_contract_is_there_once(
    now: datetime, chained: ChainNode, target: Any, name: str, call: int
) -> None:
    Village.found(at=now)
    before = chained.nonce(chained.poster.address)

    with kill_before(target, name, call), pytest.raises(Killed):
        deploy(chained)
    found = deploy(chained)

    assert len(found) == 4
    assert chained.nonce(chained.poster.address) - before == 4
    assert OutboxTransfer.objects.filter(state="final").count() == 4


def test_a_pair_whose_nonce_another_took_is_deployed_anew(kisima: Site, chained: ChainNode) -> None:
    deploy(chained, [])
    original, behind = deployment._next_free_nonce, iter([-1])

    def foretold(*, chain: Chain, sender: str) -> int:
        return original(chain=chain, sender=sender) + next(behind, 0)

    with mock.patch.object(deployment, "_next_free_nonce", foretold):
        found = deploy(chained)

    states = dict(OutboxTransfer.objects.values_list("intent", "state"))
    assert states["deploy:ledger:kisima:1"] == "reverted"
    assert states["deploy:ledger:kisima:2"] == "final"
    assert read(found[Kind.TOKEN], "ImpactToken", "minter") == found[Kind.LEDGER].address
    assert (
        found[Kind.TOKEN].address
        == OutboxTransfer.objects.get(intent="deploy:token:kisima:2").contract_address
    )


def test_after_five_attempts_without_effect_a_person_is_asked(
    kisima: Site, chained: ChainNode
) -> None:
    deploy(chained, [])
    with (
        mock.patch.object(deployment, "_next_free_nonce", lambda *, chain, sender: 7_000),
        pytest.raises(DeploymentRefused, match="5 attempts had no effect"),
    ):
        deploy(chained)

    assert OutboxTransfer.objects.filter(intent__startswith="deploy:ledger:kisima").count() == 5


def test_what_waits_already_is_counted_before_a_nonce_is_foretold(
    kisima: Site, chained: ChainNode
) -> None:
    for number in range(3):
        outbox.queue(
            chain_id=chained.chain_id,
            intent=f"pay:{number}",
            to=chained.accounts[4].address,
            data="0x",
            at=timezone.now(),
        )

    deploy(chained)

    assert not OutboxTransfer.objects.filter(state="reverted").exists()


def test_a_new_database_on_an_older_chain_deploys_anew(kisima: Site, chained: ChainNode) -> None:
    for _ in range(3):  # what an earlier database sent
        chained.send(sender=chained.poster.address, to=chained.accounts[4].address)

    found = deploy(chained)

    assert read(found[Kind.TOKEN], "ImpactToken", "minter") == found[Kind.LEDGER].address


@pytest.fixture
def own_chain(village: Village, own_chain_node: ChainNode, settings: Any) -> Iterator[ChainNode]:
    """Kisima on a chain that the test may wipe."""
    for name, value in own_chain_node.settings().items():
        setattr(settings, name, value)
    yield own_chain_node


def wipe(node: ChainNode) -> None:
    port = node.port
    node.stop()
    node.start(port=port)


def test_a_wiped_chain_under_a_database_that_stayed_says_what_to_do(own_chain: ChainNode) -> None:
    deploy(own_chain)
    wipe(own_chain)

    with pytest.raises(DeploymentRefused, match=r"nothing stands there.*script/server --fresh"):
        advance()


def test_a_chain_wiped_before_all_was_final_says_what_to_do(own_chain: ChainNode) -> None:
    for _ in range(MOST_PASSES):
        with kill_before(deployment, "_record", 1):
            try:
                advance()
            except Killed:
                break
        own_chain.drain()
        own_chain.mine()
    wipe(own_chain)

    with pytest.raises(CommandError, match=r"is not the chain .*script/server --fresh"):
        deploy_contracts.look(wanted=sites.open_sites(), at=timezone.now())


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("CHAIN_POSTER", "", "CHAIN_POSTER is not set"),
        ("CHAIN_GUARDIAN_ADDRESS", "", "CHAIN_GUARDIAN_ADDRESS is not set to an address"),
        ("CHAIN_GUARDIAN_ADDRESS", "0x" + "00" * 20, "CHAIN_GUARDIAN_ADDRESS is not set"),
        ("CHAIN_TREASURY_ADDRESS", "kisima", "CHAIN_TREASURY_ADDRESS is not set to an address"),
        (
            "CHAIN_GUARDIAN_ADDRESS",
            "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
            "who proposes must not be who vetoes",
        ),
    ],
)
def test_a_role_that_is_not_set_is_named(
    kisima: Site, settings: Any, name: str, value: str, sentence: str
) -> None:
    setattr(settings, name, value)

    with pytest.raises(DeploymentRefused, match=sentence):
        advance()
    assert not OutboxTransfer.objects.exists()


def test_a_site_that_mints_nothing_for_energy_is_refused(kisima: Site) -> None:
    Site.objects.update(impact_token_wei_per_kwh=0)

    with pytest.raises(DeploymentRefused, match="kisima mints no tokens for a kWh"):
        advance()


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("deploy_contracts", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_tells_each_step_and_the_addresses(kisima: Site, chained: ChainNode) -> None:
    chained.rpc("evm_setIntervalMining", 1)
    try:
        with mock.patch.object(deploy_contracts, "_LOOK_SECONDS", 0.1):
            told = run()
    finally:
        chained.rpc("evm_setIntervalMining", 0)

    ledger = Contract.objects.get(kind=Kind.LEDGER)
    assert "Kisima: in a block, which is not final yet" in told
    assert f"ledger {ledger.address}" in told
    assert told.endswith("all contracts are there\n")
    assert f"ledger {ledger.address}" in run("--site", "kisima")


def test_the_command_gives_up_and_says_that_it_may_be_run_again(
    kisima: Site, chained: ChainNode
) -> None:
    with pytest.raises(CommandError, match="run it again and it goes on from here"):
        run("--patience", "0")

    assert len(deploy(chained)) == 4


def test_the_command_refuses_a_site_that_there_is_not(kisima: Site) -> None:
    with pytest.raises(CommandError, match="There is no open site nowhere"):
        run("--site", "nowhere")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("CHAIN_RPC_URL", "", "The chain is not there: CHAIN_RPC_URL is not set"),
        ("CHAIN_RPC_URL", "http://127.0.0.1:9", "The chain is not there"),
        ("CHAIN_ID", 100, "the node is on chain 31337, not 100"),
        ("CHAIN_POSTER", "local:no key", "CHAIN_POSTER can't sign"),
        ("CHAIN_POSTER", "web3signer:http://127.0.0.1:9", "CHAIN_POSTER can't sign"),
    ],
)
def test_the_command_refuses_with_one_sentence(
    kisima: Site, settings: Any, name: str, value: Any, sentence: str
) -> None:
    setattr(settings, name, value)

    with pytest.raises(CommandError, match=sentence) as refused:
        run()

    assert "\n" not in str(refused.value)
    assert not OutboxTransfer.objects.exists()


def test_a_local_key_is_refused_outside_the_demo(chain_node: ChainNode) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "deploy_contracts"],
        cwd=ROOT,
        env={**os.environ, "DEMO": "0", "CHAIN_POSTER": f"local:{chain_node.poster.key}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.strip() == (
        "CHAIN_POSTER is a local key, which only the demo may use: give aws-kms: or web3signer:."
    )


@pytest.mark.parametrize("nonce", [0, 1, 127, 128, 255, 256, 65_535, 70_000])
def test_addresses_are_foretold_as_the_chain_gives_them(chained: ChainNode, nonce: int) -> None:
    sender = chained.accounts[4].address
    chained.rpc("anvil_setNonce", sender, hex(nonce))

    receipt = chained.receipt(chained.send(sender=sender, data="0x600160005360016000f3"))

    assert receipt is not None
    foretold = deployment.address_of(sender=sender, nonce=nonce)
    assert receipt["contractAddress"] == foretold.lower()


def test_gas_is_enough_for_each_contract_and_not_without_bounds(
    kisima: Site, chained: ChainNode
) -> None:
    deploy(chained)

    for row in OutboxTransfer.objects.all():
        assert row.gas_used is not None and row.gas_limit is not None
        assert 1.2 * row.gas_used < row.gas_limit < 5_000_000


def test_the_demo_takes_the_sandboxs_money_where_it_is(kisima: Site, chained: ChainNode) -> None:
    sandbox_chain.deploy(url=chained.url)
    told: list[str] = []
    chained.rpc("evm_setIntervalMining", 1)
    try:
        for _ in range(2):
            demo_chain.begin(sites=[kisima], tell=told.append)
            demo_chain.finish(sites=[kisima], tell=told.append)
    finally:
        chained.rpc("evm_setIntervalMining", 0)

    assets = {asset.code: asset for asset in ChainAsset.objects.all()}
    assert list(assets) == ["DAI", "ETH", "USDC"]
    assert (assets["DAI"].decimals, assets["USDC"].decimals, assets["ETH"].address) == (18, 6, "")
    for asset in assets.values():
        for address in filter(None, (asset.address, asset.feed_address)):
            assert chained.code(address) != "0x"
    assert Operator.objects.get().crypto_licence
    assert any("Kisima: token 0x" in line for line in told)


def test_the_demo_takes_no_money_that_is_not_on_the_chain(kisima: Site, chained: ChainNode) -> None:
    deploy(chained)

    demo_chain.finish(sites=[kisima], tell=lambda line: None)

    assert not ChainAsset.objects.exists()


def test_the_demo_without_a_chain_goes_on_without(village: Village) -> None:
    told: list[str] = []

    demo_chain.begin(sites=[village.site], tell=told.append)
    demo_chain.finish(sites=[village.site], tell=told.append)

    assert told == ["chain: none, as CHAIN_RPC_URL is not set"]
    assert not OutboxTransfer.objects.exists()


def test_another_chain_under_the_same_address_is_not_believed(
    kisima: Site, chained: ChainNode, settings: Any
) -> None:
    settings.CHAIN_ID = 5

    with pytest.raises(ChainLies):
        advance()
