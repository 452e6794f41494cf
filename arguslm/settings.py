"""All configuration. This module is the only reader of the environment.

Every variable is described in docs/configuration.md; a test keeps the two in step.
"""

from __future__ import annotations

from pathlib import Path

import django_stubs_ext

from arguslm.embedded import broker, keys
from arguslm.environment import Environment, address_of

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment()
env.read_env(BASE_DIR / ".env")

LOOPBACK_HOSTS = ["localhost", "127.0.0.1", "[::1]"]

# --- where we listen, where we store ------------------------------------------------------------
HOST: str = env.str("ARGUSLM_HOST", "127.0.0.1")
PORT: int = env.port("ARGUSLM_PORT", 8000)
DATA_DIR: Path = env.directory("ARGUSLM_DATA_DIR", BASE_DIR / ".data")
DEBUG: bool = env.bool("DEBUG", False)
LOG_LEVEL: str = env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"))

# The address under which people open these pages: messages link to it.
_OPENED_AS = "localhost" if HOST in ("0.0.0.0", "::") else HOST  # noqa: S104 - a comparison
PUBLIC_URL: str = env.str("PUBLIC_URL", address_of(_OPENED_AS, PORT)).rstrip("/")

# --- who may speak to us ------------------------------------------------------------------------
API_AUTH: str = env.str("API_AUTH", "auto").lower()
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=LOOPBACK_HOSTS)
# Where we listen and the names we answer for: if all are loopback, nobody else reaches us.
REACHABLE_AS: list[str] = [HOST, *ALLOWED_HOSTS]
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])
ADMIN_USER: str = env.str("ARGUSLM_ADMIN_USER", "admin")
ADMIN_PASSWORD: str = env.str("ARGUSLM_ADMIN_PASSWORD", "")

# --- secrets ------------------------------------------------------------------------------------
DATABASE_URL: str = env.str("DATABASE_URL", "")
SECRET_KEY: str = env.str("SECRET_KEY", "")
ENCRYPTION_KEYS: list[str] = env.list("ENCRYPTION_KEY", default=[])
if not (SECRET_KEY and ENCRYPTION_KEYS) and not DATABASE_URL:
    _made = keys.load_or_create(DATA_DIR)
    SECRET_KEY = SECRET_KEY or _made.secret_key
    ENCRYPTION_KEYS = ENCRYPTION_KEYS or [_made.encryption_key]

# --- the two servers behind us ------------------------------------------------------------------
if DATABASE_URL:
    DATABASES = {"default": env.database(DATABASE_URL)}
else:
    DATABASES = {
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DATA_DIR / "arguslm.sqlite3"}
    }
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # WAL lets readers and one writer work side by side. IMMEDIATE takes the write lock at BEGIN,
    # because an upgrade inside a transaction fails at once instead of waiting for the timeout.
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-16000;"
        ),
    }
    DATABASES["default"]["TEST"] = {"NAME": None}
else:
    DATABASES["default"].setdefault("OPTIONS", {})["pool"] = {
        "min_size": 1,
        "max_size": 16,
        "timeout": 10,
    }

EXTERNAL_REDIS_URL: str = env.str("REDIS_URL", "")
REDIS_URL: str = EXTERNAL_REDIS_URL or broker.broker_url(DATA_DIR) or ""

# Providers are asked directly unless this names a proxy; HTTP_PROXY and its like are not read.
PROVIDER_PROXY_URL: str = env.str("PROVIDER_PROXY_URL", "")

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        # The default capacity of 100 drops silently; the stream is replayable, so a drop costs
        # one database read, never an event. No read limit: redis-py 8's own of 5 s is as long as
        # the layer's BZPOPMIN, so every quiet wait would end as an error; and with any limit it
        # waits by asyncio.wait_for, which before Python 3.12 may swallow a cancellation. Who must
        # not wait for ever sets a limit around the call (arguslm.api.bells).
        "CONFIG": {
            "hosts": [{"address": REDIS_URL, "socket_timeout": None, "socket_keepalive": True}],
            "capacity": 5000,
            "expiry": 60,
            "prefix": "arguslm",
        },
    }
}

CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3600,
    "socket_timeout": 5,
    "socket_connect_timeout": 5,
    # Publishing to a broker that is away fails at once (default: after 6 s); sweeps make up for it.
    "max_retries": 0,
    "global_keyprefix": "arguslm.",
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_DEFAULT_QUEUE = "arguslm"
CELERY_TASK_PUBLISH_RETRY = False
# Alerts have workers of their own: probes may hold every thread of theirs for minutes, and judging
# a storm or waiting for a slow receiver must not stand beside a measurement.
CELERY_TASK_ROUTES = {"alerts.*": {"queue": "arguslm.alerts"}}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_BEAT_SCHEDULER = "arguslm.beat:SteadyScheduler"
# Ticks carry no state: they look at rows that are due. A late one is worthless, so it expires.
CELERY_BEAT_SCHEDULE = {
    "monitoring": {"task": "monitoring.tick", "schedule": 1.0, "options": {"expires": 5}},
    "rollups": {"task": "monitoring.roll_up", "schedule": 5.0, "options": {"expires": 10}},
    "retention": {"task": "monitoring.retain", "schedule": 300.0, "options": {"expires": 60}},
    "benchmarks": {"task": "benchmarks.sweep", "schedule": 2.0, "options": {"expires": 5}},
    "alerts": {"task": "alerts.sweep", "schedule": 1.0, "options": {"expires": 5}},
}

# --- mail -------------------------------------------------------------------------------------
EMAIL_URL: str = env.str("EMAIL_URL", "")
EMAIL_HOST_IS_SET = bool(EMAIL_URL)
if EMAIL_URL:
    globals().update(env.mail(EMAIL_URL))
DEFAULT_FROM_EMAIL: str = env.str("EMAIL_FROM", "arguslm@localhost")
EMAIL_TIMEOUT = 10

# --- Django -------------------------------------------------------------------------------------
INSTALLED_APPS = [
    # Before the admin, so that the look of its pages is ours.
    "arguslm.dashboard",
    "arguslm.admin_site.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "channels",
    "arguslm.api",
    "providers",
    "models_app",
    "monitoring",
    "benchmarks",
    "alerts",
    "arguslm.embedded",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "arguslm.api.origin.ForeignOriginMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
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
ROOT_URLCONF = "arguslm.urls"
ASGI_APPLICATION = "arguslm.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "admin:login"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PUBLIC_URL.startswith("https://")
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_NAME = "arguslm_session"
CSRF_COOKIE_NAME = "arguslm_csrf"
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATIC_ROOT.mkdir(exist_ok=True)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["arguslm.api.parsers.StrictJSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "arguslm.api.negotiation.OnlyJson",
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "arguslm.api.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["arguslm.api.permissions.ApiAccess"],
    "DEFAULT_SCHEMA_CLASS": "arguslm.api.schema.Schema",
    "EXCEPTION_HANDLER": "arguslm.api.errors.exception_handler",
    # `format` is a query parameter of the exports, not a renderer switch.
    "URL_FORMAT_OVERRIDE": None,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "DATETIME_FORMAT": "iso-8601",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "ArgusLM API",
    "DESCRIPTION": "Watches LLM endpoints, measures them, compares them, raises alerts.",
    "VERSION": "0.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "OAS_VERSION": "3.1.0",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "ENUM_NAME_OVERRIDES": {
        "CheckStatusEnum": "monitoring.models.UptimeCheck.Status",
        "RunStatusEnum": "benchmarks.models.BenchmarkRun.Status",
        "RoundStatusEnum": "monitoring.models.Round.Status",
        "RuleTypeEnum": "alerts.models.AlertRule.Type",
        "AlertTypeEnum": "alerts.models.Alert.TYPES",
        "ChannelKindEnum": "alerts.models.Channel.Kind",
        "DeliveryStatusEnum": "alerts.models.Delivery.Status",
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "line"},
        "nowhere": {"class": "logging.NullHandler"},
    },
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"handlers": [], "propagate": True},
        "httpx2": {"level": "WARNING"},
        "httpcore2": {"level": "WARNING"},
        "openai": {"level": "WARNING"},
        "anthropic": {"level": "WARNING"},
        # Addresses of webhooks and chat services are passwords: no library may log them.
        "apprise": {"level": "WARNING", "handlers": ["nowhere"], "propagate": False},
        "urllib3": {"level": "WARNING"},
        "daphne": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
    },
}
