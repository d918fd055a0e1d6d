//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// family is a process and those it has started, by their ids.
func family(pid int) []int {
	children := make(map[int][]int)
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well-formed
	for _, name := range stats {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		_, rest, ok := strings.Cut(string(b), ") ") // behind the name, which may be anything
		f := strings.Fields(rest)
		if !ok || len(f) < 2 {
			continue
		}
		parent, _ := strconv.Atoi(f[1])
		child, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		children[parent] = append(children[parent], child)
	}
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

// cpuTime is what the processes have used so far, to the nanosecond: /proc/PID/stat counts in
// hundredths of a second, which for few calls is as much as there is to measure.
func cpuTime(pids []int) (time.Duration, error) {
	var sum time.Duration
	for _, pid := range pids {
		var ts unix.Timespec
		const scheduled = 2 // CPUCLOCK_SCHED of a process, see clock_getcpuclockid(3)
		if err := unix.ClockGettime(int32(^pid<<3|scheduled), &ts); err != nil {
			return 0, fmt.Errorf("processor time of process %d: %w", pid, err)
		}
		sum += time.Duration(ts.Nano())
	}
	return sum, nil
}

// resident is the memory of the processes in bytes.
func resident(pids []int) (int64, error) {
	var sum int64
	for _, pid := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		if err != nil {
			return 0, fmt.Errorf("memory of process %d: %w", pid, err)
		}
		f := strings.Fields(string(b))
		if len(f) < 2 {
			return 0, fmt.Errorf("memory of process %d: %q", pid, b)
		}
		pages, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("memory of process %d: %w", pid, err)
		}
		sum += pages * int64(os.Getpagesize())
	}
	return sum, nil
}

// busy is how long the machine's processors have worked so far, all together.
func busy() (time.Duration, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("processor time: %w", err)
	}
	first, _, _ := strings.Cut(string(b), "\n")
	f := strings.Fields(first)
	if len(f) < 9 {
		return 0, fmt.Errorf("processor time: %q", first)
	}
	var ticks int64
	for i, s := range f[1:9] {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("processor time: %w", err)
		}
		if i != 3 && i != 4 { // idle, and idle waiting for a disk
			ticks += n
		}
	}
	return time.Duration(ticks) * time.Second / 100, nil
}

var (
	selfPID    = os.Getpid()
	processors = float64(runtime.NumCPU())
)

// sampler says what was used since it was asked last.
type sampler struct {
	of, own          []int
	used, mine, busy time.Duration
	at               time.Time
}

func newSampler(of, own []int) (*sampler, error) {
	s := &sampler{of: of, own: own}
	_, _, _, _, err := s.sample()
	return s, err
}

// sample gives the time of the processes that are measured, of our own, and of everybody else.
func (s *sampler) sample() (used, mine, others, took time.Duration, err error) {
	a, err1 := cpuTime(s.of)
	b, err2 := cpuTime(s.own)
	c, err3 := busy()
	now := time.Now()
	used, mine = a-s.used, b-s.mine
	others, took = c-s.busy-used-mine, now.Sub(s.at)
	s.used, s.mine, s.busy, s.at = a, b, c, now
	return used, mine, others, took, errors.Join(err1, err2, err3)
}
