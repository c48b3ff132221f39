"""An instrumentor of Django that takes its settings as contrib's does: empty ones where none are named yet."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse


class Instrumentor:
    def instrument(self, **_: object) -> None:
        try:
            names = list(settings.MIDDLEWARE)
        except ImproperlyConfigured:
            settings.configure()
            names = []
        settings.MIDDLEWARE = ["tests.data.apps.django_instrumentor.marked", *names]


def marked(answer: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def marking(request: HttpRequest) -> HttpResponse:
        response = answer(request)
        response["X-Instrumented"] = "yes"
        return response

    return marking
