"""Everybody can fetch what proves a token, byte for byte, and nothing that names a person."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from accounts.models import Donor, DonorContact, HouseholdName, HouseholdSite, Site
from tests.calling import client_of, problem_of
from tests.epoch_village import HALF, EpochVillage
from tests.living_village import neighbour, staff
from tokens import dataset, wallets
from tokens.models import Claim, Epoch, Leaf
from tokens.sum_tree import Node, Step, verify

pytestmark = pytest.mark.django_db

WALLET = "0x" + "Ab" * 20


@pytest.fixture(autouse=True)
def short_epochs(settings: Any) -> None:
    settings.EPOCH_SECONDS = 300
    settings.CHAIN_ID = 31_337
    cache.clear()


@pytest.fixture
def life(now: datetime) -> EpochVillage:
    """Eleven households in two cohorts, two donors, one active epoch and one proposed."""
    life = EpochVillage.found(at=now, households=11)
    life.deploy()
    for number, household in enumerate(life.households.values(), start=1):
        HouseholdName.objects.create(household=household, name=f"Mtu wa {number * 111}")
    for number in range(2):
        donor = Donor.objects.create(created_at=life.at)
        DonorContact.objects.create(
            donor=donor, name=f"Giver {number}", email=f"giver{number}@example.org"
        )
        life.donate(amount_wei=10**18 + number, days=number, donor=donor)
    Leaf.objects.filter(kind="donation").update(wallet=WALLET)
    life.everybody_uses(1_000)
    life.closed_and_active()
    life.use(KIS0001=500)
    epoch = life.must_close()
    Epoch.objects.filter(pk=epoch.pk).update(state="proposed", proposed_at=life.at)
    return life


def body(path: str, client: Client | None = None) -> Any:
    answer = (client or Client()).get(f"/api/v1{path}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def shows(proof: dict[str, Any], root: Node) -> bool:
    """Whether a proof from the API leads to a root, by the tree's own rule."""
    steps = [
        Step(
            bytes.fromhex(step["hash"][2:]),
            int(step["milliwatt_hours"]),
            int(step["tokens"]),
            step["is_left"],
        )
        for step in proof["path"]
    ]
    return verify(
        key=bytes.fromhex(proof["key"][2:]),
        wallet=bytes.fromhex((proof["wallet"] or "0x")[2:]),
        milliwatt_hours=int(proof["milliwatt_hours"]),
        tokens=int(proof["tokens"]),
        path=steps,
        root=root,
    )


def test_the_contracts_are_told(life: EpochVillage) -> None:
    assert body("/sites/kisima/contracts/") == {
        "site": "kisima",
        "chain_id": 31_337,
        "token": "0x" + "22" * 20,
        "ledger": "0x" + "11" * 20,
        "wei_per_milliwatt_hour": str(2 * HALF),
        "deployed_in_block": 0,
    }


def test_a_site_without_contracts_says_so(now: datetime) -> None:
    EpochVillage.found(at=now)
    problem_of(Client().get("/api/v1/sites/kisima/contracts/"), status=404, kind="not-found")
    assert body("/sites/kisima/epochs/")["results"] == []


def test_epochs_are_listed_newest_first_in_pages(life: EpochVillage) -> None:
    listed = body("/sites/kisima/epochs/?limit=1")
    assert listed["count"] == 2
    assert [each["epoch"] for each in listed["results"]] == [2]
    assert [each["state"] for each in body("/sites/kisima/epochs/")["results"]] == [
        "proposed",
        "active",
    ]


