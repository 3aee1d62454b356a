"""What the template must say whatever else changes in it. The linter checks its form; this checks its promises."""

import json
import tomllib
from typing import Any

import pytest

from tests.infrastructure.template_reading import ROOT, functions, resolve, resources, routes, template
from tests.served_routes import SCREENS, gateway_routes, routes_of_machines
from trueup.api.machine_callers import KEY_HEADER
from trueup.domain.counts import BillingBasis
from trueup.domain.effective import PSA_CAPABILITIES
from trueup.domain.guards import GuardPolicy
from trueup.domain.integrations import CREDENTIAL_FIELDS, IntegrationName
from trueup.domain.notices import ChannelName
from trueup.usecases.callbacks import secrets_name

FUNCTIONS = functions()
ENVIRONMENT_OF_EVERY_FUNCTION = {
    "TRUEUP_TENANT",
    "TRUEUP_TABLE",
    "TRUEUP_TIME_ZONE",
    "TRUEUP_BILLING_BASIS",
    "TRUEUP_BILL_ON_ORDER",
    "TRUEUP_TWO_PERSON_APPROVAL",
    "TRUEUP_CURRENCY",
    "TRUEUP_CONNECTWISE_HOSTS",
    "TRUEUP_HALOPSA_HOSTS",
    "TRUEUP_GUARD_INCREASE_PERCENT",
    "TRUEUP_GUARD_INCREASE_SEATS",
    "TRUEUP_ORDER_CHASE_DAYS",
    "TRUEUP_ORDER_EXPIRY_DAYS",
    "TRUEUP_ORDER_CHANGE_SEATS",
    "TRUEUP_ORDER_CHANGE_PERCENT",
    "TRUEUP_ORDER_MINIMUMS",
    "TRUEUP_ORDER_LEAD",
    "TRUEUP_ORDERS_API",
    "TRUEUP_SECRET_PREFIX",
    "POWERTOOLS_METRICS_NAMESPACE",
    "POWERTOOLS_LOG_LEVEL",
}


def environment(capability: str) -> dict[str, Any]:
    shared: dict[str, Any] = template()["Globals"]["Function"]["Environment"]["Variables"]
    return {**shared, **FUNCTIONS[capability]["Environment"]["Variables"]}


def test_runtime_is_python_3_13_on_arm64() -> None:
    shared = template()["Globals"]["Function"]
    assert shared["Runtime"] == "python3.13"
    assert shared["Architectures"] == ["arm64"]
    assert shared["Handler"] == "app.handler"
    assert (ROOT / ".python-version").read_text().strip() == "3.13"


def test_the_layer_is_built_from_the_folder_above_the_package() -> None:
    layer = resources("AWS::Serverless::LayerVersion")["CoreLayer"]
    assert layer["Properties"]["ContentUri"] == "layers/core"
    assert layer["Metadata"]["BuildMethod"] == "python3.13"
    assert (ROOT / "layers/core/trueup/__init__.py").is_file()
    assert not (ROOT / "layers/core/python").exists(), "a python/ folder would be built to python/python"


@pytest.mark.parametrize("capability", FUNCTIONS)
def test_every_function_has_its_own_role_logs_and_environment(capability: str) -> None:
    properties = FUNCTIONS[capability]
    prefix = "".join(word.capitalize() for word in capability.split("_"))
    assert properties["Role"] == {"Fn::GetAtt": [f"{prefix}Role", "Arn"]}
    assert properties["LoggingConfig"]["LogGroup"] == {"Ref": f"{prefix}LogGroup"}
    assert set(environment(capability)) >= ENVIRONMENT_OF_EVERY_FUNCTION
    assert "Policies" not in properties, "SAM would write a role of its own beside ours"
    assert properties.get("Timeout", 60) <= 900


@pytest.mark.parametrize("capability", FUNCTIONS)
def test_no_setting_looks_like_a_secret(capability: str) -> None:
    for name in environment(capability):
        words = set(name.split("_"))
        # The cursor key is the stack's own id: it tells stacks apart and opens nothing.
        assert not words & {"PASSWORD", "TOKEN", "KEY", "CREDENTIAL"} or name == "TRUEUP_CURSOR_KEY", name
        assert "SECRET" not in words or name == "TRUEUP_SECRET_PREFIX"


def test_traces_and_structured_logs_are_on_for_all() -> None:
    shared = template()["Globals"]["Function"]
    assert shared["Tracing"] == "Active"
    assert shared["LoggingConfig"]["LogFormat"] == "JSON"


