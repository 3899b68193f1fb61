#!/usr/bin/env python3
"""arrows.py LIBRARY [--graph]: who uses whom in futures/, executor/ and progress_bar/, by includes and by symbols.

A module is X.c with X.h and X_internal.h of its folder. It uses another if one of its files includes a header of that, or its
object refers to a function or variable that the other defines: LIBRARY is the archive with the objects. Prints each circle of
modules, and each arrow between folders that does not go down; nothing if there is none. --graph prints all arrows instead.
"""
import os
import re
import subprocess
import sys

# Each folder may use those behind it, and itself. `executor` is the public headers.
ORDER = {
    'progress_bar': ['executor/maps', 'executor/core', 'executor', 'futures'],
    'executor/maps': ['executor/core', 'executor/trace', 'executor/loops', 'executor/system', 'executor', 'futures'],
    'executor/threads': ['executor/pools', 'executor/core', 'executor/trace', 'executor/loops', 'executor/system', 'executor', 'futures'],
    'executor/cluster/client': ['executor/cluster/both', 'executor/pools', 'executor/core', 'executor/trace', 'executor/loops', 'executor/system',
                                'executor', 'futures'],
    'executor/cluster/daemon': ['executor/cluster/both', 'executor/maps', 'executor/processes/both', 'executor/core', 'executor/loops', 'executor/system',
                                'executor', 'futures'],
    'executor/cluster/both': ['executor/system', 'executor', 'futures'],
    'executor/processes': ['executor/processes/parent', 'executor/processes/worker', 'executor/processes/both', 'executor/core', 'executor/trace',
                           'executor/loops', 'executor/system', 'executor', 'futures'],
    'executor/processes/parent': ['executor/processes/both', 'executor/pools', 'executor/core', 'executor/trace', 'executor/loops',
                                  'executor/system', 'executor', 'futures'],
    'executor/processes/worker': ['executor/processes/both', 'executor/pools', 'executor/core', 'executor/trace', 'executor/loops',
                                  'executor/system', 'executor', 'futures'],
    'executor/processes/both': ['executor/pools', 'executor/core', 'executor/trace', 'executor/loops', 'executor/system', 'executor', 'futures'],
    'executor/pools': ['executor/core', 'executor/trace', 'executor/loops', 'executor/system', 'executor', 'futures'],
    'executor/core': ['executor/trace', 'executor/loops', 'executor/system', 'executor', 'futures'],
    'executor/trace': ['executor/loops', 'executor/system', 'executor', 'futures'],
    'executor/loops': ['executor/system', 'executor', 'futures'],
    'executor/system': ['futures'],
    'executor': ['futures'],
    'futures': [],
}
# The one file at the top that is no header: it stands above both pools, since it makes either.
MODULES = {'executor/either': ['executor/threads', 'executor/processes/parent', 'executor/core', 'executor', 'futures']}


def module_of(path):
    folder, name = os.path.split(path)
    return folder + '/' + re.sub(r'(_internal|_linux)?\.[ch]$', '', name)


def sources():
    for top in 'futures', 'executor', 'progress_bar':
        for folder, _, names in os.walk(top):
            for name in sorted(names):
                if re.search(r'\.[ch]$', name):
                    yield os.path.join(folder, name)


def add_includes(uses):
    for path in sources():
        for line in open(path):
            found = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
            if found:
                target = os.path.normpath(os.path.join(os.path.dirname(path), found[1]))
                add(uses, module_of(path), module_of(target), 'include')


def add(uses, user, used, why):
    if user != used:
        uses.setdefault(user, {}).setdefault(used, set()).add(why)


def add_symbols(uses, library):
    # Objects are named after their path, with _ for /: futures_lib.a has several of the same base name.
    known = {path.split('/', 1)[1][:-2].replace('/', '_'): module_of(path) for path in sources() if path.endswith('.c')}
    defined, wanted = {}, []
    member = None
    for line in subprocess.check_output(['nm', '-A', library], text=True).splitlines():
        where, rest = line.rsplit(':', 1) if ':' in line else (line, '')
        object_name = re.sub(r'\.c\.o$', '', where.split(':')[-1])
        member = known.get(object_name)
        fields = rest.split()
        if member is None or len(fields) < 2:
            continue
        kind, symbol = fields[-2], fields[-1]
        if kind == 'U':
            wanted.append((member, symbol))
        elif kind.isupper():
            defined[symbol] = member
    if not defined:
        sys.exit(f'arrows.py: no object of {library} is of a file here')
    for user, symbol in wanted:
        if symbol in defined:
            add(uses, user, defined[symbol], symbol)


def circles(uses):
    """Strongly connected components of more than one module: Tarjan."""
    index, low, stack, on_stack, found = {}, {}, [], set(), []

    def visit(module):
        index[module] = low[module] = len(index)
        stack.append(module)
        on_stack.add(module)
        for used in uses.get(module, {}):
            if used not in index:
                visit(used)
                low[module] = min(low[module], low[used])
            elif used in on_stack:
                low[module] = min(low[module], index[used])
        if low[module] == index[module]:
            circle = []
            while True:
                circle.append(stack.pop())
                on_stack.discard(circle[-1])
                if circle[-1] == module:
                    break
            if len(circle) > 1:
                found.append(sorted(circle))

    for module in sorted(uses):
        if module not in index:
            visit(module)
    return found


def why(reasons):
    return ', '.join(sorted(reasons)[:6])


def main():
    libraries = [argument for argument in sys.argv[1:] if argument != '--graph']
    uses = {}
    add_includes(uses)
    for library in libraries:
        add_symbols(uses, library)
    if '--graph' in sys.argv:
        for user in sorted(uses):
            for used in sorted(uses[user]):
                print(f'{user} -> {used}: {why(uses[user][used])}')
        return
    for circle in circles(uses):
        print('a circle: ' + ' '.join(circle))
        for user in circle:
            for used in sorted(set(uses[user]) & set(circle)):
                print(f'    {user} -> {used}: {why(uses[user][used])}')
    for user in sorted(uses):
        folder = os.path.dirname(user)
        for used in sorted(uses[user]):
            to = os.path.dirname(used)
            if to != folder and to not in MODULES.get(user, ORDER.get(folder, [])):
                print(f'up: {user} -> {used}: {why(uses[user][used])}')


sys.setrecursionlimit(10000)
main()
