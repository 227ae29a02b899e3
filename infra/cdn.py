"""Deploys the call page: the stack of cdn.yaml, and what `make page` built into its bucket.

    cdn.py deploy --env prod      the stack, then the page (make cdn ENV=prod)
    cdn.py upload --env prod      the page alone
    cdn.py rollback --env prod    back to the page before (make cdn-rollback ENV=prod)

It may be broken off at any point and run again: whatever index.html is live, all that it names is there. Files come first,
then the page, its configuration, and the manifests last. What is there already is not sent again.

In the bucket:

    assets/...                        hashed files; kept until no page of the last 90 days names them
    index.html, .br, .gz              the live page
    config.json                       what the live page knows of its installation
    pages/<hash>/index.html, ...      each page under its hash, for the way back
    manifests/<UTC time>-<hash>.json  a page that was live from that time on
    manifest.json                     a copy of the live page's
"""

import argparse
import base64
import datetime
import gzip
import hashlib
import json
import os
import pathlib
import re
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    WaiterError,
)

ROOT = pathlib.Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "infra" / "cdn.yaml"
# The certificate, the firewall, the access log's delivery and CloudFront's metrics are there and nowhere else.
REGION = "us-east-1"
KEPT = datetime.timedelta(days=90)
ENDINGS = {"br": ".br", "gzip": ".gz"}
PAGE = "index.html"
CURRENT = "manifest.json"
# What the function of cdn.yaml looks for under .br and .gz.
COMPRESSED = re.compile(r"^(index\.html|assets/.*\.(css|html|js|json|map|svg|txt))$")
JSON_HEADERS = {"ContentType": "application/json", "CacheControl": "no-cache"}
# What AWS answers to credentials that were good once.
EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
TIME = "%Y%m%dT%H%M%S%fZ"


class Refused(Exception):
    """Something is not as it must be; the message says what to do."""


