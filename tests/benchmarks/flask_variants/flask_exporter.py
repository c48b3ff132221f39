"""prometheus-flask-exporter, grouped by the route's template."""

import flask
import worker
from prometheus_flask_exporter import PrometheusMetrics  # type: ignore[import-not-found]

app = worker.shop(flask)
PrometheusMetrics(app, group_by="url_rule")
worker.work(app, lambda: worker.page_total("flask_http_request_total"))
