"""Reads template.yaml for one machine: parameters, and each function with its environment, routes and schedules.

Method: CloudFormation's tags become their long form; Ref, Sub and GetAtt are resolved for one tenant in an account that
does not exist. What runs here and what is deployed then cannot differ in a route, a schedule or a setting.
Must not: hold a default of its own, or guess what a function it does not know stands for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from trueup.domain.errors import ConfigurationInvalid, InputInvalid

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE_FILE = ROOT / "template.yaml"
LOCAL_TENANT = "local"

PSEUDO_PARAMETERS = {
    "AWS::AccountId": "000000000000",
    "AWS::Region": "eu-west-1",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::NoValue": "",
    "AWS::StackId": "arn:aws:cloudformation:eu-west-1:000000000000:stack/trueup-local/one-machine",
}
"""The account of one machine. No account has this number, so nothing made from it can reach a real one."""

_NAME_PROPERTIES = {
    "AWS::Serverless::Function": "FunctionName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::SecretsManager::Secret": "Name",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::SNS::Topic": "TopicName",
}
_DURATION_SECONDS_DEFAULT = 3
_VISIBILITY_SECONDS_DEFAULT = 30


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of the stack. ``default`` is None where a value must be given."""

    name: str
    kind: str
    description: str
    default: str | None
    pattern: str | None
    constraint: str
    allowed: tuple[str, ...]
    minimum: int | None
    maximum: int | None

    def check(self, value: str) -> str:
        """The value as CloudFormation would take it. Raises InputInvalid naming the parameter and what it takes."""
        text = value.strip()
        if self.kind == "Number" and not re.fullmatch(r"-?[0-9]{1,15}", text):
            raise self._invalid(value, "a whole number")
        if self.minimum is not None and int(text) < self.minimum:
            raise self._invalid(value, f"{self.minimum} or more")
        if self.maximum is not None and int(text) > self.maximum:
            raise self._invalid(value, f"{self.maximum} or less")
        if self.allowed and text not in self.allowed:
            raise self._invalid(value, "one of " + ", ".join(self.allowed))
        if self.pattern is not None and not re.fullmatch(self.pattern, text):
            raise self._invalid(value, self.constraint or f"text that matches {self.pattern}")
        return text

    def _invalid(self, value: str, wanted: str) -> InputInvalid:
        return InputInvalid(f"{self.name} cannot be {value[:60]!r}", field=self.name, remedy=f"Give {wanted}.")


@dataclass(frozen=True, slots=True)
class Route:
    """One HTTP route of a function. ``method`` may be ANY; ``path`` may hold ``{name}`` and ``{proxy+}``.

    ``authorizer`` names who is asked before the function is (NONE: nobody; empty: the API's default).
    """

    method: str
    path: str
    authorizer: str = ""

    @property
    def is_public(self) -> bool:
        return self.authorizer == "NONE"


@dataclass(frozen=True, slots=True)
class Authorizer:
    """A function that API Gateway asks whether a request may go on, and the header it has to carry."""

    name: str
    capability: str
    header: str


@dataclass(frozen=True, slots=True)
class Queue:
    """One SQS queue. After ``receives_maximum`` failed deliveries a message goes to ``dead_letters`` (None: never)."""

    name: str
    visibility_seconds: int
    retention_seconds: int
    dead_letters: str | None = None
    receives_maximum: int | None = None


@dataclass(frozen=True, slots=True)
class QueueTrigger:
    """A queue that calls a function with up to ``batch_size`` messages at a time."""

    queue: str
    batch_size: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """One time trigger: EventBridge Scheduler's expression, the zone it is meant in, and the text it sends."""

    name: str
    expression: str
    time_zone: str
    input: str


@dataclass(frozen=True, slots=True)
class FunctionDefinition:
    """One function as the template describes it. ``durable`` holds its DurableConfig, empty for an ordinary one."""

    logical_id: str
    capability: str
    name: str
    handler: str
    code_directory: Path
    timeout_seconds: int
    environment: Mapping[str, str]
    routes: tuple[Route, ...]
    schedules: tuple[Schedule, ...]
    queues: tuple[QueueTrigger, ...] = ()
    durable: Mapping[str, int] = field(default_factory=dict)


@cache
def read_template(path: Path = TEMPLATE_FILE) -> Mapping[str, Any]:
    """The whole template with intrinsic functions in their long form. Raises ConfigurationInvalid."""
    import yaml

    class Loader(yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader):  # type: ignore[misc]
        """YAML with CloudFormation's tags: ``!Ref X`` becomes {"Ref": "X"}, ``!Sub x`` {"Fn::Sub": "x"}."""

    def construct(loader: Any, suffix: str, node: yaml.Node) -> dict[str, Any]:
        value: Any
        if isinstance(node, yaml.ScalarNode):
            value = loader.construct_scalar(node)
        elif isinstance(node, yaml.SequenceNode):
            value = loader.construct_sequence(node, deep=True)
        else:
            value = loader.construct_mapping(node, deep=True)
        if suffix == "GetAtt" and isinstance(value, str):
            value = value.split(".", 1)
        return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}

    Loader.add_multi_constructor("!", construct)
    try:
        loaded: Mapping[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=Loader)  # noqa: S506 - safe
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as unreadable:
        raise ConfigurationInvalid(
            f"{path.name} cannot be read: {type(unreadable).__name__}", remedy=f"Restore {path.name} from the project."
        ) from unreadable
    return loaded


