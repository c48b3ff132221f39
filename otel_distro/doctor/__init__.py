"""What is wrong with a setup, found without starting the service."""
