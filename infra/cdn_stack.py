"""Deploys the stack of cdn.yaml by a change set, and reads outputs and parameters of it and of the application's stack."""

import datetime
import hashlib
import json
import os
import pathlib
import re

import boto3
from botocore.exceptions import ClientError, NoCredentialsError, NoRegionError, WaiterError

ROOT = pathlib.Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "infra" / "cdn.yaml"
# The certificate, the firewall, the access log's delivery and CloudFront's metrics are there and nowhere else.
REGION = "us-east-1"
# The secret that CloudFront sends to the API. Neither in the parameters' file, which is under version control, nor an argument,
# which other users of the machine and the shell's history see.
SECRET = "ORIGIN_SECRET"
SECRET_PARAMETER = "OriginSecret"
# AWS's error codes for expired credentials.
EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}


class DeployError(Exception):
    """The deployment cannot go on; the message says what to do."""


def stack_facts(client, name):
    """Status, outputs and parameters of a stack; None if it does not exist."""
    try:
        stack = client.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return {
        "status": stack["StackStatus"],
        "protected": stack.get("EnableTerminationProtection", False),
        "outputs": {it["OutputKey"]: it["OutputValue"] for it in stack.get("Outputs", [])},
        "parameters": {it["ParameterKey"]: it["ParameterValue"] for it in stack.get("Parameters", [])},
    }


def deploy_stack(client, name, there, given):
    """Creates or updates the stack of cdn.yaml by a change set, and waits."""
    kind = "CREATE" if there is None or there["status"] == "REVIEW_IN_PROGRESS" else "UPDATE"
    blocked = blocking_reason(name, there["status"]) if kind == "UPDATE" else None
    if blocked:
        raise DeployError(blocked)
    body = TEMPLATE.read_text()
    declared = {it["ParameterKey"] for it in client.validate_template(TemplateBody=body)["Parameters"]}
    parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items() if key in declared]
    if SECRET_PARAMETER not in given and there and SECRET_PARAMETER in there["parameters"]:
        parameters.append({"ParameterKey": SECRET_PARAMETER, "UsePreviousValue": True})
    change = "cdn-" + datetime.datetime.now(datetime.UTC).strftime("%Y%m%d%H%M%S")
    change_set = {"StackName": name, "ChangeSetName": change}
    client.create_change_set(**change_set, ChangeSetType=kind, TemplateBody=body, Parameters=parameters)
    try:
        client.get_waiter("change_set_create_complete").wait(**change_set, WaiterConfig={"Delay": 5})
    except WaiterError as error:
        if error.last_response.get("Status") != "FAILED":
            raise
        reason = error.last_response.get("StatusReason", "")
        client.delete_change_set(**change_set)
        if "didn't contain changes" in reason or "No updates" in reason:
            print(f"{name}: no changes")
            return
        raise DeployError(f"{name}: {reason}") from None
    # The token marks the events of this deployment. A retained resource is deleted if its creation is rolled back: it is empty.
    client.execute_change_set(**change_set, ClientRequestToken=change, RetainExceptOnCreate=True)
    print(f"{name}: deploying, which takes some minutes")
    try:
        client.get_waiter("stack_create_complete" if kind == "CREATE" else "stack_update_complete").wait(StackName=name)
    except WaiterError as error:
        stacks = error.last_response.get("Stacks")
        if not stacks:
            raise DeployError(f"{explain(error)}\n{name} is deployed meanwhile: run this again to finish") from None
        raise DeployError(failure(client, name, change, stacks[0]["StackStatus"])) from None


def protect(client, name, stack):
    """Keeps a stack that exists from being deleted by mistake. Not before: a creation that failed has to be deleted."""
    if not stack["protected"]:
        client.update_termination_protection(StackName=name, EnableTerminationProtection=True)


def secret_given(app):
    """The secret for CloudFront as a parameter, if the environment has one: the application must know its hash already."""
    if SECRET not in os.environ:
        return {}
    secret = os.environ[SECRET]
    digest = hashlib.sha256(secret.encode()).hexdigest()
    if secret and digest not in app["parameters"].get("EdgeSecretHashes", "").split(","):
        raise DeployError(
            "the application does not know this secret yet: deploy app.yaml with its hash among EdgeSecretHashes, then run "
            f"this again:\n  {digest}"
        )
    return {SECRET_PARAMETER: secret}


def blocking_reason(name, status):
    """The reason why CloudFormation cannot update a stack, and what to do; None if it can."""
    at = f"--region {REGION} --stack-name {name}"
    if status in ("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"):
        return (
            f"{name} cannot be updated ({status}): it was not made, or not deleted, to the end. Delete it, then run "
            "this again:\n"
            f"  aws cloudformation delete-stack {at}\n"
            f"  aws cloudformation wait stack-delete-complete {at}"
        )
    if status == "UPDATE_ROLLBACK_FAILED":
        return (
            f"{name} cannot be updated ({status}). Undo the last update to the end, then run this again:\n"
            f"  aws cloudformation continue-update-rollback {at}\n"
            f"  aws cloudformation wait stack-rollback-complete {at}"
        )
    if status.endswith("_IN_PROGRESS"):
        return f"{name} is being changed ({status}): run this again when that is over"
    return None


