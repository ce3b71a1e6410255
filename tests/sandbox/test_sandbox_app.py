"""The sandbox as a whole: health, restarts, the command line and the villagers."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from tests.sandbox.conftest import PHONE, DarajaClient, MovableClock, Product, StartSandbox
from tests.sandbox.pawapay_merchant import Merchant, payer

REPOSITORY = Path(__file__).parents[2]


def test_it_is_healthy_and_unknown_paths_are_404_json(sandbox_url: str) -> None:
    assert requests.get(f"{sandbox_url}/healthz", timeout=5).status_code == 200
    unknown = requests.get(f"{sandbox_url}/nowhere", timeout=5)
    assert unknown.status_code == 404
    assert unknown.json()["error"]


def test_a_restart_keeps_prompts_payments_tokens_and_unsent_callbacks(
    start_sandbox: StartSandbox, product: Product
) -> None:
    first, url = start_sandbox()
    daraja = DarajaClient(url=f"{url}/daraja", product_url=product.base_url)
    daraja.sign_in()
    daraja.fault(kind="late", seconds=1.5)
    paid = daraja.push().json()["CheckoutRequestID"]
    receipt = daraja.answer(paid, {"pin": "4826"}).json()["receipt"]
    still_open = daraja.push().json()["CheckoutRequestID"]
    first.stop()
    assert product.hooks == []
    _, url = start_sandbox()
    daraja.url = f"{url}/daraja"
    assert [prompt["id"] for prompt in daraja.prompts()] == [still_open]
    assert [row["receipt"] for row in daraja.statement()["transactions"]] == [receipt]
    assert daraja.query(paid).json()["ResultCode"] == "0"
    product.wait_for("daraja/stk/abc")


def test_villagers_from_the_tenth_on_pay_and_answer_by_themselves(
    start_sandbox: StartSandbox, product: Product, clock: MovableClock
) -> None:
    _, url = start_sandbox(autopilot=True)
    daraja = DarajaClient(url=f"{url}/daraja", product_url=product.base_url)
    daraja.sign_in()
    daraja.register_urls()
    assert daraja.push(PhoneNumber="254711000010", PartyA="254711000010").status_code == 200
    own = daraja.push().json()["CheckoutRequestID"]
    clock.move(seconds=10)
    product.wait_for("daraja/stk/abc")
    assert [prompt["id"] for prompt in daraja.prompts()] == [own]
    clock.move(seconds=6 * 3600)
    confirmations = product.wait_for("daraja/confirmation", count=21)
    accounts = {body["BillRefNumber"] for body in confirmations}
    assert accounts == {f"KIS{number:04d}" for number in range(10, 31)}
    assert all(50 <= int(body["TransAmount"]) <= 300 for body in confirmations)


def test_villagers_of_lofe_dial_for_a_prompt_and_answer_it(
    start_sandbox: StartSandbox, product: Product, clock: MovableClock
) -> None:
    _, url = start_sandbox(autopilot=True)
    pawapay = Merchant(url=f"{url}/pawapay")
    villager = pawapay.accepted(payer=payer("221770000010", "ORANGE_SEN"))
    own = pawapay.accepted()
    clock.move(seconds=10)
    [told] = product.wait_for("pawapay")
    assert told["depositId"] == villager
    assert [prompt["id"] for prompt in pawapay.prompts()] == [own]
    clock.move(seconds=6 * 3600)
    last_hops: list[dict[str, Any]] = []
    deadline = time.monotonic() + 20
    while len(last_hops) < 21:
        assert time.monotonic() < deadline, last_hops
        time.sleep(0.05)
        hops = [body for body in product.bodies("ussd") if body["text"].endswith("*1")]
        last_hops = [body for body in hops if body["text"].count("*") == 2]
    phones = {body["phoneNumber"] for body in last_hops}
    assert phones == {f"+2217700000{number:02d}" for number in range(10, 31)}
    assert all(200 <= int(body["text"].split("*")[1]) <= 1_500 for body in last_hops)


def test_many_phones_at_once_lose_no_message(sandbox_url: str, product: Product) -> None:
    def send(number: int) -> int:
        url = f"{sandbox_url}/africastalking/simulator/phones/2547110000{number % 30 + 1:02d}"
        requests.post(f"{url}/dial", json={"text": "1"}, timeout=10)
        return requests.post(f"{url}/sms", json={"text": f"{number}"}, timeout=10).status_code

    with ThreadPoolExecutor(max_workers=8) as pool:
        assert set(pool.map(send, range(120))) == {201}
    texts = {body["text"] for body in product.wait_for("sms", count=120, seconds=20)}
    assert texts == {str(number) for number in range(120)}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_the_command_serves_and_leaves_on_sigterm(product: Product, tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "sandbox", "--port", str(port)]
    command += ["--product-url", product.base_url, "--state", str(tmp_path / "s.sqlite3")]
    process = subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 15
        while True:
            try:
                url = f"http://127.0.0.1:{port}"
                assert requests.get(f"{url}/healthz", timeout=1).status_code == 200
                break
            except requests.ConnectionError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        sms = requests.post(
            f"{url}/africastalking/simulator/phones/{PHONE}/sms", json={"text": "BAL"}, timeout=5
        )
        assert sms.status_code == 201
        [inbound] = product.wait_for("sms")
        received = datetime.strptime(inbound["date"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        assert abs((datetime.now(UTC) - received).total_seconds()) < 30
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=10)
    assert process.returncode == 0
    assert errors == b""
