"""The metrics that the alarms and the dashboard read."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from tests.support.template_document import dashboard, monitoring, resource

DASHBOARD = "Dashboard"  # The listener of a series that a widget shows.
_IN_TEXT = re.compile(r"\$\{(\w+)(?:\.(\w+))?\}")
_ALARM_ARNS = "${Monitoring.Outputs.AlarmArns}"  # In dashboard.yaml: a JSON list.


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
    """The properties of every alarm, with references to resources of template.yaml."""
    return {name: _with_arguments(entry["Properties"]) for name, entry in monitoring()["Resources"].items()}


def alarms_of_every_stack() -> list[str]:
    """The alarms whose ARNs monitoring.yaml returns to template.yaml, in their order."""
    text, variables = monitoring()["Outputs"]["AlarmArns"]["Value"]["Fn::Sub"]
    assert variables["Arn"]["Fn::Sub"].endswith(":alarm")
    arns: list[str] = json.loads(text)
    found = [re.fullmatch(r"\$\{Arn\}:\$\{(\w+)\}", arn) for arn in arns]
    return [each[1] for each in found if each]


def widgets() -> list[dict[str, Any]]:
    """The dashboard's widgets; the alarm widget holds the names of its alarms."""
    text: str = dashboard()["Fn::Sub"]
    body = json.loads(text.replace(_ALARM_ARNS, json.dumps(alarms_of_every_stack())))
    shown: list[dict[str, Any]] = body["widgets"]
    return shown


def series() -> list[Series]:
    """All of them; an alarm with metric math has several."""
    found = [one for name, alarm in alarms().items() for one in _of_alarm(name, alarm)]
    for widget in widgets():
        found += [
            _of_widget(DASHBOARD, line, widget["properties"])
            for line in widget["properties"].get("metrics", [])
        ]
    return found


def _with_arguments(part: Any) -> Any:
    """Replace each parameter of monitoring.yaml by the value that template.yaml passes for it."""
    if isinstance(part, list):
        return [_with_arguments(each) for each in part]
    if not isinstance(part, dict):
        return part
    if part.keys() == {"Ref"}:
        return _argument(part["Ref"])
    return {name: _with_arguments(value) for name, value in part.items()}


def _argument(parameter: str) -> Any:
    value = resource("Monitoring")["Parameters"][parameter]
    if "Fn::If" not in value:
        return value
    _, present, absent = value["Fn::If"]
    assert absent == ""
    return present


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
