#!/usr/bin/env bash
# Each public header compiles alone, as C11 and as C++17, without a warning, by every compiler that is there.
. "$(dirname "$0")/harness/checks.sh"
cd "$SOURCE" || exit 1

# alone COMPILER LANGUAGE STANDARD HEADER
alone() {
    printf '#include "%s/%s"\n#include "%s/%s"\n' "$SOURCE" "$4" "$SOURCE" "$4" |
        "$1" -x "$2" "-std=$3" -Wall -Wextra -Wpedantic -Werror -fsyntax-only -
}

for header in soon.h $(find futures executor -name '*.h' ! -name '*_internal.h' | LC_ALL=C sort); do
    for compiler in gcc clang; do
        if command -v "$compiler" >/dev/null; then
            check "$header as C11 by $compiler" alone "$compiler" c c11 "$header"
        fi
    done
    for compiler in g++ clang++; do
        if command -v "$compiler" >/dev/null; then
            check "$header as C++17 by $compiler" alone "$compiler" c++ c++17 "$header"
        fi
    done
done
finish
