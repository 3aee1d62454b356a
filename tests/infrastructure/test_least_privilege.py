"""Who may do what. The table below is the whole of it: a grant it does not have fails, and so does a missing one.

Method: a policy simulation over the template's own roles, each trying everything any of them may do.
"""

import pytest

from tests.infrastructure.template_reading import (
    ACCOUNT_SCOPE,
    TENANT,
    Grant,
    functions,
    grants,
    is_allowed,
    resolve,
    resources,
    role_of,
)

EVERYONE = frozenset(functions())

TABLE = f"arn:aws:dynamodb:{ACCOUNT_SCOPE}:table/trueup-{TENANT}-state"
MIMECAST_SECRET = f"arn:aws:secretsmanager:{ACCOUNT_SCOPE}:secret:trueup/{TENANT}/mimecast-AbCdEf"
MICROSOFT365_SECRET = f"arn:aws:secretsmanager:{ACCOUNT_SCOPE}:secret:trueup/{TENANT}/microsoft365-AbCdEf"
PSA_SECRETS = {
    name: f"arn:aws:secretsmanager:{ACCOUNT_SCOPE}:secret:trueup/{TENANT}/{name}-AbCdEf"
    for name in ("connectwise", "autotask", "halopsa", "syncro")
}
CALLBACK_SECRETS = [
    f"arn:aws:secretsmanager:{ACCOUNT_SCOPE}:secret:trueup/{TENANT}/{name}-callbacks-AbCdEf"
    for name in ("connectwise", "autotask", "halopsa")
]
NOTICE_SECRETS = [
    f"arn:aws:secretsmanager:{ACCOUNT_SCOPE}:secret:trueup/{TENANT}/notice-{name}-AbCdEf" for name in ("teams", "slack")
]
NOTICE_TOPIC = f"arn:aws:sns:{ACCOUNT_SCOPE}:trueup-{TENANT}-notices"
NOTIFIERS = {"notification", "credential_validation", "portal"}
QUEUE = f"arn:aws:sqs:{ACCOUNT_SCOPE}:trueup-{TENANT}-failed-events"
CALLBACK_QUEUE = f"arn:aws:sqs:{ACCOUNT_SCOPE}:trueup-{TENANT}-callbacks"
DATA_KEY = f"arn:aws:kms:{ACCOUNT_SCOPE}:key/DataKey"
SECRETS_KEY = f"arn:aws:kms:{ACCOUNT_SCOPE}:key/SecretsKey"
SECRETS_MANAGER = "secretsmanager.eu-west-1.amazonaws.com"


def function_arn(capability: str) -> str:
    return f"arn:aws:lambda:{ACCOUNT_SCOPE}:function:trueup-{TENANT}-{capability.replace('_', '-')}"


