"""Addresses within Grafana: short enough, different for every service, quoted except what Grafana fills in."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from otel_distro.monitoring.dashboards.links import to_logs, to_trace, uid
from otel_distro.monitoring.parameters import Parameters

SERVICES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._/:-]{0,127}", fullmatch=True)


@given(SERVICES, SERVICES)
def test_an_address_is_one_that_grafana_takes_and_no_other_services(one: str, other: str) -> None:
    first, second = uid("functions", Parameters(one)), uid("functions", Parameters(other))
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,40}", first)
    assert (first == second) == (one == other)


@given(st.text(st.characters(codec="utf-8", exclude_characters="$"), min_size=1))
def test_what_is_searched_for_arrives_as_it_was(search: str) -> None:
    query = parse_qs(urlsplit(to_logs(Parameters(), service="$job", search=search)).query)
    assert query["var-search"] == [search]
    assert query["var-service"] == ["$job"]


def test_the_address_of_a_trace_is_an_exploration_of_the_chosen_source() -> None:
    query = parse_qs(urlsplit(to_trace()).query)
    (pane,) = json.loads(query["panes"][0]).values()
    assert pane["datasource"] == "${traces}"
    assert pane["queries"] == [{"refId": "A", "queryType": "traceql", "query": "${__value.raw}"}]
