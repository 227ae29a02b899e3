"""Deploys the call page: the stack of cdn.yaml, and what `make page` built into its bucket.

    cdn.py deploy --env prod      the stack, then the page (make cdn ENV=prod)
    cdn.py upload --env prod      the page alone
    cdn.py rollback --env prod    back to the page before (make cdn-rollback ENV=prod)

It can be interrupted at any point and run again: every file that the live index.html names exists. Files are written first,
then the page, its configuration, and the manifests last. An object that exists unchanged is not written again.

In the bucket:

    assets/...                        hashed files; kept until no page of the last 90 days names them
    assets/chime-sdk-...              the SDK's bundles; never overwritten and never deleted
    index.html, .br, .gz              the live page
    config.json                       facts of the deployment for the live page
    pages/<hash>/index.html, ...      each page under its hash, for a rollback
    manifests/<UTC time>-<hash>.json  a page that was live from that time on
    manifest.json                     a copy of the live page's
"""

import argparse
import base64
import datetime
import gzip
import hashlib
import json
import pathlib
import re
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cdn_stack import REGION, ROOT, DeployError, explain, facts

RETENTION = datetime.timedelta(days=90)
ENDINGS = {"br": ".br", "gzip": ".gz"}
PAGE = "index.html"
CURRENT = "manifest.json"
# The files that the function of cdn.yaml requests as .br and .gz.
COMPRESSED = re.compile(r"^(index\.html|assets/.*\.(css|html|js|json|map|svg|txt))$")
JSON_HEADERS = {"ContentType": "application/json", "CacheControl": "no-cache"}
TIME = "%Y%m%dT%H%M%S%fZ"
# Apps in stores have the address and the integrity of a bundle in them for years. cdn.yaml serves these to any origin.
PINNED = "assets/chime-sdk-"


