/*
 * root.h - opening files below the root. On the workers' side.
 *
 * The root is the working directory of every worker. The pool's option `directory` holds it by a descriptor, so it is
 * the folder that was there when the service began, whatever becomes of its name. openat2() with RESOLVE_BENEATH never
 * leaves it, neither by "..", nor by an absolute path, nor by a link that somebody puts there in this very moment. A
 * link that stays inside is followed.
 */
#ifndef SERVICE_ROOT_H
#define SERVICE_ROOT_H

/* As open(), but only below the root, and without waiting for who has the other end of a pipe. */
int root_open(const char *path, int flags);

#endif
