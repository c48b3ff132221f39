"""Log records as JSON lines and OTLP records: one document, bounded and with secrets masked."""
