"""What tests of the outbox share: transfers of known effect on a real node, and what they did."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from eth_utils.address import to_checksum_address

from accounts.models import Alarm
from tests.chain_node import ChainNode
from tokens.chain import outbox
from tokens.chain.client import Chain
from tokens.models import OutboxTransfer, SignedTransfer

COUNTER = "0x60005460010160005500"
"""Runtime code that counts its calls in slot 0."""
_SAID = "08c379a0" + f"{32:064x}" + f"{6:064x}" + b"no sun".hex().ljust(64, "0")
REFUSER = "0x6064600c60003960646000fd" + _SAID
"""Runtime code that reverts with Error("no sun"), which it copies from its own end."""
GATE = "0x600054600b5760006000fd5b00"
"""Runtime code that reverts without a word while slot 0 is zero."""
AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
GWEI = 10**9


def address(number: int) -> str:
    """An address of nobody, in the form with its checksum."""
    return str(to_checksum_address(f"0x{0xC0DE0000 + number:040x}"))


@dataclass(kw_only=True)
class Rig:
    """An outbox on a node, with a clock of its own."""

    node: ChainNode
    at: datetime = AT
    chain: Chain = field(init=False)

    def __post_init__(self) -> None:
        self.chain = Chain(rpc_url=self.node.url, chain_id=self.node.chain_id)

    def pay(
        self, intent: str, *, to: int = 1, value_wei: int = 1, gas_limit: int | None = None
    ) -> OutboxTransfer:
        """Queue a payment of native money to an address of nobody: its effect is what it holds."""
        return outbox.queue(
            chain_id=self.node.chain_id,
            intent=intent,
            to=address(to),
            data="0x",
            value_wei=value_wei,
            gas_limit=gas_limit,
            at=self.at,
        )

    def call(self, intent: str, *, to: str, gas_limit: int | None = None) -> OutboxTransfer:
        return outbox.queue(
            chain_id=self.node.chain_id,
            intent=intent,
            to=to,
            data="0x",
            gas_limit=gas_limit,
            at=self.at,
        )

    def contract(self, code: str, *, number: int) -> str:
        """Put code at an address."""
        self.node.rpc("anvil_setCode", address(number), code)
        return address(number)

    def advance(self, *, seconds: int = 2) -> None:
        self.at += timedelta(seconds=seconds)
        outbox.advance(chain=self.chain, at=self.at)
        if self.node.rpc("anvil_getAutomine"):
            self.node.drain()

    def run(self, *, seconds: int = 2) -> None:
        self.at += timedelta(seconds=seconds)
        outbox.run(at=self.at)

    def finish(self) -> None:
        """Send, mine and finalize all that can be."""
        self.advance()
        self.node.finalize()
        self.advance()

    def row(self, intent: str) -> OutboxTransfer:
        return OutboxTransfer.objects.get(intent=intent)

    def versions(self, intent: str) -> list[SignedTransfer]:
        return list(SignedTransfer.objects.filter(outbox__intent=intent).order_by("id"))

    def counted(self, contract: str) -> int:
        """How often a COUNTER was called."""
        return int(self.node.rpc("eth_getStorageAt", contract, "0x0", "latest"), 16)

    def held(self, number: int = 1) -> int:
        """Wei that an address of nobody was paid."""
        return self.node.balance(address(number))


def alarms() -> dict[str, str]:
    """Words of the open alarms about the chain, by key."""
    return dict(
        Alarm.objects.filter(kind="chain", cleared_at__isnull=True).values_list("key", "text")
    )
