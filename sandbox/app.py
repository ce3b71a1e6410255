"""All services behind one WSGI application, with the threads that call the product back."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from sandbox import chainlink, etims, koios, open_meteo, plant_api, rates
from sandbox import courier as courier_module
from sandbox import faults as faults_module
from sandbox import mail as mail_module
from sandbox.africastalking import sms, ussd
from sandbox.autopilot import Autopilot
from sandbox.context import Clock, Context, Credentials
from sandbox.courier import Courier
from sandbox.daraja import access, b2c, commands, statement, stk
from sandbox.daraja.c2b import C2b
from sandbox.daraja.service import merchant_routes
from sandbox.faults import ANSWER_KINDS, Fault, Faults
from sandbox.mail import Mail, SmtpServer
from sandbox.momo import service as momo
from sandbox.pawapay import service as pawapay
from sandbox.phones import SERVICE as PHONES
from sandbox.phones import Phones
from sandbox.store import Ids, Store
from sandbox.stripe import service as stripe
from sandbox.wallet import SERVICE as WALLET
from sandbox.wallet import Wallets
from sandbox.web import Handler, Route, json_response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = logging.getLogger(__name__)

SCHEMAS = (
    faults_module.SCHEMA,
    courier_module.SCHEMA,
    sms.SCHEMA,
    ussd.SCHEMA,
    access.SCHEMA,
    statement.SCHEMA,
    stk.SCHEMA,
    commands.SCHEMA,
    plant_api.SCHEMA,
    *momo.SCHEMAS,
    *stripe.SCHEMAS,
    *pawapay.SCHEMAS,
    *etims.SCHEMAS,
    mail_module.SCHEMA,
)
# Where a client expects the vendor's own body even of an outage.
UNAVAILABLE_BODIES = {stripe.SERVICE: stripe.UNAVAILABLE_BODY}
TICK_SECONDS = 0.25
SHUTDOWN_POLL_SECONDS = 0.05
DEFAULT_SEED = 20_260_101


def wall_clock() -> datetime:
    """The instant now, aware, UTC."""
    return datetime.now(UTC)


class QuietHandler(WSGIRequestHandler):
    """Says nothing of requests that went well."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Leave out the access log."""


