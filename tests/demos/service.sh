#!/usr/bin/env bash
# The job service against demos/service/API.md: service.sh [BUILD_FOLDER] TEST, which is one of tests/demos/service/*.py
# without its suffix.
here=$(dirname "$0")
SOURCE=${SOURCE:-$here/../..} BUILD=${1:-${BUILD:?say the build folder}}
export SERVICE=$BUILD/demos/service/service PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# The sanitizers would take the crash for one of their own.
export ASAN_OPTIONS=${ASAN_OPTIONS:-}:handle_segv=0 TSAN_OPTIONS=${TSAN_OPTIONS:-}:handle_segv=0:atexit_sleep_ms=0
if [ ! -e "$SERVICE" ]; then
    echo 'skip  NOTHING OF THE SERVICE IS TESTED: it was not built, a library is missing'
    echo '0 passed, 0 failed, 1 skipped'
    exit
fi
exec python3 "$here/service/${2:?say which test}.py"
