"""SMS against the sandbox by the vendor's own SDK."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from africastalking.Application import ApplicationService
from africastalking.Service import AfricasTalkingException
from africastalking.SMS import SMSService

from tests.sandbox.conftest import Product

PHONE = "+254711000001"


def sms_client(sandbox_url: str, *, api_key: str = "sandbox-key") -> Any:
    client = SMSService("sandbox", api_key)
    client._baseUrl = f"{sandbox_url}/africastalking/version1"
    client._contentUrl = client._baseUrl
    return client


def simulator(sandbox_url: str, path: str) -> str:
    return f"{sandbox_url}/africastalking/simulator{path}"


def recipients(answer: Any) -> list[dict[str, Any]]:
    assert isinstance(answer, dict), "the SDK gives text where the content type has a charset"
    listed: list[dict[str, Any]] = answer["SMSMessageData"]["Recipients"]
    return listed


def test_a_sent_message_is_reported_delivered_and_lies_in_the_phones_inbox(
    sandbox_url: str, product: Product
) -> None:
    answer = sms_client(sandbox_url).send("Karibu Kisima", [PHONE], sender_id="38426")
    [recipient] = recipients(answer)
    assert answer["SMSMessageData"]["Message"] == "Sent to 1/1 Total Cost: KES 0.8000"
    assert recipient["statusCode"] == 101
    assert recipient["cost"] == "KES 0.8000"
    [report] = product.wait_for("sms/delivery")
    assert report == {
        "id": recipient["messageId"],
        "status": "Success",
        "phoneNumber": PHONE,
        "networkCode": "63902",
        "retryCount": "0",
    }
    url = simulator(sandbox_url, f"/phones/{PHONE.removeprefix('+')}/messages")
    [message] = requests.get(url, timeout=5).json()
    assert message["id"] == recipient["messageId"]
    assert (message["from"], message["text"]) == ("38426", "Karibu Kisima")
    assert message["status"] == "Success"


def test_the_inbox_is_newest_first(sandbox_url: str) -> None:
    for text in ("one", "two", "three"):
        sms_client(sandbox_url).send(text, [PHONE])
    messages = requests.get(simulator(sandbox_url, f"/phones/{PHONE}/messages"), timeout=5).json()
    assert [message["text"] for message in messages] == ["three", "two", "one"]
    assert messages[0]["from"] == "AFRICASTKNG"


def test_each_number_gets_its_own_code_and_long_texts_cost_per_segment(sandbox_url: str) -> None:
    answer = sms_client(sandbox_url).send("é" * 161, [PHONE, "+12345", "+221770000001"])
    codes = [(entry["statusCode"], entry["status"]) for entry in recipients(answer)]
    assert codes == [(101, "Success"), (403, "InvalidPhoneNumber"), (101, "Success")]
    assert recipients(answer)[0]["cost"] == "KES 1.6000"
    assert answer["SMSMessageData"]["Message"] == "Sent to 2/3 Total Cost: KES 3.2000"
    one_wrong_character = sms_client(sandbox_url).send("ç" * 71, [PHONE], enqueue=True)
    assert recipients(one_wrong_character)[0]["cost"] == "KES 1.6000"
    assert recipients(one_wrong_character)[0]["statusCode"] == 102


def test_a_foreign_sender_id_gets_no_recipients(sandbox_url: str) -> None:
    answer = sms_client(sandbox_url).send("hello", [PHONE], sender_id="BANK")
    assert answer == {"SMSMessageData": {"Message": "InvalidSenderId", "Recipients": []}}


def test_a_wrong_key_is_refused_with_text(sandbox_url: str) -> None:
    with pytest.raises(AfricasTalkingException, match="authentication is invalid"):
        sms_client(sandbox_url, api_key="guess").send("hello", [PHONE])


def test_stop_opts_out_and_start_opts_in_again(sandbox_url: str, product: Product) -> None:
    url = simulator(sandbox_url, f"/phones/{PHONE}/sms")
    requests.post(url, json={"text": " Stop "}, timeout=5)
    [opt_out] = product.wait_for("sms/optout")
    assert opt_out == {"senderId": "38426", "phoneNumber": PHONE}
    [inbound] = product.wait_for("sms")
    assert (inbound["from"], inbound["to"], inbound["text"]) == (PHONE, "38426", " Stop ")
    client = sms_client(sandbox_url)
    [refused] = recipients(client.send("hello", [PHONE]))
    assert (refused["statusCode"], refused["status"]) == (406, "UserInBlacklist")
    requests.post(url, json={"text": "START"}, timeout=5)
    assert recipients(client.send("hello", [PHONE]))[0]["statusCode"] == 101


def test_inbound_messages_can_be_fetched_and_lose_their_at_sign(
    sandbox_url: str, product: Product
) -> None:
    url = simulator(sandbox_url, "/phones/254711000002/sms")
    for text in ("BAL", "a@b.c"):
        requests.post(url, json={"text": text}, timeout=5)
    client = sms_client(sandbox_url)
    first, second = client.fetch_messages()["SMSMessageData"]["Messages"]
    assert (first["text"], second["text"]) == ("BAL", "a¡b.c")
    later = client.fetch_messages(last_received_id=first["id"])["SMSMessageData"]["Messages"]
    assert later == [second]
    product.wait_for("sms", count=2)


def test_the_account_shows_the_credit_left(sandbox_url: str) -> None:
    sms_client(sandbox_url).send("hello", [PHONE])
    application = ApplicationService("sandbox", "sandbox-key")
    application._baseUrl = f"{sandbox_url}/africastalking/version1"
    answer = application.fetch_application_data()
    assert answer == {"UserData": {"balance": "KES 9999.2000"}}


def test_an_undelivered_message_is_reported_failed_and_reaches_no_inbox(
    sandbox_url: str, product: Product
) -> None:
    requests.post(simulator(sandbox_url, "/faults"), json={"kind": "undelivered"}, timeout=5)
    sms_client(sandbox_url).send("lost", [PHONE])
    [report] = product.wait_for("sms/delivery")
    assert (report["status"], report["failureReason"]) == ("Failed", "AbsentSubscriber")
    inbox = requests.get(simulator(sandbox_url, f"/phones/{PHONE}/messages"), timeout=5)
    assert inbox.json() == []


def test_a_delivery_report_can_come_before_the_sends_own_answer(
    sandbox_url: str, product: Product
) -> None:
    requests.post(simulator(sandbox_url, "/faults"), json={"kind": "before_response"}, timeout=5)
    sms_client(sandbox_url).send("hello", [PHONE])
    assert len(product.bodies("sms/delivery")) == 1


def test_a_refused_delivery_report_is_sent_again(sandbox_url: str, product: Product) -> None:
    product.status = 503
    sms_client(sandbox_url).send("hello", [PHONE])
    product.wait_for("sms/delivery")
    product.status = 200
    product.wait_for("sms/delivery", count=2, seconds=8)
    listed = requests.get(simulator(sandbox_url, "/callbacks"), timeout=5).json()
    assert listed[0]["attempts"] == 2