def test_the_table_survives_mistakes() -> None:
    ((_, body),) = resources("AWS::DynamoDB::Table").items()
    properties = body["Properties"]
    assert body["DeletionPolicy"] == body["UpdateReplacePolicy"] == "Retain"
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert properties["DeletionProtectionEnabled"] is True
    assert properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    assert properties["SSESpecification"]["SSEType"] == "KMS"
    assert properties["TimeToLiveSpecification"] == {
        "AttributeName": "expires_at_epoch_seconds",
        "Enabled": True,
    }
    assert [key["AttributeName"] for key in properties["KeySchema"]] == ["pk", "sk"]
    assert [index["IndexName"] for index in properties["GlobalSecondaryIndexes"]] == ["by_status"]


def test_one_secret_per_integration_under_the_prefix_the_code_reads() -> None:
    names = {resolve(body["Properties"]["Name"]) for body in resources("AWS::SecretsManager::Secret").values()}
    prefix = resolve(environment("portal")["TRUEUP_SECRET_PREFIX"])
    systems = {name.value for name in IntegrationName if CREDENTIAL_FIELDS[name]}
    callers = {secrets_name(name) for name, can in PSA_CAPABILITIES.items() if can.callbacks}
    webhooks = {name.secret_name for name in ChannelName if name.takes_webhook}
    assert names == {f"{prefix}{name}" for name in systems | callers | webhooks}
    for body in resources("AWS::SecretsManager::Secret").values():
        assert body["Properties"]["KmsKeyId"] == {"Fn::GetAtt": ["SecretsKey", "Arn"]}
        assert not {"SecretString", "GenerateSecretString"} & set(body["Properties"])


def test_every_log_group_is_encrypted_and_forgets() -> None:
    for name, body in resources("AWS::Logs::LogGroup").items():
        assert body["Properties"]["RetentionInDays"], name
        assert body["Properties"]["KmsKeyId"], name


def test_the_monthly_run_is_durable_and_keeps_its_code_while_it_waits() -> None:
    properties = FUNCTIONS["monthly_run"]
    assert properties["DurableConfig"]["ExecutionTimeout"] >= 31 * 24 * 3600, "a plan may be approved all month"
    assert properties["AutoPublishAlias"] == "live"
    assert properties["AutoPublishAliasAllProperties"] is True, "a new layer alone must publish a version too"
    durable = [name for name, function in FUNCTIONS.items() if "DurableConfig" in function]
    assert durable == ["monthly_run"]


def test_the_monthly_run_knows_the_functions_it_calls() -> None:
    called = {name: value for name, value in environment("monthly_run").items() if name.startswith("TRUEUP_FUNCTION_")}
    steps = ("VendorSync", "PsaSync", "LicenseSync", "AutoMatching", "Reconciliation", "PlanApply")
    steps = (*steps, "ChangeOrders", "Sealing", "Notification")
    assert list(called.values()) == [{"Ref": f"{step}Function"} for step in steps]
    assert environment("portal")["TRUEUP_MONTHLY_RUN_FUNCTION"] == {"Ref": "MonthlyRunFunction.Alias"}


@pytest.mark.parametrize("capability", ["monthly_run", "credential_validation"])
def test_schedules_follow_the_tenants_clock_and_lose_no_event(capability: str) -> None:
    ((_, event),) = FUNCTIONS[capability]["Events"].items()
    assert event["Type"] == "ScheduleV2"
    schedule = event["Properties"]
    assert schedule["ScheduleExpressionTimezone"] == {"Ref": "TimeZone"}
    assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert schedule["DeadLetterConfig"]["Arn"] == {"Fn::GetAtt": ["FailedEventsQueue", "Arn"]}
    assert schedule["RetryPolicy"]["MaximumRetryAttempts"] >= 5
    assert json.loads(schedule["Input"])["trigger"] == "schedule"
    assert FUNCTIONS[capability]["DeadLetterQueue"]["TargetArn"] == {"Fn::GetAtt": ["FailedEventsQueue", "Arn"]}


def test_day_and_hour_of_the_run_are_parameters() -> None:
    ((_, event),) = FUNCTIONS["monthly_run"]["Events"].items()
    expression = event["Properties"]["ScheduleExpression"]["Fn::Sub"]
    assert expression == "cron(0 ${MonthlyRunHour} ${MonthlyRunDay} * ? *)"
    assert template()["Parameters"]["MonthlyRunDay"]["MaxValue"] == 28, "a month may have no 29th"


