"""The demo's phone: its JSON face, its pages without a script, and the phone in the terminal."""

from __future__ import annotations

import re
from html import unescape
from io import StringIO

import pytest
import requests
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from tests.over_http import MPESA_PIN, Outside, Phone, demo, kisima, outside, worker, worker_thread
from tests.village import Village

__all__ = ["demo", "kisima", "outside", "worker", "worker_thread"]

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])

MENU = "1 Balance\n2 Usage\n3 Top up\n4 Vote\n5 My account\n0 Exit"

NO_AMOUNT = "amount is not an amount of shillings above 0."
REFUSED = [
    ("POST", "dial", "{", 400, "The body is not JSON."),
    ("POST", "dial", b"\xff", 400, "The body is not JSON."),
    ("POST", "dial", "[1]", 400, "The body is not a JSON object."),
    ("POST", "dial", '{"text": null}', 400, "text is missing or not text."),
    ("POST", "sms", "{}", 400, "text is missing or not text."),
    ("POST", "paybill", '{"amount": "5"}', 400, "account is missing."),
    ("POST", "paybill", '{"account": "KIS0001", "amount": "-5"}', 400, NO_AMOUNT),
    ("POST", "prompts/ws_CO_1", '{"pin": "1"}', 404, "This phone has no such prompt."),
    ("POST", "prompts/..", '{"pin": "1"}', 404, "This phone has no such prompt."),
    ("GET", "dial", None, 405, "Use POST here."),
    ("POST", "messages", "{}", 405, "Use GET here."),
]


@pytest.fixture
def phone(kisima: Village, outside: Outside) -> Phone:
    """The phone of KIS0001."""
    household = kisima.household("KIS0001")
    kisima.price(ticks=2_500, starts_at=kisima.founded_at)
    kisima.fund(household, amount_wei=4 * 10**18, at=kisima.founded_at)
    return outside.phone()


class TestJsonFace:
    """`/handset/<phone>/...`, as the interface fixes it."""

    def test_a_session_goes_on_where_it_was_and_an_empty_text_begins_again(
        self, phone: Phone
    ) -> None:
        assert phone.dial("") == (MENU, True)
        screen, is_open = phone.dial("3")
        assert is_open
        assert "Type the amount" in screen
        assert phone.dial("")[0] == MENU
        screen, is_open = phone.dial("1")
        assert not is_open
        assert screen.startswith("Balance KES 517")
        assert screen.endswith("4.00 DAI")

    def test_a_phone_is_named_with_or_without_its_plus(self, phone: Phone) -> None:
        for number in ("+254711000001", "254711000001", "%2B254711000001"):
            same = Phone(url=phone.url, number=number)
            assert same.dial("1")[0].startswith("Balance KES 517"), number

    def test_a_phone_nobody_knows_gets_a_help_screen(self, outside: Outside) -> None:
        screen, is_open = outside.phone("+254799999999").dial("")
        assert not is_open
        assert screen.startswith("This phone has no solar account yet.")

    @pytest.mark.usefixtures("worker")
    def test_messages_come_newest_first(self, phone: Phone) -> None:
        assert phone.messages() == []
        phone.send_sms("BAL")
        first = phone.wait_for_message("KIS0001: balance KES 517.")
        phone.send_sms("nonsense")
        second = phone.wait_for_message("We did not understand.")
        assert phone.messages() == [second, first]

    @pytest.mark.usefixtures("worker")
    def test_a_prompt_can_be_refused_and_is_answered_once(self, phone: Phone) -> None:
        phone.dial("3*500*1")
        prompt = phone.wait_for_prompt()
        assert prompt == {"id": prompt["id"], "amount": "500", "currency": "KES"}
        other = Phone(url=phone.url, number="+254711000002")
        assert other.ask("POST", f"prompts/{prompt['id']}", json={"pin": "1"}).status_code == 404
        assert phone.answer(prompt, cancel=True)["result_code"] == 1032
        assert phone.prompts() == []
        again = phone.ask("POST", f"prompts/{prompt['id']}", json={"pin": MPESA_PIN})
        assert (again.status_code, again.json()) == (409, {"error": "This prompt is closed."})

    def test_what_it_refuses_it_refuses_in_a_sentence(self, outside: Outside) -> None:
        for method, path, data, status, error in REFUSED:
            url = f"{outside.product_url}/handset/+254711000001/{path}"
            request = requests.Request(method, url, data=data).prepare()
            request.url = url  # as it is written: requests would resolve the dots
            with requests.Session() as session:
                response = session.send(request, timeout=10)
            assert (response.status_code, response.json()) == (status, {"error": error}), data

    def test_a_number_that_is_none_is_refused(self, outside: Outside) -> None:
        response = outside.phone("nobody").ask("GET", "prompts")
        assert response.status_code == 400
        assert response.json() == {"error": "nobody is not a phone number."}

    @pytest.mark.usefixtures("demo")
    @pytest.mark.parametrize("url", ["", "http://127.0.0.1:9"])
    def test_without_a_sandbox_it_answers_502(
        self, client: Client, settings: Settings, url: str
    ) -> None:
        settings.SANDBOX_URL = url
        response = client.get("/handset/254711000001/messages")
        assert response.status_code == 502
        assert "script/server" in response.json()["error"]
        page = client.get("/handset/+254711000001/")
        assert page.status_code == 502
        assert "script/server" in page.content.decode()