class Bucket:
    """The page's bucket, with the calls to it."""

    def __init__(self, client, name):
        self.client, self.name = client, name

    def put(self, key, body, headers, **conditions):
        self.client.put_object(Bucket=self.name, Key=key, Body=body, **headers, **conditions)

    def read(self, key):
        """Body and ETag; None if the key does not exist."""
        try:
            answer = self.client.get_object(Bucket=self.name, Key=key)
        except self.client.exceptions.NoSuchKey:
            return None
        return answer["Body"].read(), answer["ETag"]

    def has(self, key, body, headers):
        """Whether the key exists with these bytes and headers."""
        try:
            answer = self.client.head_object(Bucket=self.name, Key=key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return False
            raise
        same_bytes = answer["ETag"].strip('"') == hashlib.md5(body, usedforsecurity=False).hexdigest()
        return same_bytes and all(answer.get(name) == value for name, value in headers.items())

    def list(self):
        """All keys, each with the time at which it was written."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        return {it["Key"]: it["LastModified"] for page in pages for it in page.get("Contents", [])}

    def delete(self, keys):
        for start in range(0, len(keys), 1000):
            objects = [{"Key": key} for key in keys[start : start + 1000]]
            answer = self.client.delete_objects(Bucket=self.name, Delete={"Objects": objects, "Quiet": True})
            if answer.get("Errors"):
                raise DeployError(f"not deleted: {answer['Errors']}")


def built(directory):
    """The manifest of the built page, and its objects as key -> (bytes, headers)."""
    path = directory / "manifest.json"
    if not path.exists():
        raise DeployError(f"{path} is not there: run make page")
    manifest = json.loads(path.read_text())
    objects = {}
    for file in manifest["files"]:
        name = file["path"]
        body = (directory / name).read_bytes()
        integrity = "sha384-" + base64.b64encode(hashlib.sha384(body).digest()).decode()
        if integrity != file["integrity"] or len(body) != file["bytes"]:
            raise DeployError(f"{name} is not what the manifest says: run make page")
        headers = {"ContentType": file["contentType"], "CacheControl": file["cacheControl"]}
        objects[name] = (body, headers)
        encodings = file.get("encodings", {})
        if COMPRESSED.match(name) and set(encodings) != set(ENDINGS):
            raise DeployError(f"{name} needs br and gzip beside it: the function of cdn.yaml leads there")
        for encoding, sibling in encodings.items():
            compressed = (directory / sibling).read_bytes()
            if encoding == "gzip" and gzip.decompress(compressed) != body:
                raise DeployError(f"{sibling} is not {name}: run make page")
            objects[name + ENDINGS[encoding]] = (compressed, {**headers, "ContentEncoding": encoding})
    if PAGE not in objects:
        raise DeployError("the manifest names no index.html")
    return manifest, objects


def is_page(key):
    return key in [PAGE, *(PAGE + ending for ending in ENDINGS.values())]


def release(objects):
    """A hash over all objects of the page."""
    digest = hashlib.sha256()
    for key in sorted(objects):
        body, headers = objects[key]
        digest.update(json.dumps([key, hashlib.sha256(body).hexdigest(), headers], sort_keys=True).encode())
    return digest.hexdigest()[:16]


def upload(bucket, directory, config, now):
    """Makes the built page the live one."""
    manifest, objects = built(directory)
    name = release(objects)
    current = bucket.read(CURRENT)
    before = json.loads(current[0]) if current else None

    there = bucket.list()
    check_pinned(bucket, objects, there)

    def send(key, body, headers):
        if key.startswith(PINNED):
            if key in there:
                return
            put_unless_changed(bucket, key, body, headers, IfNoneMatch="*")
        elif key in there and bucket.has(key, body, headers):
            return
        else:
            bucket.put(key, body, headers)
        print(f"  {key}")

    for key, (body, headers) in objects.items():
        if not is_page(key):
            send(key, body, headers)
    for key, (body, headers) in objects.items():
        if is_page(key):
            send(f"pages/{name}/{key}", body, headers)
    # The uncompressed page is last: it marks which page is live.
    for key in sorted(filter(is_page, objects), reverse=True):
        send(key, *objects[key])
    send("config.json", config, JSON_HEADERS)

    if before:
        repair_history(bucket, before, there, now)
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
        make_current(bucket, append_history(bucket, record, now), current)
        print(f"live: {name}, SDK {manifest['version']}")
    else:
        print(f"live already: {name}")
    prune(bucket, now)


def check_pinned(bucket, objects, there):
    """Refuses a bundle that would replace other bytes. Its compressed files may differ, by the compressor's version: those
    that are there stay."""
    for key, (body, headers) in objects.items():
        pinned = key.startswith(PINNED) and key in there and "ContentEncoding" not in headers
        if pinned and not bucket.has(key, body, {}):
            raise DeployError(
                f"{key} is there with other bytes, and apps have its integrity: restore the version of the object that the "
                "integrity belongs to, or build the bundle under another name"
            )


def bundle(manifest):
    """Path and integrity of the SDK's bundle; None for a page without one."""
    return next(((it["path"], it["integrity"]) for it in manifest["files"] if it["path"].startswith(PINNED)), None)


def print_bundle(manifest, page_url):
    """What an app that loads the SDK by itself needs, under the names that it knows."""
    found = bundle(manifest)
    if found and page_url:
        path, integrity = found
        url = f"{page_url.removesuffix('/call')}/{path}"
        print(f"chimeSdkCdnUrl: {url}")
        print(f"CHIME_SDK_CDN_URL={url}")
        print(f"integrity: {integrity}")


def append_history(bucket, record, now):
    """Appends to the history that a page is live from now on, and returns the manifest's text."""
    record = {**record, "history": f"manifests/{now.strftime(TIME)}-{record['release']}.json"}
    text = json.dumps(record, indent=1).encode()
    bucket.put(record["history"], text, JSON_HEADERS)
    return text


def repair_history(bucket, record, there, now):
    """Appends the live page to the history again, where an interrupted run has appended another page after it."""
    last = max((key for key in there if key.startswith("manifests/")), default="")
    if not last.endswith(f"-{record['release']}.json"):
        append_history(bucket, record, now - datetime.timedelta(microseconds=1))


def make_current(bucket, text, current):
    """Writes manifest.json, unless another deployment has written it meanwhile."""
    condition = {"IfMatch": current[1]} if current else {"IfNoneMatch": "*"}
    put_unless_changed(bucket, CURRENT, text, JSON_HEADERS, **condition)


def put_unless_changed(bucket, key, body, headers, **condition):
    try:
        bucket.put(key, body, headers, **condition)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("PreconditionFailed", "ConditionalRequestConflict"):
            raise DeployError("somebody else deployed at the same time: run this again") from error
        raise


def prune(bucket, now):
    """Deletes files that no page of the last 90 days names, but no bundle of the SDK.

    A page is kept until 90 days after another one replaced it, not after its upload: the live page is always kept. A file
    that was written in the last 90 days is kept even if no manifest names it, because an upload may have been interrupted
    with its page live.
    """
    there = bucket.list()
    order = sorted(key for key in there if key.startswith("manifests/"))
    current = json.loads(bucket.read(CURRENT)[0])
    kept = {current["history"], current["before"]}
    for manifest, successor in zip(order, order[1:] + [None]):
        if successor is None or when(successor) > now - RETENTION:
            kept.add(manifest)
    old = [
        key
        for key, put in there.items()
        if key.startswith(("assets/", "pages/")) and not key.startswith(PINNED) and put < now - RETENTION
    ]
    named = set()
    for manifest in kept.intersection(order) if old else ():
        named.update(json.loads(bucket.read(manifest)[0])["objects"])
    gone = [key for key in old if key not in named]
    # Files before the manifests that name them, so that an interruption leaves no file without a manifest.
    gone += [key for key in order if key not in kept]
    if gone:
        bucket.delete(gone)
        print(f"deleted {len(gone)} that no page of the last {RETENTION.days} days names")


def when(manifest):
    text = manifest.removeprefix("manifests/").split("-")[0]
    return datetime.datetime.strptime(text, TIME).replace(tzinfo=datetime.UTC)


def rollback(bucket, now):
    """Makes the previous page live again. A second rollback leads to the page before that one."""
    current = bucket.read(CURRENT)
    if current is None:
        raise DeployError("nothing is live here")
    record = json.loads(current[0])
    before = record["before"] and bucket.read(record["before"])
    known = [record] + ([json.loads(before[0])] if before else [])
    # An interrupted upload leaves a page live that neither manifest names: then the page of the manifest is the previous one.
    # An interrupted rollback leaves the previous page live, and is completed.
    if bucket.read(PAGE)[0] in [bucket.read(it["page"] + PAGE)[0] for it in known]:
        text = before
    else:
        text = current
    if not text:
        raise DeployError("there is no page before this one")
    record = json.loads(text[0])
    there = bucket.list()
    missing = [key for key in record["objects"] if key not in there]
    if missing:
        raise DeployError(f"the page before lacks {missing[0]}")
    repair_history(bucket, json.loads(current[0]), there, now)
    # Before the page: an interrupted run has then made no page live that is missing in the history, which `prune` reads.
    text = append_history(bucket, record, now)
    pages = [key for key in record["objects"] if key.startswith(record["page"])]
    for key in sorted(pages, reverse=True):
        bucket.client.copy_object(
            Bucket=bucket.name,
            Key=key.removeprefix(record["page"]),
            CopySource={"Bucket": bucket.name, "Key": key},
        )
    make_current(bucket, text, current)
    print(f"live: {record['release']}, SDK {record['version']}")


def page_config(parameters):
    """The contents of config.json: facts of the deployment."""
    origins = [it for it in parameters.get("EmbeddingOrigins", "").split(",") if it]
    config = {
        "deepLinkBase": parameters["DeepLinkBase"],
        "embeddingOrigins": origins,
        "tokenHeader": parameters["TokenHeader"],
    }
    return json.dumps(config, separators=(",", ":")).encode()


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
        now = datetime.datetime.now(datetime.UTC)
        if arguments.now:
            now = datetime.datetime.strptime(arguments.now, TIME).replace(tzinfo=datetime.UTC)
        options = Config(retries={"mode": "standard", "max_attempts": 5})
        client = boto3.client("s3", region_name=REGION, endpoint_url=arguments.endpoint_url, config=options)
        bucket = Bucket(client, known["outputs"]["PageBucketName"])
        if arguments.command == "rollback":
            rollback(bucket, now)
        else:
            upload(bucket, arguments.page, page_config(known["parameters"]), now)
            print(known["outputs"].get("PageUrl", ""))
            print_bundle(built(arguments.page)[0], known["outputs"].get("PageUrl"))
    except DeployError as error:
        sys.exit(str(error))
    except (BotoCoreError, ClientError) as error:
        sys.exit(explain(error))


if __name__ == "__main__":
    main()
