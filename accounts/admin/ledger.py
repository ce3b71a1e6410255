"""The ledger: accounts and entries with their postings. Nothing is written from here."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest

from accounts.admin.base import ReadOnlyAdmin, ReadOnlyInline
from accounts.admin.columns import linked, links, list_of, shown, shown_minor, when
from accounts.ledger import DAI, IMPACT_TOKEN, SERVICE_TOKEN
from accounts.models import Book, JournalEntry, LedgerAccount, Posting
from accounts.money import CURRENCY_DECIMALS


def with_book_name(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Add the name of the site or operator that a row's book belongs to; books are no relation."""
    book = Book.objects.filter(pk=OuterRef("book_id"))
    named: QuerySet[Any] = rows.annotate(
        book_name=Coalesce(
            Subquery(book.values("site__name")[:1]), Subquery(book.values("operator__name")[:1])
        )
    )
    return named


def amount_text(*, amount: int, asset: str) -> str:
    """Write an amount of a ledger account with its unit."""
    if asset in (DAI, IMPACT_TOKEN, SERVICE_TOKEN):
        return shown(amount, asset=asset)
    if asset in CURRENCY_DECIMALS:
        return shown_minor(amount, currency=asset)
    # Money on chain: each asset has decimals of its own, which are not known here.
    return f"{amount} smallest units of {asset}"


class OfBooks(ReadOnlyAdmin):
    """Rows that lie in a book of an operator or of its sites."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return with_book_name(super().get_queryset(request))

    def of_operator(self, rows: QuerySet[Any], operator_id: int) -> QuerySet[Any]:
        books = Book.objects.filter(Q(operator=operator_id) | Q(site__operator=operator_id))
        return rows.filter(book_id__in=books.values("pk"))

    @admin.display(description="book of", ordering="book_id")
    def book(self, row: Any) -> str:
        return str(row.book_name)


@admin.register(LedgerAccount)
class LedgerAccountAdmin(OfBooks):
    """One owner's amount of one asset; assets of ours stand below zero."""

    list_display = ("kind", "name", "household", "stands", "asset", "book")
    list_filter = ("kind", "asset", "name")
    list_select_related = ("household",)
    search_fields = ("household__code__istartswith", "name__iexact")
    ordering = ("book_id", "kind", "id")
    fields = ("book", "kind", "name", linked("household"), "asset", "stands", "amount", "entries")

    @admin.display(description="stands at", ordering="amount")
    def stands(self, account: LedgerAccount) -> str:
        return amount_text(amount=account.amount, asset=account.asset)

    @admin.display(description="Pages")
    def entries(self, account: LedgerAccount) -> str:
        return links([("Entries of this account", list_of(JournalEntry, account=account.pk))])


class PostingInline(ReadOnlyInline):
    """The legs of an entry."""

    model = Posting
    per_page = 100
    show_change_link = False
    fields = (linked("account"), "moves", "amount", "asset")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Of the entry's own book: postings are found by book and entry."""
        rows: QuerySet[Any] = super().get_queryset(request)
        entry_id = (
            request.resolver_match.kwargs.get("object_id") if request.resolver_match else None
        )
        if entry_id is not None and entry_id.isdigit():
            rows = rows.filter(
                book_id=Subquery(JournalEntry.objects.filter(pk=entry_id).values("book_id")[:1])
            )
        return rows.select_related("account__household").order_by("id")

    @admin.display(description="moves")
    def moves(self, posting: Posting) -> str:
        return amount_text(amount=posting.amount, asset=posting.asset)


class OfAccount(admin.SimpleListFilter):
    """Entries that touch an account; reached from the account's page."""

    title = "account"
    parameter_name = "account"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        chosen = request.GET.get("account", "")
        return [(chosen, f"account {chosen}"), ("", "every account")] if chosen else []

    def has_output(self) -> bool:
        return True

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not (self.value() or "").isdigit():
            return queryset
        touched = Posting.objects.filter(account_id=int(self.value() or 0))
        return queryset.filter(pk__in=touched.values("entry_id"))


@admin.register(JournalEntry)
class JournalEntryAdmin(OfBooks):
    """Balanced sets of postings, each a link of its book's chain."""

    inlines = (PostingInline,)
    list_display = (
        "id",
        "kind",
        "key",
        "book",
        "sequence",
        when("occurred_at"),
        when("recorded_at"),
    )
    list_filter = (OfAccount, "kind")
    search_fields = ("key__istartswith",)
    search_help_text = "key, e.g. top_up:daraja:SGL..."
    ordering = ("-id",)
    fields = (
        "book",
        "sequence",
        "kind",
        "key",
        "uid",
        when("occurred_at"),
        when("recorded_at"),
        "hashes",
    )

    @admin.display(description="hash, after the one before")
    def hashes(self, entry: JournalEntry) -> str:
        return f"{bytes(entry.hash).hex()} after {bytes(entry.previous_hash).hex() or 'nothing'}"
