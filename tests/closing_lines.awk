# Reads Meson's testlog.txt: prints each program's closing line and their sum. One that closes with no such line counts as one test,
# and is named if it failed. Fails if anything did, or nothing ran.
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
/^test: / { program_ends(); name = $NF; closed = bad = 0 }
/^result: / { result = $0; sub(/^result: */, "", result) }
/^\[====\] Synthesis: / && !closed {
    good = wrong = $0
    sub(/.*Passing: /, "", good)
    sub(/.*Failing: /, "", wrong)
    closing_line(good + 0, wrong + 0, 0)
}
/^[0-9]+ passed, [0-9]+ failed/ && !closed { closing_line($1, $3, $5 + 0) }
END {
    program_ends()
    printf "%d passed, %d failed%s\n", passed, failed, skipped ? ", " skipped " skipped" : ""
    exit failed > 0 || passed == 0
}
