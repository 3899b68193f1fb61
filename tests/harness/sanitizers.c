/*
 * sanitizers.c - how sanitizers behave in test programs. ASAN_OPTIONS and the like in the environment come first.
 */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);
const char *__ubsan_default_options(void);

const char *__asan_default_options(void)
{
    /* A check at exit would find what the runner leaves behind; assert_no_leaks() checks earlier. malloc() returns NULL
     * for sizes that cannot be had. */
    return "leak_check_at_exit=0:allocator_may_return_null=1";
}

const char *__tsan_default_options(void)
{
    /* A forked child of a test may start threads. */
    return "halt_on_error=1:second_deadlock_stack=1:die_after_fork=0:allocator_may_return_null=1:atexit_sleep_ms=50";
}

const char *__ubsan_default_options(void)
{
    return "halt_on_error=1:print_stacktrace=1";
}
