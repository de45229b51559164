"""Every series that alarms and dashboard of template.yaml listen to."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from tests.support.template_document import template

_IN_TEXT = re.compile(r"\$\{(\w+)(?:\.(\w+))?\}")


@dataclass(frozen=True, slots=True)
class Series:
    """One metric with its dimensions; a resource of the template is named `Ref:X` or `GetAtt:X.Y`."""

    listener: str
    namespace: str
    metric: str
    dimensions: tuple[tuple[str, str], ...]
    statistic: str

    @property
    def function(self) -> str:
        """The function it is measured in, by its name in the template."""
        return dict(self.dimensions)["function"].removeprefix("Ref:")


def alarms() -> dict[str, dict[str, Any]]:
    """The properties of every alarm there is."""
    return {
        name: entry["Properties"]
        for name, entry in template()["Resources"].items()
        if entry["Type"] == "AWS::CloudWatch::Alarm"
    }


def dashboards() -> dict[str, dict[str, Any]]:
    """Every dashboard, as JSON."""
    return {
        name: json.loads(entry["Properties"]["DashboardBody"]["Fn::Sub"])
        for name, entry in template()["Resources"].items()
        if entry["Type"] == "AWS::CloudWatch::Dashboard"
    }


def series() -> list[Series]:
    """All of them; an alarm with arithmetic has several."""
    found = [one for name, alarm in alarms().items() for one in _of_alarm(name, alarm)]
    for name, body in dashboards().items():
        for widget in body["widgets"]:
            found += [
                _of_widget(name, line, widget["properties"])
                for line in widget["properties"].get("metrics", [])
            ]
    return found


def _of_alarm(name: str, alarm: dict[str, Any]) -> list[Series]:
    if "Metrics" not in alarm:
        return [_of_metric(name, alarm, alarm.get("Statistic") or alarm["ExtendedStatistic"])]
    return [
        _of_metric(name, query["MetricStat"]["Metric"], query["MetricStat"]["Stat"])
        for query in alarm["Metrics"]
        if "MetricStat" in query
    ]


def _of_metric(name: str, metric: dict[str, Any], statistic: str) -> Series:
    dimensions = tuple((each["Name"], _value(each["Value"])) for each in metric.get("Dimensions", []))
    return Series(name, metric["Namespace"], metric["MetricName"], dimensions, statistic)


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value
    ((how, what),) = value.items()
    return f"Ref:{what}" if how == "Ref" else f"GetAtt:{'.'.join(what)}"


def _of_widget(name: str, line: list[Any], properties: dict[str, Any]) -> Series:
    options = line[-1] if isinstance(line[-1], dict) else {}
    namespace, metric, *rest = [word for word in line if isinstance(word, str)]
    dimensions = tuple(zip(rest[::2], map(_named, rest[1::2]), strict=True))
    return Series(name, namespace, metric, dimensions, options.get("stat") or properties["stat"])


def _named(text: str) -> str:
    found = _IN_TEXT.fullmatch(text)
    if found is None:
        return text
    return f"GetAtt:{found[1]}.{found[2]}" if found[2] else f"Ref:{found[1]}"
