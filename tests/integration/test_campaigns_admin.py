"""Campaigns in the admin: drafted, previewed, opened, closed; photos taken in or refused."""

from __future__ import annotations

import io
import zlib
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from accounts import campaign_photos, sites
from accounts.models import Campaign, Milestone, Operator, Pledge, User
from tests.campaigning import DAI, drafted, given, on_chain, opened
from tests.paybacks import pledged
from tests.village import Village

pytestmark = pytest.mark.django_db

LIST = "/admin/accounts/campaign/"
MILESTONES = "/admin/accounts/milestone/"
RIGHTS = ("add_campaign", "change_campaign", "add_milestone", "change_milestone", "change_pledge")


@pytest.fixture
def kisima() -> Village:
    return Village.found(at=timezone.now())


@pytest.fixture
def clerk(kisima: Village) -> Client:
    """Staff of Kisima's operator with every right about campaigns."""
    return staff(kisima.operator, *RIGHTS)


def staff(operator: Operator, *rights: str) -> Client:
    name = f"staff-{User.objects.count()}"
    user = User.objects.create_user(name, is_staff=True, operator=operator)
    user.user_permissions.set(
        Permission.objects.filter(content_type__app_label="accounts", codename__in=rights)
    )
    client = Client()
    client.force_login(user)
    return client


def page(campaign: Campaign, action: str = "") -> str:
    return reverse(f"admin:accounts_campaign_{action or 'change'}", args=[campaign.pk])


def act(client: Client, campaign: Campaign, action: str) -> Any:
    """Choose an action on a campaign's page and say yes."""
    asked = client.get(page(campaign, action))
    assert asked.status_code == 200, asked.status_code
    answer = client.post(asked.request["PATH_INFO"], follow=True)
    campaign.refresh_from_db()
    return answer


def said(answer: Any) -> str:
    return str(answer.content.decode())


def filled(kisima: Village, **changes: str) -> dict[str, str]:
    deadline = timezone.now() + timedelta(days=30)
    fields = {
        "site": str(kisima.site.pk),
        "title": "A second battery",
        "title_fr": "",
        "goal_wei": "1500.25",
        "deadline_at_0": f"{deadline:%Y-%m-%d}",
        "deadline_at_1": "12:00:00",
        "story": "**Light**",
        "story_fr": "",
        "milestones-TOTAL_FORMS": "0",
        "milestones-INITIAL_FORMS": "0",
    }
    return {**fields, **changes}


def a_photo(*, kind: str = "JPEG", size: tuple[int, int] = (1_600, 1_200)) -> bytes:
    """A photo that says where it was taken."""
    image, out = Image.new("RGB", size, "olive"), io.BytesIO()
    exif = Image.Exif()
    exif[0x010F] = "Camera of Amina"
    exif.get_ifd(0x8825)[2] = (1.0, 45.0, 0.0)
    image.save(out, format=kind, exif=exif)
    return out.getvalue()


def step(campaign: Campaign, **changes: Any) -> dict[str, Any]:
    fields = {"campaign": str(campaign.pk), "position": "1", "kind": "ordered", "note": ""}
    return {**fields, **changes}


def uploaded(data: bytes, name: str = "photo.jpg") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data)


