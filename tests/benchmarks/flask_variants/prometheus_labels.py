"""What one writes by hand with prometheus_client, looking the children up by labels()."""

import time

import flask
import prometheus_client
import worker

REQUESTS = prometheus_client.Counter("http_requests", "Requests.", ["method", "endpoint", "status"])
DURATION = prometheus_client.Histogram("http_request_duration_seconds", "Duration.", ["method", "endpoint"])
SIZE = prometheus_client.Summary("http_response_size_bytes", "Size.", ["method", "endpoint"])
ACTIVE = prometheus_client.Gauge("active_connections", "In flight.")

app = worker.shop(flask)


def before() -> None:
    flask.g.start = time.perf_counter()
    ACTIVE.inc()


def after(response: flask.Response) -> flask.Response:
    method, rule = flask.request.method, flask.request.url_rule.rule if flask.request.url_rule else ""
    REQUESTS.labels(method, rule, str(response.status_code)).inc()
    DURATION.labels(method, rule).observe(time.perf_counter() - flask.g.start)
    SIZE.labels(method, rule).observe(response.calculate_content_length() or 0)
    ACTIVE.dec()
    return response


app.before_request(before)
app.after_request(after)
worker.work(app, lambda: worker.page_total("http_requests_total"))
