"""What every alert does in five situations, written down once for promtool: `collector-config/prometheus/tests/`."""
