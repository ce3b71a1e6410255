"""What every service of the sandbox is given: state, clock, callbacks, credentials."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sandbox.courier import Courier
from sandbox.faults import Faults
from sandbox.store import Ids, Store

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What clients must present, and the numbers the demo's operator holds."""

    africastalking_username: str = "sandbox"
    africastalking_api_key: str = "sandbox-key"
    sms_short_code: str = "38426"
    ussd_service_code: str = "*384*4826#"
    daraja_consumer_key: str = "sandbox-key"
    daraja_consumer_secret: str = "sandbox-secret"
    daraja_short_code: str = "174379"
    daraja_passkey: str = "sandbox-passkey"
    daraja_initiator: str = "sandbox-initiator"
    daraja_security_credential: str = "sandbox-credential"
    phone_pin: str = "4826"
    momo_api_user: str = "00000000-0000-4000-8000-000000004826"
    momo_api_key: str = "sandbox-key"
    momo_collection_key: str = "sandbox-collection-key"
    momo_disbursement_key: str = "sandbox-disbursement-key"
    pawapay_api_token: str = "sandbox-key"
    koios_api_key: str = "sandbox-key"
    koios_api_secret: str = "sandbox-secret"
    plant_api_key: str = "sandbox-key"
    stripe_webhook_secret: str = "whsec_sandbox"
    etims_tin: str = "P000000001A"
    etims_branch: str = "00"
    etims_device_serial: str = "sandbox-device"
    etims_cmc_key: str = "sandbox-key"
    mail_user: str = "sandbox"
    mail_password: str = "sandbox-key"


@dataclass(frozen=True, slots=True)
class Context:
    """Shared by the services; clock() is an aware UTC instant."""

    store: Store
    faults: Faults
    courier: Courier
    ids: Ids
    clock: Clock
    credentials: Credentials
    product_url: str
    hook_secret: str
    seed: int
    slot_seconds: int

    def now(self) -> float:
        """The clock's instant in epoch seconds."""
        return self.clock().timestamp()

    def hook(self, path: str) -> str:
        """Absolute URL of one of the product's hooks, given the path behind the secret."""
        return f"{self.product_url}/hooks/{self.hook_secret}/{path}"
