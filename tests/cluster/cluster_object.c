/*
 * cluster_object.c - what the daemons of the tests load.
 */
#include "../support/cluster_tasks.h"