@pytest.mark.fault("S5")
def test_only_health_callbacks_and_the_screens_own_files_answer_without_a_token() -> None:
    public = {("GET", "/v1/health"), ("POST", "/v1/callbacks/{psa}/{token}"), *SCREENS}
    assert {(method, path) for method, path, is_public in routes() if is_public} == public
    api = resources("AWS::Serverless::HttpApi")["Api"]["Properties"]
    assert api["Auth"]["DefaultAuthorizer"] in api["Auth"]["Authorizers"]
    assert api["AccessLogSettings"]["DestinationArn"]
    assert api["DefaultRouteSettings"]["ThrottlingRateLimit"]
    assert all(path.startswith("/v1/") for method, path, _ in routes() if (method, path) not in SCREENS)


def test_the_gateway_knows_exactly_the_routes_of_the_api() -> None:
    of_portal = {
        (event["Properties"]["Method"], event["Properties"]["Path"])
        for event in FUNCTIONS["portal"]["Events"].values()
        if event["Type"] == "HttpApi"
    }
    assert of_portal - SCREENS == gateway_routes()


def test_the_gateways_permissions_fit_into_a_functions_policy() -> None:
    """Each route adds one statement to the policy of its function, which AWS limits to 20,480 bytes: at its longest a
    name of the tenant, of the stack (twice that) and of the region.
    """
    events = [event for event in FUNCTIONS["portal"]["Events"].items() if event[1]["Type"] == "HttpApi"]
    tenant, region = "t" * 28, "ap-southeast-2"
    function = f"arn:aws:lambda:{region}:123456789012:function:trueup-{tenant}-portal"
    source = f"arn:aws:execute-api:{region}:123456789012:a1b2c3d4e5/*/DELETE"
    statements = [
        {
            "Sid": f"trueup-{tenant}-PortalFunction{name}Permission-{'x' * 12}",
            "Effect": "Allow",
            "Principal": {"Service": "apigateway.amazonaws.com"},
            "Action": "lambda:InvokeFunction",
            "Resource": function,
            "Condition": {"ArnLike": {"AWS:SourceArn": source + event["Properties"]["Path"]}},
        }
        for name, event in events
    ]
    policy = {"Version": "2012-10-17", "Id": "default", "Statement": statements}
    assert len(json.dumps(policy)) < 20_480


def test_machines_come_with_a_key_that_is_asked_about_every_time() -> None:
    api = resources("AWS::Serverless::HttpApi")["Api"]["Properties"]
    authorizer = api["Auth"]["Authorizers"]["MachineKey"]
    assert authorizer["FunctionArn"] == {"Fn::GetAtt": ["MachineAccessFunction", "Arn"]}
    assert authorizer["Identity"] == {"Headers": [KEY_HEADER], "ReauthorizeEvery": 0}, "a cached yes outlives a key"
    assert (authorizer["AuthorizerPayloadFormatVersion"], authorizer["EnableSimpleResponses"]) == ("2.0", True)
    assert api["Auth"]["DefaultAuthorizer"] == "Oidc"
    keyed = {
        event["Properties"]["Path"]
        for event in FUNCTIONS["portal"]["Events"].values()
        if event["Properties"].get("Auth", {}).get("Authorizer") == "MachineKey"
    }
    assert keyed == {path for _, path in routes_of_machines()}


def test_a_flood_of_callbacks_does_not_use_up_what_people_have() -> None:
    api = resources("AWS::Serverless::HttpApi")["Api"]["Properties"]
    limit = api["RouteSettings"]["POST /v1/callbacks/{psa}/{token}"]["ThrottlingRateLimit"]
    assert 0 < limit < api["DefaultRouteSettings"]["ThrottlingRateLimit"]


