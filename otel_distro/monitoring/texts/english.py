"""English."""

from __future__ import annotations

from typing import Final

from otel_distro.monitoring.texts.english_system import SYSTEM
from otel_distro.monitoring.texts.model import Headings, Language, Text

HEADINGS: Final = Headings(
    title="Runbook",
    introduction=(
        "One heading an alert: what it means, where to look first, what usually causes it, and how to mend it. Queries "
        "are for Prometheus or Grafana, commands for the machine with the logs; the numbers are those that the alerts "
        "are set to."
    ),
    meaning="Meaning",
    look="First look",
    causes="Usual causes",
    mend="Mend",
    severities={"critical": "critical: look at once", "warning": "warning: look today"},
    at_once="fires at once",
    held="fires after {held}",
)

SERVICE: Final = {
    "HighErrorRate": Text(
        summary="{job}: {value} of the requests fail",
        description="{value} of the requests to {job} ended with a status 5xx in the last {window}; {limit_percent} is the limit.",
        meaning="The share of requests that ended with a status of 500 or above is over {limit_percent}. Users see errors.",
        causes=(
            "a release that broke an endpoint: the share is high on one endpoint alone",
            "a database or a service behind this one is away: the share rises on many endpoints at once",
            "with very few requests, a single failure is a large share: look at the request rate as well",
        ),
        mend=(
            "Find the endpoint and the most frequent error; `otel-distro logs request ID` shows everything of one request.",
            "Roll back if it began with a release; otherwise restore what the errors name.",
        ),
    ),
    "HighResponseTime": Text(
        summary="{job}: the slowest 5% of the requests take {value} or more",
        description="The 95th percentile of the request durations of {job} over the last {window} is {value}; the limit is {limit}s.",
        meaning=(
            "One request in twenty takes longer than {limit} s. The percentile is estimated inside a bucket (1 to 2.5 s), so it "
            "tells the side of the limit surely only while the durations are spread over the bucket."
        ),
        causes=(
            "a slow endpoint: the percentile is high on one endpoint alone",
            "waiting for a lock, a connection pool or a service behind: many requests are in flight, the CPU is idle",
            "too few workers: every endpoint is slow, `active_connections` stays at the number of workers",
        ),
        mend=(
            "Compare the functions' durations: which one grew when the alert began?",
            "Add workers or take load off when all endpoints are slow; set time-outs to what is behind.",
        ),
    ),
    "LowRequestRate": Text(
        summary="{job}: only {value} requests a second",
        description="{job} has had under {limit} request(s) a second for {held}, now {value}. 0 may also mean that its metrics are gone.",
        meaning=(
            "Fewer than {limit} request(s) a second arrive, or the metrics of a job that had some within {memory} have "
            "disappeared. A job that never had requests is no part of this."
        ),
        causes=(
            "what is in front (load balancer, DNS, certificate) no longer leads here",
            "the service hangs or restarts again and again",
            "it is a quiet hour: then the limit is too high for this service",
        ),
        mend=(
            "Send a request from outside and follow it: where does it end?",
            "Restart the service if its page is gone; lower the limit (`otel-distro rules --requests-per-second`) if this is its normal night.",
        ),
    ),
    "AvailabilityBudgetBurning": Text(
        summary="{job}: failing requests spend the error budget at over {factor} times the pace that 30 days allow",
        description=(
            "{value} of the requests to {job} failed in the last {long}, and it went on in the last {short}. "
            "The objective is {objective}: that is over {factor} times the pace that its budget of 30 days allows."
        ),
        meaning=(
            "So many requests fail that the objective of {objective} over 30 days will be missed: in the long window, so that it "
            "matters, and in the short one, so that it still goes on. The shorter the windows, the faster the budget goes."
        ),
        causes=(
            "as for HighErrorRate, also where the share stays under its limit: a small share for a long time",
            "one endpoint that always fails and that nobody looked at",
        ),
        mend=(
            "Critical: treat it as an outage. Warning: plan the mend for today and hold back risky releases.",
            "The budget that is left says how much time there is.",
        ),
    ),
    "LatencyBudgetBurning": Text(
        summary="{job}: slow requests spend the latency budget at over {factor} times the pace that 30 days allow",
        description=(
            "{value} of the requests to {job} took longer than {seconds}s in the last {long}, and it went on in the last {short}. "
            "The objective is {objective} within {seconds}s: that is over {factor} times the pace that its budget of 30 days allows."
        ),
        meaning=(
            "So many requests take longer than {seconds} s that the objective of {objective} over 30 days will be missed. The pairs "
            "of windows are those of AvailabilityBudgetBurning."
        ),
        causes=("as for HighResponseTime, also where the percentile stays under its limit",),
        mend=("As for HighResponseTime; the budget that is left says how much time there is.",),
    ),
    "RevenueStopped": Text(
        summary="{job}: no revenue for {pause}",
        description="{job} has taken no money for {pause}; over the last {memory} it took {value} an hour on average.",
        meaning=(
            "A job that recorded revenue within {memory} has recorded none for {pause}, or its metric is gone. A job that never "
            "had revenue is no part of this."
        ),
        causes=(
            "the payment provider is away: orders fail",
            "the way to the order is broken before it: requests arrive, orders do not",
            "no customers at all: the request rate is low as well",
        ),
        mend=(
            "Place an order yourself and look its request id up: `otel-distro logs request ID`.",
            "If orders fail, see PaymentFailures; if none arrive, see LowRequestRate.",
        ),
    ),
    "PaymentFailures": Text(
        summary="{job}: {value} of the orders by {payment_method} fail",
        description="{value} of the orders paid by {payment_method} at {job} failed in the last {window}; {limit_percent} is the limit.",
        meaning="The share of failed orders of one payment method is over {limit_percent}. The other methods may be well.",
        causes=(
            "the provider of this method is away or refuses the credentials",
            "a new rule (limit, fraud check) declines more than it should",
        ),
        mend=(
            "The log lines of failed orders carry the error and the order's id.",
            "Take the method out of the offer until its provider is back.",
        ),
    ),
}

LANGUAGE: Final = Language(HEADINGS, {**SERVICE, **SYSTEM})
