/*
 * sanitizers.c - how they behave in test programs; ASAN_OPTIONS and its like in the environment win.
 */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);
const char *__ubsan_default_options(void);

const char *__asan_default_options(void)
{
    /* At exit it would judge what the runner leaves behind; assert_no_leaks() asks before. malloc may fail. */
    return "leak_check_at_exit=0:allocator_may_return_null=1";
}

const char *__tsan_default_options(void)
{
    /* The library does start threads after a fork. */
    return "halt_on_error=1:second_deadlock_stack=1:die_after_fork=0:allocator_may_return_null=1:atexit_sleep_ms=50";
}

const char *__ubsan_default_options(void)
{
    return "halt_on_error=1:print_stacktrace=1";
}
