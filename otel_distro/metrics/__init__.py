"""Metrics by the OpenTelemetry API: recorded fast, shared by processes, shown on a page that Prometheus reads."""
