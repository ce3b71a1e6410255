"""Models of people, sites and money, one subject a module."""

from accounts.models.agents import Agent, AgentFloatChange
from accounts.models.alarms import Alarm
from accounts.models.campaigns import Campaign, CryptoReturn, GivingPlan, Milestone
from accounts.models.donors import Donation, Donor, DonorContact, DonorsIndex, Pledge
from accounts.models.fiscal import FiscalLine, FiscalReceipt, TaxLine
from accounts.models.households import (
    Household,
    HouseholdName,
    HouseholdPhone,
    HouseholdSite,
    Language,
    SmsOptOut,
)
from accounts.models.ledger import JournalEntry, LedgerAccount, Posting
from accounts.models.letters import DonorLink, Letter, LetterOptOut, LinkRequest
from accounts.models.notices import Notice
from accounts.models.operators import Operator, Rail, User
from accounts.models.paybacks import Dispute, PayerClaim, Refund, Reversal, TakeBack
from accounts.models.payments import Payment, PaymentAttempt
from accounts.models.places import HouseholdPlace, SiteMap
from accounts.models.rates import RateProposal, RateQuote, SiteRate
from accounts.models.sites import Book, Site
from accounts.models.topups import TopUp
from accounts.models.treasury import CryptoConversion, TreasuryConversion

__all__ = [
    "Agent",
    "AgentFloatChange",
    "Alarm",
    "Book",
    "Campaign",
    "CryptoConversion",
    "CryptoReturn",
    "Dispute",
    "Donation",
    "Donor",
    "DonorContact",
    "DonorLink",
    "DonorsIndex",
    "FiscalLine",
    "FiscalReceipt",
    "GivingPlan",
    "Household",
    "HouseholdName",
    "HouseholdPhone",
    "HouseholdPlace",
    "HouseholdSite",
    "JournalEntry",
    "Language",
    "LedgerAccount",
    "Letter",
    "LetterOptOut",
    "LinkRequest",
    "Milestone",
    "Notice",
    "Operator",
    "PayerClaim",
    "Payment",
    "PaymentAttempt",
    "Pledge",
    "Posting",
    "Rail",
    "RateProposal",
    "RateQuote",
    "Refund",
    "Reversal",
    "Site",
    "SiteMap",
    "SiteRate",
    "SmsOptOut",
    "TakeBack",
    "TaxLine",
    "TopUp",
    "TreasuryConversion",
    "User",
]