def failure(client, name, change, status):
    """The reason of a failed deployment, and where to look."""
    lines = [f"{name} is not deployed ({status})"]
    pages = client.get_paginator("describe_stack_events").paginate(StackName=name)
    events = [it for page in pages for it in page["StackEvents"] if it.get("ClientRequestToken") == change]
    for event in reversed(events):
        reason = event.get("ResourceStatusReason", "")
        # A resource that was cancelled because another one failed is not the cause.
        if event["ResourceStatus"].endswith("_FAILED") and "cancelled" not in reason:
            lines.append(f"  {event['LogicalResourceId']}: {reason}")
    at = f"--region {REGION} --stack-name {name}"
    lines.append(f"All that happened: aws cloudformation describe-stack-events {at}")
    lines.append(blocking_reason(name, status) or "The page is as it was.")
    return "\n".join(lines)


def parameters_of(environment):
    """The parameters in the file of an environment."""
    directory = ROOT / "infra" / "params"
    there = ", ".join(sorted(it.stem for it in directory.glob("*.json")))
    if not environment:
        raise DeployError(f"which environment? ENV=..., one of those in infra/params: {there}")
    name = f"infra/params/{environment}.json"
    try:
        given = json.loads((ROOT / name).read_text())
    except FileNotFoundError:
        raise DeployError(f"there is no {name}; in infra/params are: {there}") from None
    except ValueError as error:
        raise DeployError(f"{name} is not JSON: {error}") from None
    if not isinstance(given, dict):
        raise DeployError(f"{name} is not an object of parameters")
    if SECRET_PARAMETER in given:
        raise DeployError(f"{name} has {SECRET_PARAMETER}: a secret does not belong into a file, give it as {SECRET}")
    for key, value in given.items():
        if not isinstance(value, str):
            raise DeployError(f"{name}: {key} must be a text, in quotes")
    return given


def facts(arguments):
    """Outputs and parameters of the application's stack and of the page's."""
    if arguments.facts:
        return json.loads(pathlib.Path(arguments.facts).read_text())
    given = parameters_of(arguments.env)
    project = given.get("Project", "medzen")
    # The application is in the region of the AWS configuration; boto3 does not read AWS_REGION itself.
    client = boto3.client("cloudformation", region_name=os.environ.get("AWS_REGION") or None)
    app = stack_facts(client, project)
    if app is None:
        region = client.meta.region_name
        raise DeployError(f"there is no stack {project} in {region}: deploy app.yaml, or set AWS_REGION to where it is")
    api = given.get("ApiDomain") or app["outputs"].get("ApiDomain")
    if not api:
        raise DeployError(f"the stack {project} ({app['status']}) has no output ApiDomain: deploy app.yaml again")

    name = f"{project}-cdn"
    client = boto3.client("cloudformation", region_name=REGION)
    page = stack_facts(client, name)
    if page and not arguments.move_api:
        before = page["parameters"].get("ApiDomain")
        if in_another_region(before, api):
            raise DeployError(
                f"{name} is the page of {before}, and {api} is in another region. A Project has one page: name this "
                "deployment otherwise; or, if it has moved here, say so:\n"
                f"  target/venv/bin/python infra/cdn.py {arguments.command} --env {arguments.env} --move-api"
            )
    if arguments.command == "deploy":
        deploy_stack(client, name, page, {**given, **secret_given(app), "ApiDomain": api})
        page = stack_facts(client, name)
        protect(client, name, page)
    if page is None or "PageBucketName" not in page["outputs"]:
        there = "there is no stack" if page is None else f"nothing is in the stack ({page['status']})"
        raise DeployError(f"{there} {name} in {REGION}: run make cdn ENV={arguments.env}")
    return {
        "outputs": {**app["outputs"], **page["outputs"]},
        "parameters": {**app["parameters"], **page["parameters"]},
    }


def in_another_region(before, api):
    """Whether an API is in another region than the previous one, if there was one."""
    region = re.compile(r"\.execute-api\.([^.]+)\.")
    was, now = region.search(before or ""), region.search(api)
    return was is not None and (now is None or was[1] != now[1])


def explain(error):
    """The error of AWS or boto3 in words, with what to do about it where that is known."""
    if isinstance(error, NoRegionError):
        return "no AWS region: set AWS_REGION to where the application is"
    if isinstance(error, NoCredentialsError):
        return "no AWS credentials: set AWS_PROFILE, or log in"
    answer = getattr(error, "response", None) or getattr(error, "last_response", None) or {}
    if answer.get("Error", {}).get("Code") in EXPIRED:
        return f"{answer['Error'].get('Message') or 'the AWS credentials have expired'}: log in again"
    return str(error)
