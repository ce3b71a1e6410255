"""The donor's page over HTTP: who sees it, figures with unit and age, the table, votes, cards."""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.http import HttpResponse, StreamingHttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation
from PIL import Image
from pytest_django import Settings

from accounts.models import Donation, Donor, DonorContact, PaymentAttempt, Pledge, Site
from gateway.wallet import card_image, export
from tests.epoch_village import EpochVillage
from tests.integration.test_pages import Page
from tests.signing import AMINA
from tokens import certificates, share_cards
from tokens.models import ShareCard, WalletLink

pytestmark = pytest.mark.django_db

TOKEN = "t" * 32
BUDGET_BYTES = 100_000


@pytest.fixture(autouse=True)
def english(settings: Settings) -> Iterator[None]:
    settings.EPOCH_SECONDS = 300
    settings.CHAIN_ID = 31_337
    cache.clear()
    with translation.override("en"):
        yield


@pytest.fixture
def life() -> EpochVillage:
    """Six households; a gift of 128 DAI of a known donor and one as big; an epoch."""
    at = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
    life = EpochVillage.found(at=at, households=6)
    life.deploy()
    life.donate(amount_wei=128 * 10**18)
    life.donate(amount_wei=128 * 10**18)
    life.everybody_uses()
    life.closed_and_active()
    return life


@pytest.fixture
def donor(life: EpochVillage) -> Donor:
    donor = Donation.objects.order_by("pk")[0].donor
    DonorContact.objects.create(donor=donor, name="Wanjiru Secret", email="wanjiru@example.com")
    WalletLink.objects.create(
        donor=donor,
        chain_id=31_337,
        address=AMINA.address,
        message="m",
        signature="s",
        linked_at=life.at,
        takes_effect_at=life.at,
        took_effect_at=life.at,
    )
    return donor


@pytest.fixture
def client(donor: Donor) -> Client:
    """The donor's browser, logged in by a link."""
    client = Client()
    session = client.session
    session["donor"] = str(donor.uid)
    session.save()
    return client


@pytest.fixture
def token(life: EpochVillage, donor: Donor) -> str:
    pledge = Pledge.objects.create(
        donor=donor,
        site=life.village.site,
        rail=life.village.rail,
        amount_minor=250_000,
        currency="KES",
        idempotency_key="donate:1",
        created_at=life.at,
    )
    PaymentAttempt.objects.create(pledge=pledge, token=TOKEN, state="succeeded", created_at=life.at)
    return TOKEN


def shown(answer: object, *, status: int = 200) -> Page:
    assert isinstance(answer, HttpResponse)
    assert answer.status_code == status
    return Page(answer.content.decode())


def table(client: Client, path: str = "/donor/impact.csv") -> list[list[str]]:
    answer = client.get(path)
    assert isinstance(answer, StreamingHttpResponse)
    assert answer.status_code == 200
    return list(csv.reader(io.StringIO(answer.getvalue().decode())))


def settled(rows: list[list[str]]) -> list[list[str]]:
    """Rows without the instant of what goes on: two tables may be of different seconds."""
    return [[*row[:5], row[5] if row[4] else "", *row[6:]] for row in rows]


def made(client: Client, *, path: str = "/donor/cards/", site: str = "kisima") -> ShareCard:
    answer = client.post(path, {"site": site})
    assert (answer.status_code, "refused" in answer["Location"]) == (302, False)
    return ShareCard.objects.order_by("-pk")[0]


def test_who_is_logged_in_by_a_link_sees_what_the_gifts_did(client: Client) -> None:
    text = shown(client.get("/donor/")).text

    assert "What your gifts did at Kisima" in text
    assert "Share of the site's donations 50.00 %" in text
    assert "Energy your gifts stand for 3.00 kWh" in text
    assert "Households served 6" in text
    assert "CO2 avoided against diesel 2.4 kg" in text
    assert "Tokens of all your gifts 1.5000 IT" in text
    assert "128.00 DAI for Kisima" in text


def test_the_page_names_the_factor_and_its_source(client: Client) -> None:
    text = shown(client.get("/donor/")).text

    assert "CO2: 800 g for each kWh" in text
    assert "74.1 g of CO2 per megajoule of heat (IPCC 2006 Guidelines" in text


def test_several_donors_of_a_session_are_one_page(client: Client, life: EpochVillage) -> None:
    session = client.session
    session["donors"] = [str(each.uid) for each in Donor.objects.all()]
    session.save()

    text = shown(client.get("/donor/")).text
    assert "Energy your gifts stand for 6.00 kWh" in text
    assert "Share of the site's donations 100.00 %" in text


