/*
 * future_states.c - the states of a future: from which one leads to which.
 */
#include "../../futures/future_internal.h"
#include "../harness/test.h"

TestSuite(states);

static const char *const names[] = {"PENDING",  "RUNNING",  "COMPLETING_PENDING", "COMPLETING_RUNNING",
                                    "FINISHED", "CANCELLED"};

enum { STATES = sizeof names / sizeof *names };

/* As drawn in future_internal.h: from the row to the column. */
static const bool drawn[STATES][STATES] = {
    [SOON__PENDING] =
        {[SOON__RUNNING] = true, [SOON__COMPLETING_PENDING] = true, [SOON__FINISHED] = true, [SOON__CANCELLED] = true},
    [SOON__RUNNING] = {[SOON__COMPLETING_RUNNING] = true, [SOON__FINISHED] = true, [SOON__CANCELLED] = true},
    [SOON__COMPLETING_PENDING] = {[SOON__FINISHED] = true, [SOON__CANCELLED] = true},
    [SOON__COMPLETING_RUNNING] = {[SOON__FINISHED] = true, [SOON__CANCELLED] = true},
};

Test(states, lead_to_each_other_along_the_drawn_arrows_only)
{
    for (unsigned from = 0; from < STATES; from++) {
        for (unsigned to = 0; to < STATES; to++)
            cr_expect_eq(soon__state_leads_to(from, to), drawn[from][to], "%s to %s", names[from], names[to]);
    }
}

Test(states, change_and_leave_flags_and_references_alone)
{
    const uint64_t rest = SOON__LISTS | SOON__CANCEL_REQUESTED | 3 * SOON__LIBRARY | 2 * SOON__READER;

    for (unsigned from = 0; from < STATES; from++) {
        for (unsigned to = 0; to < STATES; to++) {
            if (drawn[from][to])
                cr_expect_eq(soon__word_move(rest | from, to), rest | to, "%s to %s", names[from], names[to]);
        }
    }
}
