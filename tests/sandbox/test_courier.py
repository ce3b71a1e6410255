"""What the courier carries: any method, fixed headers, raw bodies, signatures made on leaving."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from sandbox import courier as courier_module
from sandbox import faults as faults_module
from sandbox.courier import Callback, Courier, Outgoing
from sandbox.faults import Faults
from sandbox.store import Store
from tests.sandbox.conftest import Product

SCHEMAS = (faults_module.SCHEMA, courier_module.SCHEMA)


def courier_over(path: Path) -> Courier:
    store = Store(path=path, schemas=SCHEMAS)
    return Courier(store=store, faults=Faults(store=store), delay_seconds=0.01)


@pytest.fixture
def courier(tmp_path: Path) -> Courier:
    return courier_over(tmp_path / "state.sqlite3")


def test_a_plain_callback_is_a_json_post(courier: Courier, product: Product) -> None:
    courier.start()
    courier.post(Callback(service="s", topic="t", url=f"{product.base_url}/a", payload={"b": 1}))
    assert product.wait_for("/a") == [{"b": 1}]
    courier.stop()
    [received] = product.received
    assert (received.method, received.body) == ("POST", b'{"b": 1}')
    assert received.headers["Content-Type"] == "application/json"


def test_method_headers_and_raw_body_go_as_given(courier: Courier, product: Product) -> None:
    courier.start()
    courier.post(
        Callback(
            service="s",
            topic="t",
            url=f"{product.base_url}/a",
            method="PUT",
            headers={"X-One": "1"},
            raw='{ "é":  2}',
            content_type="application/json; charset=utf-8",
        )
    )
    product.wait_for("/a")
    courier.stop()
    [received] = product.received
    assert (received.method, received.body) == ("PUT", '{ "é":  2}'.encode())
    assert received.headers["X-One"] == "1"
    assert received.headers["Content-Type"] == "application/json; charset=utf-8"


def test_a_signer_sees_what_leaves_at_every_attempt(courier: Courier, product: Product) -> None:
    seen: list[Outgoing] = []

    def sign(outgoing: Outgoing) -> dict[str, str]:
        seen.append(outgoing)
        return {"X-Attempt": str(len(seen))}

    courier.sign_with(name="numbered", signer=sign)
    courier.start()
    product.status = 500
    courier.post(
        Callback(
            service="s",
            topic="t",
            url=f"{product.base_url}/a",
            payload={},
            headers={"X-One": "1"},
            signer="numbered:some:note",
            attempts=2,
            retry_seconds=0.05,
        )
    )
    product.wait_for("/a", count=2)
    courier.stop()
    assert [received.headers["X-Attempt"] for received in product.received] == ["1", "2"]
    assert [outgoing.note for outgoing in seen] == ["some:note"] * 2
    assert (seen[0].method, seen[0].body, seen[0].headers["X-One"]) == ("POST", b"{}", "1")


def test_a_state_file_of_an_earlier_release_is_brought_up_to_date(
    tmp_path: Path, product: Product
) -> None:
    path = tmp_path / "old.sqlite3"
    old = sqlite3.connect(path)
    old.executescript(courier_module.SCHEMA)
    columns = {row[1] for row in old.execute("PRAGMA table_info(callback)")}
    assert columns.isdisjoint(courier_module.ADDED_COLUMNS)
    old.execute(
        "INSERT INTO callback (service, topic, url, content_type, body, state, due_at,"
        " attempts_left, retry_seconds) VALUES ('s', 't', ?, 'application/json', '{\"b\": 1}',"
        " 'waiting', 0, 1, 1)",
        (f"{product.base_url}/a",),
    )
    old.commit()
    old.close()
    courier = courier_over(path)
    courier.start()
    assert product.wait_for("/a") == [{"b": 1}]
    courier.stop()
