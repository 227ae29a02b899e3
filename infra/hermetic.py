"""Runs cargo for what is deployed, so that the result depends on this repository alone.

    hermetic.py cargo lambda build --manifest-path ... --lambda-dir ...

Cargo merges the configuration of every directory above the current one, of its home, and of the environment: with
`target-cpu=native` in any of them the functions would run on the builder's processor and not on Lambda's. So the command runs in
an empty directory without configuration above it, with a home that has the registries' configuration alone, and with the variables
that are listed here. <https://doc.rust-lang.org/cargo/reference/config.html#hierarchical-structure>
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Where packages come from and how they are fetched; nothing about how they are compiled.
TABLES = {"http", "net", "registries", "registry", "source"}
# The variables by which a command finds programs, temporary files and the network.
VARIABLES = {"HOME", "LANG", "PATH", "TERM", "TMPDIR"}
VARIABLES |= {
    name for proxy in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY") for name in (proxy, proxy.lower())
}
VARIABLES |= {"CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE"}
NAMES = ("config.toml", "config")


def toml(table, path=()):
    """A table as TOML; the values of cargo's configuration are texts, numbers, truths and lists of them."""
    lines = [f"[{'.'.join(map(json.dumps, path))}]"] if path else []
    lines += [f"{json.dumps(key)} = {json.dumps(value)}" for key, value in table.items() if not isinstance(value, dict)]
    for key, value in table.items():
        if isinstance(value, dict):
            lines += toml(value, (*path, key))
    return lines


def cargo_home(real, home):
    """Makes a home for cargo with the packages of the real one and the part of its configuration that says where they are."""
    home.mkdir()
    for name in ("registry", "git"):
        (real / name).mkdir(parents=True, exist_ok=True)
        (home / name).symlink_to(real / name)
    for name in ("credentials.toml", "credentials"):
        if (real / name).exists():
            (home / name).symlink_to(real / name)
    for name in NAMES:
        if (real / name).exists():
            configuration = tomllib.loads((real / name).read_text())
            kept = {key: value for key, value in configuration.items() if key in TABLES}
            (home / "config.toml").write_text("\n".join(toml(kept)) + "\n")
            return


def environment(home):
    """The variables of the command, and those that name where cargo and rustup are."""
    kept = {name: value for name, value in os.environ.items() if name in VARIABLES}
    if "RUSTUP_HOME" in os.environ:
        kept["RUSTUP_HOME"] = os.environ["RUSTUP_HOME"]
    # rustup looks for this file above the current directory, which is not the repository.
    toolchain = tomllib.loads((ROOT / "rust-toolchain.toml").read_text())["toolchain"]["channel"]
    return {**kept, "CARGO_HOME": str(home), "RUSTUP_TOOLCHAIN": toolchain}


def main():
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory).resolve()
        for above in directory.parents:
            for name in NAMES:
                if (above / ".cargo" / name).exists():
                    sys.exit(
                        f"{above / '.cargo' / name} would change what is deployed: remove it, or set TMPDIR elsewhere"
                    )
        real = pathlib.Path(os.environ.get("CARGO_HOME") or pathlib.Path.home() / ".cargo")
        home, empty = directory / "cargo", directory / "empty"
        cargo_home(real, home)
        empty.mkdir()
        sys.exit(subprocess.run(sys.argv[1:], cwd=empty, env=environment(home), check=False).returncode)


if __name__ == "__main__":
    main()
