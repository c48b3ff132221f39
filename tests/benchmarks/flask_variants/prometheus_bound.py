"""What one writes by hand with prometheus_client, the children of the one route bound beforehand."""

import time

import flask
import prometheus_client
import worker

REQUESTS = prometheus_client.Counter("http_requests", "Requests.", ["method", "endpoint", "status"])
DURATION = prometheus_client.Histogram("http_request_duration_seconds", "Duration.", ["method", "endpoint"])
SIZE = prometheus_client.Summary("http_response_size_bytes", "Size.", ["method", "endpoint"])
ACTIVE = prometheus_client.Gauge("active_connections", "In flight.")

RULE = "/api/orders/<int:order_id>"
requests = REQUESTS.labels("GET", RULE, "200")
duration = DURATION.labels("GET", RULE)
size = SIZE.labels("GET", RULE)
app = worker.shop(flask)


def before() -> None:
    flask.g.start = time.perf_counter()
    ACTIVE.inc()


def after(response: flask.Response) -> flask.Response:
    requests.inc()
    duration.observe(time.perf_counter() - flask.g.start)
    size.observe(response.calculate_content_length() or 0)
    ACTIVE.dec()
    return response


app.before_request(before)
app.after_request(after)
worker.work(app, lambda: worker.page_total("http_requests_total"))
