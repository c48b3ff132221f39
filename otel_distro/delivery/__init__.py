"""What leaves the process by OTLP: sent aside, counted, and told of where it fails."""
