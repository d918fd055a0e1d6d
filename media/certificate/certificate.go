// Package certificate keeps a TLS certificate that is read again when its files change, as
// programs that renew certificates expect.
package certificate

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// lookEvery is how often the files are looked at, at most.
const lookEvery = time.Second

// Files is a certificate and its key in two PEM files. A handshake looks at them, once a
// second at most.
type Files struct {
	cert, key string
	log       *slog.Logger
	inUse     atomic.Pointer[tls.Certificate]
	reloads   atomic.Uint64
	failures  atomic.Uint64

	mu     sync.Mutex
	looked time.Time
	seen   [2]fileMark // of the pair last read, good or bad
}

// Open reads the pair. The error says what is wrong with it: unreadable, of two keys, over.
func Open(cert, key string, log *slog.Logger) (*Files, error) {
	f := &Files{cert: cert, key: key, log: log}
	if err := f.load(); err != nil {
		return nil, err
	}
	return f, nil
}

// Get is for tls.Config.GetCertificate.
func (f *Files) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) { return f.Current(), nil }

// Stats says how it stands with a certificate.
type Stats struct {
	NotAfter time.Time // of the one in use
	Reloads  uint64    // new pairs taken up
	Failures uint64    // new pairs that could not be: the old one stays
}

// Stats is a snapshot.
func (f *Files) Stats() Stats {
	s := Stats{Reloads: f.reloads.Load(), Failures: f.failures.Load()}
	if leaf := f.inUse.Load().Leaf; leaf != nil {
		s.NotAfter = leaf.NotAfter
	}
	return s
}

// fileMark tells one state of a file from another.
type fileMark struct {
	modified time.Time
	size     int64
}

func markOf(name string) fileMark {
	info, err := os.Stat(name)
	if err != nil {
		return fileMark{}
	}
	return fileMark{info.ModTime(), info.Size()}
}

// load reads the pair as it is; the one in use stays when that fails.
func (f *Files) load() error {
	f.seen = [2]fileMark{markOf(f.cert), markOf(f.key)}
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return err
	}
	now := time.Now()
	if pair.Leaf != nil && now.After(pair.Leaf.NotAfter) {
		return fmt.Errorf("the certificate in %s was good until %s", f.cert, pair.Leaf.NotAfter.Format(time.DateTime))
	}
	f.inUse.Store(&pair)
	return nil
}

// Current is the pair in use, after a look whether the files hold another. Half a change, the
// one file written and not yet the other, is a bad pair first and a good one a moment later.
func (f *Files) Current() *tls.Certificate {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := time.Now(); now.Sub(f.looked) >= lookEvery {
		f.looked = now
		if f.seen != [2]fileMark{markOf(f.cert), markOf(f.key)} {
			if err := f.load(); err != nil {
				f.failures.Add(1)
				f.log.Error("new TLS certificate not taken up; the old one stays", "error", err)
			} else {
				f.reloads.Add(1)
				f.log.Info("TLS certificate changed", "not_after", f.inUse.Load().Leaf.NotAfter)
			}
		}
	}
	return f.inUse.Load()
}
