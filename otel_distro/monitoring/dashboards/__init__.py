"""Dashboards for Grafana: what each shows is here, its words are in `texts`, its form as JSON is `grafana`'s."""
