/*
 * output.c - bytes that wait to be sent.
 */
#include "../support/futures.h"

#include "../../executor/cluster/both/output_internal.h"

#include <errno.h>

static struct soon__output output;
static unsigned char next_in, next_out;

static void free_output(void)
{
    soon__output_fini(&output);
}

TestSuite(output, .fini = free_output);

static void write_bytes(size_t size)
{
    unsigned char *to;

    cr_assert_eq(soon__output_space(&output, size, (void **)&to), 0);
    for (size_t i = 0; i < size; i++)
        to[i] = next_in++;
}

/* Takes so many bytes at once, which must be those that were written first. */
static void take_bytes(size_t size)
{
    uv_buf_t pieces[32];
    unsigned count = soon__output_pieces(&output, pieces, 32);
    size_t left = size;

    for (unsigned i = 0; i < count && left > 0; i++) {
        for (size_t j = 0; j < pieces[i].len && left > 0; j++, left--)
            cr_assert_eq((unsigned char)pieces[i].base[j], next_out++);
    }
    cr_assert_eq(left, 0);
    soon__output_taken(&output, size);
}

Test(output, is_given_out_in_the_order_in_which_it_was_written)
{
    size_t written = 0, taken = 0;

    for (size_t i = 0; i < 2000; i++) {
        write_bytes(i * 7919 % 3000);
        written += i * 7919 % 3000;
        for (size_t part = i * 31 % 4000; i % 3 == 0 && part <= written - taken; part += 4000) {
            take_bytes(part);
            taken += part;
        }
        cr_assert_eq(output.size, written - taken);
    }
    while (output.size > 0)
        take_bytes(output.size < 10000 ? output.size : 10000);
}

Test(output, does_not_move_while_more_is_written)
{
    uv_buf_t before[2], after[8];

    write_bytes(1000);
    cr_assert_eq(soon__output_pieces(&output, before, 2), 1);
    for (int i = 0; i < 100; i++)
        write_bytes(5000);
    soon__output_pieces(&output, after, 8);
    cr_assert_eq(before[0].base, after[0].base);
    cr_assert_leq(before[0].len, after[0].len);
}

Test(output, of_one_piece_lies_in_one_piece)
{
    uv_buf_t pieces[4];

    write_bytes(10);
    write_bytes(1 << 20);
    cr_assert_eq(soon__output_pieces(&output, pieces, 4), 2);
    cr_assert_eq(pieces[1].len, 1 << 20);
}

Test(output, keeps_no_more_than_one_chunk_when_it_is_empty)
{
    for (int i = 0; i < 10; i++)
        write_bytes(50000);
    while (output.size > 0)
        take_bytes(1000);
    cr_assert_eq(output.head, output.tail);
    write_bytes(1 << 20);
    take_bytes(1 << 20);
    cr_assert_null(output.head);
    write_bytes(1);
    take_bytes(1);
}

Test(output, larger_than_memory_is_refused)
{
    void *to = &output;

    cr_assert_eq(soon__output_space(&output, SIZE_MAX, &to), -ENOMEM);
    cr_assert_eq(soon__output_space(&output, SIZE_MAX - 16, &to), -ENOMEM);
    cr_assert_eq(to, (void *)&output);
    cr_assert_eq(output.size, 0);
}

Test(output, of_no_bytes_is_nothing)
{
    uv_buf_t pieces[2];

    write_bytes(0);
    cr_assert_eq(soon__output_pieces(&output, pieces, 2), 0);
    soon__output_taken(&output, 0);
}
