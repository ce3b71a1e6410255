"""The campaign on the donate page: what it shows, what it takes, and what it refuses."""

from __future__ import annotations

import io
import re
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from PIL import Image

from accounts import campaign_photos, campaigns
from accounts.models import Campaign, Milestone, PaymentAttempt, Pledge, Rail, User
from gateway.checkout import endings
from tests.campaigning import DAI, drafted, given, on_chain, opened, paid
from tests.integration.sandboxed import home, hooks, today
from tests.integration.test_checkout import cards, filled, nonce, text
from tests.paybacks import quote
from tests.village import Village

__all__ = ["cards", "home", "hooks", "today"]

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
PAGE = "/donate/kisima/"
GIFT = {"amount": "2500", "rail": "cards-kes"}


@pytest.fixture
def campaign(today: Village, cards: Rail) -> Campaign:
    """One that has been open for a day, for 1,000 DAI."""
    return opened(today.site, at=timezone.now() - DAY)


def pictured(campaign: Campaign, *, colour: str = "green", **changes: Any) -> Milestone:
    """A step with a photo."""
    out = io.BytesIO()
    Image.new("RGB", (800, 600), colour).save(out, format="PNG")
    photo = campaign_photos.made_small(data=out.getvalue())
    fields = {
        "kind": "ordered",
        "photo": photo.jpeg,
        "photo_hash": photo.hash,
        "photo_words": "The container at the yard",
        "photo_words_fr": "Le conteneur au dépôt",
    }
    return Milestone.objects.create(campaign=campaign, **{**fields, **changes})


def ended(campaign: Campaign, *, state: str) -> None:
    """As its deadline or its operator left it."""
    Campaign.objects.filter(pk=campaign.pk).update(
        state=state, decided_at=timezone.now(), decided_wei=DAI
    )


class TestShown:
    """Everything a giver wants to know, with its unit and age."""

    def test_goal_raised_deadline_and_donors_are_on_the_page(
        self, client: Client, today: Village, campaign: Campaign
    ) -> None:
        given(today, dollars=240, at=timezone.now(), reference="ch_1", public_name="Ada <b>")
        on_chain(today.site, wei=10 * DAI, at=timezone.now())
        page = text(client.get(PAGE))
        assert "A second battery" in page
        assert 'aria-label="250.00 of 1,000.00 DAI: 25 percent of the goal"' in page
        assert '<rect class="filled" x="0" y="2" width="80"' in page
        assert "25 % · 2 donors" in page.replace("\n", "")
        assert "Open until <strong>" in page
        assert "<strong>Ada &lt;b&gt;</strong>: 240.00 USD = " in page
        assert "anonymous: " in page
        assert page.count("<time datetime=") >= 3

    def test_above_the_goal_the_picture_shows_where_it_was(
        self, client: Client, today: Village, campaign: Campaign
    ) -> None:
        given(today, dollars=2_000, at=timezone.now(), reference="ch_1")
        page = text(client.get(PAGE))
        assert 'width="320" height="16" rx="4"/>\n<path class="goal" d="M160 0v20"/>' in page
        assert "Gifts above the goal are welcome until the deadline" in page
        assert 'name="amount"' in page

    def test_steps_have_dates_and_a_photo_with_its_words(
        self, client: Client, campaign: Campaign
    ) -> None:
        step = pictured(
            campaign, planned_on=date(2026, 11, 1), reached_on=date(2026, 11, 3), note="Two of them"
        )
        Milestone.objects.create(campaign=campaign, position=1, kind="commissioned")
        page = text(client.get(PAGE))
        assert "Reached on" in page
        assert "3 November 2026" in page
        assert "planned for" in page
        assert "Not reached yet" in page
        assert f'src="/donate/kisima/photos/{step.photo_hash}.jpg"' in page
        assert 'alt="The container at the yard"' in page

    def test_the_story_is_markdown_that_can_do_no_harm(
        self, client: Client, campaign: Campaign
    ) -> None:
        step = pictured(campaign)
        own = f"/donate/kisima/photos/{step.photo_hash}.jpg"
        campaign.story = (
            f"# Why\n\n**Light** [more](https://example.org/x) [bad](javascript:alert(1))\n\n"
            f"![ours]({own}) ![theirs](https://example.org/pixel.png)\n\n<script>alert(1)</script>"
        )
        campaign.save()
        story = text(client.get(PAGE)).split('<div class="story">')[1].split("</div>")[0]
        assert "<h3>Why</h3>" in story
        assert "<strong>Light</strong>" in story
        assert 'href="https://example.org/x" rel="nofollow noopener noreferrer"' in story
        assert 'href="javascript' not in story
        assert f'<img src="{own}" alt="ours">' in story
        assert "pixel.png" not in story
        assert "theirs" in story
        assert "<script" not in story

    def test_the_page_is_in_french_where_texts_are_given(
        self, client: Client, campaign: Campaign
    ) -> None:
        pictured(campaign, note="Ordered", note_fr="Commandé")
        campaign.story, campaign.story_fr = "English words", "Mots français"
        campaign.save()
        page = text(client.get(PAGE, headers={"accept-language": "fr"}))
        for said in (
            "Une deuxième batterie",
            "Mots français",
            "Commandé",
            "Le conteneur au dépôt",
            "Ce que devient votre don",
            "Afficher mon nom parmi les donateurs",
        ):
            assert said in page, said
        assert "English words" not in page

    def test_the_page_is_small(self, client: Client, today: Village, campaign: Campaign) -> None:
        for number in range(25):
            given(today, dollars=1, at=timezone.now(), reference=f"ch_{number}")
        campaign.story = "A line of a long story. " * 800
        campaign.save()
        answer = client.get(PAGE, headers={"accept-encoding": "gzip"})
        assert answer["Content-Encoding"] == "gzip"
        assert len(answer.content) < 20_000

    def test_a_sites_goal_is_its_open_campaigns(
        self, client: Client, today: Village, campaign: Campaign
    ) -> None:
        def goal() -> str:
            cache.clear()
            told = client.get("/api/v1/sites/kisima/").json()
            return str(told["funding_goal"]["amount"])

        today.site.funding_goal_wei = 5 * DAI
        today.site.save()
        assert goal() == "1000.000000000000000000"
        assert "1,000.00 DAI" in text(client.get("/sites/kisima/money/"))
        ended(campaign, state="closed")
        assert goal() == "5.000000000000000000"

    def test_without_a_campaign_the_page_is_as_before(
        self, client: Client, today: Village, cards: Rail
    ) -> None:
        drafted(today.site, at=timezone.now())
        page = text(client.get(PAGE))
        assert "Donate to Kisima" in page
        assert "A second battery" not in page
        answer = filled(client, PAGE, **GIFT)
        assert (answer.status_code, Pledge.objects.get().campaign) == (302, None)


