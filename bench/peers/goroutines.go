// goroutines.go - Go: a goroutine per task, whose result comes by a channel of its own, kept and read. GOMAXPROCS stands for
// workers and submitters together, as Go has no pool.
//
//	goroutines submit workers= submitters= tasks= work_ns= passes=
//	goroutines roundtrip workers= rounds= pause_us= passes=
//	goroutines fib workers= n= passes=
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

var metrics = map[string][]float64{}

func number(key string, otherwise int) int {
	for _, argument := range os.Args[1:] {
		if strings.HasPrefix(argument, key+"=") {
			value, err := strconv.Atoi(argument[len(key)+1:])
			check(err == nil, key)
			return value
		}
	}
	return otherwise
}

func check(holds bool, what string) {
	if !holds {
		fmt.Fprintln(os.Stderr, "wrong:", what)
		os.Exit(1)
	}
}

func metric(name string, value float64) {
	metrics[name] = append(metrics[name], value)
}

func busy(ns int) {
	if ns == 0 {
		return
	}
	for started := time.Now(); time.Since(started) < time.Duration(ns); {
	}
}

func submitAll(tasks, busyNs int) {
	channels := make([]chan uint64, tasks)
	for i := range channels {
		i, channel := i, make(chan uint64, 1)
		channels[i] = channel
		go func() {
			busy(busyNs)
			channel <- uint64(i) + 1
		}()
	}
	sum := uint64(0)
	for _, channel := range channels {
		sum += <-channel
	}
	check(sum == uint64(tasks)*uint64(tasks+1)/2, "the sum of the results")
}

func run(submitters, tasks, busyNs int) time.Duration {
	var all sync.WaitGroup
	started := time.Now()
	for i := 0; i < submitters; i++ {
		all.Add(1)
		go func() {
			submitAll(tasks/submitters, busyNs)
			all.Done()
		}()
	}
	all.Wait()
	return time.Since(started)
}

func roundTrips(rounds int, pause time.Duration) []float64 {
	times := make([]float64, rounds)
	for i := range times {
		if pause > 0 {
			time.Sleep(pause)
		}
		started := time.Now()
		channel := make(chan int, 1)
		go func() { channel <- i + 1 }()
		result := <-channel
		times[i] = float64(time.Since(started))
		check(result == i+1, "a result")
	}
	sort.Float64s(times)
	return times
}

func plainFib(n int) uint64 {
	if n < 2 {
		return uint64(n)
	}
	return plainFib(n-1) + plainFib(n-2)
}

func fib(n int) uint64 {
	if n < 2 {
		return uint64(n)
	}
	a, b := make(chan uint64, 1), make(chan uint64, 1)
	go func() { a <- fib(n - 1) }()
	go func() { b <- fib(n - 2) }()
	return <-a + <-b
}

func main() {
	passes := number("passes", 3)
	workers, submitters := number("workers", 2), number("submitters", 1)
	which := ""
	if len(os.Args) > 1 {
		which = os.Args[1]
	}
	switch which {
	case "submit":
		runtime.GOMAXPROCS(workers + submitters)
		tasks, busyNs := number("tasks", 100000), number("work_ns", 0)
		run(submitters, tasks/10+submitters, busyNs)
		for i := 0; i < passes; i++ {
			metric("ns_per_task", float64(run(submitters, tasks, busyNs))/float64(tasks))
		}
	case "roundtrip":
		runtime.GOMAXPROCS(workers + 1)
		rounds := number("rounds", 20000)
		roundTrips(rounds/10+1, 0)
		for i := 0; i < passes; i++ {
			times := roundTrips(rounds, time.Duration(number("pause_us", 0))*time.Microsecond)
			metric("p50_ns", times[rounds/2])
			metric("p99_ns", times[rounds*99/100])
			if rounds >= 1000 {
				metric("p999_ns", times[rounds*999/1000])
			}
		}
	case "fib":
		runtime.GOMAXPROCS(workers)
		n := number("n", 25)
		expected, calls := plainFib(n), 2*plainFib(n+1)-1
		for i := 0; i < passes; i++ {
			started := time.Now()
			result := fib(n)
			metric("ns_per_task", float64(time.Since(started))/float64(calls))
			check(result == expected, "fib")
		}
	default:
		check(false, "which case")
	}
	text, _ := json.Marshal(metrics)
	fmt.Println(string(text))
}
