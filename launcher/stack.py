"""PostgreSQL and Valkey together, and the environment by which the service finds them."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from launcher import postgres, process
from launcher.places import Places
from launcher.postgres import Postgres
from launcher.progress import Progress
from launcher.supervisor import StartError, Supervisor
from launcher.valkey import DATABASES, Valkey

DEMO_SENDER = "Solar gateway <letters@gateway.invalid>"
DATABASE_NAMES = ("DATABASE_URL", "DATABASE_OWNER_URL")
CACHE_NAMES = ("BROKER_URL", "CACHE_URL")
# Whatever the caller's environment names: a test that wants a chain starts one.
_NO_CHAIN = {
    "CHAIN_RPC_URL": "",
    "CHAIN_ID": "31337",
    "CHAIN_POSTER": "",
    "CHAIN_SWEEPER": "",
    "CHAIN_TREASURY_SIGNER": "",
    "CHAIN_GUARDIAN_ADDRESS": "",
    "CHAIN_TREASURY_ADDRESS": "",
}


class Stack:
    """The embedded services that the environment does not already name."""

    def __init__(
        self, *, places: Places, supervisor: Supervisor, given: set[str], durable: bool = True
    ) -> None:
        if len(given & set(DATABASE_NAMES)) == 1:
            raise StartError("Set both DATABASE_URL and DATABASE_OWNER_URL, or neither of them.")
        self._places = places
        self._supervisor = supervisor
        self._given = given
        self._postgres = (
            None if "DATABASE_URL" in given else Postgres(places=places, durable=durable)
        )
        self._valkey = None if given >= set(CACHE_NAMES) else Valkey(places=places)

    def start(self) -> dict[str, str]:
        """Start what is needed; returns the variables of what was started."""
        self._places.make()
        progress = self._supervisor.progress
        found: dict[str, str] = {}
        if self._postgres is not None:
            first = not (self._places.postgres / "PG_VERSION").exists()
            progress.begin("Starting PostgreSQL" + (" for the first time" if first else ""))
            self._supervisor.start(self._postgres.program())
            self._postgres.prepare()
            progress.done()
            found |= database_urls(self._places.run)
        if self._valkey is not None:
            progress.begin("Starting Valkey")
            self._supervisor.start(self._valkey.program())
            progress.done()
            found |= cache_urls(self._places.valkey_socket, pair=0)
        return {name: value for name, value in found.items() if name not in self._given}

    def answers(self) -> bool:
        """Whether everything that was started takes commands."""
        started = [service for service in (self._postgres, self._valkey) if service is not None]
        return all(service.answers() for service in started)

    def release(self) -> None:
        """After everything stopped: give up the lock and a socket directory outside var."""
        if self._valkey is not None:
            self._valkey.release()
        if self._places.run.parent != self._places.var:
            shutil.rmtree(self._places.run, ignore_errors=True)


def given_names(environment: dict[str, str]) -> set[str]:
    """Which of our variables the caller has set, itself or as NAME_FILE."""
    names = {*DATABASE_NAMES, *CACHE_NAMES}
    return {name for name in names if environment.get(name) or environment.get(f"{name}_FILE")}


def database_urls(socket_directory: Path) -> dict[str, str]:
    host = quote(str(socket_directory), safe="/")
    return {
        "DATABASE_URL": f"postgresql://{postgres.APP}@/{postgres.DATABASE}?host={host}",
        "DATABASE_OWNER_URL": f"postgresql://{postgres.OWNER}@/{postgres.DATABASE}?host={host}",
    }


def cache_urls(socket: Path, *, pair: int) -> dict[str, str]:
    """Broker and cache in two databases of one Valkey; pair keeps users of it apart."""
    if not 0 <= pair < DATABASES // 2:
        raise StartError(f"Valkey has {DATABASES} databases: at most {DATABASES // 2} users.")
    path = quote(str(socket), safe="/")
    return {
        "BROKER_URL": f"redis+socket://{path}?virtual_host={2 * pair}",
        "CACHE_URL": f"unix://{path}?db={2 * pair + 1}",
    }


def offline_environment() -> dict[str, str]:
    """Settings for tests, lint and benches: every outside service is a closed port."""
    nowhere = "http://127.0.0.1:9"
    return {
        "SECRET_KEY": "only-for-tests-and-benches-never-for-a-server",
        "HOOK_SECRETS": "test-secret,old-secret",
        "PUBLIC_URL": "http://127.0.0.1:1",
        "ALLOWED_HOSTS": "127.0.0.1,localhost,testserver",
        "EMAIL_URL": sandbox_mail(9),
        "EMAIL_FROM": DEMO_SENDER,
        **_NO_CHAIN,
        **provider_environment(nowhere),
    }


def sandbox_mail(port: int) -> str:
    """EMAIL_URL of the sandbox's mail server, with its log-in (`sandbox.context.Credentials`)."""
    return f"smtp://sandbox:sandbox-key@127.0.0.1:{port}"


