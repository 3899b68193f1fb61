/*
 * inprocess.h - the assertions of the in-process runner. They are named as Criterion's, and are those that the tests
 * use.
 */
#ifndef SOON_TESTS_HARNESS_INPROCESS_H
#define SOON_TESTS_HARNESS_INPROCESS_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Notes that the test has failed and prints where. `fatal`: also ends the test, on whatever thread. `format` may be
 * NULL. */
void test__fail(bool fatal, const char *file, int line, const char *expression, const char *format, ...);
void test__skip(void) __attribute__((noreturn));

#ifdef __cplusplus
}
#endif

/* An assertion may end in a message, as `format, ...`. The macros append a NULL, which is the format where there is no
 * message. */
#define TEST__CHECK(fatal, text, condition, ...)                                                                       \
    ((condition) ? (void)0 : test__fail(fatal, __FILE__, __LINE__, text, __VA_ARGS__))
#define TEST__TRUTH(fatal, text, value, ...) TEST__CHECK(fatal, text, value, __VA_ARGS__)
#define TEST__FALSE(fatal, text, value, ...) TEST__CHECK(fatal, text, !(value), __VA_ARGS__)
#define TEST__NULL(fatal, text, value, ...) TEST__CHECK(fatal, text, (value) == NULL, __VA_ARGS__)
#define TEST__NOT_NULL(fatal, text, value, ...) TEST__CHECK(fatal, text, (value) != NULL, __VA_ARGS__)
#define TEST__EQ(fatal, text, a, b, ...) TEST__CHECK(fatal, text, (a) == (b), __VA_ARGS__)
#define TEST__NEQ(fatal, text, a, b, ...) TEST__CHECK(fatal, text, (a) != (b), __VA_ARGS__)
#define TEST__LT(fatal, text, a, b, ...) TEST__CHECK(fatal, text, (a) < (b), __VA_ARGS__)
#define TEST__LEQ(fatal, text, a, b, ...) TEST__CHECK(fatal, text, (a) <= (b), __VA_ARGS__)
#define TEST__GT(fatal, text, a, b, ...) TEST__CHECK(fatal, text, (a) > (b), __VA_ARGS__)
#define TEST__GEQ(fatal, text, a, b, ...) TEST__CHECK(fatal, text, (a) >= (b), __VA_ARGS__)
#define TEST__STR_EQ(fatal, text, a, b, ...) TEST__CHECK(fatal, text, strcmp((a), (b)) == 0, __VA_ARGS__)
#define TEST__STR_NEQ(fatal, text, a, b, ...) TEST__CHECK(fatal, text, strcmp((a), (b)) != 0, __VA_ARGS__)
#define TEST__STR_EMPTY(fatal, text, a, ...) TEST__CHECK(fatal, text, *(a) == '\0', __VA_ARGS__)
#define TEST__STR_NOT_EMPTY(fatal, text, a, ...) TEST__CHECK(fatal, text, *(a) != '\0', __VA_ARGS__)
#define TEST__FLOAT_EQ(fatal, text, a, b, within, ...)                                                                 \
    TEST__CHECK(fatal, text, (a) - (b) <= (within) && (b) - (a) <= (within), __VA_ARGS__)
#define TEST__ARR_EQ(fatal, text, a, b, size, ...) TEST__CHECK(fatal, text, memcmp((a), (b), (size)) == 0, __VA_ARGS__)
#define TEST__ARR_NEQ(fatal, text, a, b, size, ...) TEST__CHECK(fatal, text, memcmp((a), (b), (size)) != 0, __VA_ARGS__)

#define cr_assert(...) TEST__TRUTH(true, #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_assert_not(...) TEST__FALSE(true, "not " #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_assert_null(...) TEST__NULL(true, "null: " #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_assert_not_null(...) TEST__NOT_NULL(true, "not null: " #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_assert_eq(...) TEST__EQ(true, "==: " #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_assert_neq(...) TEST__NEQ(true, "!=: " #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_assert_lt(...) TEST__LT(true, "<: " #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_assert_leq(...) TEST__LEQ(true, "<=: " #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_assert_gt(...) TEST__GT(true, ">: " #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_assert_geq(...) TEST__GEQ(true, ">=: " #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_assert_str_eq(...) TEST__STR_EQ(true, "equal: " #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_assert_str_neq(...) TEST__STR_NEQ(true, "not equal: " #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_assert_str_empty(...) TEST__STR_EMPTY(true, "empty: " #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_assert_str_not_empty(...) TEST__STR_NOT_EMPTY(true, "not empty: " #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_assert_float_eq(...) TEST__FLOAT_EQ(true, "close: " #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_assert_arr_eq(...) TEST__ARR_EQ(true, "equal: " #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_assert_arr_neq(...) TEST__ARR_NEQ(true, "not equal: " #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_assert_fail(...) test__fail(true, __FILE__, __LINE__, "this point was reached", "" __VA_ARGS__)

#define cr_expect(...) TEST__TRUTH(false, #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_expect_not(...) TEST__FALSE(false, "not " #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_expect_null(...) TEST__NULL(false, "null: " #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_expect_not_null(...) TEST__NOT_NULL(false, "not null: " #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_expect_eq(...) TEST__EQ(false, "==: " #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_expect_neq(...) TEST__NEQ(false, "!=: " #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_expect_lt(...) TEST__LT(false, "<: " #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_expect_leq(...) TEST__LEQ(false, "<=: " #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_expect_gt(...) TEST__GT(false, ">: " #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_expect_geq(...) TEST__GEQ(false, ">=: " #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_expect_str_eq(...) TEST__STR_EQ(false, "equal: " #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_expect_str_neq(...) TEST__STR_NEQ(false, "not equal: " #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_expect_str_empty(...) TEST__STR_EMPTY(false, "empty: " #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_expect_str_not_empty(...) TEST__STR_NOT_EMPTY(false, "not empty: " #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_expect_float_eq(...) TEST__FLOAT_EQ(false, "close: " #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_expect_arr_eq(...) TEST__ARR_EQ(false, "equal: " #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_expect_arr_neq(...) TEST__ARR_NEQ(false, "not equal: " #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_expect_fail(...) test__fail(false, __FILE__, __LINE__, "this point was reached", "" __VA_ARGS__)

#define cr_skip_test(...) test__skip()

#endif
