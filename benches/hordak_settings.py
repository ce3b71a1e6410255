"""Django settings of the process that runs django-hordak, in a scratch database of its own."""

from __future__ import annotations

from gateway import environment

SECRET_KEY = "only-for-benches"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "mptt", "hordak"]
SCRATCH_DATABASE = "bench_hordak"
DATABASES = {
    "default": {**environment.database("DATABASE_OWNER_URL"), "NAME": SCRATCH_DATABASE},
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
DEFAULT_CURRENCY = "EUR"
HORDAK_CURRENCIES = ["EUR"]
# Wei do not fit: hordak's own default of cents is what its users run with.
