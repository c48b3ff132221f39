"""A small shop in FastAPI: routes in a router, an endpoint in a thread, a background task, a failure.

It holds no telemetry set-up: only helpers where the business happens, and plain `logging`.
"""

from __future__ import annotations

import logging
from random import randrange
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, FastAPI, Header, HTTPException

from otel_distro import BusinessMetrics, set_user

app = FastAPI(title="shop")
orders = APIRouter(prefix="/api/orders")
logger = logging.getLogger("shop")

_LAST = 1000


@orders.post("", status_code=201)
async def order(amount: float, tasks: BackgroundTasks, x_user_id: Annotated[str, Header()] = "nobody") -> int:
    """Take an order; its receipt is sent when the answer has left."""
    set_user(x_user_id)
    number = randrange(1, _LAST)
    BusinessMetrics.record_order("completed", "card", amount)
    tasks.add_task(logger.info, "receipt of order %d sent", number)
    return number


@orders.get("/{number}")
def show(number: int) -> float:
    """Tell what an order came to."""
    if number > _LAST:
        logger.warning("order %d is not there", number)
        raise HTTPException(404, "no such order")
    return number * 0.99


@app.get("/api/fail")
async def fail() -> None:
    """Fail, as services do."""
    raise RuntimeError("the warehouse is on fire")


app.include_router(orders)
