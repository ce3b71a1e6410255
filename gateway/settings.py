"""Django settings. Everything that differs between machines comes from gateway.environment."""

from __future__ import annotations

import sys
from typing import Any

import structlog
from csp.constants import NONCE, SELF

from gateway import environment
from gateway.environment import BASE_DIR
from gateway.logs import configure, mask_event

SECRET_KEY = environment.text("SECRET_KEY")
DEBUG = False
DEMO = environment.flag("DEMO")
TESTING = "pytest" in sys.modules
ALLOWED_HOSTS = environment.listed("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.simple_history",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "accounts",
    "settlement",
    "tokens",
    "dashboard",
    "gateway.webhooks",
    "gateway.ussd",
    "gateway.sms",
    "gateway.mail",
    "gateway.donors",
    "gateway.providers",
    "gateway.rates",
    "gateway.fiscal",
    "gateway.handset",
    "gateway.api",
    "gateway.checkout",
    "gateway.deposits",
    "gateway.wallet",
    "gateway.voting",
    "gateway.demo",
    "rest_framework",
    "rest_framework.authtoken",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "djmoney",
    "simple_history",
    "django_celery_beat",
    "django_structlog",
    "django_prometheus",
    "axes",
    "csp",
]

MIDDLEWARE = [
    "django_structlog.middlewares.RequestMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "gateway.urls"
WSGI_APPLICATION = "gateway.wsgi.application"
APPEND_SLASH = True

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# Two roles: `default` writes money only through functions; `owner` migrates and flushes.
DATABASES: dict[str, dict[str, Any]] = {
    "default": environment.database("DATABASE_URL"),
    "owner": environment.database("DATABASE_OWNER_URL"),
}
DATABASE_APP_ROLE = DATABASES["default"]["USER"]
if not TESTING:
    DATABASES["default"]["OPTIONS"]["pool"] = {"min_size": 1, "max_size": 8, "timeout": 10}
DATABASE_ROUTERS = ["gateway.routers.OwnerMigrates"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.User"

CACHE_URL = environment.text("CACHE_URL")
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": CACHE_URL}
}
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 1
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_ENABLED = not TESTING

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("fr", "Français"), ("sw", "Kiswahili")]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"

CSRF_FAILURE_VIEW = "gateway.errors.forged"
SESSION_COOKIE_HTTPONLY = True
CSRF_COOKIE_HTTPONLY = False
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
if not DEMO and not TESTING:
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

CONTENT_SECURITY_POLICY = {
    # The admin's theme (Alpine) evaluates expressions; the API page's viewer starts a worker.
    "EXCLUDE_URL_PREFIXES": ["/admin/", "/api/docs/"],
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "frame-ancestors": ["'none'"],
        "form-action": [SELF],
        "base-uri": [SELF],
    },
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_PAGINATION_CLASS": "gateway.api.pagination.Pages",
    "DEFAULT_THROTTLE_CLASSES": [
        "gateway.api.throttles.Anonymous",
        "gateway.api.throttles.Known",
    ],
    "DEFAULT_THROTTLE_RATES": {"anon": "600/min", "user": "3000/min"},
    "EXCEPTION_HANDLER": "gateway.api.problems.handle",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Solar mini-grid payment gateway",
    "DESCRIPTION": "Balances, sites, prices and impact tokens. Errors are RFC 9457 problems.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SCHEMA_PATH_PREFIX": "/api/v1",
}

