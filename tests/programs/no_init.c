/*
 * no_init.c - a program that forgot soon_init(): it gets no process pool, and so never starts itself without end.
 */
#include "program.h"

int main(void)
{
    soon_process_pool_options options = {0};
    soon_executor *pool = NULL;

    printf("without: %s\n", soon_errname(soon_process_pool_new(&pool, NULL)));
    must(!pool);
    options.workers = 2;
    options.max_restarts = 1;
    options.worker_program = "/bin/false";
    printf("with another program for its workers: %d\n", soon_process_pool_new(&pool, &options));
    must(soon_executor_boot(pool, SOON_FOREVER) == SOON_EBROKEN);
    must(soon_executor_free(pool) == 0);
    return 0;
}