def test_a_session_that_names_nobody_is_shown_the_way_in(life: EpochVillage) -> None:
    client = Client()
    session = client.session
    session["donor"] = "01890000-0000-7000-8000-000000000000"
    session["donors"] = []
    session.save()

    assert "Sign in with your wallet" in shown(client.get("/donor/")).text
    assert client.get("/donor/impact.csv").status_code == 404


def test_a_closed_donor_is_logged_in_no_more(client: Client, donor: Donor) -> None:
    Donor.objects.filter(pk=donor.pk).update(closed_at=timezone.now())

    assert "What your gifts did" not in shown(client.get("/donor/")).text


def test_signing_out_ends_every_way_in(client: Client) -> None:
    client.post("/donor/leave/")

    assert "What your gifts did" not in shown(client.get("/donor/")).text


def test_a_payments_page_shows_the_same(client: Client, token: str) -> None:
    page = shown(Client().get(f"/donor/gift/{token}/"))

    assert "Energy your gifts stand for 3.00 kWh" in page.text
    assert f"/donor/gift/{token}/impact.csv" in page.addresses
    assert settled(table(Client(), f"/donor/gift/{token}/impact.csv")) == settled(table(client))


def test_few_households_are_not_counted_out(life: EpochVillage, client: Client) -> None:
    late = life.donate()
    life.use(KIS0001=400_000, KIS0002=400_000, KIS0003=400_000, KIS0004=400_000)
    life.closed_and_active()
    session = client.session
    session["donor"] = str(late.donor.uid)
    session.save()

    assert "Households served fewer than 5" in shown(client.get("/donor/")).text


def test_claimed_epochs_leave_the_co2_and_the_page_says_so(
    client: Client, life: EpochVillage
) -> None:
    life.everybody_uses(500_000)
    certificates.claim(epoch=life.closed_and_active(), certificate="D-REC 1")
    text = shown(client.get("/donor/")).text

    assert "Energy your gifts stand for 4.50 kWh" in text
    assert "CO2 avoided against diesel 2.4 kg" in text
    assert "1 epoch was sold as a certificate and is left out." in text


def test_tokens_over_time_are_a_chart_and_a_table(client: Client, life: EpochVillage) -> None:
    life.everybody_uses(500_000)
    life.closed_and_active()
    answer = client.get("/donor/")
    page = shown(answer)

    assert answer.content.decode().count('class="line"') == 6
    assert re.search(
        r"epoch 1, \d+ \w+ \d{4} \d\d:\d\d UTC 1\.5000 1\.5000 0\.0000 3\.00", page.text
    )
    assert re.search(r"epoch 2, [^U]+UTC 2\.2500 2\.2500 0\.0000 4\.50", page.text)


def test_the_page_is_private_small_and_french_too(client: Client) -> None:
    answer = client.get("/donor/", headers={"accept-language": "fr"})
    page = shown(answer)

    assert "Ce que vos dons ont fait à Kisima" in page.text
    assert "Énergie que vos dons représentent 3,00 kWh" in page.text
    assert "no-store" in answer["Cache-Control"]
    assert answer["X-Robots-Tag"] == "noindex, nofollow"
    assert len(gzip.compress(answer.content)) < BUDGET_BYTES
    assert len(page.ids) == len(set(page.ids))
    english = set(shown(client.get("/donor/")).text.split())
    assert not {"gifts", "rounded", "stands", "epochs"} & set(page.text.split()), english


def test_queries_of_the_page_do_not_grow_with_gifts_and_epochs(
    client: Client, donor: Donor, life: EpochVillage
) -> None:
    client.get("/donor/")
    with CaptureQueriesContext(connection) as few:
        client.get("/donor/")
    for _ in range(3):
        life.donate(donor=donor)
        life.everybody_uses(500_000)
        life.closed_and_active()
        made(client)
    with CaptureQueriesContext(connection) as many:
        assert "DAI for Kisima" in shown(client.get("/donor/")).text

    assert len(many) == len(few)


def test_the_table_has_a_row_per_gift_and_epoch_in_plain_units(
    client: Client, life: EpochVillage, donor: Donor
) -> None:
    life.everybody_uses(500_000)
    certificates.claim(epoch=life.closed_and_active(), certificate="=HYPERLINK(1)")
    header, first, second, since = table(client)

    assert header[3] == "Still counting of it (DAI)"
    assert header[6] == "Energy it stands for in the epoch (kWh)"
    assert first[1] == "Kisima"
    assert first[3:5] == ["128.000000000000000000", "1"]
    assert first[6:8] == ["3.000000", "50.0000"]
    assert second[6:9] == ["1.500000", "50.0000", "2.250000000000000000"]
    assert second[9:11] == ["2.250000000000000000", "0.000000000000000000"]
    assert second[11] == "'=HYPERLINK(1)"
    assert since[4:8] == ["", since[5], "0.000000", ""]
    assert {row[0] for row in (first, second, since)} == {str(donor.donations.get().uid)}


