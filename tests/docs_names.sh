#!/usr/bin/env bash
# What the documentation names is there: files, names of the library, functions in their files, and tests in docs/conformance.md. And
# docs/overview.md has each module of the library, once, in the table of its folder.
. "$(dirname "$0")/harness/checks.sh"
cd "$SOURCE" || exit 1

# words PAGE: what stands in backticks outside of blocks, a line each.
words() {
    awk '/^```/ { fenced = !fenced } !fenced' "$1" | grep -oE '`[^`]+`' | tr -d '`'
}

files_that_are_missing() {
    local page name
    for page in *.md docs/*.md docs/decisions/*.md; do
        words "$page" | grep -E '^(futures|executor|progress_bar|cxx|demos|tests|bench|docs|\.ci)/[A-Za-z0-9_./-]*$' | sort -u |
            while read -r name; do
                [ -e "$name" ] || echo "$page: $name"
            done
    done
}

names_in() {
    grep -ohE '\b(soon|SOON)_[A-Za-z0-9_]+' "$@" | sort -u
}

names_that_are_missing() {
    local page
    names_in -r soon.h soon.hpp futures executor progress_bar cxx >"$scratch/known"
    for page in *.md docs/*.md docs/decisions/*.md; do
        words "$page" | names_in | grep -vE '^soon__?noun_verb$|__$' | comm -23 - "$scratch/known" | sed "s|^|$page: |"
    done
}

# "`tests/x.c`: one, two; ...": one and two are tests there.
tests_that_are_missing() {
    grep -oE '`tests/[a-z_/]+\.c`: [a-z_0-9]+(, [a-z_0-9]+)*' docs/conformance.md | sort -u | while IFS='`' read -r _ file names; do
        for name in ${names//[:,]/ }; do
            [[ $name == *_* ]] || continue # a suite, or a word
            grep -qw "$name" "$file" || echo "$file: $name"
        done
    done
}

# "`futures/x.c`: `one`": it is there.
functions_that_are_elsewhere() {
    local page file name
    for page in docs/*.md docs/decisions/*.md; do
        grep -oE '`(futures|executor|progress_bar)/[a-z_/]+\.[ch]`: `[a-zA-Z_]+`' "$page" | sort -u | while IFS='`' read -r _ file _ name _; do
            grep -qw "$name" "$file" || echo "$page: $file: $name"
        done
    done
}

modules_of_the_tree() {
    find futures executor progress_bar cxx \( -name '*.[ch]' -o -name '*.hpp' \) | sed -E 's/(_internal|_linux)?\.(c|h|hpp)$//' | sort -u
}

# The first cell of each row below a title "### `folder/`".
modules_of_the_overview() {
    awk '/^#/ { folder = ""; if (match($0, /`[a-z_\/]+`/)) folder = substr($0, RSTART + 1, RLENGTH - 2) }
         folder && /^\| `/ {
             count = split($2 == "" ? $0 : substr($0, 1, index(substr($0, 2), "|") + 1), span, "`")
             for (i = 2; i <= count; i += 2) print folder span[i]
         }' docs/overview.md | sort
}

modules_that_differ() {
    diff <(modules_of_the_overview) <(modules_of_the_tree) | sed -n 's/^< /not there, or twice: /p; s/^> /not in the overview: /p'
}

check 'each file that is named is there' nothing files_that_are_missing
check 'each name of the library is in the sources' nothing names_that_are_missing
check 'each test that stands for one of a peer is there' nothing tests_that_are_missing
check 'each function is in the file that is named for it' nothing functions_that_are_elsewhere
check 'the overview has each module once' nothing modules_that_differ
finish
