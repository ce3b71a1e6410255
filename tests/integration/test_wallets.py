"""Wallets: what counts as signed, once and for one purpose, and what a link changes."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from pytest_django import Settings

from accounts import donors_index
from accounts.models import Donation, Donor, Household, Notice
from launcher.dev_accounts import DevAccount
from tests.chain_node import ChainNode, chain_node, chained
from tests.signing import AMINA, BARAKA, CLARA, contract_wallet, signed
from tests.village import Village
from tokens import leaves, wallets
from tokens.chain.sign_in import Refused
from tokens.models import Leaf, SignIn, SignInNonce, WalletLink
from tokens.wallets import NotAllowed

__all__ = ["chain_node", "chained"]

pytestmark = pytest.mark.django_db

URI = "http://127.0.0.1:8000/donor/enter/"
WAIT = timedelta(days=3)


@pytest.fixture
def donor(village: Village, now: datetime) -> Donor:
    """A donor with one donation, and five households beside: everybody has a leaf."""
    donor = Donor.objects.create(created_at=now)
    _donate(village, donor, at=now)
    for number in range(1, 6):
        village.household(f"KIS000{number}", phone=f"+25471100000{number}")
    leaves.keep(site=village.site, at=now)
    return donor


@pytest.fixture
def home(donor: Donor) -> Household:
    return Household.objects.get(code="KIS0001")


def _donate(village: Village, donor: Donor, *, at: datetime) -> Donation:
    return donors_index.donate(
        donor=donor, site=village.site, amount_wei=10**18, donated_at=at, vests_at=at
    )


def _message(
    *, at: datetime, purpose: str = wallets.ENTER, by: str = AMINA.address, uri: str = URI
) -> str:
    return wallets.challenge(
        purpose=purpose, address=by, uri=uri, statement="Link this wallet.", at=at
    ).message


def _answer(
    message: str, *, at: datetime, by: DevAccount = AMINA, purpose: str = wallets.ENTER
) -> SignIn:
    return wallets.answer(purpose=purpose, message=message, signature=signed(message, by=by), at=at)


def _link(purpose: str, *, at: datetime, by: DevAccount = AMINA) -> SignIn:
    message = _message(at=at, purpose=purpose, by=by.address)
    return _answer(message, at=at, by=by, purpose=purpose)


def _wallets_of(household: Household) -> set[str]:
    return set(Leaf.objects.filter(household=household).values_list("wallet", flat=True))


# What counts as signed


def test_a_message_that_the_wallet_signed_is_accepted_at_once(db: None, now: datetime) -> None:
    taken = _answer(_message(at=now), at=now)

    assert (taken.state, taken.address) == ("accepted", AMINA.address)


def test_an_address_without_capitals_is_shown_with_its_checksum(db: None, now: datetime) -> None:
    asked = wallets.challenge(
        purpose=wallets.ENTER, address=AMINA.address.lower(), uri=URI, statement="Hi.", at=now
    )

    assert asked.address == AMINA.address
    assert AMINA.address in asked.message


@pytest.mark.parametrize(
    "typed",
    ["", "0x", "amina.eth", AMINA.address[:-1], AMINA.address[:-1] + "8", "0x" + "g" * 40],
)
def test_what_is_no_address_gets_no_nonce(db: None, now: datetime, typed: str) -> None:
    with pytest.raises(Refused, match="address"):
        _message(at=now, by=typed)
    assert not SignInNonce.objects.exists()


def test_a_nonce_is_good_once(db: None, now: datetime) -> None:
    message = _message(at=now)
    _answer(message, at=now)

    with pytest.raises(Refused, match="used"):
        _answer(message, at=now)


def test_a_nonce_that_was_never_issued_is_refused(db: None, now: datetime) -> None:
    message = _message(at=now)
    SignInNonce.objects.all().delete()

    with pytest.raises(Refused, match="nonce"):
        _answer(message, at=now)


def test_a_message_expires(db: None, now: datetime) -> None:
    message = _message(at=now)
    late = now + wallets.NONCE_LASTS

    _answer(_message(at=now), at=late - timedelta(seconds=1))
    with pytest.raises(Refused, match="expired"):
        _answer(message, at=late)


def test_a_message_that_says_it_expired_is_refused_within_the_time_of_its_nonce(
    db: None, now: datetime
) -> None:
    message = _message(at=now)
    SignInNonce.objects.update(expires_at=now + timedelta(days=1))

    with pytest.raises(Refused, match="expired"):
        _answer(message, at=now + timedelta(hours=1))


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ("127.0.0.1:8000 wants you", "evil.example wants you", "domain"),
        ("URI: http://127.0.0.1:8000/", "URI: http://evil.example/", "uri"),
        ("Chain ID: 100", "Chain ID: 1", "chain"),
    ],
)
@pytest.mark.usefixtures("db")
def test_a_message_for_somebody_else_is_refused(
    now: datetime, settings: Settings, before: str, after: str, code: str
) -> None:
    settings.CHAIN_ID = 100
    message = _message(at=now)
    assert before in message

    with pytest.raises(Refused, match=code):
        _answer(message.replace(before, after), at=now)


def test_a_nonce_of_another_purpose_is_refused(db: None, now: datetime, donor: Donor) -> None:
    message = _message(at=now, purpose=wallets.ENTER)

    with pytest.raises(Refused, match="purpose"):
        _answer(message, at=now, purpose=wallets.first_of(donor=donor))
    assert not WalletLink.objects.exists()


def test_another_wallets_signature_is_refused_where_there_is_no_chain(
    db: None, now: datetime
) -> None:
    message = _message(at=now)

    with pytest.raises(Refused, match="signature"):
        _answer(message, at=now, by=BARAKA)


def test_a_changed_message_is_not_the_one_that_was_signed(db: None, now: datetime) -> None:
    message = _message(at=now)
    signature = signed(message, by=AMINA)

    with pytest.raises(Refused, match="signature"):
        wallets.answer(
            purpose=wallets.ENTER,
            message=message.replace(AMINA.address, BARAKA.address),
            signature=signature,
            at=now,
        )


@pytest.mark.parametrize(
    "message", ["", "hello", "x" * 5_000, "\x00", "été", "{}", "Nonce: 12345678", "[" * 1_400]
)
def test_what_is_no_message_is_malformed(db: None, now: datetime, message: str) -> None:
    with pytest.raises(Refused, match="malformed"):
        wallets.answer(purpose=wallets.ENTER, message=message, signature="0x00", at=now)


@pytest.mark.parametrize("signature", ["", "0x", "0xzz", "0x0", "ü", "0x" + "00" * 1_100])
def test_what_is_no_signature_is_malformed_and_uses_no_nonce(
    db: None, now: datetime, signature: str
) -> None:
    message = _message(at=now)

    with pytest.raises(Refused, match="malformed"):
        wallets.answer(purpose=wallets.ENTER, message=message, signature=signature, at=now)
    _answer(message, at=now)


@pytest.mark.parametrize("signature", ["0x00", "0x" + "00" * 65, "0x" + "ff" * 65])
def test_a_signature_that_nobody_could_have_made_is_refused(
    db: None, now: datetime, signature: str
) -> None:
    with pytest.raises(Refused, match="signature"):
        wallets.answer(purpose=wallets.ENTER, message=_message(at=now), signature=signature, at=now)


def test_line_ends_of_a_form_and_a_signature_without_its_prefix_do_no_harm(
    db: None, now: datetime
) -> None:
    message = _message(at=now)
    signature = signed(message, by=AMINA).removeprefix("0x").upper()

    taken = wallets.answer(
        purpose=wallets.ENTER,
        message=message.replace("\n", "\r\n") + "\r\n",
        signature=f" {signature}\n",
        at=now,
    )
    assert taken.state == "accepted"


# Wallets that are contracts


def test_a_contracts_wallet_is_asked_by_a_worker_and_says_yes(
    chained: ChainNode, now: datetime, donor: Donor
) -> None:
    wallet = contract_wallet(chained, owner=AMINA)
    purpose = wallets.first_of(donor=donor)
    taken = _answer(_message(at=now, by=wallet, purpose=purpose), at=now, purpose=purpose)
    assert taken.state == "waiting"
    assert not WalletLink.objects.exists()

    decided = wallets.decide(sign_in_id=taken.pk, at=now)

    assert decided.state == "accepted"
    assert WalletLink.objects.get().address == wallet
    assert Leaf.objects.get(donation__donor=donor).wallet == wallet


def test_a_contracts_wallet_says_no_to_somebody_else(
    chained: ChainNode, now: datetime, donor: Donor
) -> None:
    wallet = contract_wallet(chained, owner=AMINA)
    purpose = wallets.first_of(donor=donor)
    message = _message(at=now, by=wallet, purpose=purpose)
    taken = _answer(message, at=now, by=BARAKA, purpose=purpose)

    wallets.decide_waiting(at=now)

    taken.refresh_from_db()
    assert (taken.state, taken.reason) == ("refused", "signature")
    assert not WalletLink.objects.exists()


def test_a_contract_that_reverts_says_no(chained: ChainNode, now: datetime) -> None:
    wallet = contract_wallet(chained, owner=AMINA)
    taken = wallets.answer(
        purpose=wallets.ENTER, message=_message(at=now, by=wallet), signature="0x1234", at=now
    )

    assert wallets.decide(sign_in_id=taken.pk, at=now).reason == "signature"


def test_an_address_without_a_contract_says_no(chained: ChainNode, now: datetime) -> None:
    taken = _answer(_message(at=now), at=now, by=BARAKA)
    assert taken.state == "waiting"

    assert wallets.decide(sign_in_id=taken.pk, at=now).reason == "signature"


def test_a_chain_that_is_down_leaves_a_sign_in_waiting_for_an_hour(
    chained: ChainNode, now: datetime, settings: Settings
) -> None:
    wallet = contract_wallet(chained, owner=AMINA)
    first, second = (_answer(_message(at=now, by=wallet), at=now) for _ in range(2))
    settings.CHAIN_RPC_URL = "http://127.0.0.1:1"

    wallets.decide_waiting(at=now + timedelta(minutes=59))
    assert set(SignIn.objects.values_list("state", flat=True)) == {"waiting"}
    assert wallets.decide(sign_in_id=first.pk, at=now + timedelta(hours=1)).reason == "no_answer"

    settings.CHAIN_RPC_URL = chained.url
    assert wallets.decide(sign_in_id=second.pk, at=now + timedelta(minutes=59)).state == "accepted"


def test_a_decided_sign_in_is_not_decided_again(chained: ChainNode, now: datetime) -> None:
    taken = _answer(_message(at=now), at=now, by=BARAKA)
    first = wallets.decide(sign_in_id=taken.pk, at=now)

    again = wallets.decide(sign_in_id=taken.pk, at=now + timedelta(days=1))

    assert (again.state, again.decided_at) == (first.state, first.decided_at)


# What a link changes


def test_a_donors_wallet_gets_every_donation_at_once_and_later_ones_too(
    village: Village, now: datetime, donor: Donor
) -> None:
    _link(wallets.first_of(donor=donor), at=now)
    assert Leaf.objects.get(donation__donor=donor).wallet == AMINA.address

    _donate(village, donor, at=now)
    leaves.keep(site=village.site, at=now)
    wallets.take_effect(at=now)

    assert set(Leaf.objects.filter(donation__donor=donor).values_list("wallet", flat=True)) == {
        AMINA.address
    }
    assert not Leaf.objects.exclude(donation__donor=donor).exclude(wallet="").exists()


def test_a_leaf_that_was_made_without_its_owners_wallet_gets_it(
    now: datetime, donor: Donor
) -> None:
    _link(wallets.first_of(donor=donor), at=now)
    Leaf.objects.update(wallet="")

    assert wallets.take_effect(at=now) == 1
    assert Leaf.objects.get(donation__donor=donor).wallet == AMINA.address
    assert wallets.take_effect(at=now) == 0


def test_the_page_of_a_payment_links_a_first_wallet_only(now: datetime, donor: Donor) -> None:
    _link(wallets.first_of(donor=donor), at=now)

    with pytest.raises(NotAllowed, match="has_one"):
        _link(wallets.first_of(donor=donor), at=now, by=BARAKA)
    assert Leaf.objects.get(donation__donor=donor).wallet == AMINA.address


def test_who_signed_in_with_the_present_wallet_links_another(now: datetime, donor: Donor) -> None:
    _link(wallets.first_of(donor=donor), at=now)
    _link(wallets.next_of(donor=donor), at=now + timedelta(hours=1), by=BARAKA)

    link = wallets.current(donor=donor)
    assert link is not None
    assert link.address == BARAKA.address
    assert Leaf.objects.get(donation__donor=donor).wallet == BARAKA.address
    assert WalletLink.objects.get(address=AMINA.address).unlinked_at == now + timedelta(hours=1)


def test_linking_the_same_wallet_again_changes_nothing(now: datetime, donor: Donor) -> None:
    for _ in range(2):
        _link(wallets.first_of(donor=donor), at=now)

    assert WalletLink.objects.count() == 1


def test_a_households_wallet_waits_and_its_phones_are_told(now: datetime, home: Household) -> None:
    _link(wallets.of(household=home), at=now)

    assert _wallets_of(home) == {""}
    notice = Notice.objects.get()
    assert (notice.kind, notice.phone) == ("wallet_coming", "+254711000001")
    assert notice.params == {
        "household_code": "KIS0001",
        "wallet": AMINA.address,
        "day": "2026-03-05",
    }

    assert wallets.take_effect(at=now + WAIT - timedelta(seconds=1)) == 0
    assert _wallets_of(home) == {""}
    assert wallets.take_effect(at=now + WAIT) == 1
    assert _wallets_of(home) == {AMINA.address}
    assert wallets.coming(household=home) is None


def test_a_household_refuses_a_wallet_that_is_not_its_own(now: datetime, home: Household) -> None:
    _link(wallets.of(household=home), at=now)

    assert wallets.object_to(household=home, at=now + timedelta(days=1))
    wallets.take_effect(at=now + WAIT)

    assert _wallets_of(home) == {""}
    assert not wallets.object_to(household=home, at=now + WAIT)


def test_the_present_wallet_stays_until_the_next_one_takes_effect(
    now: datetime, home: Household
) -> None:
    _link(wallets.of(household=home), at=now)
    wallets.take_effect(at=now + WAIT)
    _link(wallets.of(household=home), at=now + WAIT, by=BARAKA)

    assert _wallets_of(home) == {AMINA.address}
    wallets.object_to(household=home, at=now + WAIT)
    assert _wallets_of(home) == {AMINA.address}
    link = wallets.current(household=home)
    assert link is not None
    assert link.address == AMINA.address

    _link(wallets.of(household=home), at=now + WAIT, by=CLARA)
    wallets.take_effect(at=now + 2 * WAIT)
    assert _wallets_of(home) == {CLARA.address}


def test_a_newer_wish_replaces_the_one_that_waits(now: datetime, home: Household) -> None:
    _link(wallets.of(household=home), at=now)
    _link(wallets.of(household=home), at=now + timedelta(hours=1), by=BARAKA)

    wallets.take_effect(at=now + WAIT)
    assert _wallets_of(home) == {""}
    wallets.take_effect(at=now + WAIT + timedelta(hours=1))
    assert _wallets_of(home) == {BARAKA.address}


def test_a_household_is_not_worn_down_with_wallets(now: datetime, home: Household) -> None:
    for by in (AMINA, BARAKA, CLARA):
        _link(wallets.of(household=home), at=now, by=by)

    with pytest.raises(NotAllowed, match="too_many"):
        _link(wallets.of(household=home), at=now + timedelta(days=6))
    _link(wallets.of(household=home), at=now + timedelta(days=8))


def test_the_operator_ends_a_link(now: datetime, home: Household) -> None:
    _link(wallets.of(household=home), at=now)
    wallets.take_effect(at=now + WAIT)
    link = wallets.current(household=home)
    assert link is not None

    wallets.unlink(link=link, at=now + WAIT)

    assert _wallets_of(home) == {""}
    assert wallets.current(household=home) is None
    assert wallets.take_effect(at=now + 2 * WAIT) == 0


def test_old_sign_ins_are_forgotten_and_links_stay(now: datetime, donor: Donor) -> None:
    _link(wallets.first_of(donor=donor), at=now)

    wallets.forget(at=now + timedelta(days=6))
    assert SignIn.objects.count() == 1
    wallets.forget(at=now + timedelta(days=8))

    assert not SignInNonce.objects.exists()
    assert not SignIn.objects.exists()
    assert AMINA.address in WalletLink.objects.get().message


def test_a_households_leaf_opens_by_key_and_code_only(
    now: datetime, home: Household, donor: Donor
) -> None:
    leaf, gift = Leaf.objects.get(household=home), Leaf.objects.get(donation__donor=donor)
    code = wallets.code_of(leaf=leaf)

    assert wallets.may_read(leaf=leaf, code=code)
    for other in ("", code[:-1], wallets.code_of(leaf=gift), "\u00e9"):
        assert not wallets.may_read(leaf=leaf, code=other)
    assert wallets.may_read(leaf=gift, code="")
