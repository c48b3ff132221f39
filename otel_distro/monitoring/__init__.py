"""What watches a service from outside: recording rules, alerts and the runbook, generated as files for Prometheus."""
