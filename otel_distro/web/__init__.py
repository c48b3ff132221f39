"""Requests of Flask, Starlette, FastAPI and Django: ids in context, figures measured, spans."""
