#!/usr/bin/env python3
"""Sees to the Debian packages that tetrad needs.

  setup.py build [test]

Says nothing when they are there. As root it installs what is missing; otherwise it names it and exits with 1.
"""
import os
import shutil
import subprocess
import sys

PACKAGES = {
    "build": ["g++", "cmake", "ninja-build", "pkg-config", "git", "libexpected-dev", "libfmt-dev", "nlohmann-json3-dev", "libcli11-dev",
              "libpcre2-dev", "libutf8proc-dev", "libgtest-dev", "libgmock-dev", "libbenchmark-dev"],
    "test": ["clang-19", "libclang-rt-19-dev", "clang-format-19"],
}


def installed(package):
    done = subprocess.run(["dpkg-query", "-W", "-f=${Status}", package], capture_output=True, text=True)
    return done.returncode == 0 and done.stdout.endswith("install ok installed")


def main():
    kinds = sys.argv[1:]
    if not kinds or any(kind not in PACKAGES for kind in kinds):
        sys.exit(__doc__.strip())
    if not shutil.which("dpkg-query"):
        print("setup: this is not Debian or Ubuntu; the packages are not checked", file=sys.stderr)
        return
    missing = [p for kind in kinds for p in PACKAGES[kind] if not installed(p)]
    if not missing:
        return
    command = "apt-get install -y --no-install-recommends " + " ".join(missing)
    if os.geteuid() != 0:
        sys.exit(f"setup: missing packages: {' '.join(missing)}\nhint: run as root: {command}")
    print(f"setup: installing {' '.join(missing)}", file=sys.stderr)
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    subprocess.run(["apt-get", "update", "-qq"], env=environment, check=False)
    with open("/tmp/tetrad-setup.log", "w", encoding="utf-8") as log:
        if subprocess.run(command.split(), env=environment, stdout=log, stderr=log).returncode != 0:
            sys.exit("setup: apt-get failed; its output is in /tmp/tetrad-setup.log")


main()
