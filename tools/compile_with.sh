#!/bin/sh
# A compiler launcher that takes another compiler than the build's: compile_with.sh COMPILER ORIGINAL ARGUMENT...
compiler=$1
shift 2
exec "$compiler" "$@"