def test_outside_the_demo_there_is_no_handset(client: Client) -> None:
    assert client.get("/handset/").status_code == 404
    assert client.get("/handset/254711000001/messages").status_code == 404


class Browser:
    """A browser without scripts: follows links and submits forms as they stand in the page."""

    def __init__(self, *, url: str) -> None:
        self.session = requests.Session()
        self.url = url
        self.page = ""

    def open(self, path: str) -> None:
        self._take(self.session.get(self.url + path, timeout=20))

    def press(self, action: str, **fields: str) -> None:
        """Press the button with this action in the first form that has it."""
        form = next(
            form
            for form in re.findall(r"<form.*?</form>", self.page, re.DOTALL)
            if f'value="{action}"' in form
        )
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)"[^>]*? value="([^"]*)"', form))
        data = {**{name: unescape(value) for name, value in hidden.items()}, **fields}
        assert "csrfmiddlewaretoken" in data
        self._take(self.session.post(self.here, data={**data, "action": action}, timeout=20))

    @property
    def screen(self) -> str:
        shown = re.search(r'<output id="screen"[^>]*>(.*?)</output>', self.page, re.DOTALL)
        assert shown is not None
        return unescape(shown[1])

    @property
    def notice(self) -> str:
        said = re.search(r'<p class="notice[^"]*">(.*?)</p>', self.page)
        return unescape(said[1]) if said else ""

    def _take(self, response: requests.Response) -> None:
        assert response.status_code == 200, response.text
        policy = response.headers["Content-Security-Policy"]
        assert "script-src 'self'" in policy
        assert not re.search(r"<script(?! src=)|<style|\sstyle=|\son\w+=", response.text)
        self.here, self.page = response.url, response.text


class TestPages:
    """The same phone with a browser that runs no script."""

    @pytest.fixture
    def browser(self, phone: Phone) -> Browser:
        return Browser(url=phone.url)

    def test_a_phone_is_chosen_from_the_demos_or_typed(self, browser: Browser) -> None:
        browser.open("/handset/")
        assert 'href="/handset/+254711000001/"' in browser.page
        assert 'href="/handset/+254711000030/"' in browser.page
        browser.open("/handset/?phone=0711 000 001")
        assert browser.here.endswith("/handset/+254711000001/")
        assert "KIS0001" in browser.page
        refused = browser.session.get(f"{browser.url}/handset/?phone=no-number", timeout=10)
        assert refused.status_code == 400
        assert "no-number is not a phone number." in refused.text

    def test_a_session_is_typed_answer_by_answer(self, browser: Browser) -> None:
        browser.open("/handset/254711000001/")
        assert browser.screen == "Dial *384*4826#"
        browser.press("dial", entry="*384*4826#")
        assert browser.screen == MENU
        browser.press("send", entry="3")
        browser.press("send", entry="500")
        assert browser.screen.startswith("Pay KES 500 for KIS0001?")
        browser.press("cancel")
        assert browser.screen == "Dial *384*4826#"
        browser.press("dial", entry="*384*4826*1#")
        assert browser.screen.startswith("Balance KES 517")
        assert 'value="dial"' in browser.page
        browser.press("dial", entry="*100#")
        assert browser.screen == "Connection problem or invalid MMI code."

    @pytest.mark.usefixtures("worker")
    def test_a_prompt_is_paid_and_the_receipt_read(self, browser: Browser, phone: Phone) -> None:
        browser.open("/handset/+254711000001/")
        browser.press("dial", entry="*384*4826*3*500*1#")
        phone.wait_for_prompt()
        browser.open("/handset/+254711000001/")
        assert "Mobile money: pay KES 500?" in browser.page
        browser.press("pay", pin=MPESA_PIN)
        assert browser.notice == "The service request is processed successfully."
        message = phone.wait_for_message("KES 500 received for KIS0001.")
        browser.open("/handset/+254711000001/")
        assert message in unescape(browser.page)
        assert "Mobile money: pay" not in browser.page

    @pytest.mark.usefixtures("worker")
    def test_it_pays_a_paybill_and_sends_an_sms(self, browser: Browser, phone: Phone) -> None:
        browser.open("/handset/+254711000001/")
        browser.press("paybill", account="KIS0001", amount="20")
        assert re.fullmatch(r"Paid\. Receipt [A-Z0-9]{10}\.", browser.notice)
        browser.press("paybill", account="?", amount="20")
        assert browser.notice == "C2B00012 Invalid Account Number"
        browser.press("paybill", account="KIS0001", amount="nothing")
        assert browser.notice == NO_AMOUNT
        browser.press("sms", text="HELP")
        assert browser.notice == "Sent."
        assert "BAL" in phone.wait_for_message("Send BAL")

    def test_every_field_has_a_label_and_the_screen_speaks(self, browser: Browser) -> None:
        browser.open("/handset/+254711000001/")
        fields = re.findall(r'<input id="([\w-]+)"', browser.page)
        assert {"entry", "sms-text", "account", "amount"} <= set(fields)
        for field in fields:
            assert f'<label for="{field}"' in browser.page
        assert re.search(r'<output id="screen"[^>]* aria-live="polite"', browser.page)
        ids = re.findall(r'\sid="([\w-]+)"', browser.page)
        assert len(ids) == len(set(ids))

    def test_its_script_and_style_are_served(self, browser: Browser) -> None:
        browser.open("/handset/+254711000001/")
        for path in re.findall(r'(?:src|href)="(/static/[^"]+)"', browser.page):
            assert browser.session.get(browser.url + path, timeout=10).status_code == 200, path


class TestTerminal:
    """`manage.py ussd`."""

    def run(self, *arguments: str) -> str:
        out = StringIO()
        call_command("ussd", *arguments, stdout=out)
        return out.getvalue()

    def test_a_text_is_dialled_once(self, phone: Phone) -> None:
        assert self.run("1").startswith("Balance KES 517")
        assert self.run("--phone", "0799 999 999", "").startswith("This phone has no solar account")

    def test_it_asks_until_the_session_ends(
        self, phone: Phone, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.stdin", StringIO("3\n\n500\n0\n0\nnever read\n"))
        shown = self.run()
        assert shown.startswith(MENU)
        assert "Pay KES 500 for KIS0001?" in shown
        assert shown.endswith("Goodbye.\n")

    def test_it_hangs_up_at_the_end_of_the_input(
        self, phone: Phone, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.stdin", StringIO(""))
        assert self.run("--code", "*384*4826*5#").startswith("1 Language")

    @pytest.mark.usefixtures("outside")
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("--code", "*100#"), r"\*100# is not this service: dial \*384\*4826#"),
            (("--phone", "nobody"), "not a phone number"),
        ],
    )
    def test_what_it_cannot_dial_it_says(self, arguments: tuple[str, ...], said: str) -> None:
        with pytest.raises(CommandError, match=said):
            self.run(*arguments)

    def test_without_a_server_it_says_how_to_start_one(self) -> None:
        with pytest.raises(CommandError, match="start script/server first"):
            self.run("1")
