"""Builds a small page in the shape of `make page`: page.py <directory> <what it says> [<what the SDK says>]."""

import base64
import gzip
import hashlib
import json
import pathlib
import sys

directory, says = pathlib.Path(sys.argv[1]), sys.argv[2]
sdk = sys.argv[3] if len(sys.argv) > 3 else "the SDK"
(directory / "assets").mkdir(parents=True, exist_ok=True)
files = []


def add(path, text, content_type, cache_control):
    body = text.encode()
    siblings = {"br": (path + ".br", b"brotli of " + body), "gzip": (path + ".gz", gzip.compress(body, mtime=0))}
    (directory / path).write_bytes(body)
    for name, compressed in siblings.values():
        (directory / name).write_bytes(compressed)
    files.append(
        {
            "path": path,
            "bytes": len(body),
            "gzip": len(siblings["gzip"][1]),
            "brotli": len(siblings["br"][1]),
            "integrity": "sha384-" + base64.b64encode(hashlib.sha384(body).digest()).decode(),
            "contentType": content_type,
            "cacheControl": cache_control,
            "encodings": {encoding: name for encoding, (name, _) in siblings.items()},
        }
    )


def asset(name, ending, text, content_type):
    path = f"assets/{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.{ending}"
    add(path, text, content_type, "public, max-age=31536000, immutable")
    return path


asset("chime-sdk-3.0.0", "js", sdk, "text/javascript; charset=utf-8")
script = asset("page", "js", f"document.title = {says!r};", "text/javascript; charset=utf-8")
page = f'<!doctype html><title>{says}</title><script src="/{script}"></script>'
add("index.html", page, "text/html; charset=utf-8", "no-cache")
(directory / "manifest.json").write_text(json.dumps({"version": "3.0.0", "files": files}))
