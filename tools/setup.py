#!/usr/bin/env python3
"""Sees to the Debian packages that tetrad needs, and to xgrammar's sources, which come from PyPI.

  setup.py build [test]

Says nothing when they are there. As root it installs what is missing; otherwise it names it and exits with 1.
"""
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile

THIRD_PARTY = pathlib.Path(__file__).resolve().parent.parent / "third_party"
XGRAMMAR = ("xgrammar", "0.2.8", "8305646fd2b319d6c3003f51a1665e54cbbe9cba1fb636bc41d0b46434ccbb80")

PACKAGES = {
    "build": ["g++", "cmake", "ninja-build", "pkg-config", "git", "libexpected-dev", "libfmt-dev", "nlohmann-json3-dev", "libcli11-dev",
              "libpcre2-dev", "libutf8proc-dev", "libboost-dev", "python3-pip", "python3-venv", "libgtest-dev", "libgmock-dev", "libbenchmark-dev"],
    "test": ["clang-19", "libclang-rt-19-dev", "clang-format-19"],
}

# What tests can do without (they say so and are skipped): the browser for the chat page, which Ubuntu has as a snap only, and
# qemu, which has older CPUs than this one.
OPTIONAL = {"build": [], "test": ["chromium", "qemu-user"]}


def installed(package):
    done = subprocess.run(["dpkg-query", "-W", "-f=${Status}", package], capture_output=True, text=True)
    return done.returncode == 0 and done.stdout.endswith("install ok installed")


def fetch_source(name, version, sha256):
    """A source distribution from PyPI, checked and unpacked in third_party/."""
    folder = THIRD_PARTY / f"{name}-{version}"
    if (folder / "PKG-INFO").exists():
        return
    print(f"setup: fetching {name} {version}", file=sys.stderr)
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary", name, "--dest", scratch, f"{name}=={version}"]
        done = subprocess.run(command, capture_output=True, text=True)
        archive = pathlib.Path(scratch) / f"{name}-{version}.tar.gz"
        if done.returncode != 0 or not archive.exists():
            sys.exit(f"setup: can't download {name} {version}: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}\nhint: needs python3-pip and the network; or unpack its source "
                     f"distribution as third_party/{folder.name}")
        if hashlib.sha256(archive.read_bytes()).hexdigest() != sha256:
            sys.exit(f"setup: {archive.name} is not the file it should be: its SHA-256 differs")
        THIRD_PARTY.mkdir(exist_ok=True)
        with tarfile.open(archive) as tar:
            tar.extractall(scratch)
        shutil.move(pathlib.Path(scratch) / folder.name, folder)


def main():
    kinds = sys.argv[1:]
    if not kinds or any(kind not in PACKAGES for kind in kinds):
        sys.exit(__doc__.strip())
    if not shutil.which("dpkg-query"):
        print("setup: this is not Debian or Ubuntu; the packages are not checked", file=sys.stderr)
        fetch_source(*XGRAMMAR)
        return
    missing = [p for kind in kinds for p in PACKAGES[kind] if not installed(p)]
    if missing:
        install(missing)
    wanted = [p for kind in kinds for p in OPTIONAL[kind] if not installed(p)]
    if wanted and os.geteuid() == 0:
        install_if_there(wanted)
    fetch_source(*XGRAMMAR)


def install_if_there(packages):
    """Only real packages: Ubuntu's chromium would start snap."""
    for package in packages:
        shown = subprocess.run(["apt-cache", "show", package], capture_output=True, text=True).stdout
        if "\nVersion:" not in shown or "snap" in shown:
            continue
        print(f"setup: installing {package}", file=sys.stderr)
        command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", package]
        done = subprocess.run(command, env=dict(os.environ, DEBIAN_FRONTEND="noninteractive"), capture_output=True, text=True)
        if done.returncode != 0:
            print(f"setup: {package} can't be installed; tests that need it are skipped", file=sys.stderr)


def install(missing):
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
