#!/usr/bin/env bash
# The library as a Meson subproject: another project asks for dependency('soon') and gets it.
. "$(dirname "$0")/harness/checks.sh"

super=$scratch/super
mkdir -p "$super/subprojects/libsoon" "$super/app"
(cd "$SOURCE" && cp -r soon.h soon.hpp soon.c meson.build meson_options.txt futures executor progress_bar cxx "$super/subprojects/libsoon")

cat >"$super/meson.build" <<'END'
project('super', 'c', default_options: ['c_std=c11', 'warning_level=3'])
soon = dependency('soon', version: '>= 0.1', fallback: 'libsoon')
app = executable('app', 'app/app.c', dependencies: soon)
test('app', app)
END
cp "$SOURCE/tests/installed/program.c" "$super/app/app.c"

build() {
    meson setup "$super/$1" "$super" "--default-library=$1" && meson compile -C "$super/$1"
}

for library in shared static; do
    check "configures and builds, $library" build "$library"
    check "its program runs, $library" "$super/$library/app"
done
check 'no tests or demos of ours in it' nothing find "$super/shared" -name '*poll_progress*'
finish
