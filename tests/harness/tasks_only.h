/*
 * tasks_only.h - what a test file is when it is compiled as an object that worker programs load, with SOON_TEST_TASKS:
 * its tasks are there, its tests are not, and an assertion that fails ends the process.
 */
#ifndef SOON_TESTS_HARNESS_TASKS_ONLY_H
#define SOON_TESTS_HARNESS_TASKS_ONLY_H

#include <stdlib.h>
#include <string.h>

#define cr_assert(condition, ...) ((condition) ? (void)0 : abort())
#define cr_assert_not(condition, ...) cr_assert(!(condition))
#define cr_assert_eq(a, b, ...) cr_assert((a) == (b))
#define cr_assert_neq(a, b, ...) cr_assert((a) != (b))
#define cr_assert_lt(a, b, ...) cr_assert((a) < (b))
#define cr_assert_leq(a, b, ...) cr_assert((a) <= (b))
#define cr_assert_gt(a, b, ...) cr_assert((a) > (b))
#define cr_assert_geq(a, b, ...) cr_assert((a) >= (b))
#define cr_assert_null(pointer, ...) cr_assert(!(pointer))
#define cr_assert_not_null(pointer, ...) cr_assert(pointer)
#define cr_assert_str_eq(a, b, ...) cr_assert(strcmp((a), (b)) == 0)
#define cr_assert_str_neq(a, b, ...) cr_assert(strcmp((a), (b)) != 0)
#define cr_assert_str_not_empty(text, ...) cr_assert(*(text))
#define cr_assert_arr_eq(a, b, size, ...) cr_assert(memcmp((a), (b), (size)) == 0)
#define cr_skip_test(...) abort()

/* The bodies are compiled, and left out: nobody calls them. */
#define TEST__CASE(suite_, name_, ...) static __attribute__((unused)) void suite_##_##name_##_body(void)
#define TEST__SUITE(suite_, ...) struct test__semicolon

#endif
