# Sourced by .ci/run and .ci/nightly: their packages, stages, and build folders, build-ci-*/. ccache helps where it is
# installed; it is not installed for this, since a first run has nothing to find in it.
. "$(dirname "${BASH_SOURCE[0]}")/../tests/setup.sh"
export CI=true # warnings are errors

ci_packages=(
    clang=clang clang-format=clang-format doxygen=doxygen git=git
    libclang-rt-14-dev=/usr/lib/llvm-14/lib/clang/14.0.6/lib/linux llvm=llvm-symbolizer spin=spin valgrind=valgrind
)
install_ci_packages() {
    install_packages "${build_packages[@]}" "${test_packages[@]}" "${demo_packages[@]}" "${service_packages[@]}" "${browser_packages[@]}" \
        "${ci_packages[@]}"
}

logs=$(mktemp -d) # goes with all that is temporary

# Of what `times` prints: the children's, user and system.
cpu_seconds() {
    awk -F '[ms ]' 'NR == 2 { printf "%.0f", $1 * 60 + $2 + $4 * 60 + $5 }'
}

# What failed in a stage, of all that it printed; its last lines where no runner says it.
what_failed() {
    if grep -q '^What failed:' "$1"; then
        sed -n '/^What failed:/,$p' "$1" | head -n 60
    else
        tail -n 40 "$1"
    fi
}

# Each stage says how long it took, and the CPU time of it: that tells more where other programs run.
run_stage() {
    local name=$1 started=$SECONDS status spent=$logs/times-$BASHPID said=$logs/said-$BASHPID
    shift
    echo
    echo "=== $name"
    {
        "$@"
        status=$?
        times >"$spent" # in here: the children of this shell are the stage's
        exit $status
    } 2>&1 | tee "$said"
    status=${PIPESTATUS[0]}
    echo "=== $name: $((SECONDS - started)) s, CPU time $(cpu_seconds <"$spent") s"
    [ "$status" -eq 0 ] || { echo "Failed: $name" && what_failed "$said"; } >>"$logs/failed"
    return 0
}

# In a shell of its own, whose children's time it tells.
stage() {
    (run_stage "$@")
}

# The same, while this script goes on; finish_stages shows what it printed.
stage_beside() {
    local log=$logs/$((++beside)).log
    (run_stage "$@") >"$log" 2>&1 &
    besides+=("$log")
}

beside=0 besides=()
finish_stages() {
    wait
    [ ${#besides[@]} -eq 0 ] || cat "${besides[@]}"
    besides=()
}

conclude() {
    finish_stages
    echo
    if [ -e "$logs/failed" ]; then
        cat "$logs/failed" # once more: who reads the end of a long log reads why
        exit 1
    fi
    echo "All stages passed in $SECONDS s."
}

# build_and_test NAME [MESON OPTION...] -- [MESON TEST OPTION...]
build_and_test() {
    local folder=build-ci-$1 options=()
    shift
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    shift
    build "$folder" -Dtests=enabled "${options[@]}" && run_tests "$folder" "$@"
}

with_clang() {
    CC=clang CXX=clang++ build_and_test "$@"
}

# Of one suite, and nothing else is built for it.
part() {
    local suite=$1 targets=("tests_$1")
    shift
    "$@" --suite "$suite"
}

# Races look for interleavings in full under gcc and ThreadSanitizer; elsewhere for what else they may show.
few_rounds() {
    TEST_ROUNDS_PART=4 "$@"
}
all_rounds() {
    TEST_ROUNDS_PART=1 "$@"
}

release=(release --buildtype=release -Db_ndebug=true -Ddemos=disabled)
asan=(asan -Db_sanitize=address,undefined -Db_lundef=false -Ddemos=enabled)
tsan=(tsan -Db_sanitize=thread -Db_lundef=false -Dtest_runner=inprocess -Ddemos=disabled)
valgrind=(valgrind -Dslab=false -Dtest_runner=inprocess -Ddemos=disabled)

delays=(delays -Dc_args=-I../tests/delays -Ddemos=disabled)

# storms FOLDER SECONDS: random programs on both kinds of pool, at the same time.
storms() {
    local folder=$1 seconds=$2 kind status=0 pids=()
    for kind in threads processes; do
        # Else it complains of workers that are killed while it looks for their leaks.
        ASAN_OPTIONS=detect_leaks=0 "$folder/tests/storm/storm" $kind "$seconds" >"$logs/storm-$kind" 2>&1 &
        pids+=($!)
    done
    for kind in threads processes; do
        wait "${pids[0]}" || status=1
        pids=("${pids[@]:1}")
        cat "$logs/storm-$kind"
    done
    return $status
}

# Every program runs once, small; then instructions and atomic read-modify-writes of a task are compared with what it took.
benchmarks() {
    build build-bench --buildtype=release -Db_ndebug=true -Dtests=disabled -Ddemos=disabled -Dbench=enabled &&
        run_tests build-bench && bench/instructions --check
}

formatted() {
    find soon.* futures executor progress_bar cxx demos tests bench \( -name '*.[ch]' -o -name '*.cc' -o -name '*.hpp' \) -print0 |
        xargs -0 clang-format --dry-run -Werror
}

documented() {
    meson compile -C build docs
}
