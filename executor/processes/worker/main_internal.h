/*
 * main_internal.h - the life of a worker process.
 */
#ifndef SOON_EXECUTOR_PROCESSES_WORKER_MAIN_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_WORKER_MAIN_INTERNAL_H

/* Takes over the process. Never returns. */
void soon__worker_main(void) __attribute__((noreturn));

#endif
