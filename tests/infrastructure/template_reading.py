"""Reads template.yaml for the tests of this room: CloudFormation tags, made-up ARNs, and what each role may do.

Method: intrinsic functions become values of one imaginary account, so that policies can be evaluated like text.
Must not: know what is right; the tests say that.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
TENANT = "tenant-a"
PSEUDO_PARAMETERS = {
    "AWS::AccountId": "123456789012",
    "AWS::Region": "eu-west-1",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
}
ACCOUNT_SCOPE = "eu-west-1:123456789012"


class _TemplateLoader(yaml.SafeLoader):
    """YAML with CloudFormation's short tags: `!Ref X` becomes {"Ref": "X"}, `!Sub x` {"Fn::Sub": "x"}."""


def _construct_tag(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_TemplateLoader.add_multi_constructor("!", _construct_tag)


@cache
def template() -> dict[str, Any]:
    """The whole template with long-form intrinsic functions."""
    loaded: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(encoding="utf-8"), Loader=_TemplateLoader)  # noqa: S506 - a SafeLoader
    return loaded


def resources(kind: str) -> dict[str, dict[str, Any]]:
    """Logical id and whole body of each resource of that type."""
    found: dict[str, dict[str, Any]] = template()["Resources"]
    return {name: body for name, body in found.items() if body["Type"] == kind}


def functions() -> dict[str, dict[str, Any]]:
    """Capability word (the folder) and properties of each function."""
    by_capability = {}
    for body in resources("AWS::Serverless::Function").values():
        by_capability[Path(body["Properties"]["CodeUri"]).name] = body["Properties"]
    return by_capability


def role_of(capability: str) -> str:
    """Logical id of the role the function takes."""
    role: str = functions()[capability]["Role"]["Fn::GetAtt"][0]
    return role


def routes() -> set[tuple[str, str, bool]]:
    """(method, path, is public) of every HTTP route; the method may be ANY."""
    found = set()
    for properties in functions().values():
        for event in properties.get("Events", {}).values():
            if event["Type"] == "HttpApi":
                route = event["Properties"]
                is_public = route.get("Auth", {}).get("Authorizer") == "NONE"
                found.add((route["Method"], route["Path"], is_public))
    return found


def resolve(value: Any) -> str:
    """The text an intrinsic function stands for, in the imaginary account."""
    if isinstance(value, str):
        return value
    ((function, argument),) = value.items()
    if function == "Ref":
        return _reference(argument)
    if function == "Fn::GetAtt":
        return _attribute(*argument)
    assert function == "Fn::Sub", function
    assert isinstance(argument, str)
    return re.sub(
        r"\$\{([^}]+)\}", lambda hit: _attribute(*hit[1].split(".")) if "." in hit[1] else _reference(hit[1]), argument
    )


def _reference(name: str) -> str:
    if name in PSEUDO_PARAMETERS:
        return PSEUDO_PARAMETERS[name]
    if name == "Tenant":
        return TENANT
    if name.endswith(".Alias"):
        return f"{_attribute(name.removesuffix('.Alias'), 'Arn')}:live"
    kind = template()["Resources"][name]["Type"]
    if kind in ("AWS::SecretsManager::Secret", "AWS::SNS::Topic"):  # Their Ref is the ARN.
        return _attribute(name, "Arn")
    return name


def _attribute(name: str, attribute: str) -> str:
    assert attribute == "Arn", (name, attribute)
    body = template()["Resources"][name]
    properties = body["Properties"]
    match body["Type"]:
        case "AWS::Serverless::Function":
            return f"arn:aws:lambda:{ACCOUNT_SCOPE}:function:{resolve(properties['FunctionName'])}"
        case "AWS::DynamoDB::Table":
            return f"arn:aws:dynamodb:{ACCOUNT_SCOPE}:table/{resolve(properties['TableName'])}"
        case "AWS::SecretsManager::Secret":
            return f"arn:aws:secretsmanager:{ACCOUNT_SCOPE}:secret:{resolve(properties['Name'])}-AbCdEf"
        case "AWS::Logs::LogGroup":
            return f"arn:aws:logs:{ACCOUNT_SCOPE}:log-group:{resolve(properties['LogGroupName'])}:*"
        case "AWS::SQS::Queue":
            return f"arn:aws:sqs:{ACCOUNT_SCOPE}:{resolve(properties['QueueName'])}"
        case "AWS::SNS::Topic":
            return f"arn:aws:sns:{ACCOUNT_SCOPE}:{resolve(properties['TopicName'])}"
        case "AWS::KMS::Key":
            return f"arn:aws:kms:{ACCOUNT_SCOPE}:key/{name}"
        case kind:
            raise AssertionError(f"no made-up ARN for {kind}")


@dataclass(frozen=True, slots=True)
class Grant:
    """One action on one resource that a role allows, and the service it must be used through (empty: any)."""

    action: str
    resource: str
    via_service: str


def grants(role: str) -> Iterator[Grant]:
    """Everything the role's own policies allow, one action and resource at a time."""
    properties = template()["Resources"][role]["Properties"]
    assert "ManagedPolicyArns" not in properties, f"{role}: a managed policy allows more than this function needs"
    for policy in properties["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            assert set(statement) <= {"Sid", "Effect", "Action", "Resource", "Condition"}, (role, statement)
            assert statement["Effect"] == "Allow"
            condition = statement.get("Condition", {})
            via_service = resolve(condition.get("StringEquals", {}).get("kms:ViaService", ""))
            for action in _as_list(statement["Action"]):
                for resource in _as_list(statement["Resource"]):
                    yield Grant(action, resolve(resource), via_service)


def is_allowed(granted: Iterable[Grant], attempt: Grant) -> bool:
    """IAM's evaluation for what these policies use: any matching statement allows, and nothing else does."""
    return any(
        fnmatchcase(attempt.action, grant.action)
        and fnmatchcase(attempt.resource, grant.resource)
        and grant.via_service in ("", attempt.via_service)
        for grant in granted
    )


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
