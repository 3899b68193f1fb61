/*
 * wire.c - the worker's table of functions: written, read, cut short.
 */
#include "../../support/futures.h"

#include "../../../executor/core/function_internal.h"
#include "../../../executor/processes/both/wire_internal.h"
#include "../../../executor/processes/parent/directory_internal.h"

static int do_nothing(soon_task *task, const void *arg, void *result)
{
    (void)task, (void)arg, (void)result;
    return 0;
}

/* In an order that is not theirs in the table. */
static const soon_function functions[] = {
    {.name = "wire.c", .body = do_nothing, .arg_size = 1, .result_size = 2, .arg_type = "char", .result_type = "short"},
    {.name = "wire.a", .body = do_nothing, .arg_size = (size_t)1 << 5 * sizeof(size_t)},
    {.name = "wire.b", .body = do_nothing, .arg_type = "", .result_type = "struct b"},
    {.name = "wire.local", .body = do_nothing, .flags = SOON_FUNCTION_LOCAL},
    {.name = "wire.twice", .body = do_nothing},
    {.name = "wire.twice", .body = do_nothing},
};
static const soon_function *const listed[] = {&functions[1], &functions[2], &functions[0]};

static unsigned char table[4096];
static uint64_t table_size;
static const soon_function **written;
static uint32_t written_count;

static void write_table(void)
{
    for (size_t i = 0; i < COUNT(functions); i++)
        cr_assert_eq(soon_function_register(&functions[i]), 0);
    cr_assert_eq(soon__table_write(table, sizeof table, &table_size, &written, &written_count), 0);
}

static void forget_table(void)
{
    for (size_t i = 0; i < COUNT(functions); i++)
        soon_function_unregister(&functions[i]);
    free(written);
}

/* How many entries were read before `*ret_rc` ended it. All are looked at to their ends. */
static uint32_t read_table(const unsigned char *from, uint64_t size, int *ret_rc)
{
    struct soon__table_entry entry;
    uint64_t offset = 0;
    uint32_t count = 0;
    int rc;

    while ((rc = soon__table_next(from, size, &offset, &entry)) == 1) {
        cr_assert_leq(offset, size);
        cr_assert_gt(strlen(entry.name), 0);
        cr_assert_leq(strlen(entry.arg_type) + strlen(entry.result_type), size);
        count++;
    }
    *ret_rc = rc;
    return count;
}

TestSuite(wire, .init = write_table, .fini = forget_table);

Test(wire, a_table_lists_what_can_be_found_and_may_travel_in_a_fixed_order)
{
    cr_assert_eq(written_count, COUNT(listed));
    for (size_t i = 0; i < COUNT(listed); i++)
        cr_assert_eq(written[i], listed[i]);
}

Test(wire, a_table_is_read_as_it_was_written)
{
    struct soon__table_entry entry;
    uint64_t offset = 0;

    for (size_t i = 0; i < COUNT(listed); i++) {
        cr_assert_eq(soon__table_next(table, table_size, &offset, &entry), 1);
        cr_assert_str_eq(entry.name, listed[i]->name);
        cr_assert_str_eq(entry.arg_type, listed[i]->arg_type ? listed[i]->arg_type : "");
        cr_assert_str_eq(entry.result_type, listed[i]->result_type ? listed[i]->result_type : "");
        cr_assert_eq(entry.arg_size, listed[i]->arg_size);
        cr_assert_eq(entry.result_size, listed[i]->result_size);
    }
    cr_assert_eq(soon__table_next(table, table_size, &offset, &entry), 0);
    cr_assert_eq(offset, table_size);
}

Test(wire, a_table_has_whole_entries_only_where_it_does_not_fit)
{
    for (uint64_t room = 0; room <= table_size; room++) {
        unsigned char *to = malloc(room + 1);
        const soon_function **list;
        uint64_t size;
        uint32_t count;
        int rc;

        to[room] = 0xa5;
        cr_assert_eq(soon__table_write(to, room, &size, &list, &count), 0);
        cr_assert_eq(to[room], 0xa5);
        cr_assert_leq(size, room);
        cr_assert_eq(read_table(to, size, &rc), count);
        cr_assert_eq(rc, 0);
        cr_assert_eq(count == COUNT(listed), room == table_size);
        free(list);
        free(to);
    }
}

/* In memory of its exact size, so that the address sanitizer sees a read behind it. */
Test(wire, a_table_that_is_cut_anywhere_is_nonsense_there)
{
    for (uint64_t size = 0; size < table_size; size++) {
        unsigned char *cut = memcpy(malloc(size + 1), table, size);
        uint32_t count;
        int rc;

        cut = realloc(cut, size ? size : 1);
        count = read_table(cut, size, &rc);
        cr_assert_lt(count, COUNT(listed));
        cr_assert(rc == -EPROTO || rc == 0);
        free(cut);
    }
}

Test(wire, a_table_of_any_bytes_is_read_within_its_bounds)
{
    unsigned seed = 1;

    for (int round = 0; round < 20000; round++) {
        size_t size = 1 + dice(&seed, 200);
        unsigned char *bytes = malloc(size);
        int rc;

        for (size_t i = 0; i < size; i++)
            bytes[i] = dice(&seed, 4) ? (unsigned char)dice(&seed, 256) : 0;
        read_table(bytes, size, &rc);
        cr_assert(rc == -EPROTO || rc == 0);
        free(bytes);
    }
}

Test(wire, a_function_without_a_name_is_nonsense)
{
    static const unsigned char nameless[2 * sizeof(uint64_t) + 3];
    struct soon__table_entry entry;
    uint64_t offset = 0;

    cr_assert_eq(soon__table_next(nameless, sizeof nameless, &offset, &entry), -EPROTO);
    cr_assert_eq(offset, 0);
}

Test(wire, an_offset_behind_the_table_is_nonsense)
{
    struct soon__table_entry entry;
    uint64_t offset = table_size + 1;

    cr_assert_eq(soon__table_next(table, table_size, &offset, &entry), -EPROTO);
}

/* As an object that is loaded where another one was. */
static void become(soon_function *function, const soon_function *what, bool registers)
{
    soon_function_unregister(function);
    *function = *what;
    if (registers)
        cr_assert_eq(soon_function_register(function), 0);
}

Test(wire, a_function_is_found_by_what_it_is_now)
{
    static soon_function function;
    struct soon__directory directory = {.count = 0};
    soon_function stranger = {.name = "wire.stranger", .body = do_nothing};
    int64_t a, c;

    cr_assert_eq(soon__directory_init(&directory, table, table_size, written_count), 0);
    a = soon__directory_find(&directory, &functions[1]);
    c = soon__directory_find(&directory, &functions[0]);
    cr_assert(a >= 0 && c >= 0 && a != c);
    for (int round = 0; round < 8; round++) { /* each way from each other one */
        bool registers = round & 1;

        become(&function, &functions[1], registers);
        for (int again = 0; again < 3; again++)
            cr_assert_eq(soon__directory_find(&directory, &function), a);
        become(&function, round & 2 ? &stranger : &functions[0], round & 4 ? !registers : registers);
        for (int again = 0; again < 3; again++)
            cr_assert_eq(soon__directory_find(&directory, &function), round & 2 ? (int64_t)SOON_ENOFUNCTION : c);
    }
    soon_function_unregister(&function);
    soon__directory_fini(&directory);
}