class TestGiving:
    """A gift belongs to the campaign that its giver read about, or is not taken."""

    def test_a_gift_belongs_to_the_campaign_and_bears_the_name_to_show(
        self, client: Client, campaign: Campaign
    ) -> None:
        answer = _sent(client, campaign, public_name="  Ada   L. ", name="Ada Lovelace")
        pledge = Pledge.objects.get()
        assert answer.status_code == 302
        assert (pledge.campaign, pledge.public_name) == (campaign, "Ada L.")
        assert pledge.donor.contact.name == "Ada Lovelace"

    @pytest.mark.parametrize(
        "shown",
        [
            "ada@example.org",
            "+254 711 000 001",
            "see www.example",
            "spam.com",
            "https://x",
            "a\x00b",
        ],
    )
    def test_a_public_name_reaches_nobody(
        self, client: Client, campaign: Campaign, shown: str
    ) -> None:
        answer = _sent(client, campaign, public_name=shown)
        assert answer.status_code == 422
        assert Pledge.objects.count() == 0
        page = text(answer)
        assert "Write a name only" in page or "Null characters are not allowed" in page

    @pytest.mark.parametrize(
        "shown", ["J. R. R. Tolkien", "Zoë & Ñandú", "Class of 2026", "李小龙"]
    )
    def test_names_of_people_are_taken(
        self, client: Client, campaign: Campaign, shown: str
    ) -> None:
        assert _sent(client, campaign, public_name=shown).status_code == 302

    @pytest.mark.parametrize("state", ["succeeded", "failed", "closed"])
    def test_a_campaign_that_ended_offers_no_form_and_takes_no_gift(
        self, client: Client, today: Village, campaign: Campaign, state: str
    ) -> None:
        sent = {"nonce": nonce(text(client.get(PAGE))), "campaign": str(campaign.uid), **GIFT}
        ended(campaign, state=state)
        page = text(client.get(PAGE))
        assert 'name="amount"' not in page
        assert "No gifts are taken for Kisima at present" in page
        for changes in ({}, {"campaign": ""}):
            answer = client.post(PAGE, {**sent, **changes})
            assert answer.status_code == 409
            assert "Nothing was paid" in text(answer)
            assert "What became of the campaign" in text(answer)
        assert Pledge.objects.count() == 0

    def test_a_campaign_past_its_deadline_takes_no_gift_while_it_is_counted(
        self, client: Client, campaign: Campaign
    ) -> None:
        sent = {"nonce": nonce(text(client.get(PAGE))), "campaign": str(campaign.uid), **GIFT}
        Campaign.objects.update(deadline_at=timezone.now())
        assert "The deadline is over" in text(client.get(PAGE))
        answer = client.post(PAGE, sent)
        assert (answer.status_code, Pledge.objects.count()) == (409, 0)
        assert "are counted until" in text(answer)

    def test_a_draft_takes_no_gift_and_shows_nothing(
        self, client: Client, today: Village, cards: Rail
    ) -> None:
        draft = drafted(today.site, at=timezone.now())
        sent = {"nonce": nonce(text(client.get(PAGE))), "campaign": str(draft.uid), **GIFT}
        answer = client.post(PAGE, sent)
        assert (answer.status_code, Pledge.objects.count()) == (409, 0)
        assert draft.title not in text(answer)
        assert "Donate to Kisima" in text(answer)

    def test_a_form_of_a_campaign_that_another_one_followed_is_refused(
        self, client: Client, today: Village, campaign: Campaign
    ) -> None:
        sent = {"nonce": nonce(text(client.get(PAGE))), "campaign": str(campaign.uid), **GIFT}
        campaigns.close(campaign=campaign, at=timezone.now())
        opened(today.site, at=timezone.now(), title="A third battery")
        answer = client.post(PAGE, sent)
        assert (answer.status_code, Pledge.objects.count()) == (409, 0)
        assert "This one takes gifts now" in text(answer)
        assert "A third battery" in text(answer)

    def test_other_sites_campaigns_are_named_where_this_one_takes_nothing(
        self, client: Client, today: Village, campaign: Campaign
    ) -> None:
        other = Village.found(at=timezone.now(), slug="other", beside=today)
        opened(other.site, at=timezone.now(), title="Pumps for all")
        ended(campaign, state="closed")
        page = text(client.get(PAGE))
        assert 'href="/donate/other/"' in page
        assert "Pumps for all" in page

    def test_a_form_sent_again_after_the_end_goes_on_with_its_payment(
        self, client: Client, campaign: Campaign
    ) -> None:
        sent = {"nonce": nonce(text(client.get(PAGE))), "campaign": str(campaign.uid), **GIFT}
        first = client.post(PAGE, sent)
        ended(campaign, state="failed")
        assert client.post(PAGE, sent)["Location"] == first["Location"]
        assert PaymentAttempt.objects.count() == 1


