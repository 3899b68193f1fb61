#!/bin/sh
# ldconfig.sh FOLDER: after `meson install`. Programs find a new library by a cache, which is made anew if the folder is one of those
# that it covers.
PATH=$PATH:/usr/sbin:/sbin
if [ "$(id -u)" -eq 0 ] && ldconfig -NXv 2>/dev/null | grep -q "^$1:"; then
    ldconfig
fi