@pytest.mark.fault("A18")
def test_what_a_callback_told_of_is_never_lost_unseen() -> None:
    queues = {name: body["Properties"] for name, body in resources("AWS::SQS::Queue").items()}
    redrive = queues["CallbackQueue"]["RedrivePolicy"]
    assert redrive["deadLetterTargetArn"] == {"Fn::GetAtt": ["CallbackDeadLetterQueue", "Arn"]}
    assert redrive["maxReceiveCount"] >= 3
    consumer = FUNCTIONS["account_refresh"]
    ((_, event),) = consumer["Events"].items()
    assert event["Properties"]["Queue"] == {"Fn::GetAtt": ["CallbackQueue", "Arn"]}
    assert event["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"], "A17: one bad message, not ten"
    assert queues["CallbackQueue"]["VisibilityTimeout"] >= 6 * consumer["Timeout"], "A18"
    assert all(queue["KmsMasterKeyId"] == {"Fn::GetAtt": ["DataKey", "Arn"]} for queue in queues.values())
    alarms = {name: body["Properties"] for name, body in resources("AWS::CloudWatch::Alarm").items()}
    watched = {
        (alarm["MetricName"], alarm["Dimensions"][0]["Value"]["Fn::GetAtt"][0])
        for alarm in alarms.values()
        if alarm.get("Namespace") == "AWS/SQS"
    }
    assert ("ApproximateNumberOfMessagesVisible", "CallbackDeadLetterQueue") in watched
    assert ("ApproximateAgeOfOldestMessage", "CallbackQueue") in watched
    assert environment("psa_callback")["TRUEUP_CALLBACK_QUEUE_URL"] == {"Ref": "CallbackQueue"}


def test_the_access_log_is_one_json_object_a_line() -> None:
    line = resources("AWS::Serverless::HttpApi")["Api"]["Properties"]["AccessLogSettings"]["Format"]
    assert {"request_id", "route", "status", "subject", "key"} <= set(json.loads(line))
    assert "$context.path" not in line, "the address of a callback ends in a secret"


@pytest.mark.parametrize("alarm", sorted(resources("AWS::CloudWatch::Alarm")))
def test_alarms_reach_the_one_topic_and_say_what_to_do(alarm: str) -> None:
    properties = resources("AWS::CloudWatch::Alarm")[alarm]["Properties"]
    assert properties["AlarmActions"] == [{"Ref": "AlarmTopic"}]
    assert len(properties["AlarmDescription"]) > 60
    assert set(resources("AWS::SNS::Topic")) == {"AlarmTopic", "NoticeTopic"}


def test_silence_of_the_daily_check_is_itself_an_alarm() -> None:
    alarms = {name: body["Properties"] for name, body in resources("AWS::CloudWatch::Alarm").items()}
    missed, silent = alarms["RunMissedAlarm"], alarms["DailyCheckSilentAlarm"]
    assert silent["TreatMissingData"] == "breaching"
    watched = ("Namespace", "MetricName", "Dimensions")
    assert [missed[key] for key in watched] == [silent[key] for key in watched]
    # What the daily check emits: its service name as dimension, in the namespace of this tenant.
    assert missed["Dimensions"] == [{"Name": "service", "Value": "credential_validation"}]
    assert missed["Namespace"] == environment("credential_validation")["POWERTOOLS_METRICS_NAMESPACE"]
    assert environment("credential_validation")["TRUEUP_MONTHLY_RUN_DAY"] == {"Ref": "MonthlyRunDay"}


def test_no_alarm_looks_back_further_than_cloudwatch_can() -> None:
    # Documented limit: with periods of an hour or more, seven days; with shorter ones, one day.
    for name, body in resources("AWS::CloudWatch::Alarm").items():
        properties = body["Properties"]
        metrics = properties.get("Metrics", [])
        periods = [entry["MetricStat"]["Period"] for entry in metrics if "MetricStat" in entry]
        period = properties.get("Period") or max(periods)
        assert period * properties["EvaluationPeriods"] <= (7 * 86_400 if period >= 3_600 else 86_400), name


def test_every_parameter_is_described_and_constrained() -> None:
    for name, parameter in template()["Parameters"].items():
        assert parameter["Description"], name
        assert {"AllowedPattern", "AllowedValues", "MaxValue"} & set(parameter), f"{name} accepts anything"


def test_the_guards_begin_where_the_domain_begins() -> None:
    parameters = template()["Parameters"]
    assert parameters["GuardIncreasePercent"]["Default"] == GuardPolicy().increase_percent
    assert parameters["GuardIncreaseSeats"]["Default"] == GuardPolicy().increase_seats


def test_the_billing_basis_is_one_that_the_comparison_knows() -> None:
    basis = template()["Parameters"]["BillingBasis"]
    assert (basis["Default"], set(basis["AllowedValues"])) == (BillingBasis.AGREEMENT, set(BillingBasis))


def test_the_example_tenant_gives_only_parameters_the_template_has() -> None:
    configuration = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
    overrides = configuration["example-msp"]["deploy"]["parameters"]["parameter_overrides"]
    given = dict(entry.split("=", 1) for entry in overrides)
    assert set(given) <= set(template()["Parameters"])
    assert given["Tenant"] == "example-msp"
