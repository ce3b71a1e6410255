"""Models of what stands on chain and of what is shown to prove it, one subject a module."""

from tokens.models.cards import ShareCard
from tokens.models.chain import BlockCursor, ChainAsset, Contract
from tokens.models.claims import Claim, Verification
from tokens.models.deposits import Deposit, Forwarder, Outflow, StrayTransfer
from tokens.models.epochs import Cohort, Epoch, EpochLeaf, Leaf
from tokens.models.outbox import OutboxTransfer, SignedTransfer
from tokens.models.quotes import AssetQuote
from tokens.models.voting import Ballot, Choice, Proposal, Round, Weight
from tokens.models.wallets import SignIn, SignInNonce, WalletLink

__all__ = [
    "AssetQuote",
    "Ballot",
    "BlockCursor",
    "ChainAsset",
    "Choice",
    "Claim",
    "Cohort",
    "Contract",
    "Deposit",
    "Epoch",
    "EpochLeaf",
    "Forwarder",
    "Leaf",
    "OutboxTransfer",
    "Outflow",
    "Proposal",
    "Round",
    "ShareCard",
    "SignIn",
    "SignInNonce",
    "SignedTransfer",
    "StrayTransfer",
    "Verification",
    "WalletLink",
    "Weight",
]