@pytest.mark.parametrize("began", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1"])
def test_no_cell_that_people_wrote_is_a_formula(client: Client, began: str) -> None:
    assert export.plain(began) == f"'{began}"
    assert export.plain(f"a{began}") == f"a{began}"
    Site.objects.update(name=began)

    assert all(row[1] == f"'{began}" for row in table(client)[1:])


def test_the_table_is_private_and_needs_a_way_in(client: Client, token: str) -> None:
    answer = client.get("/donor/impact.csv")

    assert answer["Content-Disposition"] == 'attachment; filename="impact.csv"'
    assert "no-store" in answer["Cache-Control"]
    assert Client().get("/donor/impact.csv").status_code == 404
    assert Client().get("/donor/gift/unknown/impact.csv").status_code == 404


def test_a_card_is_made_by_who_wants_one_only(client: Client) -> None:
    client.get("/donor/")
    assert ShareCard.objects.count() == 0
    assert client.get("/donor/cards/").status_code == 405
    card = made(client)

    page = shown(client.get("/donor/"))
    assert f"/donor/card/{card.key}/" in page.addresses
    assert (card.kwh, card.co2_kilograms, card.households) == (2, 2, 6)


def test_a_card_tells_the_site_and_rounded_figures_and_the_day(client: Client) -> None:
    card = made(client)
    answer = Client().get(f"/donor/card/{card.key}/")
    page = shown(answer)

    assert "Solar power for Kisima" in page.text
    assert "More than 2 kWh of sun used in the village" in page.text
    assert "More than 2 kg of CO2 avoided against diesel" in page.text
    assert "6 households served" in page.text
    assert f"/donor/card/{card.key}/en.png" in page.addresses
    told = {
        str(found.get("property")): found.get("content")
        for tag, found in page.attributes
        if tag == "meta" and "property" in found
    }
    assert told["og:image"] == f"http://127.0.0.1:1/donor/card/{card.key}/en.png"
    assert (told["og:image:width"], told["og:image:height"]) == ("1200", "630")
    french = shown(Client().get(f"/donor/card/{card.key}/", headers={"accept-language": "fr"}))
    assert "Plus de 2 kWh de soleil" in french.text
    assert f"/donor/card/{card.key}/fr.png" in french.addresses


def test_a_card_leaks_nothing_of_who_gave(
    client: Client, donor: Donor, life: EpochVillage, token: str
) -> None:
    card = made(client)
    page = Client().get(f"/donor/card/{card.key}/").content.decode()
    leaf = donor.donations.get().leaf

    secrets = ("Wanjiru", "example.com", "128", "50", AMINA.address, leaf.key, TOKEN)
    for secret in (*secrets, str(donor.uid), str(donor.donations.get().uid)):
        assert secret.lower() not in page.lower(), secret
    assert not re.search(r"\d\d:\d\d", page)
    assert donor.uid.hex not in card.key
    assert len(card.key) == 22


def test_a_cards_picture_is_its_figures_and_nothing_else(client: Client) -> None:
    card = made(client)
    answer = Client().get(f"/donor/card/{card.key}/en.png")
    content = answer.content
    chunks = _chunks(content)

    assert answer["Content-Type"] == "image/png"
    assert set(chunks) <= {"IHDR", "PLTE", "IDAT", "IEND"}
    assert Image.open(io.BytesIO(content)).size == (1200, 630)
    assert len(content) < BUDGET_BYTES
    told = share_cards.figures_of(card=card)
    assert content == card_image.draw(told=told, language="en")
    assert content != Client().get(f"/donor/card/{card.key}/fr.png").content


def test_cards_of_two_donors_with_the_same_figures_are_the_same_picture(
    client: Client, life: EpochVillage
) -> None:
    other = Client()
    session = other.session
    session["donor"] = str(life.donate(amount_wei=200 * 10**18).donor.uid)
    session.save()
    life.everybody_uses(1_000_000)
    life.closed_and_active()
    one, two = made(client), made(other)

    assert (one.kwh, two.kwh) == (2, 2)
    assert bytes(one.image_en) == bytes(two.image_en)
    assert one.key != two.key


def test_a_picture_is_asked_for_once_and_then_not_changed(client: Client) -> None:
    card = made(client)
    first = Client().get(f"/donor/card/{card.key}/en.png")
    again = Client().get(f"/donor/card/{card.key}/en.png", headers={"if-none-match": first["ETag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert "public" in first["Cache-Control"]
    page = Client().get(f"/donor/card/{card.key}/")
    again = Client().get(f"/donor/card/{card.key}/", headers={"if-none-match": page["ETag"]})
    assert again.status_code == 304


def test_a_card_keeps_its_figures(client: Client, life: EpochVillage) -> None:
    card = made(client)
    for _ in range(3):
        life.everybody_uses()
    text = shown(Client().get(f"/donor/card/{card.key}/")).text

    assert "More than 2 kWh" in text
    assert made(client).kwh == 10


def test_a_card_is_taken_back_by_its_maker_only(client: Client, life: EpochVillage) -> None:
    card = made(client)
    stranger = Client()
    session = stranger.session
    session["donor"] = str(life.donate().donor.uid)
    session.save()
    assert Client().post("/donor/cards/", {"revoke": card.key}).status_code == 404
    assert stranger.post("/donor/cards/", {"revoke": card.key}).status_code == 404
    assert shown(Client().get(f"/donor/card/{card.key}/"))

    assert client.post("/donor/cards/", {"revoke": card.key}).status_code == 302

    for path in ("", "en.png", "fr.png"):
        assert Client().get(f"/donor/card/{card.key}/{path}").status_code == 404
    assert bytes(ShareCard.objects.get().image_en) == b""
    assert client.post("/donor/cards/", {"revoke": card.key}).status_code == 404


def test_a_payments_page_makes_cards_too(token: str) -> None:
    client = Client()
    card = made(client, path=f"/donor/gift/{token}/cards/")

    assert f"/donor/card/{card.key}/" in shown(client.get(f"/donor/gift/{token}/")).addresses
    answer = client.post(f"/donor/gift/{token}/cards/", {"revoke": card.key})
    assert answer["Location"] == f"/donor/gift/{token}/#cards"
    assert client.post("/donor/gift/unknown/cards/", {"site": "kisima"}).status_code == 404


def test_a_card_needs_a_kwh_a_site_and_room(client: Client, life: EpochVillage) -> None:
    def told(site: str, code: str) -> str:
        answer = client.post("/donor/cards/", {"site": site})
        assert answer["Location"] == f"/donor/?refused={code}#cards"
        return shown(client.get(answer["Location"])).text

    assert "None of your gifts went to this site." in told("mbare", "card_site")
    for _ in range(share_cards.MOST_CARDS):
        cache.clear()
        made(client)
    cache.clear()
    assert "Five cards are there already." in told("kisima", "card_too_many")
    session = client.session
    session["donor"] = str(life.donate().donor.uid)
    session.save()
    assert "less than one kWh so far" in told("kisima", "card_nothing")


def test_drawing_cards_is_slowed_down(client: Client) -> None:
    for _ in range(5):
        client.post("/donor/cards/", {"site": "mbare"})
    answer = client.post("/donor/cards/", {"site": "kisima"})

    assert answer["Location"] == "/donor/?refused=too_often#cards"
    assert "Wait a minute." in shown(client.get(answer["Location"])).text
    assert ShareCard.objects.count() == 0


@pytest.mark.parametrize("path", ["nothing/", "nothing/en.png"])
def test_an_unknown_card_is_not_found(client: Client, path: str) -> None:
    assert Client().get(f"/donor/card/{path}").status_code == 404
    assert Client().get(f"/donor/card/{made(client).key}/de.png").status_code == 404


def test_a_few_households_are_left_out_of_a_card(life: EpochVillage) -> None:
    late = life.donate(amount_wei=10**24)
    life.use(KIS0001=900_000, KIS0002=900_000, KIS0003=900_000, KIS0004=900_000)
    life.closed_and_active()
    client = Client()
    session = client.session
    session["donor"] = str(late.donor.uid)
    session.save()
    card = made(client)

    assert card.households is None
    assert "household" not in shown(Client().get(f"/donor/card/{card.key}/")).text


@pytest.mark.parametrize("name", ["Ŋdiaw ɓé", "K" * 120, "村", "Kisima\nSprings", "É·ç’–"])
def test_every_name_of_a_site_can_be_drawn(name: str) -> None:
    told = share_cards.Figures(
        site_name=name,
        kwh=10**15,
        co2_kilograms=10**15,
        households=5_000,
        made_on=timezone.now().date(),
    )

    assert Image.open(io.BytesIO(card_image.draw(told=told, language="fr"))).size == (1200, 630)


def _chunks(content: bytes) -> list[str]:
    """The names of a PNG's chunks, in order."""
    found, place = [], 8
    while place < len(content):
        size = int.from_bytes(content[place : place + 4])
        found.append(content[place + 4 : place + 8].decode())
        place += size + 12
    return found