CELERY_BROKER_URL = environment.text("BROKER_URL")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 300
CELERY_TASK_SOFT_TIME_LIMIT = 270
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# A killed worker's tasks come back after the visibility time-out; it has to outlast the time limit.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 330,
    "unacked_restore_interval": 2,
    "unacked_restore_throttle": 1,
}
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = {
    "pull head-ends": {"task": "settlement.tasks.pull_head_ends", "schedule": 5.0},
    "settle sites": {"task": "settlement.tasks.settle_sites", "schedule": 15.0},
    "publish prices": {"task": "settlement.tasks.publish_prices", "schedule": 5.0},
    "rebate blocks": {"task": "settlement.tasks.rebate_blocks", "schedule": 60.0},
    "ask for gaps": {"task": "settlement.tasks.ask_for_gaps", "schedule": 300.0},
    "fetch weather": {"task": "settlement.tasks.fetch_weather", "schedule": 60.0},
    "keep partitions ahead": {"task": "settlement.tasks.keep_partitions", "schedule": 3600.0},
    "handle stored events": {"task": "gateway.webhooks.tasks.sweep_events", "schedule": 10.0},
    "poll open attempts": {"task": "gateway.providers.tasks.poll_attempts", "schedule": 5.0},
    "poll open refunds": {"task": "gateway.providers.tasks.poll_refunds", "schedule": 10.0},
    "poll monthly donations": {"task": "gateway.providers.tasks.poll_plans", "schedule": 30.0},
    "send and poll payouts": {"task": "gateway.providers.tasks.poll_payouts", "schedule": 10.0},
    "pay out on chain": {"task": "tokens.tasks.pay_out_on_chain", "schedule": 10.0},
    "pull rail statements": {"task": "gateway.providers.tasks.pull_payments", "schedule": 30.0},
    "fetch pawaPay keys": {
        "task": "gateway.providers.tasks.fetch_pawapay_keys",
        "schedule": 600.0,
    },
    "compare statements": {"task": "gateway.providers.tasks.reconcile_rails", "schedule": 3600.0},
    "check floats": {"task": "gateway.providers.tasks.check_floats", "schedule": 300.0},
    "attach suspense": {"task": "gateway.providers.tasks.attach_suspense", "schedule": 60.0},
    "sign fiscal receipts": {"task": "gateway.fiscal.tasks.sign_receipts", "schedule": 5.0},
    "end campaigns": {"task": "gateway.checkout.tasks.end_campaigns", "schedule": 30.0},
    "deliver letters": {"task": "gateway.mail.tasks.deliver_letters", "schedule": 5.0},
    "watch letters": {"task": "gateway.mail.tasks.watch_letters", "schedule": 60.0},
    "answer asked-for links": {"task": "gateway.donors.tasks.answer_links", "schedule": 2.0},
    "deliver notices": {"task": "gateway.sms.tasks.deliver_notices", "schedule": 5.0},
    "forget old answers": {"task": "gateway.api.tasks.forget_answers", "schedule": 3600.0},
    "watch the chain": {
        "task": "tokens.tasks.watch_chain",
        "schedule": 5.0,
        "options": {"expires": 5.0},
    },
    "credit deposits": {
        "task": "tokens.tasks.credit_deposits",
        "schedule": 5.0,
        "options": {"expires": 5.0},
    },
    "sweep deposits": {"task": "tokens.tasks.sweep_deposits", "schedule": 10.0},
    "ask wallets' contracts": {"task": "tokens.tasks.decide_sign_ins", "schedule": 10.0},
    "let wallets take effect": {"task": "tokens.tasks.let_wallets_take_effect", "schedule": 20.0},
    "forget sign-ins": {"task": "tokens.tasks.forget_sign_ins", "schedule": 3600.0},
    "read claims": {"task": "tokens.tasks.read_claims", "schedule": 10.0},
    "verify sites": {
        "task": "tokens.tasks.verify_sites",
        "schedule": 30.0,
        "options": {"expires": 30.0},
    },
    "open and count rounds": {"task": "tokens.tasks.run_rounds", "schedule": 10.0},
    "fetch rates": {"task": "gateway.rates.tasks.fetch_rates", "schedule": 600.0},
    "fetch DAI in USD": {"task": "gateway.rates.tasks.fetch_feeds", "schedule": 60.0},
    "propose rates": {"task": "gateway.rates.tasks.propose_rates", "schedule": 3600.0},
    "roll over rates": {"task": "gateway.rates.tasks.roll_over_rates", "schedule": 10.0},
    "watch exposure": {"task": "gateway.rates.tasks.watch_exposure", "schedule": 300.0},
    # A pass that waits for a node must not pile up others behind it.
    "advance the outbox": {
        "task": "tokens.tasks.advance_outbox",
        "schedule": 2.0,
        "options": {"expires": 4.0},
    },
    "look at the chain": {"task": "tokens.tasks.look_at_chain", "schedule": 10.0},
    "close epochs": {"task": "tokens.tasks.close_epochs", "schedule": 10.0},
    "follow epochs": {"task": "tokens.tasks.follow_epochs", "schedule": 10.0},
}

PUBLIC_URL = environment.text("PUBLIC_URL", "http://127.0.0.1:8000").rstrip("/")
HOOK_SECRETS = environment.listed("HOOK_SECRETS")
if not HOOK_SECRETS:
    raise environment.BadSetting("HOOK_SECRETS is empty: give one or two secrets, commas between.")
HOOK_ALLOWED_IPS = environment.listed("HOOK_ALLOWED_IPS", "")
PIN_PEPPER = environment.text("PIN_PEPPER", SECRET_KEY)

# Without EMAIL_URL letters wait, and an alarm says so.
_MAIL = environment.mail("EMAIL_URL")
EMAIL_HOST, EMAIL_PORT = _MAIL["EMAIL_HOST"], _MAIL["EMAIL_PORT"]
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _MAIL["EMAIL_HOST_USER"], _MAIL["EMAIL_HOST_PASSWORD"]
EMAIL_USE_TLS, EMAIL_USE_SSL = _MAIL["EMAIL_USE_TLS"], _MAIL["EMAIL_USE_SSL"]
EMAIL_TIMEOUT = _MAIL["EMAIL_TIMEOUT"]
EMAIL_FROM = environment.sender("EMAIL_FROM", is_needed=bool(EMAIL_HOST))

