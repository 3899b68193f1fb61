#!/usr/bin/env python3
"""check.py TRACE LOG: is the trace what the program of host.c has logged? Prints what is not; nothing if all is.

check.py --cut TRACE: is the trace of a program that was killed an array, perhaps without its end?
check.py --ran TRACE COUNT: is it whole, and have so many tasks run in it?
check.py --missing TRACE COUNT: are events missing in it, and no more of so many tasks than it says?
"""
import json
import sys
from collections import defaultdict

SLICES = 'task', 'item'
problems = []


def check(holds, *what):
    if not holds:
        problems.append(' '.join(str(part) for part in what))


def label(event):
    return event['args'].get('label', '')


def end(event):
    return event['ts'] + event['dur']


def row(event):
    return event['pid'], event['tid']


class Trace:
    def __init__(self, path):
        with open(path, encoding='utf-8') as file:
            self.events = json.load(file)
        self.header = self.events[0]['args']
        self.program = self.events[0]['pid']
        self.slices = [e for e in self.events if e['ph'] == 'X']
        self.runs = defaultdict(list)
        for e in self.slices:
            if e['cat'] in SLICES:
                self.runs[label(e)].append(e)
        self.marks = [e for e in self.events if e['ph'] == 'i']

    def us(self, ns):
        """A time of the log, as the trace has it."""
        return (ns - self.header['started_ns']) / 1000


class Log:
    def __init__(self, path):
        self.runs, self.ran, self.ends, self.thens = defaultdict(list), defaultdict(list), {}, []
        for line in open(path):
            word, name, rest = line.rstrip('\n').split(' ', 2)
            if word == 'run':
                pid, tid, began = map(int, rest.split())
                self.runs[name].append((pid, tid, began))
            elif word == 'ran':
                self.ran[name].append(int(rest))
            elif word == 'end':
                self.ends[name] = rest
            else:
                self.thens.append((name, rest))


def check_runs(trace, log):
    for name in set(trace.runs) | set(log.runs):
        slices, runs = sorted(trace.runs[name], key=lambda e: e['ts']), sorted(log.runs[name], key=lambda r: r[2])
        if not runs and log.ends.get(name) == 'time limit':
            continue  # it was over before the task could say that it runs
        check(len(slices) == len(runs), name, 'ran', len(runs), 'times, and has', len(slices), 'slices')
        for e, (pid, tid, began) in zip(slices, runs):
            check(row(e) == (pid, tid), name, 'ran on', pid, tid, 'and is shown on', *row(e))
            check(e['ts'] <= trace.us(began) <= end(e), name, 'began at', trace.us(began), 'and is shown from', e['ts'])
            check(e['name'] == 'act', name, 'is of', e['name'])
        if slices and name in log.ran and len(log.ran[name]) == len(runs):
            check(trace.us(log.ran[name][-1]) <= end(slices[-1]), name, 'ended after its slice')
        if slices and name in log.ends:
            check(slices[-1]['args']['outcome'] == log.ends[name], name, 'ended', log.ends[name], 'and is shown as',
                  slices[-1]['args']['outcome'])
        for e in slices[:-1]:
            check(e['args']['outcome'] == 'worker died', name, 'was tried again after', e['args']['outcome'])


def check_those_that_never_ran(trace, log):
    waits = {label(e): e for e in trace.marks if e['cat'] == 'wait'}
    for name, outcome in log.ends.items():
        if name not in log.runs:
            check(name in waits and waits[name]['args']['outcome'] == outcome, name, 'has never run, and is not shown as', outcome)


def check_nesting(trace):
    rows = defaultdict(list)
    for e in trace.slices:
        rows[row(e)].append(e)
    for place, slices in rows.items():
        stack = []
        for e in sorted(slices, key=lambda e: (e['ts'], -e['dur'])):
            while stack and end(stack[-1]) <= e['ts'] + 0.0005:
                stack.pop()
            check(not stack or end(e) <= end(stack[-1]) + 0.0005, 'slices overlap on', place, stack[-1:], e)
            stack.append(e)


def check_waits(trace):
    begun, ended = defaultdict(list), defaultdict(list)
    for e in trace.events:
        if e['ph'] in 'be':
            (begun if e['ph'] == 'b' else ended)[e['id']].append(e['ts'])
    check(set(begun) == set(ended), 'waits that have one end:', set(begun) ^ set(ended))
    for number in begun:
        check(len(begun[number]) == len(ended[number]), 'task', number, 'has waits with one end')
        for b, e in zip(sorted(begun[number]), sorted(ended[number])):
            check(b <= e, 'task', number, 'has a wait from', b, 'to', e)
    for e in trace.slices:
        if e['cat'] in ('task', 'chunk'):
            check(e['ts'] in ended[e['args']['task']], 'no wait ends with the start of', label(e), e)


