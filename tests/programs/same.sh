#!/bin/sh
# same.sh EXPECTED PROGRAM [ARGUMENT...]: the program must end with 0 and print what the file holds.
expected=$1
shift
printed=$("$@" && echo "and ended with 0") || { echo "$printed"; exit 1; }
[ "$printed" = "$(cat "$expected" && echo "and ended with 0")" ] && exit
echo "$printed" | diff "$expected" -
exit 1
