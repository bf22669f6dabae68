#!/bin/sh
# Runs every fuzz target of a build for a while from its seeds: fuzz/run.sh BUILD_DIRECTORY [SECONDS]. Fails at the first finding, which
# libFuzzer writes into the build directory.
set -eu
build=$(cd "$1" && pwd)
seconds=${2:-60}
root=$(cd "$(dirname "$0")" && pwd)
for target in "$build"/*_fuzz; do
  name=$(basename "$target" _fuzz)
  work="$build/fuzz-corpus/$name"
  mkdir -p "$work"
  seeds=""
  if [ -d "$root/corpus/$name" ]; then seeds="$root/corpus/$name"; fi
  echo "$name: $seconds s"
  "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 -verbosity=0 \
    -artifact_prefix="$build/fuzz-$name-" "$work" ${seeds:+"$seeds"}
done