AFRICASTALKING_URL = environment.text("AFRICASTALKING_URL", "")
AFRICASTALKING_USERNAME = environment.text("AFRICASTALKING_USERNAME", "sandbox")
AFRICASTALKING_API_KEY = environment.text("AFRICASTALKING_API_KEY", "")
SMS_SHORT_CODE = environment.text("SMS_SHORT_CODE", "38426")
USSD_CODE = environment.text("USSD_CODE", "*384*4826#")

DARAJA_URL = environment.text("DARAJA_URL", "")
DARAJA_CONSUMER_KEY = environment.text("DARAJA_CONSUMER_KEY", "")
DARAJA_CONSUMER_SECRET = environment.text("DARAJA_CONSUMER_SECRET", "")
DARAJA_SHORT_CODE = environment.text("DARAJA_SHORT_CODE", "174379")
DARAJA_PASSKEY = environment.text("DARAJA_PASSKEY", "")

DARAJA_INITIATOR_NAME = environment.text("DARAJA_INITIATOR_NAME", "")
DARAJA_SECURITY_CREDENTIAL = environment.text("DARAJA_SECURITY_CREDENTIAL", "")

MOMO_URL = environment.text("MOMO_URL", "")
MOMO_API_USER = environment.text("MOMO_API_USER", "")
MOMO_API_KEY = environment.text("MOMO_API_KEY", "")
MOMO_COLLECTION_KEY = environment.text("MOMO_COLLECTION_KEY", "")
MOMO_DISBURSEMENT_KEY = environment.text("MOMO_DISBURSEMENT_KEY", "")
MOMO_ENVIRONMENT = environment.text("MOMO_ENVIRONMENT", "sandbox")

PAWAPAY_URL = environment.text("PAWAPAY_URL", "")
PAWAPAY_API_TOKEN = environment.text("PAWAPAY_API_TOKEN", "")
PAWAPAY_CALLBACKS_SIGNED = environment.flag("PAWAPAY_CALLBACKS_SIGNED")
# What GET /v2/public-key/http answers, as JSON; where it is not given, a task asks for it.
PAWAPAY_PUBLIC_KEYS = environment.text("PAWAPAY_PUBLIC_KEYS", "")
if PAWAPAY_PUBLIC_KEYS and "BEGIN PUBLIC KEY" not in PAWAPAY_PUBLIC_KEYS:
    raise environment.BadSetting(
        "PAWAPAY_PUBLIC_KEYS must be the JSON that pawaPay's public-key resource answers."
    )
# First digits of phone numbers, without a plus sign, and the operator that gave them out.
PAWAPAY_PREFIXES = environment.mapping(
    "PAWAPAY_PREFIXES", "22177=ORANGE_SEN,22178=ORANGE_SEN,22176=FREE_SEN"
)

STRIPE_URL = environment.text("STRIPE_URL", "https://api.stripe.com")
STRIPE_SECRET_KEY = environment.text("STRIPE_SECRET_KEY", "")
STRIPE_WEBHOOK_SECRETS = environment.listed("STRIPE_WEBHOOK_SECRETS", "")

ETIMS_URL = environment.text("ETIMS_URL", "")
# One device's key (cmcKey), or "PIN/branch=key, PIN/branch=key".
ETIMS_API_KEY = environment.text("ETIMS_API_KEY", "")
# Where the public checks a receipt: PIN, branch and signature follow as ?Data=.
ETIMS_RECEIPT_URL = environment.text("ETIMS_RECEIPT_URL", "")
# Empty where eTIMS does not tell what it signed.
ETIMS_LOOKUP_PATH = environment.text("ETIMS_LOOKUP_PATH", "/selectInvoiceDetails")
ETIMS_ITEM_CODE = environment.text("ETIMS_ITEM_CODE", "KE3NTU0000001")
ETIMS_LEVY_ITEM_CODE = environment.text("ETIMS_LEVY_ITEM_CODE", "KE3NTU0000002")
ETIMS_ITEM_CLASS = environment.text("ETIMS_ITEM_CLASS", "8310180000")

