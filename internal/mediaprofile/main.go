// Mediaprofile measures what a bridged call costs: this process is the service's media
// half (the gateway, trunk legs, bridges, meters), a copy of it in a process of its own is the
// callers and the agents. It prints CPU-milliseconds per call-second, memory per call and
// the delay of the way down, and writes a CPU profile of the service's half.
//
//	go run ./internal/mediaprofile -case metered -calls 100 -cpuprofile build/media.pprof
//
// It is the microscope; what the whole product costs is measured by make bench-media.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"syscall"
	"time"
)

// options are the command line, the same for both processes.
type options struct {
	load       bool
	mode       string
	calls      int
	warm, time time.Duration
	cpuprofile string
	memprofile string
}

func main() {
	var o options
	flag.BoolVar(&o.load, "load", false, "be the callers and agents (the program starts itself so)")
	flag.StringVar(&o.mode, "case", "metered", "metered: PCMU trunk, agent sends Opus, meter on; pcmu: PCMU both ways, no meter")
	flag.IntVar(&o.calls, "calls", 100, "calls at once")
	flag.DurationVar(&o.warm, "warm", 3*time.Second, "time to settle before it is measured")
	flag.DurationVar(&o.time, "time", 10*time.Second, "time measured")
	flag.StringVar(&o.cpuprofile, "cpuprofile", "", "file for the CPU profile of the service's half")
	flag.StringVar(&o.memprofile, "memprofile", "", "file for the heap profile of the service's half; CPU figures are worthless then")
	flag.Parse()
	if o.memprofile != "" {
		runtime.MemProfileRate = 512 // bytes: exact enough for one call's
	}
	run := measure
	if o.load {
		run = load
	}
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "mediaprofile:", err)
		os.Exit(1)
	}
}

// What the two processes tell each other: one JSON object a line.
type (
	// placed is a call from the load: its agent's offer and where its caller listens.
	placed struct {
		Offer  string `json:"offer"`
		Caller string `json:"caller"`
	}
	// taken is the service's answer: the agent's, and where the trunk leg listens.
	taken struct {
		Answer string `json:"answer"`
		Trunk  string `json:"trunk"`
	}
	// heard is what arrived at the load, at the end.
	heard struct {
		Sent   uint64        `json:"sent"` // packets, both ends
		Up     uint64        `json:"up"`   // packets that callers heard
		Down   uint64        `json:"down"` // packets that agents heard
		Median time.Duration `json:"median"`
		P99    time.Duration `json:"p99"` // of the way down
	}
)

// measure is the service's half.
func measure(o options) error {
	if o.mode != "metered" && o.mode != "pcmu" {
		return fmt.Errorf("no case %q: metered or pcmu", o.mode)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	child, in, out, err := start(ctx, o)
	if err != nil {
		return err
	}
	before := heap()
	goroutines := runtime.NumGoroutine()
	h, err := newHouse(ctx, o.mode)
	if err != nil {
		return err
	}
	defer h.close()
	lines := json.NewDecoder(bufio.NewReader(out))
	answers := json.NewEncoder(in)
	for range o.calls {
		var p placed
		if err := lines.Decode(&p); err != nil {
			return fmt.Errorf("the load has gone: %w", err)
		}
		answer, err := h.take(p)
		if err != nil {
			return err
		}
		if err := answers.Encode(answer); err != nil {
			return err
		}
	}
	if err := h.connected(); err != nil {
		return err
	}
	time.Sleep(o.warm)
	cost, err := window(o)
	if err != nil {
		return err
	}
	perCall := (int64(heap()) - int64(before)) / int64(o.calls)
	running := runtime.NumGoroutine() - goroutines
	_ = in.Close() // the load's sign to stop
	var got heard
	if err := lines.Decode(&got); err != nil {
		return fmt.Errorf("the load has gone: %w", err)
	}
	fmt.Printf("case=%s calls=%d cpu_ms_per_call_s=%.2f allocs_per_packet=%.3f heap_kib_per_call=%d goroutines_per_call=%.1f rss_mib=%d "+
		"sent=%d lost_up=%.2f%% lost_down=%.2f%% delay_ms_p50=%.2f delay_ms_p99=%.2f shed=%d\n",
		o.mode, o.calls, cost.cpu.Seconds()*1000/cost.time.Seconds()/float64(o.calls),
		float64(cost.mallocs)/(100*cost.time.Seconds()*float64(o.calls)), perCall>>10, float64(running)/float64(o.calls), rss()>>20,
		got.Sent, 100*(1-2*float64(got.Up)/float64(got.Sent)), 100*(1-2*float64(got.Down)/float64(got.Sent)),
		got.Median.Seconds()*1000, got.P99.Seconds()*1000, h.shed())
	h.close()
	return child.Wait()
}

// start runs the load beside us.
func start(ctx context.Context, o options) (*exec.Cmd, io.WriteCloser, io.Reader, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-load", "-case", o.mode, "-calls", fmt.Sprint(o.calls))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, nil, err
	}
	return cmd, in, out, cmd.Start()
}

// cost is what the measured time took.
type cost struct {
	cpu, time time.Duration
	mallocs   uint64
}

// window lets time pass and says what it took.
func window(o options) (cost, error) {
	if o.cpuprofile != "" {
		f, err := os.Create(o.cpuprofile)
		if err != nil {
			return cost{}, err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return cost{}, err
		}
		defer pprof.StopCPUProfile()
	}
	var was, is runtime.MemStats
	runtime.ReadMemStats(&was)
	cpu, begun := used(), time.Now()
	time.Sleep(o.time)
	c := cost{cpu: used() - cpu, time: time.Since(begun)}
	runtime.ReadMemStats(&is)
	c.mallocs = is.Mallocs - was.Mallocs
	if o.memprofile == "" {
		return c, nil
	}
	f, err := os.Create(o.memprofile)
	if err != nil {
		return c, err
	}
	defer f.Close()
	runtime.GC()
	return c, pprof.Lookup("heap").WriteTo(f, 0)
}

// used is the CPU time of this process so far, user and system.
func used() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// heap is the live heap and the stacks, in bytes.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// rss is the resident memory in bytes, 0 where it is not told.
func rss() uint64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, resident uint64
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
		return 0
	}
	return resident * uint64(os.Getpagesize())
}

var errNotConnected = errors.New("an agent's connection did not come up")
