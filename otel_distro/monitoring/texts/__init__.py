"""The words of alerts and runbook, one file a language; the names of alerts are the same in all of them."""
