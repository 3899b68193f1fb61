/*
 * loop_table_internal.h - the table of all loops: to find one that is attached again.
 */
#ifndef SOON_EXECUTOR_LOOPS_LOOP_TABLE_INTERNAL_H
#define SOON_EXECUTOR_LOOPS_LOOP_TABLE_INTERNAL_H

#include "loop_state_internal.h"

void soon__loop_table_lock(void);
void soon__loop_table_unlock(void);
/* Of this process, and attached; NULL: there is none. */
soon_loop *soon__loop_find_locked(const struct uv_loop_s *uv);
void soon__loop_add_locked(soon_loop *loop);
/* One that is closed or lost, and that nothing is outstanding of. Without the table's mutex. */
void soon__loop_free(soon_loop *loop);

#endif
