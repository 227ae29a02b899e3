"""Checks the local S3 with boto3. Fails at the first difference from AWS."""

import sys
import urllib.error
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint, bucket = sys.argv[1:3]
s3 = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", config=Config(retries={"max_attempts": 1}))


def code(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


put = s3.put_object(
    Bucket=bucket,
    Key="a/b c.txt",
    Body=b"0123456789",
    ContentType="text/plain",
    CacheControl="no-cache",
    ContentEncoding="identity",
    Metadata={"who": "me"},
)
assert put["ServerSideEncryption"] == "AES256", put
first = put["VersionId"]

got = s3.get_object(Bucket=bucket, Key="a/b c.txt")
assert got["Body"].read() == b"0123456789"
assert (got["ContentType"], got["CacheControl"], got["Metadata"]) == ("text/plain", "no-cache", {"who": "me"}), got
assert got["ETag"] == put["ETag"] == '"781e5e245d69b566979b86e28d23f2c7"', got

# Ranges.
got = s3.get_object(Bucket=bucket, Key="a/b c.txt", Range="bytes=2-4")
assert (got["Body"].read(), got["ContentRange"]) == (b"234", "bytes 2-4/10"), got
assert s3.get_object(Bucket=bucket, Key="a/b c.txt", Range="bytes=-3")["Body"].read() == b"789"
assert code(s3.get_object, Bucket=bucket, Key="a/b c.txt", Range="bytes=10-") == "InvalidRange"

# Conditions.
assert code(s3.get_object, Bucket=bucket, Key="a/b c.txt", IfNoneMatch=put["ETag"]) in ("304", "NotModified")
assert code(s3.get_object, Bucket=bucket, Key="a/b c.txt", IfMatch='"other"') == "PreconditionFailed"
assert code(s3.put_object, Bucket=bucket, Key="a/b c.txt", Body=b"", IfNoneMatch="*") == "PreconditionFailed"
assert code(s3.put_object, Bucket=bucket, Key="a/b c.txt", Body=b"", IfMatch='"other"') == "PreconditionFailed"
s3.put_object(Bucket=bucket, Key="a/b c.txt", Body=b"second", IfMatch=put["ETag"])

# Versions.
assert s3.get_object(Bucket=bucket, Key="a/b c.txt")["Body"].read() == b"second"
assert s3.get_object(Bucket=bucket, Key="a/b c.txt", VersionId=first)["Body"].read() == b"0123456789"
assert s3.delete_object(Bucket=bucket, Key="a/b c.txt")["DeleteMarker"] is True
assert code(s3.get_object, Bucket=bucket, Key="a/b c.txt") == "NoSuchKey"
assert code(s3.head_object, Bucket=bucket, Key="a/b c.txt") == "404"
assert s3.get_object(Bucket=bucket, Key="a/b c.txt", VersionId=first)["Body"].read() == b"0123456789"

# A copy keeps the headers, or takes those that it is given.
source = {"Bucket": bucket, "Key": "a/b c.txt", "VersionId": first}
s3.copy_object(Bucket=bucket, Key="a/copy", CopySource=source)
assert s3.head_object(Bucket=bucket, Key="a/copy")["ContentType"] == "text/plain"
s3.copy_object(Bucket=bucket, Key="a/copy", CopySource=source, MetadataDirective="REPLACE", ContentType="text/html")
assert s3.head_object(Bucket=bucket, Key="a/copy")["ContentType"] == "text/html"

# Lists, page by page.
for n in range(7):
    s3.put_object(Bucket=bucket, Key=f"list/{n % 2}/{n}", Body=b"x")
pages = list(
    s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="list/", PaginationConfig={"PageSize": 3})
)
assert [it["Key"] for page in pages for it in page["Contents"]] == [
    "list/0/0",
    "list/0/2",
    "list/0/4",
    "list/0/6",
    "list/1/1",
    "list/1/3",
    "list/1/5",
], pages
assert len(pages) == 3
for size in (1, 1000):
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix="list/", Delimiter="/", PaginationConfig={"PageSize": size}
    )
    found = [it["Prefix"] for page in pages for it in page.get("CommonPrefixes", [])]
    assert found == ["list/0/", "list/1/"], (size, found)
gone = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "list/0/0"}, {"Key": "never"}]})
assert [it["Key"] for it in gone["Deleted"]] == ["list/0/0", "never"], gone
assert s3.list_objects_v2(Bucket=bucket, Prefix="list/")["KeyCount"] == 6

assert code(s3.get_object, Bucket="another", Key="a") == "NoSuchBucket"
assert code(s3.list_objects_v2, Bucket="another") == "NoSuchBucket"


# Presigned links are valid only unchanged.
def fetched(url):
    try:
        with urllib.request.urlopen(url) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as error:
        return error.code, None, None


signer = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", config=Config(signature_version="s3v4"))
wanted = {"Bucket": bucket, "Key": "a/copy", "ResponseContentType": "audio/mp4"}
link = signer.generate_presigned_url("get_object", Params=wanted, ExpiresIn=60)
assert fetched(link) == (200, "audio/mp4", b"0123456789"), fetched(link)
assert fetched(link.replace("audio", "video"))[0] == 403
assert fetched(link.split("?")[0])[0] in (400, 401, 403)

# A caller with a wrong secret or without a session token is rejected.
good = boto3.Session().get_credentials().get_frozen_credentials()
for secret, token, expected in [
    ("wrong", good.token, "SignatureDoesNotMatch"),
    (good.secret_key, None, "InvalidToken"),
]:
    other = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=good.access_key,
        aws_secret_access_key=secret,
        aws_session_token=token,
    )
    assert code(other.get_object, Bucket=bucket, Key="a/copy") == expected, expected
