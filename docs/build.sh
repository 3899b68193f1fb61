#!/usr/bin/env bash
# docs/build.sh SOURCE OUTPUT: makes the API reference, and fails if it lacks a function of a public header.
set -euo pipefail
source=$1 output=$2
rm -rf "$output/html"
doxygen -q "$output/Doxyfile"

lacking=$(
    cd "$source"
    # Declarations and inlines begin a line; private ones have two underscores.
    find soon.h futures executor progress_bar -name '*.h' ! -name '*_internal.h' -print0 |
        xargs -0 sed -nE 's/^(SOON_API |static inline )[^(]*[ *](soon_[a-z0-9_]+)\(.*/\2/p' | grep -v '^soon__' | sort -u |
        while read -r name; do
            grep -qF ">$name()" "$output/html/globals_func.html" || echo "$name"
        done
)
if [ -n "$lacking" ]; then
    echo "The API reference lacks:" $lacking >&2
    exit 1
fi
