# Reads Meson's testlog.txt: prints each program's closing line, then of those that failed what they said of it, and the sum. One that
# closes with no such line counts as one test. Fails if anything did, or nothing ran.
function program_ends() {
    if (name == "")
        return
    if (!closed) {
        passed += result == "exit status 0"
        bad = 0
    }
    if (result != "exit status 0" && !bad) {
        printf "%-24s %s\n", name, result
        failed++
    }
    if (result != "exit status 0" || bad)
        failures = failures sprintf("%s: %s\n%s", name, result, said)
    name = ""
}
function closing_line(good, wrong, skips) {
    printf "%-24s %d passed, %d failed%s\n", name, good, wrong, skips ? ", " skips " skipped" : ""
    passed += good
    failed += wrong
    skipped += skips
    bad += wrong
    closed = 1
}
# What a failure looks like, of Criterion, our own runner, a script, an assert() and a sanitizer.
function says_why() {
    return /^\[(----|FAIL|ERR )\]/ && !/^\[----\] *$/ || /^FAIL / || /[Aa]ssertion.*failed/ || /(ERROR|WARNING|SUMMARY): .*Sanitizer/ ||
        /runtime error: /
}
/^test: / { program_ends(); name = $NF; closed = bad = lines = 0; said = "" }
/^result: / { result = $0; sub(/^result: */, "", result) }
says_why() && ++lines <= 20 { said = said "    " $0 "\n" }
/^\[====\] Synthesis: / && !closed {
    good = wrong = $0
    sub(/.*Passing: /, "", good)
    sub(/.*Failing: /, "", wrong)
    closing_line(good + 0, wrong + 0, 0)
}
/^[0-9]+ passed, [0-9]+ failed/ && !closed { closing_line($1, $3, $5 + 0) }
END {
    program_ends()
    if (failures)
        printf "\nWhat failed:\n%s\n", failures
    printf "%d passed, %d failed%s\n", passed, failed, skipped ? ", " skipped " skipped" : ""
    exit failed > 0 || passed == 0
}
