"""Ports that tests give to what they start."""

from __future__ import annotations

from tests.support import free_port, free_ports


def test_ports_that_are_asked_for_one_by_one_differ() -> None:
    ports = [free_port() for _ in range(800)]
    assert len(set(ports)) == 800


def test_ports_that_are_asked_for_at_once_differ_from_each_other_and_from_those_before() -> None:
    before = {free_port() for _ in range(100)}
    ports = free_ports(100)
    assert len(set(ports)) == 100
    assert before.isdisjoint(ports)