def expected() -> dict[Grant, frozenset[str]]:
    """Every action on every resource that somebody may use, and who they are."""
    table: dict[Grant, frozenset[str]] = {}

    def allow(actions: list[str], resource: str, who: set[str] | frozenset[str], via_service: str = "") -> None:
        for action in actions:
            table[Grant(action, resource, via_service)] = frozenset(who)

    # X-Ray knows no resources; this is the only wildcard resource in the template.
    allow(["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "*", EVERYONE)
    for capability in EVERYONE:
        logs = f"arn:aws:logs:{ACCOUNT_SCOPE}:log-group:/aws/lambda/trueup-{TENANT}-{capability.replace('_', '-')}:*"
        allow(["logs:CreateLogStream", "logs:PutLogEvents"], logs, {capability})

    # Every write is a transaction of puts; whole pages and rows go in batches; few take something back; two count.
    machines = {"machine_access", "psa_callback"}
    allow(["dynamodb:GetItem"], TABLE, EVERYONE)
    allow(["dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:PutItem"], TABLE, EVERYONE - machines)
    batches = {"vendor_sync", "psa_sync", "license_sync", "reconciliation", "plan_apply", "portal", "account_refresh"}
    batches |= {"change_orders", "sealing", "monthly_run"}
    allow(["dynamodb:BatchWriteItem"], TABLE, batches)
    allow(
        ["dynamodb:DeleteItem"],
        TABLE,
        {"vendor_sync", "psa_sync", "license_sync", "reconciliation", "portal", "change_orders", "sealing"},
    )
    allow(["dynamodb:ConditionCheckItem"], TABLE, {"reconciliation", "plan_apply", "portal", "sealing", "monthly_run"})
    allow(["dynamodb:UpdateItem"], TABLE, {"portal", "psa_callback"})
    allow(["dynamodb:Query"], f"{TABLE}/index/by_status", {"portal"})
    allow(["kms:Decrypt", "kms:DescribeKey"], DATA_KEY, EVERYONE)
    allow(["kms:Encrypt", "kms:GenerateDataKey"], DATA_KEY, EVERYONE - {"machine_access"})

    # The portal tries a stored credential when asked to, searches the PSA's products and registers callbacks.
    readers_of_mimecast = {"credential_validation", "vendor_sync", "portal", "change_orders"}
    readers_of_psas = {"credential_validation", "psa_sync", "plan_apply", "portal"}
    allow(["secretsmanager:GetSecretValue"], MIMECAST_SECRET, readers_of_mimecast)
    allow(["secretsmanager:PutSecretValue"], MIMECAST_SECRET, {"portal"})
    readers_of_microsoft365 = {"credential_validation", "license_sync", "portal"}
    allow(["secretsmanager:GetSecretValue"], MICROSOFT365_SECRET, readers_of_microsoft365)
    allow(["secretsmanager:PutSecretValue"], MICROSOFT365_SECRET, {"portal"})
    for name, secret in PSA_SECRETS.items():
        # Syncro calls nobody, so there is nothing of it to read again.
        more = set() if name == "syncro" else {"account_refresh", "notification"}
        allow(["secretsmanager:GetSecretValue"], secret, readers_of_psas | more)
        allow(["secretsmanager:PutSecretValue"], secret, {"portal"})
    for secret in NOTICE_SECRETS:
        allow(["secretsmanager:GetSecretValue"], secret, NOTIFIERS)
        allow(["secretsmanager:PutSecretValue"], secret, {"portal"})
    allow(["sns:Publish"], NOTICE_TOPIC, NOTIFIERS)
    for secret in CALLBACK_SECRETS:
        allow(["secretsmanager:GetSecretValue"], secret, {"psa_callback", "portal"})
        allow(["secretsmanager:PutSecretValue"], secret, {"portal"})
    readers = readers_of_mimecast | readers_of_psas | readers_of_microsoft365 | {"account_refresh", "psa_callback"}
    readers |= NOTIFIERS
    allow(["kms:Decrypt"], SECRETS_KEY, readers, SECRETS_MANAGER)
    allow(["kms:GenerateDataKey"], SECRETS_KEY, {"portal"}, SECRETS_MANAGER)

    for step in (
        "vendor_sync",
        "psa_sync",
        "license_sync",
        "auto_matching",
        "reconciliation",
        "plan_apply",
        "change_orders",
        "sealing",
        "notification",
    ):
        allow(["lambda:InvokeFunction"], function_arn(step), {"monthly_run"})
    allow(["lambda:InvokeFunction"], f"{function_arn('monthly_run')}:live", {"portal"})
    own_executions = f"{function_arn('monthly_run')}:*"
    allow(["lambda:CheckpointDurableExecution", "lambda:GetDurableExecutionState"], own_executions, {"monthly_run"})
    callbacks = ["lambda:SendDurableExecutionCallbackSuccess", "lambda:SendDurableExecutionCallbackFailure"]
    allow(callbacks, own_executions, {"portal"})
    allow(["sqs:SendMessage"], QUEUE, {"monthly_run", "credential_validation"})
    allow(["sqs:SendMessage"], CALLBACK_QUEUE, {"psa_callback"})
    take = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
    allow(take, CALLBACK_QUEUE, {"account_refresh"})
    return table


@pytest.mark.parametrize("capability", sorted(EVERYONE))
@pytest.mark.fault("S17")
def test_each_function_may_do_its_own_work_and_nothing_of_the_others(capability: str) -> None:
    granted = list(grants(role_of(capability)))
    for attempt, who in expected().items():
        assert is_allowed(granted, attempt) == (capability in who), attempt


@pytest.mark.parametrize("capability", sorted(EVERYONE))
def test_each_grant_is_known(capability: str) -> None:
    unknown = [grant for grant in grants(role_of(capability)) if grant not in expected()]
    assert unknown == [], "a new permission belongs in the table of this file, with who may have it"


@pytest.mark.parametrize("capability", sorted(EVERYONE))
def test_no_function_reaches_another_tenants_resources(capability: str) -> None:
    granted = list(grants(role_of(capability)))
    for attempt in expected():
        if attempt.resource != "*" and not attempt.action.startswith("kms:"):
            other = Grant(attempt.action, attempt.resource.replace(TENANT, "tenant-b"), attempt.via_service)
            assert not is_allowed(granted, other), other


@pytest.mark.parametrize("capability", sorted(EVERYONE))
@pytest.mark.parametrize(
    "action",
    [
        "dynamodb:DeleteTable",
        "dynamodb:Scan",
        "iam:PassRole",
        "kms:ScheduleKeyDeletion",
        "lambda:UpdateFunctionCode",
        "s3:GetObject",
        "secretsmanager:DeleteSecret",
        "sts:AssumeRole",
    ],
)
def test_nobody_may_do_these(capability: str, action: str) -> None:
    granted = list(grants(role_of(capability)))
    for resource in {attempt.resource for attempt in expected()}:
        assert not is_allowed(granted, Grant(action, resource, ""))


def test_no_role_is_shared() -> None:
    roles = [role_of(capability) for capability in functions()]
    assert len(set(roles)) == len(roles)


@pytest.mark.parametrize(
    ("role", "target"),
    [
        ("CredentialValidationScheduleRole", function_arn("credential_validation")),
        ("MonthlyRunScheduleRole", f"{function_arn('monthly_run')}:live"),
    ],
)
def test_a_schedule_may_start_its_function_and_report_failure(role: str, target: str) -> None:
    assert set(grants(role)) == {
        Grant("lambda:InvokeFunction", target, ""),
        Grant("sqs:SendMessage", QUEUE, ""),
        Grant("kms:Decrypt", DATA_KEY, "sqs.eu-west-1.amazonaws.com"),
        Grant("kms:GenerateDataKey", DATA_KEY, "sqs.eu-west-1.amazonaws.com"),
    }


def test_roles_can_be_taken_by_their_service_only() -> None:
    for name, body in resources("AWS::IAM::Role").items():
        (statement,) = body["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        service = "scheduler" if name.endswith("ScheduleRole") else "lambda"
        assert statement["Principal"] == {"Service": f"{service}.amazonaws.com"}
        assert statement["Action"] == "sts:AssumeRole"


def test_key_policies_name_services_of_this_account_only() -> None:
    for body in resources("AWS::KMS::Key").values():
        for statement in body["Properties"]["KeyPolicy"]["Statement"]:
            principal = statement["Principal"]
            if "AWS" in principal:
                assert resolve(principal["AWS"]) == "arn:aws:iam::123456789012:root"
            else:
                assert statement["Condition"], "a service principal without a condition lets other accounts in"