class Bucket:
    """The page's bucket, with the calls to it."""

    def __init__(self, client, name):
        self.client, self.name = client, name

    def put(self, key, body, headers, **conditions):
        self.client.put_object(Bucket=self.name, Key=key, Body=body, **headers, **conditions)

    def read(self, key):
        """Body and ETag; None if there is none."""
        try:
            answer = self.client.get_object(Bucket=self.name, Key=key)
        except self.client.exceptions.NoSuchKey:
            return None
        return answer["Body"].read(), answer["ETag"]

    def has(self, key, body, headers):
        """Whether the key has these bytes and headers now."""
        try:
            answer = self.client.head_object(Bucket=self.name, Key=key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return False
            raise
        same_bytes = answer["ETag"].strip('"') == hashlib.md5(body, usedforsecurity=False).hexdigest()
        return same_bytes and all(answer.get(name) == value for name, value in headers.items())

    def list(self):
        """All keys and when they were put."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        return {it["Key"]: it["LastModified"] for page in pages for it in page.get("Contents", [])}

    def delete(self, keys):
        for start in range(0, len(keys), 1000):
            objects = [{"Key": key} for key in keys[start : start + 1000]]
            answer = self.client.delete_objects(Bucket=self.name, Delete={"Objects": objects, "Quiet": True})
            if answer.get("Errors"):
                raise Refused(f"not deleted: {answer['Errors']}")


def built(directory):
    """The page that was built: its manifest, and the objects it consists of as key -> (bytes, headers)."""
    path = directory / "manifest.json"
    if not path.exists():
        raise Refused(f"{path} is not there: run make page")
    manifest = json.loads(path.read_text())
    objects = {}
    for file in manifest["files"]:
        name = file["path"]
        body = (directory / name).read_bytes()
        integrity = "sha384-" + base64.b64encode(hashlib.sha384(body).digest()).decode()
        if integrity != file["integrity"] or len(body) != file["bytes"]:
            raise Refused(f"{name} is not what the manifest says: run make page")
        headers = {"ContentType": file["contentType"], "CacheControl": file["cacheControl"]}
        objects[name] = (body, headers)
        encodings = file.get("encodings", {})
        if COMPRESSED.match(name) and set(encodings) != set(ENDINGS):
            raise Refused(f"{name} needs br and gzip beside it: the function of cdn.yaml leads there")
        for encoding, sibling in encodings.items():
            compressed = (directory / sibling).read_bytes()
            if encoding == "gzip" and gzip.decompress(compressed) != body:
                raise Refused(f"{sibling} is not {name}: run make page")
            objects[name + ENDINGS[encoding]] = (compressed, {**headers, "ContentEncoding": encoding})
    if PAGE not in objects:
        raise Refused("the manifest names no index.html")
    return manifest, objects


def is_page(key):
    return key in [PAGE, *(PAGE + ending for ending in ENDINGS.values())]


def release(objects):
    """A hash over all that the page consists of."""
    digest = hashlib.sha256()
    for key in sorted(objects):
        body, headers = objects[key]
        digest.update(json.dumps([key, hashlib.sha256(body).hexdigest(), headers], sort_keys=True).encode())
    return digest.hexdigest()[:16]


def upload(bucket, directory, config, now):
    """Makes what was built the live page."""
    manifest, objects = built(directory)
    name = release(objects)
    current = bucket.read(CURRENT)
    before = json.loads(current[0]) if current else None

    there = bucket.list()

    def send(key, body, headers):
        if key not in there or not bucket.has(key, body, headers):
            bucket.put(key, body, headers)
            print(f"  {key}")

    for key, (body, headers) in objects.items():
        if not is_page(key):
            send(key, body, headers)
    for key, (body, headers) in objects.items():
        if is_page(key):
            send(f"pages/{name}/{key}", body, headers)
    # The plain one last: it is what a look at the bucket takes for the live page.
    for key in sorted(filter(is_page, objects), reverse=True):
        send(key, *objects[key])
    send("config.json", config, JSON_HEADERS)

    if before:
        settle(bucket, before, there, now)
    if before is None or before["release"] != name:
        record = {
            "release": name,
            "version": manifest["version"],
            "before": before["history"] if before else None,
            "page": f"pages/{name}/",
            "objects": sorted(
                [key for key in objects if not is_page(key)]
                + [f"pages/{name}/{key}" for key in objects if is_page(key)]
            ),
        }
        make_current(bucket, remember(bucket, record, now), current)
        print(f"live: {name}, SDK {manifest['version']}")
    else:
        print(f"live already: {name}")
    prune(bucket, now)


def remember(bucket, record, now):
    """Writes into the history that a page is live from now on; the manifest as it is there."""
    record = {**record, "history": f"manifests/{now.strftime(TIME)}-{record['release']}.json"}
    text = json.dumps(record, indent=1).encode()
    bucket.put(record["history"], text, JSON_HEADERS)
    return text


def settle(bucket, record, there, now):
    """Has the live page count until now, where a run that was broken off has written of another into the history."""
    last = max((key for key in there if key.startswith("manifests/")), default="")
    if not last.endswith(f"-{record['release']}.json"):
        remember(bucket, record, now - datetime.timedelta(microseconds=1))


def make_current(bucket, text, current):
    """Writes manifest.json, unless somebody else has done so meanwhile."""
    condition = {"IfMatch": current[1]} if current else {"IfNoneMatch": "*"}
    try:
        bucket.put(CURRENT, text, JSON_HEADERS, **condition)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("PreconditionFailed", "ConditionalRequestConflict"):
            raise Refused("somebody else deployed at the same time: run this again") from error
        raise


def prune(bucket, now):
    """Deletes files that no page of the last 90 days names.

    A page counts until 90 days after another took its place, not after it was uploaded: the live one never ages. A file
    that was put in the last 90 days is kept even if no manifest names it, for an upload may have been broken off with its
    page live.
    """
    there = bucket.list()
    order = sorted(key for key in there if key.startswith("manifests/"))
    current = json.loads(bucket.read(CURRENT)[0])
    kept = {current["history"], current["before"]}
    for manifest, successor in zip(order, order[1:] + [None]):
        if successor is None or when(successor) > now - KEPT:
            kept.add(manifest)
    old = [key for key, put in there.items() if key.startswith(("assets/", "pages/")) and put < now - KEPT]
    named = set()
    for manifest in kept.intersection(order) if old else ():
        named.update(json.loads(bucket.read(manifest)[0])["objects"])
    gone = [key for key in old if key not in named]
    # Files before the manifests that name them, so that a break leaves nothing behind that nobody knows of.
    gone += [key for key in order if key not in kept]
    if gone:
        bucket.delete(gone)
        print(f"deleted {len(gone)} that no page of the last {KEPT.days} days names")


def when(manifest):
    text = manifest.removeprefix("manifests/").split("-")[0]
    return datetime.datetime.strptime(text, TIME).replace(tzinfo=datetime.timezone.utc)


def rollback(bucket, now):
    """Makes the page before the live one live again, with its own way back: twice leads two pages back."""
    current = bucket.read(CURRENT)
    if current is None:
        raise Refused("nothing is live here")
    record = json.loads(current[0])
    before = record["before"] and bucket.read(record["before"])
    known = [record] + ([json.loads(before[0])] if before else [])
    # An upload that was broken off leaves a page live that neither manifest names: then the manifest's is the one before.
    # A rollback that was broken off leaves the page before live, and is finished.
    if bucket.read(PAGE)[0] in [bucket.read(it["page"] + PAGE)[0] for it in known]:
        text = before
    else:
        text = current
    if not text:
        raise Refused("there is no page before this one")
    record = json.loads(text[0])
    there = bucket.list()
    missing = [key for key in record["objects"] if key not in there]
    if missing:
        raise Refused(f"the page before lacks {missing[0]}")
    settle(bucket, json.loads(current[0]), there, now)
    # Before the page: what was broken off has then made no page live that `prune` does not know of.
    text = remember(bucket, record, now)
    pages = [key for key in record["objects"] if key.startswith(record["page"])]
    for key in sorted(pages, reverse=True):
        bucket.client.copy_object(
            Bucket=bucket.name,
            Key=key.removeprefix(record["page"]),
            CopySource={"Bucket": bucket.name, "Key": key},
        )
    make_current(bucket, text, current)
    print(f"live: {record['release']}, SDK {record['version']}")


def stack_facts(client, name):
    """Status, outputs and parameters of a stack; None if there is none."""
    try:
        stack = client.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return {
        "status": stack["StackStatus"],
        "outputs": {it["OutputKey"]: it["OutputValue"] for it in stack.get("Outputs", [])},
        "parameters": {it["ParameterKey"]: it["ParameterValue"] for it in stack.get("Parameters", [])},
    }


def deploy_stack(client, name, there, given):
    """Creates or updates the stack of cdn.yaml by a change set, and waits."""
    kind = "CREATE" if there is None or there["status"] == "REVIEW_IN_PROGRESS" else "UPDATE"
    hindered = hindrance(name, there["status"]) if kind == "UPDATE" else None
    if hindered:
        raise Refused(hindered)
    body = TEMPLATE.read_text()
    declared = {it["ParameterKey"] for it in client.validate_template(TemplateBody=body)["Parameters"]}
    parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items() if key in declared]
    change = "cdn-" + datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%d%H%M%S")
    asked = {"StackName": name, "ChangeSetName": change}
    client.create_change_set(**asked, ChangeSetType=kind, TemplateBody=body, Parameters=parameters)
    try:
        client.get_waiter("change_set_create_complete").wait(**asked, WaiterConfig={"Delay": 5})
    except WaiterError as error:
        if error.last_response.get("Status") != "FAILED":
            raise
        reason = error.last_response.get("StatusReason", "")
        client.delete_change_set(**asked)
        if "didn't contain changes" in reason or "No updates" in reason:
            print(f"{name}: no changes")
            return
        raise Refused(f"{name}: {reason}") from None
    # The token marks the events of this deployment. What is retained else is empty yet where its creation is undone.
    client.execute_change_set(**asked, ClientRequestToken=change, RetainExceptOnCreate=True)
    print(f"{name}: deploying, which takes some minutes")
    try:
        client.get_waiter("stack_create_complete" if kind == "CREATE" else "stack_update_complete").wait(StackName=name)
    except WaiterError as error:
        stacks = error.last_response.get("Stacks")
        if not stacks:
            raise Refused(f"{told(error)}\n{name} is deployed meanwhile: run this again to finish") from None
        raise Refused(failure(client, name, change, stacks[0]["StackStatus"])) from None


def hindrance(name, status):
    """Why CloudFormation cannot update a stack, and what to do; None if it can."""
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
    """Why a deployment failed, and where to look."""
    lines = [f"{name} is not deployed ({status})"]
    pages = client.get_paginator("describe_stack_events").paginate(StackName=name)
    events = [it for page in pages for it in page["StackEvents"] if it.get("ClientRequestToken") == change]
    for event in reversed(events):
        reason = event.get("ResourceStatusReason", "")
        # What was broken off because another failed is no cause.
        if event["ResourceStatus"].endswith("_FAILED") and "cancelled" not in reason:
            lines.append(f"  {event['LogicalResourceId']}: {reason}")
    at = f"--region {REGION} --stack-name {name}"
    lines.append(f"All that happened: aws cloudformation describe-stack-events {at}")
    lines.append(hindrance(name, status) or "The page is as it was.")
    return "\n".join(lines)


def parameters_of(environment):
    """The parameters in the file of an environment."""
    directory = ROOT / "infra" / "params"
    there = ", ".join(sorted(it.stem for it in directory.glob("*.json")))
    if not environment:
        raise Refused(f"which environment? ENV=..., one of those in infra/params: {there}")
    name = f"infra/params/{environment}.json"
    try:
        given = json.loads((ROOT / name).read_text())
    except FileNotFoundError:
        raise Refused(f"there is no {name}; in infra/params are: {there}") from None
    except ValueError as error:
        raise Refused(f"{name} is not JSON: {error}") from None
    if not isinstance(given, dict):
        raise Refused(f"{name} is not an object of parameters")
    for key, value in given.items():
        if not isinstance(value, str):
            raise Refused(f"{name}: {key} must be a text, in quotes")
    return given


def facts(arguments):
    """What the stacks say: outputs and parameters of the application's and the page's."""
    if arguments.facts:
        return json.loads(pathlib.Path(arguments.facts).read_text())
    given = parameters_of(arguments.env)
    project = given.get("Project", "medzen")
    # The application is wherever the AWS configuration of who deploys says; boto3 does not look at AWS_REGION itself.
    client = boto3.client("cloudformation", region_name=os.environ.get("AWS_REGION") or None)
    app = stack_facts(client, project)
    if app is None:
        region = client.meta.region_name
        raise Refused(f"there is no stack {project} in {region}: deploy app.yaml, or set AWS_REGION to where it is")
    api = given.get("ApiDomain") or app["outputs"].get("ApiDomain")
    if not api:
        raise Refused(f"the stack {project} ({app['status']}) has no output ApiDomain: deploy app.yaml again")

    name = f"{project}-cdn"
    client = boto3.client("cloudformation", region_name=REGION)
    page = stack_facts(client, name)
    if page and not arguments.move_api:
        before = page["parameters"].get("ApiDomain")
        if in_another_region(before, api):
            raise Refused(
                f"{name} is the page of {before}, and {api} is in another region. A Project has one page: name this "
                "deployment otherwise; or, if it has moved here, say so:\n"
                f"  target/venv/bin/python infra/cdn.py {arguments.command} --env {arguments.env} --move-api"
            )
    if arguments.command == "deploy":
        deploy_stack(client, name, page, {**given, "ApiDomain": api})
        page = stack_facts(client, name)
    if page is None or "PageBucketName" not in page["outputs"]:
        there = "there is no stack" if page is None else f"nothing is in the stack ({page['status']})"
        raise Refused(f"{there} {name} in {REGION}: run make cdn ENV={arguments.env}")
    return {
        "outputs": {**app["outputs"], **page["outputs"]},
        "parameters": {**app["parameters"], **page["parameters"]},
    }


def in_another_region(before, api):
    """Whether an API is in another region than the one before, if there was one."""
    region = re.compile(r"\.execute-api\.([^.]+)\.")
    was, now = region.search(before or ""), region.search(api)
    return was is not None and (now is None or was[1] != now[1])


def page_config(parameters):
    """config.json: what the page has to know of its installation."""
    origins = [it for it in parameters.get("EmbeddingOrigins", "").split(",") if it]
    config = {
        "deepLinkBase": parameters["DeepLinkBase"],
        "embeddingOrigins": origins,
        "tokenHeader": parameters["TokenHeader"],
    }
    return json.dumps(config, separators=(",", ":")).encode()


def told(error):
    """What AWS or boto3 says, and what to do about it where that is known."""
    if isinstance(error, NoRegionError):
        return "no AWS region: set AWS_REGION to where the application is"
    if isinstance(error, NoCredentialsError):
        return "no AWS credentials: set AWS_PROFILE, or log in"
    answer = getattr(error, "response", None) or getattr(error, "last_response", None) or {}
    if answer.get("Error", {}).get("Code") in EXPIRED:
        return f"{answer['Error'].get('Message') or 'the AWS credentials have expired'}: log in again"
    return str(error)


def main():
    parser = argparse.ArgumentParser(description="Deploys the call page.")
    parser.add_argument("command", choices=["deploy", "upload", "rollback"])
    parser.add_argument("--env", help="the parameters' file in infra/params, without .json")
    parser.add_argument("--page", default=ROOT / "target" / "page", type=pathlib.Path, help="what make page built")
    parser.add_argument("--move-api", action="store_true", help="the application is in another region than before")
    # For the local cloud and tests.
    parser.add_argument("--endpoint-url", help="where S3 is, if it is not AWS's")
    parser.add_argument("--facts", help="outputs and parameters of the stacks as a JSON file, not from CloudFormation")
    parser.add_argument("--now", help=f"the time, as {TIME.replace('%', '%%')}")
    arguments = parser.parse_args()
    try:
        known = facts(arguments)
        now = datetime.datetime.now(datetime.timezone.utc)
        if arguments.now:
            now = datetime.datetime.strptime(arguments.now, TIME).replace(tzinfo=datetime.timezone.utc)
        options = Config(retries={"mode": "standard", "max_attempts": 5})
        client = boto3.client("s3", region_name=REGION, endpoint_url=arguments.endpoint_url, config=options)
        bucket = Bucket(client, known["outputs"]["PageBucketName"])
        if arguments.command == "rollback":
            rollback(bucket, now)
        else:
            upload(bucket, arguments.page, page_config(known["parameters"]), now)
            print(known["outputs"].get("PageUrl", ""))
    except Refused as refused:
        sys.exit(str(refused))
    except (BotoCoreError, ClientError) as error:
        sys.exit(told(error))


if __name__ == "__main__":
    main()
