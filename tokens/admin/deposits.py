"""Money that came on chain: deposits and what waits for a person, addresses, strays, assets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from eth_utils.address import is_checksum_address
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts import campaigns, crypto_returns
from accounts.admin.base import Closable, ReadOnlyAdmin, page_action, row_of
from accounts.admin.columns import dai, linked, percent, when
from accounts.admin.scope import VisibleFilter
from accounts.crypto_returns import ReturnRefused
from accounts.deposits import AlreadyCredited, DepositRefused
from accounts.ledger import DAI, IMPACT_TOKEN
from accounts.models import User
from accounts.money import decimal_string
from tokens import crypto_review, quotes
from tokens.chain.final import NotFinal
from tokens.crypto_review import AlreadyDecided
from tokens.models import AssetQuote, ChainAsset, Deposit, Forwarder, StrayTransfer
from tokens.quotes import PAR_DECIMALS, QuoteUnavailable

Refusals = (NotFinal, AlreadyDecided, AlreadyCredited, DepositRefused, QuoteUnavailable)


class NoteForm(forms.Form):
    """Why, in the words of whoever decides."""

    note = forms.CharField(max_length=200, widget=UnfoldAdminTextInputWidget)


class SentBackForm(forms.Form):
    """With which transfer a gift was sent back."""

    reference = forms.RegexField(
        regex=r"^0x[0-9a-fA-F]{64}$",
        label="Hash of the transfer back",
        widget=UnfoldAdminTextInputWidget,
        error_messages={"invalid": "Write 0x and 64 hexadecimal digits."},
    )


class ToSendBack(admin.SimpleListFilter):
    """Gifts to campaigns that missed their goal, not sent back yet."""

    title = "campaign missed"
    parameter_name = "campaign"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("missed", "to be sent back")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() != "missed":
            return queryset
        waiting = [donation.pk for donation in campaigns.crypto_to_give_back()]
        return queryset.filter(donation__in=waiting)


@admin.register(Deposit)
class DepositAdmin(ReadOnlyAdmin):
    """Receipts on chain, each credited once when final. Some wait for a person."""

    operator_lookup = "forwarder__site__operator"
    actions_detail = ("credit", "dismiss", "send_back")
    list_display = (
        "amount",
        "owner",
        "state",
        "reason",
        dai("credited_wei", title="credited"),
        "block_number",
        when("seen_at"),
        when("credited_at"),
    )
    list_filter = ("state", ToSendBack, "asset", ("forwarder__site", VisibleFilter), "seen_at")
    list_select_related = ("asset", "forwarder__household", "forwarder__donor")
    search_fields = (
        "transfer_hash__istartswith",
        "sender__iexact",
        "forwarder__address__iexact",
        "forwarder__household__code__istartswith",
    )
    search_help_text = "hash of the transfer, sender, address or household"
    fields = (
        "amount",
        "state",
        "reason",
        linked("forwarder"),
        "owner",
        "chain_id",
        "transfer_hash",
        "log_index",
        "sender",
        "block_number",
        "block_hash",
        dai("credited_wei", title="credited"),
        "quote",
        linked("entry"),
        linked("donation"),
        "sweep",
        when("seen_at"),
        when("credited_at"),
        when("finished_at"),
    )

    @admin.display(description="amount")
    def amount(self, deposit: Deposit) -> str:
        return _amount(deposit.units, asset=deposit.asset)

    @admin.display(description="of")
    def owner(self, deposit: Deposit) -> str:
        return _owner(deposit.forwarder)

    def has_decide_permission(self, request: HttpRequest, object_id: str = "") -> bool:
        """Who may decide about deposits: whoever has the right to change them."""
        return request.user.has_perm("tokens.change_deposit")

    @page_action("Credit it", permission="decide")
    def credit(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why; then credit it to whom the address belongs, at the quote of now."""

        def decide(deposit: Deposit, _note: str) -> str:
            credited = crypto_review.credit(deposit=deposit, at=timezone.now())
            return f"Credited {decimal_string(amount=credited.credited_wei or 0, decimals=18)} DAI"

        return self._decide(request, object_id, title="Credit it", decide=decide)

    @page_action("Do not credit it", permission="decide")
    def dismiss(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why; then leave it out of the books."""

        def decide(deposit: Deposit, note: str) -> str:
            crypto_review.dismiss(deposit=deposit, note=note, at=timezone.now())
            return "Dismissed"

        return self._decide(request, object_id, title="Do not credit it", decide=decide)

    @page_action("It was sent back", permission="decide")
    def send_back(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask with which transfer; then take a gift to a missed campaign out of the books."""
        deposit = row_of(self, request, object_id, may=self.has_decide_permission(request))
        form = SentBackForm(request.POST or None)
        if deposit.donation is None:
            self.message_user(request, "Only a gift can be sent back.", messages.ERROR)
        elif request.method == "POST" and form.is_valid() and isinstance(request.user, User):
            reference = str(form.cleaned_data["reference"]).lower()
            try:
                crypto_returns.note(
                    donation=deposit.donation,
                    asset=quotes.booked_as(deposit.asset),
                    units=deposit.units,
                    reference=reference,
                    made_by=request.user,
                    at=timezone.now(),
                )
            except ReturnRefused as error:
                form.add_error("reference", f"{str(error)[:1].upper()}{str(error)[1:]}.")
            else:
                self.log_change(request, deposit, f"Sent back with {reference}")
                return self.back(request, row=deposit, said=f"Noted: {deposit.sender} has it.")
        return self.ask(request, row=deposit, title="It was sent back", form=form)

    def _decide(
        self,
        request: HttpRequest,
        object_id: str,
        *,
        title: str,
        decide: Callable[[Deposit, str], str],
    ) -> HttpResponse:
        deposit = row_of(self, request, object_id, may=self.has_decide_permission(request))
        form = NoteForm(request.POST or None)
        if deposit.state not in crypto_review.DECIDABLE:
            said = f"The deposit is {deposit.get_state_display()}: there is nothing to decide."
            self.message_user(request, said, messages.ERROR)
        elif request.method == "POST" and form.is_valid():
            note = str(form.cleaned_data["note"])
            try:
                said = decide(deposit, note)
            except Refusals as error:
                form.add_error("note", f"{str(error)[:1].upper()}{str(error)[1:]}.")
            else:
                self.log_change(request, deposit, f"{said}: {note}")
                return self.back(request, row=deposit, said=f"{said}.")
        return self.ask(request, row=deposit, title=title, form=form)


@admin.register(StrayTransfer)
class StrayTransferAdmin(ReadOnlyAdmin):
    """Tokens that we do not take, sent to our addresses. Most are spam; some a mistake."""

    operator_lookup = "forwarder__site__operator"
    actions_detail = ("dismiss",)
    list_display = (
        "token_address",
        "units",
        "owner",
        "note",
        when("seen_at"),
        when("dismissed_at"),
    )
    list_filter = (("dismissed_at", admin.EmptyFieldListFilter), "token_address", "seen_at")
    list_select_related = ("forwarder__household", "forwarder__donor")
    search_fields = ("transfer_hash__istartswith", "token_address__iexact")
    fields = (
        "token_address",
        "units",
        linked("forwarder"),
        "owner",
        "chain_id",
        "transfer_hash",
        "log_index",
        "block_number",
        "note",
        when("seen_at"),
        when("dismissed_at"),
    )

    @admin.display(description="of")
    def owner(self, stray: StrayTransfer) -> str:
        return _owner(stray.forwarder)

    def has_decide_permission(self, request: HttpRequest, object_id: str = "") -> bool:
        """Who may decide about strays: whoever has the right to change them."""
        return request.user.has_perm("tokens.change_straytransfer")

    @page_action("It was looked at", permission="decide")
    def dismiss(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask what was found; then it waits for nobody any more."""
        stray = row_of(self, request, object_id, may=self.has_decide_permission(request))
        form = NoteForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            note = str(form.cleaned_data["note"])
            crypto_review.dismiss_stray(stray=stray, note=note, at=timezone.now())
            self.log_change(request, stray, f"Looked at: {note}")
            return self.back(request, row=stray, said="Noted.")
        return self.ask(request, row=stray, title="It was looked at", form=form)


@admin.register(Forwarder)
class ForwarderAdmin(ReadOnlyAdmin):
    """Addresses to pay to. Their money goes to the treasury, whoever sends it on."""

    operator_lookup = "site__operator"
    list_display = ("address", "owner", "site", "is_deployed", when("created_at"))
    list_filter = (("site", VisibleFilter), "is_deployed", "created_at")
    list_select_related = ("household", "donor", "site")
    search_fields = ("address__iexact", "household__code__istartswith")
    fields = (
        "address",
        "salt",
        "chain_id",
        linked("site"),
        "owner",
        "is_deployed",
        when("native_wanted_at"),
        when("created_at"),
        when("watched_at"),
        "watched_block",
        "doubted_block",
    )

    @admin.display(description="of")
    def owner(self, forwarder: Forwarder) -> str:
        return _owner(forwarder)


class ChainAssetForm(forms.ModelForm):  # type: ignore[type-arg]
    """Money that we take: what it is, and how it is priced."""

    class Meta:
        model = ChainAsset
        fields = "__all__"

    def clean_code(self) -> str:
        code = str(self.cleaned_data["code"])
        if not code.isalnum() or not code.isascii() or code != code.upper():
            raise forms.ValidationError("Capitals and digits only, e.g. USDC.")
        if code == IMPACT_TOKEN:
            raise forms.ValidationError("That is the impact token.")
        return code

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        for name in ("address", "feed_address"):
            if cleaned.get(name) and not is_checksum_address(cleaned[name]):
                self.add_error(name, "Write the address with its checksum (EIP-55).")
        is_par = cleaned.get("pricing") == ChainAsset.Pricing.PAR
        if not is_par and "feed_address" in cleaned and not cleaned["feed_address"]:
            self.add_error("feed_address", "A price needs a feed.")
        if cleaned.get("code") == DAI and not (is_par and cleaned.get("decimals") == PAR_DECIMALS):
            self.add_error("pricing", "DAI is at par, with 18 decimals.")
        return cleaned


@admin.register(ChainAsset)
class ChainAssetAdmin(Closable):
    """Assets that we take on chain. Once it is there, what an asset is never changes."""

    form = ChainAssetForm
    list_display = (
        "code",
        "chain_id",
        "address",
        "decimals",
        "pricing",
        percent("haircut_basis_points", title="haircut"),
        "closed_at",
    )
    list_filter = ("chain_id", "pricing", ("closed_at", admin.EmptyFieldListFilter))
    fields = (
        "chain_id",
        "code",
        "address",
        "decimals",
        "pricing",
        "feed_address",
        "feed_heartbeat_seconds",
        "haircut_basis_points",
        "dust_units",
        "closed_at",
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("chain_id", "code", "address", "decimals", "pricing") if obj else ()

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Dust is in smallest units, not in DAI."""
        if db_field.name == "dust_units":
            return forms.IntegerField(
                min_value=0,
                initial=0,
                label="Dust",
                help_text=db_field.help_text,
                widget=UnfoldAdminTextInputWidget,
            )
        return super().formfield_for_dbfield(db_field, request, **kwargs)


@admin.register(AssetQuote)
class AssetQuoteAdmin(ReadOnlyAdmin):
    """What price feeds told, round by round."""

    list_display = ("asset", "price", when("updated_at"), when("expires_at"), when("read_at"))
    list_filter = ("asset", "updated_at")
    list_select_related = ("asset",)
    fields = (
        linked("asset"),
        "price",
        "feed_address",
        "round_id",
        when("updated_at"),
        when("expires_at"),
        when("read_at"),
    )

    @admin.display(description="price")
    def price(self, quote: AssetQuote) -> str:
        return f"{decimal_string(amount=quote.answer, decimals=quote.decimals)} USD"


def _amount(units: int, *, asset: ChainAsset) -> str:
    return f"{decimal_string(amount=units, decimals=asset.decimals)} {asset.code}"


def _owner(forwarder: Forwarder) -> str:
    return str(forwarder.household or f"donor {forwarder.donor}")
