# The tests that are scripts source this file: it has check() and the closing line. A script gets SOURCE (the tree),
# BUILD (the build folder), CC and CXX (empty: there is none) in its environment, from tests/meson.build. $scratch is a
# folder for its files, which is removed at its end.
set -u
: "${SOURCE:?run this by meson test}" "${BUILD:?run this by meson test}" "${CC:=cc}" "${CXX=}"
passed=0 failed=0 skipped=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# check NAME COMMAND...: passes if the command succeeds; otherwise its output is shown.
check() {
    local name=$1
    shift
    if "$@" >"$scratch/output" 2>&1; then
        passed=$((passed + 1))
        echo "ok    $name"
    else
        failed=$((failed + 1))
        echo "FAIL  $name"
        sed 's/^/      /' "$scratch/output"
    fi
}

skip() {
    skipped=$((skipped + 1))
    echo "skip  $1"
}

# nothing COMMAND...: for check(), succeeds if the command, which prints what it finds wrong, prints nothing.
nothing() {
    local found
    found=$("$@")
    [ -z "$found" ] || { echo "$found"; return 1; }
}

finish() {
    local line="$passed passed, $failed failed"
    [ "$skipped" -eq 0 ] || line="$line, $skipped skipped"
    echo "$line"
    [ "$failed" -eq 0 ] && [ $((passed + skipped)) -gt 0 ]
    exit
}