class TestPaying:
    """A card page that was opened before the end, and is paid after it."""

    def test_before_it_is_paid_it_says_that_the_end_has_come(
        self, client: Client, campaign: Campaign
    ) -> None:
        path = _sent(client, campaign)["Location"]
        PaymentAttempt.objects.update(state="pending", pay_url="https://pay.example/cs_1")
        ended(campaign, state="failed")
        page = text(client.get(path))
        assert "would go back to your card" in page
        assert "url=https" not in page
        assert "data-go-url" not in page
        ended(campaign, state="succeeded")
        assert "still belongs to it" in text(client.get(path))

    def test_once_it_is_paid_it_says_that_it_goes_back(
        self, client: Client, campaign: Campaign
    ) -> None:
        path = _sent(client, campaign)["Location"]
        PaymentAttempt.objects.update(state="succeeded")
        ended(campaign, state="failed")
        quote(at=timezone.now() - DAY)
        paid(Pledge.objects.get(), at=timezone.now(), reference="ch_late")
        Pledge.objects.update(state="succeeded")
        assert "goes back in whole to the card" in text(client.get(path))
        assert endings.give_back(clock=timezone.now) == 1
        assert "was given back" in text(client.get(path))


class TestPhotos:
    """Served under the name of their content, for ever."""

    def test_a_photo_is_served_for_ever(self, client: Client, campaign: Campaign) -> None:
        step = pictured(campaign)
        path = f"/donate/kisima/photos/{step.photo_hash}.jpg"
        answer = client.get(path)
        assert answer["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer["Content-Type"] == "image/jpeg"
        with Image.open(io.BytesIO(answer.content)) as image:
            assert (image.format, image.size) == ("JPEG", (640, 480))
        again = client.get(path, headers={"if-none-match": answer["ETag"]})
        assert (again.status_code, again.content) == (304, b"")

    def test_an_unknown_photo_or_one_of_another_site_is_not_there(
        self, client: Client, today: Village, campaign: Campaign
    ) -> None:
        step = pictured(campaign)
        Village.found(at=timezone.now(), slug="other", beside=today)
        for path in (
            f"/donate/other/photos/{step.photo_hash}.jpg",
            f"/donate/kisima/photos/{'0' * 64}.jpg",
            "/donate/kisima/photos/photo.jpg",
        ):
            assert client.get(path).status_code == 404, path

    def test_a_drafts_photo_is_for_staff_only(self, client: Client, today: Village) -> None:
        step = pictured(drafted(today.site, at=timezone.now()))
        path = f"/donate/kisima/photos/{step.photo_hash}.jpg"
        assert client.get(path).status_code == 404
        client.force_login(User.objects.create_user("clerk", is_staff=True))
        answer = client.get(path)
        assert (answer.status_code, answer["Cache-Control"]) == (200, "private, no-store")


def _sent(client: Client, campaign: Campaign, **fields: str) -> Any:
    page = text(client.get(PAGE))
    found = re.search(r'name="campaign" value="([^"]+)"', page)
    assert found is not None
    assert found[1] == str(campaign.uid)
    return filled(client, PAGE, campaign=found[1], **GIFT, **fields)
