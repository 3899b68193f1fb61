/*
 * empty_object.c - an object without tasks.
 */
extern int empty_object;
int empty_object;
