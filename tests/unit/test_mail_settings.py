"""EMAIL_URL and EMAIL_FROM: read, or refused with a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway import environment
from gateway.environment import BadSetting


def mail(monkeypatch: pytest.MonkeyPatch, url: str) -> dict[str, object]:
    monkeypatch.setenv("EMAIL_URL", url)
    return environment.mail("EMAIL_URL")


def test_nothing_is_no_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    assert mail(monkeypatch, "")["EMAIL_HOST"] == ""


def test_a_server_with_starttls_and_a_log_in(monkeypatch: pytest.MonkeyPatch) -> None:
    assert mail(monkeypatch, "smtp://u%40x:p%2F1@mail.example.org:587?tls=1&timeout=7") == {
        "EMAIL_HOST": "mail.example.org",
        "EMAIL_PORT": 587,
        "EMAIL_HOST_USER": "u@x",
        "EMAIL_HOST_PASSWORD": "p/1",
        "EMAIL_USE_TLS": True,
        "EMAIL_USE_SSL": False,
        "EMAIL_TIMEOUT": 7,
    }


def test_tls_from_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    found = mail(monkeypatch, "smtps://u:p@mail.example.org")
    assert (found["EMAIL_PORT"], found["EMAIL_USE_SSL"], found["EMAIL_USE_TLS"]) == (
        465,
        True,
        False,
    )


def test_it_is_read_from_a_file_as_other_secrets_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "email_url"
    file.write_text("smtps://u:p@mail.example.org\n")
    monkeypatch.delenv("EMAIL_URL", raising=False)
    monkeypatch.setenv("EMAIL_URL_FILE", str(file))
    assert environment.mail("EMAIL_URL")["EMAIL_HOST"] == "mail.example.org"


def test_a_password_goes_in_clear_over_the_loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert mail(monkeypatch, "smtp://u:p@127.0.0.1:2525")["EMAIL_HOST_PASSWORD"] == "p"
    with pytest.raises(BadSetting, match=r"in clear: add \?tls=1 or use smtps://\.$"):
        mail(monkeypatch, "smtp://u:p@mail.example.org")


@pytest.mark.parametrize(
    "url",
    [
        *("http://mail.example.org", "mail.example.org", "smtp://", "smtp://mail/x"),
        *("smtp://mail:99999", "smtp://mail:x", "smtp://[", "smtp://mail?timeout=soon"),
    ],
)
def test_what_is_no_such_url_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    with pytest.raises(BadSetting, match="EMAIL_URL must look like smtp://user:password@host:587"):
        mail(monkeypatch, url)


@pytest.mark.parametrize(
    "url",
    ["smtp://mail?starttls=1", "smtp://mail?tls=2", "smtps://mail?tls=1", "smtp://m?timeout=0"],
)
def test_options_nobody_knows_are_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    with pytest.raises(BadSetting, match="EMAIL_URL takes tls=1"):
        mail(monkeypatch, url)


@pytest.mark.parametrize("sender", ["Soleil Énergie <lettres@example.org>", "a@example.org"])
def test_a_sender_is_an_address_with_or_without_a_name(
    monkeypatch: pytest.MonkeyPatch, sender: str
) -> None:
    monkeypatch.setenv("EMAIL_FROM", sender)
    assert environment.sender("EMAIL_FROM", is_needed=True) == sender


@pytest.mark.parametrize(
    "sender", ["", "Solar", "a@@b", "a@b\nBcc: c@d", "a@b\rX: y", "Solar <letters>"]
)
def test_what_is_no_sender_is_refused(monkeypatch: pytest.MonkeyPatch, sender: str) -> None:
    monkeypatch.setenv("EMAIL_FROM", sender)
    with pytest.raises(BadSetting, match="EMAIL_FROM must be an address"):
        environment.sender("EMAIL_FROM", is_needed=True)


def test_no_sender_is_needed_where_no_mail_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMAIL_FROM", raising=False)
    monkeypatch.setattr(environment, "_EMBEDDED", {})
    assert environment.sender("EMAIL_FROM", is_needed=False) == ""
