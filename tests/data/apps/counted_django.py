"""The Django counterpart of `counted`, in one file; a WSGI and an ASGI application."""

from __future__ import annotations

import asyncio
import logging
import os

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.test import Client
from django.urls import include, path, re_path
from opentelemetry import metrics

from otel_distro import get_request_id, set_user
from tests.ledger import Ledger

settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    LOGGING_CONFIG=None,
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
)
_ledger = Ledger(os.environ.get("LEDGER", os.devnull))
_work = metrics.get_meter("counted").create_counter("work", description="Requests handled")


def work(_: HttpRequest) -> HttpResponse:
    _ledger.write(f"{os.getpid()}")
    _work.add(1, {"kind": "request"})
    return HttpResponse(f"{os.getpid()}")


def order(_: HttpRequest, number: int | str) -> HttpResponse:
    if int(number) > 1000:
        raise Http404
    set_user("ann")
    logging.getLogger("counted").warning("order %s", number)
    return JsonResponse({"number": number, "request": get_request_id()})


async def later(_: HttpRequest) -> HttpResponse:
    return HttpResponse("later")


async def never(_: HttpRequest) -> HttpResponse:
    await asyncio.Event().wait()
    return HttpResponse()


def fail(_: HttpRequest) -> HttpResponse:
    raise ValueError("fail")


def stream(_: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(b"x" * size for size in (10, 20, 30))


def around(_: HttpRequest) -> HttpResponse:
    """Ask a view of this application in between, as batches of requests do."""
    return HttpResponse(Client().get("/api/orders/7/").content)


def file(_: HttpRequest) -> FileResponse:
    return FileResponse(open(__file__, "rb"))


orders = [path("<int:number>/", order), re_path(r"^old/(?P<number>[0-9]+)$", order)]
urlpatterns = [
    path("work", work),
    path("api/orders/", include(orders)),
    path("later", later),
    path("never", never),
    path("fail", fail),
    path("stream", stream),
    path("file", file),
    path("around", around),
]
django.setup()
app = get_wsgi_application()
asgi = get_asgi_application()
