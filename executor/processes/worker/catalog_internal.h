/*
 * catalog_internal.h - the task by which a worker tells of its functions: ../both/catalog_internal.h.
 */
#ifndef SOON_EXECUTOR_PROCESSES_WORKER_CATALOG_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_WORKER_CATALOG_INTERNAL_H

/* Before HELLO. Without memory the worker has no such task. */
void soon__worker_register_catalog(void);

#endif
