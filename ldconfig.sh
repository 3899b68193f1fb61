#!/bin/sh
# ldconfig.sh FOLDER: after `meson install`. Programs find a new library by a cache that ldconfig makes; where it would not look, that is
# said.
PATH=$PATH:/usr/sbin:/sbin
if ldconfig -NXv 2>/dev/null | grep -q "^$1:"; then
    [ "$(id -u)" -ne 0 ] || ldconfig
else
    echo "ld.so does not look for libraries in $1. A program finds them there with LD_LIBRARY_PATH=$1 when it runs,"
    echo "or with -Wl,-rpath,$1 when it is linked; pkg-config with PKG_CONFIG_PATH=$1/pkgconfig."
fi
