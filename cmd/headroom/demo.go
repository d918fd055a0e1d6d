package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/headroom-voice/headroom/internal/demo"
)

type demoCmd struct {
	Once bool   `help:"End by itself as soon as everything came true, or give up after 80 s; exit status 0 only if it did."`
	JSON bool   `help:"With --once: print one JSON object at the end and nothing else on standard output."`
	Web  string `default:"127.0.0.1:8080" help:"Where to show the pages; another port is taken when this one is in use."`
}

// onceLimit keeps a whole run, start and stop included, within 90 s.
const onceLimit = 80 * time.Second

func (c demoCmd) Run(ctx context.Context, std streams) error {
	if _, err := netip.ParseAddrPort(c.Web); err != nil {
		return fmt.Errorf("--web: %q is not an address and port; write it like 127.0.0.1:8080", c.Web)
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the other programs: %w", err)
	}
	opt := demo.Options{Bin: filepath.Dir(self), Web: c.Web, Once: c.Once, Limit: onceLimit, Say: std.err}
	if f, ok := std.out.(*os.File); ok && !c.JSON && isTerminal(f) {
		opt.Show = demo.Table(std.out)
	} else if !c.JSON {
		opt.Show = demo.Lines(std.out)
	}
	outcome, err := demo.Run(ctx, opt)
	if c.JSON {
		if err := printJSON(std.out, outcome); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	if c.Once {
		return outcome.Err()
	}
	return nil
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// isTerminal reports whether the file is a character device; /dev/null, the other common
// one, does not mind being written to.
func isTerminal(f *os.File) bool {
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}
