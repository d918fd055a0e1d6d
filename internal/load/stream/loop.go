//go:build linux

package stream

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	slots     = 20 // of a millisecond: a packet's time
	slotTime  = time.Millisecond
	waitMS    = 10  // in case that the clock fails
	maxBehind = 100 // slots that are caught up with; what is more is left out, and counted
)

// Loop drives many ends. New makes one, Run works it.
type Loop struct {
	poll, clock, bell int

	mu     sync.Mutex
	ends   map[int]*End // by file descriptor
	slots  [slots][]*End
	late   Delays // of the sending
	missed uint64 // slots left out
	packet [largest]byte
	plain  [largest]byte
	in     letter
}

// New opens what the loop waits with. Run gives it back.
func New() (*Loop, error) {
	l := &Loop{ends: make(map[int]*End), poll: -1, clock: -1, bell: -1}
	var err error
	if l.poll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("stream: epoll: %w", err)
	}
	if l.clock, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC); err != nil {
		l.close()
		return nil, fmt.Errorf("stream: timer: %w", err)
	}
	tick := unix.NsecToTimespec(int64(slotTime))
	if err = unix.TimerfdSettime(l.clock, 0, &unix.ItimerSpec{Interval: tick, Value: tick}, nil); err == nil {
		err = l.watch(l.clock)
	}
	if err == nil {
		if l.bell, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err == nil {
			err = l.watch(l.bell)
		}
	}
	if err != nil {
		l.close()
		return nil, fmt.Errorf("stream: timer: %w", err)
	}
	return l, nil
}

func (l *Loop) watch(fd int) error {
	return unix.EpollCtl(l.poll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
}

func (l *Loop) close() {
	for _, fd := range []int{l.poll, l.clock, l.bell} {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
}

// Open makes an end at local. other gets what is no RTP, on the loop's goroutine: it must
// neither block nor keep the data, nor call the end's other methods.
func (l *Loop) Open(local netip.Addr, other func(data []byte)) (*End, error) {
	fd, at, err := openUDP(local)
	if err != nil {
		return nil, err
	}
	e := &End{loop: l, local: at, other: other, header: newHeader(), ear: ear{expect: -1}}
	e.fd.Store(int64(fd))
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.watch(fd); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("stream: %w", err)
	}
	l.ends[fd] = e
	for i := range l.slots { // where there are fewest
		if len(l.slots[i]) < len(l.slots[e.slot]) {
			e.slot = i
		}
	}
	l.slots[e.slot] = append(l.slots[e.slot], e)
	return e, nil
}

// forget needs Loop.mu.
func (l *Loop) forget(e *End, fd int) {
	delete(l.ends, fd)
	in := l.slots[e.slot]
	for i := range in {
		if in[i] == e {
			in[i] = in[len(in)-1]
			l.slots[e.slot] = in[:len(in)-1]
			return
		}
	}
}

// Late is by how much packets were sent later than they ought to have been since it was asked
// last: the share q of them by no more than this. missed counts those that were not sent at all.
func (l *Loop) Late(q float64) (by time.Duration, missed uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	by, missed = l.late.Quantile(q), l.missed
	l.late.n, l.late.over, l.late.max, l.missed = 0, 0, 0, 0
	clear(l.late.steps[:])
	return by, missed
}

// Run works until ctx ends and then closes every socket. A loop runs once, and must be run to give its sockets back.
func (l *Loop) Run(ctx context.Context) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer first()()
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), runtime.NumCPU()+spare))
	stop := context.AfterFunc(ctx, func() {
		_, _ = unix.Write(l.bell, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	})
	defer l.shut()
	defer stop()
	began, done := time.Now(), int64(0)
	var events [256]unix.EpollEvent
	for ctx.Err() == nil {
		// Raw: Go's scheduler does not hear of the wait, which is a millisecond at the most, and so
		// does not give away what this goroutine would have to wait for afterwards.
		n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(l.poll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), uintptr(waitMS), 0, 0)
		switch errno {
		case 0:
			l.turn(events[:n], began, &done)
		case unix.EINTR:
		default:
			return fmt.Errorf("stream: wait: %w", errno)
		}
	}
	return nil
}

// spare is how many goroutines more than there are processors may be under way, so that the
// loop need not wait for one of ours that itself waits for a processor.
const spare = 6

// first has this thread served before others, where the system allows that: what is measured is
// the far end, and not how long the load itself has to wait for a processor. What the thread
// starts has no part in it.
func first() (restore func()) {
	was, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		return func() {}
	}
	ahead := &unix.SchedAttr{Policy: unix.SCHED_RR, Priority: 1, Flags: unix.SCHED_FLAG_RESET_ON_FORK}
	if unix.SchedSetAttr(0, ahead, 0) != nil {
		return func() {}
	}
	return func() { _ = unix.SchedSetAttr(0, was, 0) }
}

// turn takes what came and sends what is due.
func (l *Loop) turn(events []unix.EpollEvent, began time.Time, done *int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ticked := false
	for i := range events {
		fd := int(events[i].Fd)
		if fd == l.clock {
			var ticks [8]byte
			_, _ = unix.Read(l.clock, ticks[:])
			ticked = true
			continue
		}
		e := l.ends[fd]
		if e == nil {
			continue
		}
		if data, at, ok := l.in.receive(fd); ok {
			e.hear(data, at, &l.plain)
		}
	}
	if !ticked {
		return
	}
	due := int64(time.Since(began) / slotTime)
	if behind := due - *done - maxBehind; behind > 0 {
		l.missed += uint64(behind)
		*done += behind
	}
	for ; *done < due; *done++ {
		late := time.Since(began) - time.Duration(*done+1)*slotTime
		for _, e := range l.slots[*done%slots] {
			if e.talking {
				e.speak(&l.packet)
				l.late.Add(int64(late))
			}
		}
	}
}

func (l *Loop) shut() {
	l.mu.Lock()
	all := make([]*End, 0, len(l.ends))
	for _, e := range l.ends {
		all = append(all, e)
	}
	l.mu.Unlock()
	for _, e := range all {
		e.Close()
	}
	l.close()
}