def provider_environment(base_url: str) -> dict[str, str]:
    """Accounts at the outside services under one base URL (the sandbox, or nowhere).

    The keys are those the sandbox takes (`sandbox.context.Credentials`).
    """
    return {
        "AFRICASTALKING_URL": f"{base_url}/africastalking",
        "AFRICASTALKING_USERNAME": "sandbox",
        "AFRICASTALKING_API_KEY": "sandbox-key",
        "SMS_SHORT_CODE": "38426",
        "USSD_CODE": "*384*4826#",
        "DARAJA_URL": f"{base_url}/daraja",
        "DARAJA_CONSUMER_KEY": "sandbox-key",
        "DARAJA_CONSUMER_SECRET": "sandbox-secret",
        "DARAJA_SHORT_CODE": "174379",
        "DARAJA_PASSKEY": "sandbox-passkey",
        "DARAJA_INITIATOR_NAME": "sandbox-initiator",
        "DARAJA_SECURITY_CREDENTIAL": "sandbox-credential",
        "MOMO_URL": f"{base_url}/momo",
        "MOMO_API_USER": "00000000-0000-4000-8000-000000004826",
        "MOMO_API_KEY": "sandbox-key",
        "MOMO_COLLECTION_KEY": "sandbox-collection-key",
        "MOMO_DISBURSEMENT_KEY": "sandbox-disbursement-key",
        "MOMO_ENVIRONMENT": "mtnuganda",
        "PAWAPAY_URL": f"{base_url}/pawapay",
        "PAWAPAY_API_TOKEN": "sandbox-key",
        "PAWAPAY_CALLBACKS_SIGNED": "1",
        "STRIPE_URL": f"{base_url}/stripe",
        "STRIPE_SECRET_KEY": "sk_test_sandbox",
        "STRIPE_WEBHOOK_SECRETS": "whsec_sandbox",
        "ETIMS_URL": f"{base_url}/etims",
        "ETIMS_API_KEY": "sandbox-key",
        "ETIMS_RECEIPT_URL": f"{base_url}/etims/common/link/etims/receipt/indexEtimsReceiptData",
        "KOIOS_URL": f"{base_url}/koios",
        "KOIOS_API_KEY": "sandbox-key",
        "KOIOS_API_SECRET": "sandbox-secret",
        "PLANT_URL": f"{base_url}/plant",
        "PLANT_API_KEY": "sandbox-key",
        "OPEN_METEO_URL": f"{base_url}/open-meteo",
        "RATES_URL": f"{base_url}/rates",
        "RATES_URL_2": f"{base_url}/rates/second",
        "DAI_USD_FEED_RPC_URL": f"{base_url}/chainlink",
        "DAI_USD_FEED_ADDRESS": "0xAed0c38402a5d19df6E4c03F4E2DceD6e29c1ee9",
        "DAI_USD_FEED_CHAIN_ID": "1",
        "DAI_USD_FEED_HEARTBEAT_SECONDS": "3600",
    }


class TemporaryStack:
    """A stack in a directory of its own that is removed at the end, however that comes."""

    def __init__(self, *, progress: Progress, durable: bool) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="gateway-"))
        self.supervisor = Supervisor(progress=progress)
        self.supervisor.remove_at_end(self.directory)
        self._places = Places(var=self.directory)
        self._stack = Stack(
            places=self._places,
            supervisor=self.supervisor,
            given=given_names(dict(os.environ)),
            durable=durable,
        )

    @property
    def valkey_socket(self) -> Path:
        return self._places.valkey_socket

    def start(self) -> dict[str, str]:
        try:
            return self._stack.start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        self.supervisor.stop()
        self._stack.release()
        shutil.rmtree(self.directory, ignore_errors=True)


@contextlib.contextmanager
def temporary(*, progress: Progress, durable: bool) -> Iterator[tuple[dict[str, str], Supervisor]]:
    """A temporary stack; gives its variables and its supervisor."""
    stack = TemporaryStack(progress=progress, durable=durable)
    found = stack.start()
    try:
        yield found, stack.supervisor
    finally:
        stack.stop()
        process.end_orphans(patience_seconds=1.0)
