/*
 * role_internal.h - whether this process is the program or one of its workers, as soon_init() has found out.
 */
#ifndef SOON_EXECUTOR_CORE_ROLE_INTERNAL_H
#define SOON_EXECUTOR_CORE_ROLE_INTERNAL_H

enum soon__role {
    SOON__ROLE_UNKNOWN, /* nobody has called soon_init() */
    SOON__ROLE_PROGRAM,
    SOON__ROLE_WORKER,
};

/* Any thread. A forked child has the role of its parent. */
enum soon__role soon__role(void);
/* For soon_init(): before other threads use the library. */
void soon__role_set(enum soon__role role);

#endif
