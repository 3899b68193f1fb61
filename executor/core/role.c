/*
 * role.c - what this process is. It is no atomic: it is set before other threads use the library, and fixed from then
 * on.
 */
#include "role_internal.h"

static enum soon__role role;

enum soon__role soon__role(void)
{
    return role;
}

void soon__role_set(enum soon__role to)
{
    role = to;
}
