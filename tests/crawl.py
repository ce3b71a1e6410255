"""Walking over the pages as somebody who only follows links, and naming what was not reached."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from django.http.response import HttpResponseBase
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, resolve

HOST = "http://testserver"
_NOT_OURS = ("/admin/", "/handset/", "/static/")
_ANCHOR = re.compile(r"#.*$")


class _Links(HTMLParser):
    """What a page leads to: links, pictures, and forms that only read."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag == "form" and (told.get("method") or "get").lower() != "get":
            return
        for name in ("href", "src", "action", "content"):
            value = told.get(name)
            if value and (name != "content" or value.startswith(("/", "http"))):
                self.found.append(value)


def links(*, path: str, content: str) -> list[str]:
    """Return the paths of this service that a page leads to."""
    parser = _Links()
    parser.feed(content)
    found = []
    for link in parser.found:
        whole = urlsplit(urljoin(HOST + path, _ANCHOR.sub("", link)))
        if f"{whole.scheme}://{whole.netloc}" == HOST and not whole.path.startswith(_NOT_OURS):
            found.append(whole.path + (f"?{whole.query}" if whole.query else ""))
    return found


def crawl(client: Client, *, begin: list[str], most: int = 500) -> dict[str, HttpResponseBase]:
    """Follow every link from some paths on; return what was answered by path."""
    seen: dict[str, HttpResponseBase] = {}
    waiting = list(begin)
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        assert len(seen) < most, "the pages lead to ever more pages"
        seen[path] = response = client.get(path)
        if response.headers.get("Content-Type", "").startswith("text/html"):
            waiting += links(path=path, content=response.content.decode())
    return seen


def name_of(path: str) -> str:
    """The view behind a path, e.g. dashboard:site."""
    return resolve(urlsplit(path).path).view_name


def names() -> set[str]:
    """Every named view of the service outside the admin."""
    return set(_names(get_resolver().url_patterns, ""))


def _names(patterns: list[URLPattern | URLResolver], space: str) -> Iterator[str]:
    for each in patterns:
        if isinstance(each, URLResolver):
            inner = f"{space}{each.namespace}:" if each.namespace else space
            if each.namespace != "admin":
                yield from _names(each.url_patterns, inner)
        elif each.name:
            yield f"{space}{each.name}"
