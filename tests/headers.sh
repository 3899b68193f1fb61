#!/usr/bin/env bash
# Each public header compiles alone, as C11 and as C++17, without a warning, by every compiler that is there; those for
# C++ as C++17 and as C++20.
. "$(dirname "$0")/harness/checks.sh"
cd "$SOURCE" || exit 1

# alone COMPILER LANGUAGE STANDARD HEADER
alone() {
    printf '#include "%s/%s"\n#include "%s/%s"\n' "$SOURCE" "$4" "$SOURCE" "$4" |
        "$1" -x "$2" "-std=$3" -Wall -Wextra -Wpedantic -Werror -fsyntax-only -
}

for header in soon.h $(find futures executor progress_bar -name '*.h' ! -name '*_internal.h' | LC_ALL=C sort); do
    for compiler in gcc clang; do
        if command -v "$compiler" >/dev/null; then
            check "$header as C11 by $compiler" alone "$compiler" c c11 "$header"
        fi
    done
    for compiler in g++ clang++; do
        if command -v "$compiler" >/dev/null; then
            check "$header as C++11 by $compiler" alone "$compiler" c++ c++11 "$header"
            check "$header as C++17 by $compiler" alone "$compiler" c++ c++17 "$header"
        fi
    done
done
for header in soon.hpp $(find cxx -name '*.hpp' | LC_ALL=C sort); do
    for compiler in g++ clang++; do
        if command -v "$compiler" >/dev/null; then
            for standard in 17 20; do
                check "$header as C++$standard by $compiler" alone "$compiler" c++ "c++$standard" "$header"
            done
        fi
    done
done
finish
