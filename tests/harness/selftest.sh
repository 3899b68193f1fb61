#!/usr/bin/env bash
# Tests the runner itself, by the tests of selftest.c: some of them must pass, and some must fail.
. "$(dirname "$0")/checks.sh"
selftest=$1
bad_tests=$(sed -n 's/^Test(bad, \([a-z_]*\).*/\1/p' "$(dirname "$0")/selftest.c")

# Runs each group, and each bad test alone, all at the same time, since some of them have to run into their timeouts.
run() {
    "$selftest" --filter "$2" >"$scratch/$1.log" 2>&1
    echo $? >"$scratch/$1.status"
}
for group in passes good skipped; do
    run "$group" "$group/*" &
done
for test in $bad_tests; do
    run "$test" "bad/$test" &
done
wait

ends() {
    cat "$scratch/$1.log"
    [ "$(cat "$scratch/$1.status")" = "$2" ]
}

# says TEST PATTERN: a line of what it printed matches. closes TEST PATTERN: the last line does.
says() {
    grep -E "$2" "$scratch/$1.log" || { cat "$scratch/$1.log"; false; }
}

never_says() {
    ! grep -E "$2" "$scratch/$1.log"
}

closes() {
    tail -n 1 "$scratch/$1.log" | grep -E "$2" || { cat "$scratch/$1.log"; false; }
}

check 'phases come in order' ends passes 0
check 'good tests pass' ends good 0
check 'they are all counted' closes good '^(9 passed, 0 failed$|.*Passing: 9 \| Failing: 0 )'
check 'a disabled test does not run' never_says skipped FAIL

for test in $bad_tests; do
    if [ "$test" = leaks_memory ] && ! nm "$selftest" | grep -q '[^w] __asan_init'; then # the library asks for it, weakly
        skip "bad test fails: $test (needs AddressSanitizer)"
        continue
    fi
    check "bad test fails: $test" ends "$test" 1
    check "and is named: $test" says "$test" "FAIL.*bad(::|/)$test"
    check "and is counted: $test" closes "$test" '^(0 passed, 1 failed$|.*Passing: 0 \| Failing: 1 )'
done
check 'an assertion tells where it is' says assertion 'selftest\.c:[0-9]+: [Aa]ssertion'
check 'an assertion tells its message' says assertion 'one is not two'
check 'a failed test cleans up' says assertion_runs_the_fini_too 'the fini ran'
check 'no body after a failed init' never_says assertion_in_init 'the body ran'
check 'a leaked future is told' says leaks_a_future '1 futures are alive'
check 'a leaked descriptor is told' says leaks_a_descriptor 'descriptor [0-9]+ is still open: /dev/null'
finish