def arrows_of(trace):
    begin, finish = {}, {}
    for e in trace.events:
        if e['ph'] in 'sf':
            (begin if e['ph'] == 's' else finish)[e['id']] = e
    check(set(begin) == set(finish), 'arrows with one end:', set(begin) ^ set(finish))
    return [(begin[n], finish[n]) for n in begin if n in finish]


def check_arrows(trace, log):
    rows = defaultdict(list)
    for e in trace.slices:
        rows[row(e)].append(e)

    def around(point):
        return [e for e in rows[row(point)] if e['ts'] <= point['ts'] <= end(e)]

    arrows = arrows_of(trace)
    joined = set()
    for begin, finish in arrows:
        check(begin['ts'] <= finish['ts'], 'an arrow goes back in time:', begin, finish)
        check(around(begin), 'an arrow begins in no slice:', begin)
        targets = [e for e in around(finish) if e['ts'] == finish['ts']]
        check(targets, 'an arrow ends in no slice:', finish)
        if begin['name'] == 'then':
            joined |= {(label(to), label(of)) for to in targets for of in around(begin)}
    for then, first in log.thens:
        check((then, first) in joined, 'there is no arrow from', first, 'to', then)
    submits = sum(begin['name'] == 'submit' for begin, _ in arrows)
    check(submits == sum(e['cat'] in ('task', 'chunk') for e in trace.slices), submits, 'arrows from a submit')


def check_counts(trace):
    last = {}
    for e in trace.events:
        if e['ph'] == 'C':
            check(min(e['args'].values()) >= 0, 'less than none:', e)
            if e['name'] not in last or e['ts'] >= last[e['name']]['ts']:
                last[e['name']] = e
    names = {f'{pool} {what}' for pool in ('threads', 'processes', 'one', 'narrow') for what in ('tasks', 'workers')}
    check(set(last) == names, 'counts of', set(last))
    for name, e in last.items():
        check(not any(e['args'].values()), name, 'is not 0 at the end:', e['args'])


def check_workers(trace, log):
    def rows_with(mark):
        return {row(e) for e in trace.marks if e['cat'] == 'worker' and e['name'] == mark}

    named = {row(e) for e in trace.events if e['ph'] == 'M' and e['name'] == 'thread_name'}
    check({row(e) for e in trace.slices} <= named, 'rows without a name')
    begun, gone = rows_with('started') | rows_with('restarted'), rows_with('died') | rows_with('ended')
    check(begun == gone, 'workers that have begun or ended alone:', begun ^ gone)
    crashed = {run[:2] for name, runs in log.runs.items() for run in runs[len(log.ran[name]):]}
    crashed_by_itself = {run[:2] for name, runs in log.runs.items() if 'c' == name[1:2] for run in runs[len(log.ran[name]):]}
    check(crashed <= gone, 'crashes without a mark:', crashed - gone)
    check(crashed_by_itself <= rows_with('died'), 'deaths without a mark:', crashed_by_itself - rows_with('died'))
    for mark, name in ('time limit', 'limit0'), ('task to be killed', 'kill0'), ('killed', 'kill0'):
        check({run[:2] for run in log.runs[name]} <= rows_with(mark), 'no mark', mark, 'where', name, 'ran')
    check(rows_with('restarted'), 'no worker was restarted')
    check(rows_with('recycled'), 'no worker was recycled')


def compare(path, log_path):
    trace, log = Trace(path), Log(log_path)
    check(trace.header['dropped'] == 0, trace.header['dropped'], 'events are missing')
    check_runs(trace, log)
    check_those_that_never_ran(trace, log)
    check_nesting(trace)
    check_waits(trace)
    check_arrows(trace, log)
    check_counts(trace)
    check_workers(trace, log)


def check_cut(path):
    text = open(path, encoding='utf-8', errors='replace').read()
    try:
        events = json.loads(text)
    except ValueError:  # the format allows that the end is missing: as viewers do, up to the last whole line
        lines = text.split(',\n')
        events = json.loads(',\n'.join(lines[:-1]) + '\n]')
    check(sum(e['ph'] == 'X' for e in events) > 0, 'there is nothing in it')


def check_ran(path, count):
    trace = Trace(path)
    there = sum(e['cat'] == 'task' for e in trace.slices)
    check(there == count, there, 'tasks have run')
    check(trace.header['dropped'] == 0, trace.header['dropped'], 'events are missing')


def check_missing(path, count):
    trace = Trace(path)
    there = sum(e['cat'] == 'task' for e in trace.slices)
    check(trace.header['dropped'] > 0, 'nothing is missing')
    check(count - there <= trace.header['dropped'], count - there, 'slices are missing, of', trace.header['dropped'])


if sys.argv[1] == '--cut':
    check_cut(sys.argv[2])
elif sys.argv[1] == '--ran':
    check_ran(sys.argv[2], int(sys.argv[3]))
elif sys.argv[1] == '--missing':
    check_missing(sys.argv[2], int(sys.argv[3]))
else:
    compare(sys.argv[1], sys.argv[2])
print('\n'.join(problems[:20]), end='\n' if problems else '')
