"""Questions to logs, in files and in Elasticsearch."""
