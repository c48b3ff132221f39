"""The package's own lines take a shorter way through agent.yaml than all others; both ways make the same documents."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from otel_distro.logs.handlers import JsonFileHandler
from tests.agent import AGENT, Agent, install_templates, line
from tests.hostile_records import MOMENT, behind, lines, objects
from tests.services.elasticsearch import Elasticsearch
from tests.support import wait_until

# What the debug exporter says of a record that took the long way.
MARK: Final = "-> check: Bool(true)"
SAY_ALL: Final = "yaml:exporters::debug::sampling_initial: 1000000"


@pytest.fixture(scope="module")
def agent(
    collector_binary: Path, elasticsearch_server: Elasticsearch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Agent]:
    install_templates(elasticsearch_server)
    folder = tmp_path_factory.mktemp("own")
    variables = {"DEBUG_VERBOSITY": "detailed"}
    with Agent(collector_binary, elasticsearch_server, folder, variables, (AGENT, SAY_ALL)) as running:
        yield running


@pytest.fixture
def documents(agent: Agent) -> Callable[[int], list[dict[str, Any]]]:
    """Give a function that waits for so many documents, of this test alone, and returns them."""
    agent.elasticsearch.delete(agent.indices)
    return lambda number: [document.source for document in agent.wait_for(number)]


def compact(**fields: Any) -> str:
    """Return fields as a line of JSON without white space, and without the mark of the package."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def said(agent: Agent, since: int, text: str) -> str:
    """Return what the Collector has said, from a place in its log on, as soon as it has said the text."""
    wait_until(lambda: text in agent.log[since:], what=lambda: f"{text!r}\n{agent.log[-3000:]}")
    return agent.log[since:]


@pytest.fixture
def logger(agent: Agent) -> Iterator[logging.Logger]:
    """Give a logger of the package's lines, in a file that the Collector reads."""
    handler = JsonFileHandler(agent.logs / "package.log")
    logger = logging.getLogger("test_agent_own_lines")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)
    handler.close()


def test_lines_of_the_package_take_the_short_way(
    agent: Agent, logger: logging.Logger, documents: Callable[[int], list[dict[str, Any]]]
) -> None:
    since = len(agent.log)
    logger.info(
        "order %d completed: 9.50 \u20ac", 7, extra={"user_id": "u-1", "order_id": 7, "amount": 9.5, "paid": True}
    )
    try:
        raise ValueError("no 'card'")
    except ValueError:
        logger.exception("payment failed")
    logger.warning("end of the short way")
    documents(3)
    assert MARK not in said(agent, since, "end of the short way")


def test_a_flat_line_in_the_form_of_the_package_without_its_mark_takes_the_short_way(
    agent: Agent, documents: Callable[[int], list[dict[str, Any]]]
) -> None:
    since = len(agent.log)
    agent.write(compact(timestamp=MOMENT, level="INFO", message="without the mark", order_id=7))
    documents(1)
    agent.write(compact(timestamp=MOMENT, level="INFO", message="end of the short way", order_id=8))
    documents(2)
    assert MARK not in said(agent, since, "end of the short way")


@pytest.mark.parametrize("extra", [{"a.b": "c"}, {"_id": "mine"}, {"data": {"_id": 1}}, {"data": [{"": 1}]}])
def test_a_line_of_the_package_that_is_not_flat_is_looked_at_closely(
    agent: Agent,
    logger: logging.Logger,
    documents: Callable[[int], list[dict[str, Any]]],
    extra: dict[str, Any],
) -> None:
    since = len(agent.log)
    logger.info("end of the long way", extra=extra)
    documents(1)
    said(agent, since, "end of the long way")
    said(agent, since, MARK)


def test_a_line_in_another_form_is_looked_at_closely(
    agent: Agent, documents: Callable[[int], list[dict[str, Any]]]
) -> None:
    since = len(agent.log)
    agent.write(json.dumps({"timestamp": MOMENT, "message": "end of the long way"}))
    documents(1)
    said(agent, since, "end of the long way")
    said(agent, since, MARK)  # stands behind it, and may not be written yet


def test_a_record_is_the_same_document_in_either_form(
    agent: Agent, documents: Callable[[int], list[dict[str, Any]]]
) -> None:
    forms: dict[str, Callable[..., str]] = {
        "own": line,
        "compact": compact,
        "spaced": lambda **fields: json.dumps(fields),
    }
    # The names of that record come to one name, and which of its values stays is chance.
    records = {name: fields for name, fields in objects().items() if name != "keys of dots"}
    agent.write(
        *(
            form(**{"timestamp": MOMENT, "message": "x", "level": "INFO", **fields, "log_id": f"{way}: {name}"})
            for way, form in forms.items()
            for name, fields in records.items()
        )
    )
    found = {document.pop("log_id"): document for document in documents(3 * len(records))}
    for document in found.values():
        if "extra_timestamp" in document:
            del document["@timestamp"]  # when it was seen
    for name in records:
        assert found[f"own: {name}"] == found[f"compact: {name}"] == found[f"spaced: {name}"], name


def test_the_last_of_two_moments_counts_in_whatever_form_it_is(
    agent: Agent, documents: Callable[[int], list[dict[str, Any]]]
) -> None:
    agent.write(f'{{"timestamp":"{MOMENT}","message":"x","timestamp":"2026-11-24T23:30:00-05:00"}}')
    (document,) = documents(1)
    assert document["@timestamp"] == "2026-11-25T04:30:00.000000Z"
    assert [stored.index for stored in agent.stored()] == [f"{agent.prefix}-2026.11.25"]


def test_what_stands_behind_an_object_is_kept(agent: Agent, documents: Callable[[int], list[dict[str, Any]]]) -> None:
    begins = (
        f'{{ "timestamp":"{MOMENT}","level":"INFO","message":"x"',  # of a line of the package that lost its end
        f'{{"timestamp":"{MOMENT}","message":"x"',
        f'{{"timestamp": "{MOMENT}", "message": "x "',
    )
    texts = [begin.encode() + rest for begin in begins for rest in behind().values()]
    agent.write(*texts)
    found = documents(len(texts))
    assert sorted(document["message"] for document in found) == sorted(text.decode() for text in texts)
    assert all(document["tags"] == ["parse_failure"] for document in found)


def test_an_object_of_more_levels_than_elasticsearch_bears_is_kept_as_text(
    agent: Agent, documents: Callable[[int], list[dict[str, Any]]]
) -> None:
    texts = [text for name, text in lines().items() if name.startswith("depth ")]
    agent.write(*texts)
    found = documents(len(texts))
    assert sorted(document["message"] for document in found) == sorted(text.decode() for text in texts)
