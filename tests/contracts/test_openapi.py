"""The API keeps what its schema promises, whatever it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.cache import cache
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from accounts.models import TopUp
from gateway.wsgi import application
from tests.living_village import live

pytestmark = pytest.mark.django_db

EXAMPLES = 6
OPERATIONS = 23
KNOWN = {"code": "KIS0001", "slug": "kisima", "number": 1}


@pytest.fixture
def api(db: None) -> Iterator[Any]:
    """The schema as the service serves it, of a village that is alive, for its operator."""
    cache.clear()
    kisima = live(now=timezone.now())
    # As Django's own test client does: a request must not end the transaction of the test.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    schema = schemathesis.openapi.from_wsgi("/api/schema/", application)
    yield schema, kisima.token
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)
    cache.clear()


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_answer_is_one_that_the_schema_declares(api: Any, mode: GenerationMode) -> None:
    """Schemathesis invents requests, right and wrong ones, and checks each answer."""
    schema, token = api
    operations = [result.ok() for result in schema.get_all_operations()]
    for operation in operations:
        if mode is GenerationMode.NEGATIVE and not [*operation.query, *operation.body]:
            continue  # any path is a right one: there is nothing to get wrong
        _ask(operation, mode=mode, token=token)
        named = {name: value for name, value in KNOWN.items() if f"{{{name}}}" in operation.path}
        if named:  # at random nobody hits a household that exists
            _ask(operation, mode=mode, token=token, path_parameters=named)

    assert len(operations) == OPERATIONS
    if mode is GenerationMode.POSITIVE:
        assert TopUp.objects.exists()


def _ask(operation: Any, *, mode: GenerationMode, token: str, **fixed: Any) -> None:
    @given(case=operation.as_strategy(generation_mode=mode, **fixed))
    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    def ask(case: Any) -> None:
        cache.clear()
        # A schema can't say that a span ends after it begins, and within 31 days.
        case.call_and_validate(
            headers={"Authorization": f"Token {token}"},
            excluded_checks=[positive_data_acceptance],
        )

    ask()


def test_the_schema_is_valid_and_without_warnings() -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", "/dev/null")


def test_every_operation_declares_its_problems(api: Any) -> None:
    schema, _ = api
    for result in schema.get_all_operations():
        operation = result.ok()
        statuses = set(operation.responses.status_codes)
        assert {"406", "429"} <= statuses
        if "{" in operation.path:
            assert "404" in statuses
        if "/households/" in operation.path:
            assert {"401", "403"} <= statuses
