/*
 * servers_internal.h - a list of servers as it is written: "10.0.0.5:4730, gear.example, [::1]:4731".
 */
#ifndef SOON_EXECUTOR_CLUSTER_BOTH_SERVERS_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_BOTH_SERVERS_INTERNAL_H

#include <stddef.h>

struct soon__server {
    char *host, *port; /* "4730" if none was named */
    char *text;        /* as it is shown: "host:port" */
};

struct soon__servers {
    size_t count;
    struct soon__server each[];
};

/* 0; -ENOMEM; -EINVAL, with a sentence for soon_last_error(): no server, no port, a bracket that is not closed. */
int soon__servers_parse(struct soon__servers **ret, const char *text);
void soon__servers_free(struct soon__servers *servers);

#endif
