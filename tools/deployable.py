"""
Check of a stage before it is built and uploaded, by the rules of template.yaml.

    python -m tools.deployable dev

The parameters are those of samconfig.toml. CloudFormation checks the same rules, but only after `sam deploy`
has uploaded everything.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_CHECKOUT = Path(__file__).parents[1]


class _TemplateLoader(yaml.CSafeLoader):
    """YAML with CloudFormation's short forms; `!Not [x]` becomes {"Not": [x]}."""


def _short_form(loader: yaml.CSafeLoader, name: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}  # type: ignore[arg-type] # The third kind.


_TemplateLoader.add_multi_constructor("!", _short_form)


def broken_rules(template: Mapping[str, Any], chosen: Mapping[str, str]) -> Iterator[str]:
    """The description of each assertion that these parameters break."""
    defaults = {name: str(each.get("Default", "")) for name, each in template["Parameters"].items()}
    parameters = defaults | dict(chosen)
    for rule in template["Rules"].values():
        if "RuleCondition" in rule and not _value(rule["RuleCondition"], parameters):
            continue
        for assertion in rule["Assertions"]:
            if not _value(assertion["Assert"], parameters):
                yield " ".join(assertion["AssertDescription"].split())


def parameters_of(config: Mapping[str, Any], stage: str) -> dict[str, str]:
    """The parameters that `sam deploy --config-env <stage>` passes."""
    overrides: str = config[stage]["deploy"]["parameters"]["parameter_overrides"]
    return dict(pair.split("=", 1) for pair in overrides.split())


def load_template() -> dict[str, Any]:
    """template.yaml as data."""
    text = (_CHECKOUT / "template.yaml").read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.load(text, Loader=_TemplateLoader)  # noqa: S506 - a SafeLoader.
    return document


def _value(expression: Any, parameters: Mapping[str, str]) -> Any:
    if not isinstance(expression, dict):
        return expression
    ((function, argument),) = expression.items()
    if function == "Ref":
        return parameters[argument]
    values = [_value(each, parameters) for each in argument]
    match function:
        case "Not":
            return not values[0]
        case "Equals":
            return values[0] == values[1]
        case "And":
            return all(values)
        case "Or":
            return any(values)
    raise ValueError(f"The rules of template.yaml use {function}, which this check does not know.")


def main(stage: str) -> int:
    """Print what is missing; return 1 if something is."""
    config = tomllib.loads((_CHECKOUT / "samconfig.toml").read_text(encoding="utf-8"))
    if stage not in config or "deploy" not in config[stage]:
        sys.stderr.write(f"samconfig.toml has no stage '{stage}'. Set STAGE to dev, staging or prod.\n")
        return 1
    broken = list(broken_rules(load_template(), parameters_of(config, stage)))
    for description in broken:
        sys.stderr.write(f"Not deployed: {description}.\n")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
