#!/usr/bin/env bash
# The layers: demos, tests and bench -> progress_bar -> executor -> futures -> libc; cxx, for programs in C++, sees <soon.h> alone.
# Nothing points back, private headers stay inside, and no source is forgotten by the build. arrows.py looks at the
# folders of executor/ and at single files; arrows.sh tests it.
. "$(dirname "$0")/harness/checks.sh"
cd "$SOURCE" || exit 1

# includes FOLDER...: "FILE:LINE:NAME" of each #include of a file of ours, NAME as from the tree's root.
includes() {
    find "$@" \( -name '*.[ch]' -o -name '*.cc' -o -name '*.hpp' \) -print0 | xargs -0 awk '
        /^[[:space:]]*#[[:space:]]*include[[:space:]]*"/ {
            folder = FILENAME
            if (!sub("/[^/]*$", "/", folder))
                folder = ""
            name = $0
            gsub("^[^\"]*\"|\".*$", "", name)
            name = folder name
            while (sub("[^/.][^/]*/\\.\\./", "", name))
                continue
            print FILENAME ":" FNR ":" name
        }'
}

system_includes() {
    find "$@" \( -name '*.[ch]' -o -name '*.cc' -o -name '*.hpp' \) -print0 |
        xargs -0 grep -nHE '^[[:space:]]*#[[:space:]]*include[[:space:]]*<'
}

futures_point_outside() {
    includes futures | grep -vE ':futures/[^/]+$'
    system_includes futures | grep -E '<(soon|uv|futures|executor)'
}

# It uses what a program sees, and what makes its errors and options like those of all other functions.
progress_bar_reaches_inside() {
    includes progress_bar | grep -vE ':(futures|executor)/[^/:]+\.h$|:progress_bar/[^/]+$|:executor/core/executor_internal\.h$'
    includes progress_bar | grep -E ':(futures|executor)/.*_internal\.h$' | grep -vE ':(futures/refuse|executor/core/executor)_internal\.h$'
    system_includes progress_bar | grep -E '<(soon|futures|executor|uv)'
}

executor_points_outside() {
    includes executor | grep -vE ':(futures|executor)/[^:]+$'
    system_includes executor | grep -E '<(soon|futures|executor)'
}

futures_know_libuv() {
    grep -nE '(uv_[a-z]|UV_[A-Z]|uv\.h)' -r futures --include='*.[ch]'
    grep -nE '^[^#]*uv' futures/meson.build
}

public_headers_show_more() {
    for header in soon.h $(find futures executor progress_bar -name '*.h' ! -name '*_internal.h'); do
        includes "$header" | grep -E '_internal\.h$'
        system_includes "$header" | grep -E '<uv'
    done
}

cxx_reaches_inside() {
    includes soon.hpp cxx | grep -vE ':(soon\.h|cxx/[^:]+)$'
    system_includes soon.hpp cxx | grep -vE '<[a-z_]+>$'
}

# What both may use is in processes/both, which uses neither.
parent_and_worker_meet() {
    includes executor/processes/parent executor/processes/both | grep ':executor/processes/worker/'
    includes executor/processes/worker executor/processes/both | grep ':executor/processes/parent/'
}

# What both may use is in cluster/both, which uses neither.
client_and_daemon_meet() {
    find executor/cluster -name '*.[ch]' | grep -q . || echo 'executor/cluster has no sources'
    includes executor/cluster | grep -E '^executor/cluster/(client|both)/' | grep ':executor/cluster/daemon/'
    includes executor/cluster | grep -E '^executor/cluster/(daemon|both)/' | grep ':executor/cluster/client/'
}

# Users see what lies at the top of executor/, and in futures/; the folders of executor/ are private.
headers_out_of_place() {
    find executor -maxdepth 1 -name '*_internal.h'
    find executor -mindepth 2 -name '*.h' ! -name '*_internal.h'
}

demos_reach_inside() {
    includes demos | grep -vE ':demos/'
    system_includes demos | grep -E '<(futures|executor|progress_bar|cxx)'
}

benchmarks_reach_inside() {
    includes bench | grep -vE ':bench/'
    system_includes bench | grep -E '<(futures|executor|progress_bar)'
}

missing_files() {
    includes soon.h soon.hpp cxx futures executor progress_bar demos tests bench | while IFS=: read -r file line name; do
        [ -e "$name" ] || echo "$file:$line: there is no $name"
    done
}