class Sandbox:
    """Every service under its prefix. `start()` serves it, `stop()` ends every thread."""

    def __init__(self, *, context: Context, autopilot: bool, chain_url: str = "") -> None:
        self.context = context
        self._server: BaseWSGIServer | None = None
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()
        own_access = access.Access(context=context)
        own_statement = statement.Statement(context=context)
        self._ussd = ussd.Ussd(context=context)
        self._stk = stk.Stk(context=context, access=own_access, statement=own_statement)
        c2b = C2b(context=context, access=own_access, statement=own_statement)
        self._momo = momo.Momo(context=context)
        self._stripe = stripe.Stripe(context=context)
        self._pawapay = pawapay.Pawapay(context=context)
        self._mail = Mail(context=context)
        self._smtp: SmtpServer | None = None
        phones = Phones(
            now=context.now,
            daraja=self._stk,
            momo=self._momo.collection,
            deposits=self._pawapay.deposits,
            prompts=self._pawapay.prompts,
        )
        self._autopilot = (
            Autopilot(context=context, phones=phones, c2b=c2b, ussd=self._ussd)
            if autopilot
            else None
        )
        rules = [Rule("/healthz", methods=["GET"], endpoint=("", _healthz))]
        for service, own_faults, routes in (
            (
                sms.SERVICE,
                (*sms.OWN_FAULTS, *ussd.OWN_FAULTS),
                [*sms.Sms(context=context).routes(), *self._ussd.routes()],
            ),
            (
                access.SERVICE,
                (*stk.OWN_FAULTS, *commands.OWN_FAULTS, *b2c.OWN_FAULTS),
                [
                    *own_access.routes(),
                    *self._stk.routes(),
                    *c2b.routes(),
                    *merchant_routes(context=context, access=own_access, statement=own_statement),
                ],
            ),
            (momo.SERVICE, momo.OWN_FAULTS, self._momo.routes()),
            (stripe.SERVICE, stripe.OWN_FAULTS, self._stripe.routes()),
            (pawapay.SERVICE, pawapay.OWN_FAULTS, self._pawapay.routes()),
            (PHONES, (), phones.routes()),
            (koios.SERVICE, (), koios.Koios(context=context).routes()),
            (plant_api.SERVICE, (), plant_api.PlantApi(context=context).routes()),
            (open_meteo.SERVICE, (), open_meteo.OpenMeteo(context=context).routes()),
            (etims.SERVICE, etims.OWN_FAULTS, etims.routes(context=context)),
            (rates.SERVICE, (), rates.routes(context=context)),
            (chainlink.SERVICE, (), chainlink.routes(context=context)),
            (WALLET, (), Wallets(chain_url=chain_url).routes()),
            (mail_module.SERVICE, mail_module.OWN_FAULTS, self._mail.routes()),
        ):
            common = [
                *context.faults.routes(service=service, own_kinds=own_faults),
                *context.courier.routes(service=service),
            ]
            rules += _rules(service, [*routes, *common])
        self._map = Map(rules, strict_slashes=False, merge_slashes=False)

    def wsgi_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        try:
            endpoint, arguments = self._map.bind_to_environ(environ).match()
            service, handler = endpoint
            response = self._answer(request, service, handler, arguments)
        except HTTPException as error:
            response = _error_response(error)
        return response(environ, start_response)

    def _answer(
        self, request: Request, service: str, handler: Handler, arguments: Mapping[str, str]
    ) -> Response:
        fault = self._answer_fault(request, service)
        if fault is not None and fault.kind == "unavailable":
            body = UNAVAILABLE_BODIES.get(service, {"error": "Service unavailable."})
            return json_response(body, status=503)
        try:
            response = handler(request, **arguments)
        finally:
            self.context.courier.send_before_response()
        if fault is not None:
            time.sleep(fault.seconds)
        return response

    def _answer_fault(self, request: Request, service: str) -> Fault | None:
        if not service or request.path.startswith(f"/{service}/simulator/"):
            return None
        return self.context.faults.take(service=service, kinds=ANSWER_KINDS, topic=None)

    def start(self, port: int = 0) -> str:
        """Serve on 127.0.0.1 in threads; returns the base URL (port 0 picks a free one)."""
        self._stopping.clear()
        self.context.courier.start()
        self._server = make_server(
            "127.0.0.1", port, self.wsgi_app, threaded=True, request_handler=QuietHandler
        )
        serve = partial(self._server.serve_forever, poll_interval=SHUTDOWN_POLL_SECONDS)
        for name, target in (("server", serve), ("ticker", self._tick)):
            thread = threading.Thread(target=target, name=f"sandbox-{name}", daemon=True)
            thread.start()
            self._threads.append(thread)
        return f"http://127.0.0.1:{self._server.server_port}"

    def start_mail(self, port: int = 0) -> int:
        """Take mail over SMTP on 127.0.0.1; returns the port (0 picks a free one)."""
        self._smtp = SmtpServer(mail=self._mail)
        return self._smtp.start(port)

    def stop(self) -> None:
        """Stop serving and calling back; the state file keeps the rest."""
        self._stopping.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        if self._smtp is not None:
            self._smtp.stop()
            self._smtp = None
        self.context.courier.stop()
        for thread in self._threads:
            thread.join(timeout=3.0)
        self._threads.clear()
        self.context.store.close()

    def _tick(self) -> None:
        """Let prompts and sessions run out, and the villagers act."""
        while not self._stopping.wait(TICK_SECONDS):
            self._stk.expire()
            self._momo.expire()
            self._stripe.expire()
            self._pawapay.expire()
            self._ussd.expire()
            if self._autopilot is not None:
                self._autopilot.step()
            self.context.courier.send_before_response()


def create_sandbox(
    *,
    product_url: str,
    state_path: Path | str,
    hook_secret: str = "demo",  # noqa: S107
    slot_seconds: int = 60,
    clock: Clock = wall_clock,
    rng_seed: int = DEFAULT_SEED,
    credentials: Credentials | None = None,
    callback_delay_seconds: float = 0.3,
    autopilot: bool = False,
    chain_url: str = "",
) -> Sandbox:
    """Build the services over a state file. clock() gives aware UTC instants.

    product_url is where the hooks are; nothing is called before `start()`. chain_url is the
    JSON-RPC of a development chain, for the people's wallets.
    """
    store = Store(path=state_path, schemas=SCHEMAS)
    faults = Faults(store=store)
    context = Context(
        store=store,
        faults=faults,
        courier=Courier(store=store, faults=faults, delay_seconds=callback_delay_seconds),
        ids=Ids(store=store, seed=rng_seed),
        clock=clock,
        credentials=credentials or Credentials(),
        product_url=product_url.rstrip("/"),
        hook_secret=hook_secret,
        seed=rng_seed,
        slot_seconds=slot_seconds,
    )
    return Sandbox(context=context, autopilot=autopilot, chain_url=chain_url)


def _rules(service: str, routes: Sequence[Route]) -> list[Rule]:
    return [
        Rule(f"/{service}{route.path}", methods=[route.method], endpoint=(service, route.handler))
        for route in routes
    ]


def _healthz(_request: Request) -> Response:
    return json_response({"status": "ok"})


def _error_response(error: HTTPException) -> Response:
    if isinstance(error.response, Response):
        return error.response
    return json_response({"error": error.description}, status=error.code or 500)
