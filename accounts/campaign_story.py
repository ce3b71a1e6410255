"""A campaign's story: Markdown of the operator's, as HTML that can do no harm.

Raw HTML is shown as it was typed. Pictures are the campaign's own milestone photos or none: others
would tell a stranger's server who reads the page.
"""

from __future__ import annotations

from collections.abc import Collection

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

from accounts import campaign_photos
from accounts.models import Campaign

LONGEST = 20_000
"""Characters of a story."""

_TAGS = {
    *("p", "br", "hr", "strong", "em", "s", "code", "pre", "blockquote"),
    *("ul", "ol", "li", "a", "img", "h3", "h4", "h5"),
}
_ATTRIBUTES = {"a": {"href"}, "img": {"src", "alt"}, "ol": {"start"}}
_HEADINGS = {"h1": "h3", "h2": "h4"}
"""The page has headings of its own above the story's."""
_LOWEST = "h5"


def of(*, campaign: Campaign, text: str) -> SafeString:
    """Return the HTML of a story of a campaign, which may show that campaign's photos."""
    hashes = campaign.milestones.exclude(photo_hash="").values_list("photo_hash", flat=True)
    slug = campaign.site.slug
    return rendered(
        text=text, photos={campaign_photos.path(slug=slug, content_hash=each) for each in hashes}
    )


def rendered(*, text: str, photos: Collection[str]) -> SafeString:
    """Return a story's HTML; photos are the addresses of pictures that it may show."""
    reader = MarkdownIt("commonmark", {"html": False}).enable("strikethrough")
    tokens = reader.parse(text[:LONGEST])
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = _HEADINGS.get(token.tag, _LOWEST)
        if token.children is not None:
            token.children = [_own(child, photos=photos) for child in token.children]
    html = nh3.clean(
        reader.renderer.render(tokens, reader.options, {}),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=lambda tag, name, value: (
            value if (tag, name) != ("img", "src") or value in photos else None
        ),
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow noopener noreferrer",
    )
    return mark_safe(html)  # noqa: S308 - nh3 made it clean


def _own(token: Token, *, photos: Collection[str]) -> Token:
    """A picture of somebody else's becomes its words."""
    if token.type != "image" or token.attrs.get("src") in photos:
        return token
    return Token(type="text", tag="", nesting=0, content=token.content)