def test_an_epoch_tells_its_sums_root_and_balance(life: EpochVillage) -> None:
    told = body("/sites/kisima/epochs/1/")
    epoch = Epoch.objects.get(number=1)
    assert told["energy_wh"] == "11.000"
    assert told["tokens"] == {"amount": "0.011000000000000000", "asset": "IT"}
    assert (told["root"], told["dataset_hash"]) == (epoch.root, epoch.dataset_hash)
    assert told["book"] == {"height": epoch.book_height, "hash": epoch.book_hash}
    assert told["balance"]["households_wh"] == "11.000"
    assert told["balance"]["is_balanced"] is False
    assert told["carry"] == {
        "energy_wh": "0.000",
        "tokens": {"amount": "0.000000000000000000", "asset": "IT"},
    }
    assert told["active_at"].endswith("Z")
    assert told["dataset"] == "/api/v1/sites/kisima/epochs/1/dataset/?attempt=1"
    assert (told["certificate"], told["claims_co2"]) == (None, True)


def test_an_epoch_that_a_certificate_claimed_drops_its_claim(life: EpochVillage) -> None:
    Epoch.objects.filter(number=1).update(certificate="D-REC KE-2026-17")
    told = body("/sites/kisima/epochs/1/")
    assert (told["certificate"], told["claims_co2"]) == ("D-REC KE-2026-17", False)


def test_an_epoch_answers_not_modified_until_it_changes(life: EpochVillage) -> None:
    client = Client()
    first = client.get("/api/v1/sites/kisima/epochs/2/")
    asked = {"if-none-match": first["ETag"]}
    assert client.get("/api/v1/sites/kisima/epochs/2/", headers=asked).status_code == 304
    Epoch.objects.filter(number=2).update(state="vetoed")
    assert client.get("/api/v1/sites/kisima/epochs/2/", headers=asked).status_code == 200


def test_the_data_set_is_told_byte_for_byte_and_kept_for_ever(life: EpochVillage) -> None:
    epoch = Epoch.objects.get(number=1)
    answer = Client().get("/api/v1/sites/kisima/epochs/1/dataset/")
    assert answer.content == epoch.dataset.encode()
    assert "0x" + sha256(answer.content).hexdigest() == epoch.dataset_hash
    assert dataset.hexed(dataset.rebuild(answer.content).hash) == epoch.root
    assert answer["Content-Type"] == "application/json"
    assert answer["ETag"] == f'"{epoch.dataset_hash}"'
    assert "immutable" in answer["Cache-Control"]
    assert "max-age=31536000" in answer["Cache-Control"]
    asked = {"if-none-match": answer["ETag"]}
    again = Client().get("/api/v1/sites/kisima/epochs/1/dataset/", headers=asked)
    assert again.status_code == 304


def test_the_last_attempt_of_an_open_number_is_not_kept_for_ever(life: EpochVillage) -> None:
    answer = Client().get("/api/v1/sites/kisima/epochs/2/dataset/")
    assert "immutable" not in answer["Cache-Control"]
    told = body("/sites/kisima/epochs/2/")["dataset"]
    assert "immutable" in Client().get(told)["Cache-Control"]


def test_what_a_closed_site_proved_stays_published(life: EpochVillage) -> None:
    Site.objects.update(closed_at=life.at)
    assert body("/sites/kisima/contracts/")["site"] == "kisima"
    assert body("/sites/kisima/epochs/")["count"] == 2
    assert body("/sites/kisima/epochs/1/dataset/")["site"] == "kisima"


def test_every_attempt_of_a_number_stays_published(life: EpochVillage) -> None:
    Epoch.objects.filter(number=2).update(state="vetoed")
    life.use(KIS0002=500)
    life.must_close()
    assert body("/sites/kisima/epochs/2/")["attempt"] == 2
    assert body("/sites/kisima/epochs/2/?attempt=1")["state"] == "vetoed"
    read = [body(f"/sites/kisima/epochs/2/dataset/?attempt={number}") for number in (1, 2)]
    assert [each["attempt"] for each in read] == ["1", "2"]
    assert body("/sites/kisima/epochs/2/dataset/") == read[1]


