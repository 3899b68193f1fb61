#!/usr/bin/env bash
# The page of demos/service in a real browser, headless Chromium: page.sh [BUILD_FOLDER [PART_OF_A_NAME]] runs the tests,
# or those whose names have that part. page.sh BUILD_FOLDER --screenshot FILE makes the picture of docs/service.md
# instead, from a real run. Controls of the browser come from npm, once for a build folder.
here=$(dirname "$0")
SOURCE=${SOURCE:-$here/../..} BUILD=${1:-${BUILD:?say the build folder}}
. "$here/../harness/checks.sh"
BUILD=$(realpath "$BUILD") page=$(realpath "$here/page")
controls=$BUILD/page_test

# cannot WHY: nothing was tested, and the closing line says so.
cannot() {
    skip "NOTHING OF THE PAGE IS TESTED: $1"
    finish
}
chromium=${CHROMIUM:-$(command -v chromium)} || cannot 'there is no chromium, Debian has it'
for command in node npm; do
    command -v "$command" >/dev/null || cannot "there is no $command, Debian has it"
done

# What package-lock.json says; again only if that has changed.
install_controls() {
    cmp -s "$page/package-lock.json" "$controls/installed" && return
    rm -rf "$controls"
    mkdir -p "$controls" && cp "$page"/package{,-lock}.json "$controls" &&
        npm ci --prefix "$controls" --loglevel=error --no-audit --no-fund --ignore-scripts --prefer-offline \
            --no-update-notifier &&
        cp "$page/package-lock.json" "$controls/installed"
}
install_controls >"$scratch/npm" 2>&1 || {
    sed 's/^/      /' "$scratch/npm"
    cannot 'npm could not install the controls of the browser'
}

# The sanitizers would take the crash for one of their own.
export ASAN_OPTIONS=${ASAN_OPTIONS:-}:handle_segv=0 TSAN_OPTIONS=${TSAN_OPTIONS:-}:handle_segv=0
export CONTROLS=$controls CHROMIUM=$chromium SERVICE=$BUILD/demos/service/service SCRATCH=$scratch
if [ "${2:-}" = --screenshot ]; then
    node "$page/screenshot.mjs" "${3:?say the file}"
else
    node "$page/test.mjs" "${2:-}"
fi