def parameters(template: Mapping[str, Any] | None = None) -> dict[str, Parameter]:
    """The parameters in the template's order."""
    source = template if template is not None else read_template()
    return {name: _parameter(name, body) for name, body in source["Parameters"].items()}


def _parameter(name: str, body: Mapping[str, Any]) -> Parameter:
    return Parameter(
        name=name,
        kind=body["Type"],
        description=body.get("Description", ""),
        default=None if "Default" not in body else str(body["Default"]),
        pattern=body.get("AllowedPattern"),
        constraint=body.get("ConstraintDescription", "").rstrip("."),
        allowed=tuple(str(value) for value in body.get("AllowedValues", ())),
        minimum=body.get("MinValue"),
        maximum=body.get("MaxValue"),
    )


class Deployment:
    """The template with one set of parameter values: what the stack would be."""

    def __init__(self, values: Mapping[str, str], template: Mapping[str, Any] | None = None) -> None:
        """``values`` overrides the defaults. Raises InputInvalid for a value the template refuses or does not know."""
        self._template = template if template is not None else read_template()
        known = parameters(self._template)
        for name in values:
            if name not in known:
                raise InputInvalid(f"the template has no parameter {name}", field=name, remedy="Leave it out.")
        self.values: dict[str, str] = {}
        for name, parameter in known.items():
            value = values.get(name, parameter.default)
            if value is None:
                raise InputInvalid(f"the parameter {name} has no value", field=name, remedy=parameter.description)
            self.values[name] = parameter.check(value)
        self._check_rules()

    def functions(self) -> tuple[FunctionDefinition, ...]:
        """Every function, in the template's order."""
        return tuple(
            self._function(name, body["Properties"]) for name, body in self._resources("AWS::Serverless::Function")
        )

    def shared_environment(self) -> dict[str, str]:
        """The environment that all functions have."""
        variables = self._template["Globals"]["Function"]["Environment"]["Variables"]
        return {name: self.text(value) for name, value in variables.items()}

    def table(self) -> dict[str, Any]:
        """The properties of the one table that a local store can use: name, attributes, keys and indexes."""
        ((_, body),) = self._resources("AWS::DynamoDB::Table")
        wanted = ("TableName", "BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
        properties = {name: body["Properties"][name] for name in wanted if name in body["Properties"]}
        return {**properties, "TableName": self.text(properties["TableName"])}

    def authorizers(self) -> tuple[Authorizer, ...]:
        """The functions that are asked who calls, by the names that routes give. Token authorizers are none."""
        ((_, body),) = self._resources("AWS::Serverless::HttpApi")
        found = []
        for name, settings in body["Properties"]["Auth"]["Authorizers"].items():
            if "FunctionArn" in settings:
                capability = self._capability(settings["FunctionArn"])
                found.append(Authorizer(name, capability, settings["Identity"]["Headers"][0]))
        return tuple(found)

    def queues(self) -> tuple[Queue, ...]:
        """Every queue, in the template's order."""
        return tuple(self._queue(body["Properties"]) for _, body in self._resources("AWS::SQS::Queue"))

    def text(self, value: object) -> str:
        """What a scalar or an intrinsic function stands for. Raises ConfigurationInvalid for one it does not know."""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str | int):
            return str(value)
        if isinstance(value, Mapping) and len(value) == 1:
            ((function, argument),) = value.items()
            if function == "Ref":
                return self._reference(argument)
            if function == "Fn::GetAtt":
                return self._attribute(argument[0], argument[1])
            if function == "Fn::Sub" and isinstance(argument, str):
                return re.sub(r"\$\{([^}!]+)\}", lambda hit: self._substituted(hit[1]), argument)
            if function == "Fn::Select":
                return self._list(argument[1])[int(argument[0])]
            if function == "Fn::Join":
                return str(argument[0]).join(self._list(argument[1]))
            if function == "Fn::If":
                condition, yes, no = argument
                return self.text(yes if self._holds(self._template["Conditions"][condition]) else no)
        raise ConfigurationInvalid(f"the template has a value that is not known here: {type(value).__name__}")

    def _list(self, value: object) -> list[str]:
        if isinstance(value, Mapping) and list(value) == ["Fn::Split"]:
            separator, text = value["Fn::Split"]
            return self.text(text).split(separator)
        if isinstance(value, list):
            return [self.text(item) for item in value]
        raise ConfigurationInvalid(f"the template has a list that is not known here: {type(value).__name__}")

    def _resources(self, kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for name, body in self._template["Resources"].items():
            if body["Type"] == kind:
                yield name, body

    def _function(self, logical_id: str, properties: Mapping[str, Any]) -> FunctionDefinition:
        shared = self._template["Globals"]["Function"]
        own = properties.get("Environment", {}).get("Variables", {})
        directory = ROOT / properties["CodeUri"]
        events = properties.get("Events", {}).values()
        return FunctionDefinition(
            logical_id=logical_id,
            capability=directory.name,
            name=self.text(properties["FunctionName"]),
            handler=properties.get("Handler", shared["Handler"]),
            code_directory=directory,
            timeout_seconds=properties.get("Timeout", shared.get("Timeout", _DURATION_SECONDS_DEFAULT)),
            environment=self.shared_environment() | {name: self.text(value) for name, value in own.items()},
            routes=tuple(_route(event["Properties"]) for event in events if event["Type"] == "HttpApi"),
            schedules=tuple(self._schedule(event["Properties"]) for event in events if event["Type"] == "ScheduleV2"),
            queues=tuple(self._trigger(event["Properties"]) for event in events if event["Type"] == "SQS"),
            durable=properties.get("DurableConfig", {}),
        )

    def _capability(self, arn: Mapping[str, Any]) -> str:
        """The capability of the function whose ARN that is."""
        logical_id = arn["Fn::GetAtt"][0]
        return Path(self._template["Resources"][logical_id]["Properties"]["CodeUri"]).name

    def _queue(self, properties: Mapping[str, Any]) -> Queue:
        redrive = properties.get("RedrivePolicy", {})
        return Queue(
            name=self.text(properties["QueueName"]),
            visibility_seconds=properties.get("VisibilityTimeout", _VISIBILITY_SECONDS_DEFAULT),
            retention_seconds=properties["MessageRetentionPeriod"],
            dead_letters=self._queue_name(redrive["deadLetterTargetArn"]) if redrive else None,
            receives_maximum=redrive.get("maxReceiveCount"),
        )

    def _queue_name(self, arn: Mapping[str, Any]) -> str:
        return self._reference(arn["Fn::GetAtt"][0])

    def _trigger(self, properties: Mapping[str, Any]) -> QueueTrigger:
        return QueueTrigger(self._queue_name(properties["Queue"]), properties["BatchSize"])

    def _schedule(self, properties: Mapping[str, Any]) -> Schedule:
        return Schedule(
            name=self.text(properties["Name"]),
            expression=self.text(properties["ScheduleExpression"]),
            time_zone=self.text(properties.get("ScheduleExpressionTimezone", "UTC")),
            input=self.text(properties.get("Input", "{}")),
        )

    def _substituted(self, name: str) -> str:
        if "." in name and not name.endswith(".Alias"):
            logical_id, attribute = name.split(".", 1)
            return self._attribute(logical_id, attribute)
        return self._reference(name)

    def _reference(self, name: str) -> str:
        if name in self.values:
            return self.values[name]
        if name in PSEUDO_PARAMETERS:
            return PSEUDO_PARAMETERS[name]
        logical_id, _, alias = name.partition(".")
        body = self._template["Resources"].get(logical_id)
        if body is None:
            raise ConfigurationInvalid(f"the template refers to {name}, which it does not have")
        named = body.get("Properties", {}).get(_NAME_PROPERTIES.get(body["Type"], ""))
        text = logical_id if named is None else self.text(named)
        if body["Type"] == "AWS::SNS::Topic":
            # Unlike that of most resources, the reference of a topic is its ARN.
            region, account = PSEUDO_PARAMETERS["AWS::Region"], PSEUDO_PARAMETERS["AWS::AccountId"]
            return f"arn:aws:sns:{region}:{account}:{text}"
        return f"{text}:{body['Properties'].get('AutoPublishAlias', 'live')}" if alias == "Alias" else text

    def _attribute(self, logical_id: str, attribute: str) -> str:
        return (
            f"arn:aws:local:{PSEUDO_PARAMETERS['AWS::Region']}:000000000000:{self._reference(logical_id)}/{attribute}"
        )

    def _check_rules(self) -> None:
        for name, rule in self._template.get("Rules", {}).items():
            if "RuleCondition" in rule and not self._holds(rule["RuleCondition"]):
                continue
            for assertion in rule["Assertions"]:
                if not self._holds(assertion["Assert"]):
                    said = assertion.get("AssertDescription", f"the rule {name} does not hold").rstrip(".")
                    raise InputInvalid(said, field=name, remedy="Correct the parameters it names.")

    def _holds(self, condition: Mapping[str, Any]) -> bool:
        ((function, argument),) = condition.items()
        if function == "Fn::Not":
            return not self._holds(argument[0])
        if function == "Fn::Equals":
            return self.text(argument[0]) == self.text(argument[1])
        raise ConfigurationInvalid(f"the template has a rule that is not known here: {function}")


def _route(properties: Mapping[str, Any]) -> Route:
    authorizer = properties.get("Auth", {}).get("Authorizer", "")
    return Route(method=properties["Method"].upper(), path=properties["Path"], authorizer=authorizer)


@cache
def local_deployment() -> Deployment:
    """The stack that this machine stands for: the tenant ``local`` with every parameter at its default."""
    return Deployment({"Tenant": LOCAL_TENANT})