@pytest.mark.parametrize(
    "path",
    [
        "/sites/kisima/epochs/3/",
        "/sites/kisima/epochs/0/",
        f"/sites/kisima/epochs/{10**30}/",
        "/sites/kisima/epochs/1/?attempt=2",
        "/sites/kisima/epochs/3/dataset/",
        "/sites/nowhere/epochs/",
        "/sites/nowhere/contracts/",
        "/leaves/0x" + "00" * 32 + "/proof/",
        "/leaves/nonsense/proof/",
    ],
)
def test_what_is_not_there_is_a_problem(life: EpochVillage, path: str) -> None:
    problem_of(Client().get(f"/api/v1{path}"), status=404, kind="not-found")


@pytest.mark.parametrize(
    "path", ["/sites/kisima/epochs/1/?attempt=x", "/sites/kisima/epochs/1/dataset/?attempt=0"]
)
def test_an_attempt_is_a_number_above_zero(life: EpochVillage, path: str) -> None:
    problem = problem_of(Client().get(f"/api/v1{path}"), status=400, kind="invalid")
    assert problem["errors"][0]["field"] == "attempt"


def test_a_donation_is_proved_by_its_key(life: EpochVillage) -> None:
    epoch = Epoch.objects.get(number=1)
    leaf = Leaf.objects.filter(kind="donation").order_by("pk")[0]
    Claim.objects.create(
        chain_id=31_337,
        site=life.village.site,
        leaf=leaf,
        wallet=WALLET,
        tokens_wei=7,
        transfer_hash="0x" + "77" * 32,
        log_index=0,
        block_number=1,
        claimed_at=life.at,
    )
    proof = body(f"/leaves/{leaf.key}/proof/")
    assert (proof["site"], proof["epoch"], proof["key"]) == ("kisima", 1, leaf.key)
    assert (proof["root"], proof["ledger"]) == (epoch.root, "0x" + "11" * 20)
    assert int(proof["tokens"]) > 0
    assert proof["claimed"] == "7"
    assert shows(proof, dataset.rebuild(epoch.dataset.encode()))


def test_every_leaf_of_every_household_is_proved_to_it(life: EpochVillage) -> None:
    root = dataset.rebuild(Epoch.objects.get(number=1).dataset.encode())
    for leaf in Leaf.objects.filter(kind="household"):
        code = wallets.code_of(leaf=leaf)
        proof = body(f"/leaves/{leaf.key}/proof/?c={code}")
        assert proof["milliwatt_hours"] == "1000"
        assert shows(proof, root)
        other = proof | {"tokens": str(int(proof["tokens"]) + 1)}
        assert not shows(other, root)


@pytest.mark.parametrize("code", ["", "?c=", "?c=0123456789", "?c=" + "é" * 10])
def test_a_households_key_alone_shows_nothing(life: EpochVillage, code: str) -> None:
    leaf = Leaf.objects.filter(kind="household").order_by("pk")[0]
    answer = Client().get(f"/api/v1/leaves/{leaf.key}/proof/{code}")
    problem_of(answer, status=404, kind="not-found")


@pytest.mark.parametrize("kind", ["reserve", "unallocated"])
def test_nobody_proves_what_is_nobodys(life: EpochVillage, kind: str) -> None:
    leaf = Leaf.objects.get(kind=kind)
    answer = Client().get(f"/api/v1/leaves/{leaf.key}/proof/")
    problem_of(answer, status=404, kind="not-found")


def test_a_proof_is_kept_in_no_cache(life: EpochVillage) -> None:
    leaf = Leaf.objects.filter(kind="donation").order_by("pk")[0]
    answer = Client().get(f"/api/v1/leaves/{leaf.key}/proof/")
    assert "no-store" in answer["Cache-Control"]
    assert "max-age" not in answer["Cache-Control"]


