/*
 * rounds.c - which server is tried next, and after what pause.
 */
#include "../support/futures.h"

#include "../../executor/cluster/both/rounds_internal.h"

enum { DICE_LEAST = 0, DICE_MIDDLE = 25, DICE_MOST = 50 };

Test(rounds, go_through_all_servers_in_their_order)
{
    struct soon__rounds rounds = {.servers = 3};

    for (size_t i = 0; i < 10; i++)
        cr_assert_eq(soon__rounds_next(&rounds), i % 3);
}

Test(rounds, double_the_pause_up_to_two_seconds)
{
    static const uint64_t pauses[] = {50, 100, 200, 400, 800, 1600, 2000, 2000, 2000};
    struct soon__rounds rounds = {.servers = 1};

    for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++)
        cr_assert_eq(soon__rounds_over(&rounds, 0, DICE_MIDDLE), pauses[i]);
}

Test(rounds, have_a_pause_only_at_their_end)
{
    static const uint64_t pauses[] = {0, 0, 50, 0, 0, 100, 0, 0, 200};
    struct soon__rounds rounds = {.servers = 3};

    for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++)
        cr_assert_eq(soon__rounds_over(&rounds, 0, DICE_MIDDLE), pauses[i]);
}

Test(rounds, begin_anew_after_a_connection_that_has_lasted)
{
    struct soon__rounds rounds = {.servers = 1};

    for (int i = 0; i < 5; i++)
        soon__rounds_over(&rounds, 0, 0);
    cr_assert_eq(soon__rounds_over(&rounds, 1000, DICE_MIDDLE), 0);
    cr_assert_eq(soon__rounds_over(&rounds, 999, DICE_MIDDLE), 50);
    cr_assert_eq(soon__rounds_over(&rounds, 999, DICE_MIDDLE), 100);
}

Test(rounds, vary_each_pause_by_a_quarter)
{
    for (uint64_t dice = 0; dice < 1000; dice++) {
        struct soon__rounds rounds = {.servers = 1};
        uint64_t pause = soon__rounds_over(&rounds, 0, dice);

        cr_assert_geq(pause, 37);
        cr_assert_leq(pause, 63);
    }
    cr_assert_lt(soon__rounds_over(&(struct soon__rounds){.servers = 1}, 0, DICE_LEAST),
                 soon__rounds_over(&(struct soon__rounds){.servers = 1}, 0, DICE_MOST));
}
