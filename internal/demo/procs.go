package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// stopGrace is how long a process may take to leave in order before it is killed.
const stopGrace = 5 * time.Second

// processes starts the demo's programs and sees that none outlives it. The zero value is
// not usable; see newProcesses.
type processes struct {
	bin  string // folder of the programs
	logs string // folder for what they print

	mu     sync.Mutex
	all    []*process
	failed chan error // the first program that ended unasked
}

type process struct {
	name   string
	cmd    *exec.Cmd
	done   chan struct{} // closed when it has ended
	asked  bool          // guarded by processes.mu: the end is wanted
	result error         // valid once done is closed
}

func newProcesses(bin, logs string) *processes {
	return &processes{bin: bin, logs: logs, failed: make(chan error, 1)}
}

// run carries a short command through and returns its error with what it printed.
func (ps *processes) run(ctx context.Context, stdin string, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(ps.bin, program), args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", program, args[0], err, strings.TrimSpace(string(out)))
	}
	return nil
}

// start begins a long-running program whose output goes to logs/name.log.
func (ps *processes) start(name, program string, args ...string) (*process, error) {
	log, err := os.OpenFile(filepath.Join(ps.logs, name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(filepath.Join(ps.bin, program), args...) //nolint:noctx // ended in order by stop, not killed by a context
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = dieWithParent()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	p := &process{name: name, cmd: cmd, done: make(chan struct{})}
	ps.mu.Lock()
	ps.all = append(ps.all, p)
	ps.mu.Unlock()
	go ps.wait(p)
	return p, nil
}

func (ps *processes) wait(p *process) {
	p.result = p.cmd.Wait()
	close(p.done)
	ps.mu.Lock()
	asked := p.asked
	ps.mu.Unlock()
	if asked {
		return
	}
	cause := p.result
	if cause == nil {
		cause = errors.New("ended by itself")
	}
	select {
	case ps.failed <- fmt.Errorf("%s: %w; its last words:\n%s", p.name, cause, tail(filepath.Join(ps.logs, p.name+".log"))):
	default:
	}
}

// stop asks the programs to leave, waits, and kills what is left. They are stopped in the
// order given.
func (ps *processes) stop(list ...*process) {
	for _, p := range list {
		ps.mu.Lock()
		p.asked = true
		ps.mu.Unlock()
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	}
	grace := time.NewTimer(stopGrace)
	defer grace.Stop()
	for _, p := range list {
		select {
		case <-p.done:
		case <-grace.C:
			grace.Reset(0)
			_ = p.cmd.Process.Kill() // it may have ended already
			<-p.done
		}
	}
}

// stopAll ends whatever still runs, the newest first and the service last.
func (ps *processes) stopAll() {
	ps.mu.Lock()
	list := make([]*process, 0, len(ps.all))
	for i := len(ps.all) - 1; i >= 0; i-- {
		list = append(list, ps.all[i])
	}
	ps.mu.Unlock()
	if len(list) == 0 {
		return
	}
	last := len(list) - 1
	ps.stop(list[:last]...)
	ps.stop(list[last])
}

// tail is the end of a log, for an error message.
func tail(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	const most = 2000
	if st, err := f.Stat(); err == nil && st.Size() > most {
		if _, err := f.Seek(-most, io.SeekEnd); err != nil {
			return err.Error()
		}
	}
	b, err := io.ReadAll(f)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(b))
}