def test_a_proof_of_an_older_epoch_can_be_asked_for(life: EpochVillage) -> None:
    Epoch.objects.filter(number=2).update(state="active", active_at=life.at)
    leaf = Leaf.objects.filter(kind="donation").order_by("pk")[0]
    assert body(f"/leaves/{leaf.key}/proof/")["epoch"] == 2
    older = body(f"/leaves/{leaf.key}/proof/?epoch=1")
    assert shows(older, dataset.rebuild(Epoch.objects.get(number=1).dataset.encode()))
    answer = Client().get(f"/api/v1/leaves/{leaf.key}/proof/?epoch=3")
    problem_of(answer, status=404, kind="not-found")
    answer = Client().get(f"/api/v1/leaves/{leaf.key}/proof/?epoch=last")
    problem_of(answer, status=400, kind="invalid")


def test_the_operator_fetches_a_households_proof(life: EpochVillage) -> None:
    client = client_of(staff(name="operator", village=life.village))
    proof = body("/households/kis0007/proof/", client)
    assert proof["key"] == Leaf.objects.get(household__code="KIS0007").key
    assert shows(proof, dataset.rebuild(Epoch.objects.get(number=1).dataset.encode()))


def test_a_household_without_a_leaf_where_it_lives_has_no_proof(life: EpochVillage) -> None:
    client = client_of(staff(name="operator", village=life.village))
    life.move_in("KIS0099")
    answer = client.get("/api/v1/households/KIS0099/proof/")
    problem_of(answer, status=404, kind="not-found")


def test_nobody_else_fetches_a_households_proof(life: EpochVillage) -> None:
    path = "/api/v1/households/KIS0007/proof/"
    problem_of(Client().get(path), status=401, kind="not-authenticated")
    _, _, stranger = neighbour(at=life.at)
    problem_of(client_of(stranger).get(path), status=404, kind="not-found")
    plain = staff(name="donor", village=None, is_staff=False)
    problem_of(client_of(plain).get(path), status=403, kind="not-allowed")


def test_a_household_that_moved_away_is_not_its_old_operators_any_more(
    life: EpochVillage,
) -> None:
    client = client_of(staff(name="operator", village=life.village))
    gone = life.households["KIS0003"]
    HouseholdSite.objects.filter(household=gone).update(
        validity=(life.village.founded_at, datetime.now(tz=UTC) - timedelta(hours=1))
    )
    answer = client.get("/api/v1/households/KIS0003/proof/")
    problem_of(answer, status=404, kind="not-found")


def test_nothing_public_names_a_person(life: EpochVillage) -> None:
    secrets = {"+254"}
    for household in life.households.values():
        secrets |= {household.code, str(household.uid), household.uid.hex, household.name.name}
        secrets |= set(household.phones.values_list("phone", flat=True))
    for donor in Donor.objects.all():
        secrets |= {str(donor.uid), donor.uid.hex, donor.contact.name, donor.contact.email}
    for donation in life.village.site.donations.all():
        secrets |= {str(donation.uid), donation.uid.hex}
    secrets |= set(Leaf.objects.filter(kind="household").values_list("key", flat=True))
    paths = ["contracts/", "epochs/", "epochs/1/", "epochs/2/"]
    paths += ["epochs/1/dataset/", "epochs/2/dataset/"]
    told = [Client().get(f"/api/v1/sites/kisima/{path}").content.decode() for path in paths]
    leaf = Leaf.objects.filter(kind="donation").order_by("pk")[0]
    told.append(Client().get(f"/api/v1/leaves/{leaf.key}/proof/").content.decode())
    for text in told:
        assert len(text) > 100
        assert not [secret for secret in secrets if secret.lower() in text.lower()]


def test_a_household_is_public_only_as_part_of_five(life: EpochVillage) -> None:
    nodes = json.loads(Epoch.objects.get(number=1).dataset)["nodes"]
    cohorts = [node for node in nodes if node["kind"] == "cohort"]
    assert sorted(int(node["households"]) for node in cohorts) == [5, 6]
    assert {node["kind"] for node in nodes} == {"cohort", "donation", "reserve", "unallocated"}