KOIOS_URL = environment.text("KOIOS_URL", "")
KOIOS_API_KEY = environment.text("KOIOS_API_KEY", "")
KOIOS_API_SECRET = environment.text("KOIOS_API_SECRET", "")
PLANT_URL = environment.text("PLANT_URL", "")
PLANT_API_KEY = environment.text("PLANT_API_KEY", "")
# Without it there is no weather and no forecast. The key is that of a paid plan.
OPEN_METEO_URL = environment.text("OPEN_METEO_URL", "").rstrip("/")
OPEN_METEO_API_KEY = environment.text("OPEN_METEO_API_KEY", "")
RATES_URL = environment.text("RATES_URL", "")
RATES_URL_2 = environment.text("RATES_URL_2", "")
RATE_TOLERANCE_BASIS_POINTS = environment.whole("RATE_TOLERANCE_BASIS_POINTS", 100)
RATE_NOTICE_DAYS = environment.whole("RATE_NOTICE_DAYS", 7)
# Without a node, everything that concerns the chain rests.
CHAIN_RPC_URL = environment.text("CHAIN_RPC_URL", "")
CHAIN_ID = environment.whole("CHAIN_ID", 100)
# Who signs: local:0x<private key>, aws-kms:<key id> or web3signer:<url>#<address>.
CHAIN_POSTER = environment.text("CHAIN_POSTER", "")
CHAIN_SWEEPER = environment.text("CHAIN_SWEEPER", CHAIN_POSTER)
# Pays DAI out of the treasury; without it nobody is paid on chain.
CHAIN_TREASURY_SIGNER = environment.text("CHAIN_TREASURY_SIGNER", "")
CHAIN_GUARDIAN_ADDRESS = environment.text("CHAIN_GUARDIAN_ADDRESS", "")
CHAIN_TREASURY_ADDRESS = environment.text("CHAIN_TREASURY_ADDRESS", "")
CHAIN_MAX_FEE_GWEI = environment.whole("CHAIN_MAX_FEE_GWEI", 500)
AWS_KMS_URL = environment.text("AWS_KMS_URL", "")
for _name, _signer in (
    ("CHAIN_POSTER", CHAIN_POSTER),
    ("CHAIN_SWEEPER", CHAIN_SWEEPER),
    ("CHAIN_TREASURY_SIGNER", CHAIN_TREASURY_SIGNER),
):
    if _signer.startswith("local:") and not (DEMO or TESTING):
        raise environment.BadSetting(
            f"{_name} is a local key, which only the demo may use: give aws-kms: or web3signer:."
        )
EPOCH_SECONDS = environment.whole("EPOCH_SECONDS", 86_400)
EPOCH_VETO_SECONDS = environment.whole("EPOCH_VETO_SECONDS", 21_600)
# A household's new wallet waits so long, and its phones are told: it may object.
WALLET_WAIT_SECONDS = environment.whole("WALLET_WAIT_SECONDS", 60 if DEMO else 259_200)
# After a count an operator may veto a funded project for so long; then its payee is awarded it.
VOTE_VETO_SECONDS = environment.whole("VOTE_VETO_SECONDS", 259_200)
# The feed may stand on another chain than our own contracts; it is read over this node.
DAI_USD_FEED_RPC_URL = environment.text("DAI_USD_FEED_RPC_URL", CHAIN_RPC_URL)
DAI_USD_FEED_ADDRESS = environment.text("DAI_USD_FEED_ADDRESS", "")
DAI_USD_FEED_CHAIN_ID = environment.whole("DAI_USD_FEED_CHAIN_ID", 100)
DAI_USD_FEED_HEARTBEAT_SECONDS = environment.whole("DAI_USD_FEED_HEARTBEAT_SECONDS", 86_400)
if DAI_USD_FEED_ADDRESS and not DAI_USD_FEED_RPC_URL:
    raise environment.BadSetting("DAI_USD_FEED_ADDRESS is set, CHAIN_RPC_URL is not: set both.")
DAI_USD_URL = environment.text("DAI_USD_URL", "")

SANDBOX_URL = environment.text("SANDBOX_URL", "") if DEMO else ""

UNFOLD = {
    "SITE_TITLE": "Solar gateway",
    "SITE_HEADER": "Solar gateway",
    "SITE_SYMBOL": "solar_power",
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "DASHBOARD_CALLBACK": "gateway.overview.dashboard",
}

configure()
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": "structlog.stdlib.ProcessorFormatter",
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                mask_event,
                structlog.processors.JSONRenderer(),
            ],
            "foreign_pre_chain": [
                structlog.processors.TimeStamper(fmt="iso"),
                structlog.stdlib.add_logger_name,
                structlog.stdlib.add_log_level,
                structlog.processors.format_exc_info,
            ],
        }
    },
    "filters": {"hook secrets": {"()": "gateway.logs.HookSecretsMasked"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "json",
            "filters": ["hook secrets"],
        }
    },
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        name: {"handlers": ["console"], "level": "INFO", "propagate": False}
        for name in ("accounts", "settlement", "tokens", "gateway", "dashboard")
    },
}