class TestDrafting:
    """What is written before anybody sees it."""

    def test_a_draft_is_written_in_dai(self, kisima: Village, clerk: Client) -> None:
        answer = clerk.post(f"{LIST}add/", filled(kisima))
        assert answer.status_code == 302, said(answer)
        made = Campaign.objects.get()
        assert (made.state, made.goal_wei) == ("draft", 1_500 * DAI + DAI // 4)

    @pytest.mark.parametrize(
        ("changes", "wrong"),
        [
            ({"goal_wei": "0"}, "Write a goal above zero."),
            ({"goal_wei": "many"}, "Write a number with at most 18 decimals"),
            ({"deadline_at_0": "2020-01-01"}, "Choose a deadline that is ahead, or none."),
            ({"story": "x" * 20_001}, "Write at most 20000 characters; these are 20001."),
            ({"title": ""}, "This field is required."),
        ],
    )
    def test_what_can_not_be_is_refused_with_what_to_do(
        self, kisima: Village, clerk: Client, changes: dict[str, str], wrong: str
    ) -> None:
        answer = clerk.post(f"{LIST}add/", filled(kisima, **changes))
        assert wrong in said(answer)
        assert Campaign.objects.count() == 0

    def test_the_story_is_previewed_clean(self, kisima: Village, clerk: Client) -> None:
        draft = drafted(kisima.site, at=timezone.now(), story="**Light** <script>alert(1)</script>")
        preview = said(clerk.get(page(draft, "preview")))
        assert "<strong>Light</strong>" in preview
        assert "<script>alert" not in preview

    def test_goal_and_deadline_are_fixed_once_somebody_pledged(
        self, kisima: Village, clerk: Client
    ) -> None:
        campaign = opened(kisima.site, at=timezone.now())
        assert "Can be changed until the first gift" in said(clerk.get(page(campaign)))
        pledged(kisima, amount_minor=100, key="one", at=timezone.now())
        shown = said(clerk.get(page(campaign)))
        assert "Fixed: somebody gave" in shown
        assert 'name="goal_wei"' not in shown
        answer = clerk.post(page(campaign), filled(kisima, goal_wei="1", title="Another title"))
        assert answer.status_code == 302
        campaign.refresh_from_db()
        assert (campaign.title, campaign.goal_wei) == ("Another title", 1_000 * DAI)


class TestDeciding:
    """Opened and closed, by who may."""

    def test_a_draft_is_opened_then_closed_and_given_back(
        self, kisima: Village, clerk: Client
    ) -> None:
        campaign = drafted(kisima.site, at=timezone.now())
        assert "is now: open" in said(act(clerk, campaign, "open_it"))
        assert campaign.state == "open"
        given(kisima, dollars=10, at=timezone.now(), reference="ch_1")
        asked = said(clerk.get(page(campaign, "close_it")))
        assert "every card payment will be refunded" in asked
        act(clerk, campaign, "close_it")
        assert campaign.state == "failed"

    def test_what_can_not_be_opened_or_closed_says_why(
        self, kisima: Village, clerk: Client
    ) -> None:
        campaign = opened(kisima.site, at=timezone.now())
        assert "Not done: it is open, not a draft." in said(act(clerk, campaign, "open_it"))
        second = drafted(kisima.site, at=timezone.now())
        assert "is open: close it first" in said(act(clerk, second, "open_it"))
        assert "not open." in said(act(clerk, second, "close_it"))

    def test_crypto_money_to_send_back_is_listed(self, kisima: Village, clerk: Client) -> None:
        campaign = opened(kisima.site, at=timezone.now())
        gift = on_chain(kisima.site, wei=3 * DAI, at=timezone.now())
        act(clerk, campaign, "close_it")
        shown = said(clerk.get(page(campaign)))
        assert "3.000000 DAI" in shown
        assert f"/admin/accounts/donation/{gift.pk}/change/" in shown

    def test_staff_without_the_right_look_and_do_nothing(self, kisima: Village) -> None:
        campaign = drafted(kisima.site, at=timezone.now())
        reader = staff(kisima.operator)
        assert reader.get(page(campaign)).status_code == 200
        assert reader.post(page(campaign, "open_it")).status_code == 403
        campaign.refresh_from_db()
        assert campaign.state == "draft"

    def test_another_operators_campaign_is_not_there(self, kisima: Village) -> None:
        campaign = drafted(kisima.site, at=timezone.now())
        rival = staff(sites.open_operator(slug="rival", name="R", at=timezone.now()), *RIGHTS)
        assert campaign.title not in said(rival.get(LIST))
        assert rival.post(page(campaign, "open_it")).status_code in (302, 404)
        campaign.refresh_from_db()
        assert campaign.state == "draft"

    def test_a_public_name_is_hidden(self, kisima: Village, clerk: Client) -> None:
        opened(kisima.site, at=timezone.now())
        given(kisima, dollars=1, at=timezone.now(), reference="ch_1", public_name="Rude")
        pledge = Pledge.objects.get()
        path = reverse("admin:accounts_pledge_hide_name", args=[pledge.pk])
        assert staff(kisima.operator).post(path).status_code == 403
        assert clerk.get(path).status_code == 200
        clerk.post(path)
        pledge.refresh_from_db()
        assert pledge.public_name == ""


class TestPhotos:
    """Made small, without what was hidden in them; nothing but photos."""

    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
    def test_a_photo_is_made_small_and_forgets_where_it_was_taken(
        self, kisima: Village, clerk: Client, kind: str
    ) -> None:
        campaign = drafted(kisima.site, at=timezone.now())
        told = step(campaign, upload=uploaded(a_photo(kind=kind)), photo_words="The container")
        answer = clerk.post(f"{MILESTONES}add/", told)
        assert answer.status_code == 302, said(answer)
        made = Milestone.objects.get()
        jpeg = bytes(made.photo or b"")
        assert len(jpeg) <= campaign_photos.MOST_BYTES
        assert b"Amina" not in jpeg
        with Image.open(io.BytesIO(jpeg)) as image:
            assert (image.format, image.size, dict(image.getexif())) == ("JPEG", (640, 480), {})
        shown = said(clerk.get(f"{MILESTONES}{made.pk}/change/"))
        assert f"![The container](/donate/kisima/photos/{made.photo_hash}.jpg)" in shown

    @pytest.mark.parametrize(
        ("data", "wrong"),
        [
            (b"MZ" + b"\x00" * 500, "This is no photo: choose a JPEG, PNG or WebP file."),
            (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "This is no photo"),
            (b"GIF89a\x01\x00\x01\x00\x00\x00\x00;", "This is no photo"),
            (a_photo()[:4_000], "The photo is damaged: choose another one."),
            (a_photo() + b"\x00" * (13 * 1024 * 1024), "Choose a photo of at most 12 MB."),
        ],
        ids=["program", "drawing", "gif", "cut off", "too large"],
    )
    def test_what_is_no_photo_is_refused_with_what_to_do(
        self, kisima: Village, clerk: Client, data: bytes, wrong: str
    ) -> None:
        campaign = drafted(kisima.site, at=timezone.now())
        told = step(campaign, upload=uploaded(data), photo_words="The container")
        assert wrong in said(clerk.post(f"{MILESTONES}add/", told))
        assert Milestone.objects.count() == 0

    @pytest.mark.parametrize("size", [(9_000, 9_000), (60_000, 60_000)])
    def test_a_small_file_that_unfolds_to_gigabytes_is_refused_unread(
        self, kisima: Village, clerk: Client, size: tuple[int, int]
    ) -> None:
        out = io.BytesIO()
        Image.new("1", (8, 8)).save(out, format="PNG")
        head = bytearray(out.getvalue())
        head[16:24] = size[0].to_bytes(4, "big") + size[1].to_bytes(4, "big")
        head[29:33] = _crc(bytes(head[12:29]))
        campaign = drafted(kisima.site, at=timezone.now())
        told = step(campaign, upload=uploaded(bytes(head), "bomb.png"), photo_words="Boom")
        answer = said(clerk.post(f"{MILESTONES}add/", told))
        assert "at most 50 million pixels" in answer or "The photo is damaged" in answer
        assert Milestone.objects.count() == 0

    def test_a_photo_needs_its_words(self, kisima: Village, clerk: Client) -> None:
        campaign = drafted(kisima.site, at=timezone.now())
        told = step(campaign, upload=uploaded(a_photo()), photo_words=" ")
        assert "Say what the photo shows" in said(clerk.post(f"{MILESTONES}add/", told))
        assert Milestone.objects.count() == 0

    def test_a_photo_is_taken_away(self, kisima: Village, clerk: Client) -> None:
        campaign = drafted(kisima.site, at=timezone.now())
        told = step(campaign, upload=uploaded(a_photo()), photo_words="The container")
        clerk.post(f"{MILESTONES}add/", told)
        made = Milestone.objects.get()
        path = f"{MILESTONES}{made.pk}/change/"
        clerk.post(path, step(campaign, photo_words="The container", note="Kept"))
        made.refresh_from_db()
        assert (made.note, bool(made.photo_hash)) == ("Kept", True)
        clerk.post(path, step(campaign, takes_photo_away="on"))
        made.refresh_from_db()
        assert (made.photo, made.photo_hash) == (None, "")


def _crc(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "big")
