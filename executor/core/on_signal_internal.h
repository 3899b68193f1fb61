/*
 * on_signal_internal.h - what an executor has that signals shut down.
 */
#ifndef SOON_EXECUTOR_CORE_ON_SIGNAL_INTERNAL_H
#define SOON_EXECUTOR_CORE_ON_SIGNAL_INTERNAL_H

#include "../on_signal.h"

/* It is down, and is about to be freed: it hears of no signal any more, and those that nobody else wants have again
 * what they had before. The freeing thread. */
void soon__on_signal_free(soon_executor *executor);

#endif