# Circles of files, and arrows that go up, by includes and by what the objects of the library use of each other.
arrows() {
    command -v python3 >/dev/null || { echo 'python3 is missing, which Meson needs, too'; return; }
    python3 tests/arrows.py "$BUILD/libsoon.a" 2>&1
}

too_long_files() {
    find futures executor progress_bar -name '*.[ch]' -exec wc -l {} + | awk '$1 > 500 && $2 != "total" { print $2 ": " $1 " lines" }'
}

# In characters, not bytes.
too_long_lines() {
    find futures executor progress_bar -name '*.[ch]' -print0 | LC_ALL=C.UTF-8 xargs -0 grep -nE '^.{121}'
}

# Sources that no meson.build names: a list there has the file's name, a dictionary of programs the name alone.
unlisted_files() {
    find futures executor progress_bar cxx tests demos bench \( -name '*.c' -o -name '*.cc' -o -path 'cxx/*.hpp' \) ! -path 'tests/installed/*' |
        while read -r file; do
            folder=${file%/*} name=${file##*/}
            above=${folder%/*}
            cat "$folder/meson.build" "$above/meson.build" "${above%/*}/meson.build" 2>/dev/null |
                grep -qE "'([a-z_]+/)*$name'|'${name%.c*}': \{" || echo "$file"
        done
}

# The table of tests/README.md: "SOURCE TEST", a line for each, SOURCE without its suffix.
tests_of_sources() {
    awk -F '|' '
        /^### / { gsub("### `|/`", ""); folder = $0 }
        folder && /^\| `/ {
            gsub("[` ]", "")
            sources = split($2, source, ",")
            tests = split($3, test, ",")
            for (i = 1; i <= sources; i++)
                for (j = 1; j <= tests; j++)
                    print folder "/" source[i], test[j]
        }' tests/README.md | sort -u
}

sources_without_tests() {
    comm -23 <(find futures executor progress_bar -name '*.c' | sed 's/\.c$//' | sort) <(tests_of_sources | cut -d ' ' -f 1 | uniq)
}

rows_that_are_wrong() {
    tests_of_sources | while read -r source test; do
        [ -e "$source.c" ] || [ -e "${source}_internal.h" ] || echo "there is no $source"
        grep -qs "'$test': {" tests/*/meson.build tests/processes/*/meson.build || echo "$source: there is no test $test"
    done
}

# A mutant breaks a source on purpose, and names the test that must fail.
mutants_that_no_row_has() {
    awk 'FNR == 1 { test = $2 } /^\+\+\+ b\/(futures|executor|progress_bar)\// { print substr($2, 3), test }' tests/mutants/*.patch |
        sed -E 's/(_internal)?\.[ch] / /' | sort -u | comm -23 - <(tests_of_sources)
}

check 'futures include nothing but futures and libc' nothing futures_point_outside
check 'futures do not know libuv' nothing futures_know_libuv
check 'executor includes nothing but futures, executor and libraries' nothing executor_points_outside
check 'progress_bar includes what a program sees' nothing progress_bar_reaches_inside
check 'cxx includes nothing but <soon.h> and the standard library' nothing cxx_reaches_inside
check 'public headers include no private one and no uv.h' nothing public_headers_show_more
check 'there is no circle of files, and no arrow up' nothing arrows
check 'parent and worker include nothing of each other' nothing parent_and_worker_meet
check 'client and daemon of a cluster include nothing of each other' nothing client_and_daemon_meet
check 'public headers of executor are at its top, private ones in its folders' nothing headers_out_of_place
check 'demos include nothing of ours but <soon.h> and <soon.hpp>' nothing demos_reach_inside
check 'benchmarks include nothing of ours but <soon.h>' nothing benchmarks_reach_inside
check 'no file of the library has more than 500 lines' nothing too_long_files
check 'no line of the library has more than 120 columns' nothing too_long_lines
check 'every include is a file' nothing missing_files
check 'every source is in a meson.build' nothing unlisted_files
check 'each source has its tests in tests/README.md' nothing sources_without_tests
check 'the sources and tests of that table are there' nothing rows_that_are_wrong
check 'it has the tests that mutants name for a source' nothing mutants_that_no_row_has
finish
