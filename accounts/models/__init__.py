"""Models of people, sites and money, one subject a module."""

from accounts.models.donors import Donation, Donor, DonorContact, DonorsIndex
from accounts.models.households import (
    Household,
    HouseholdName,
    HouseholdPhone,
    HouseholdSite,
    Language,
    SmsOptOut,
)
from accounts.models.ledger import JournalEntry, LedgerAccount, Posting
from accounts.models.notices import Notice
from accounts.models.operators import Operator, Rail, User
from accounts.models.rates import RateQuote, SiteRate
from accounts.models.sites import Book, Site
from accounts.models.topups import Payment, TopUp, TopUpAttempt

__all__ = [
    "Book",
    "Donation",
    "Donor",
    "DonorContact",
    "DonorsIndex",
    "Household",
    "HouseholdName",
    "HouseholdPhone",
    "HouseholdSite",
    "JournalEntry",
    "Language",
    "LedgerAccount",
    "Notice",
    "Operator",
    "Payment",
    "Posting",
    "Rail",
    "RateQuote",
    "Site",
    "SiteRate",
    "SmsOptOut",
    "TopUp",
    "TopUpAttempt",
    "User",
]
