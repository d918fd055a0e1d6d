package ng

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"time"
)

// ErrRefused is rtpengine's own word that it did not do something.
var ErrRefused = errors.New("ng: refused")

const (
	patience = 5 * time.Second
	again    = 500 * time.Millisecond
	largest  = 64 << 10
)

// Client asks one rtpengine, one question at a time.
type Client struct{ conn net.Conn }

// Dial makes a client of the rtpengine at "host:port".
func Dial(ctx context.Context, address string) (*Client, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "udp", address)
	if err != nil {
		return nil, fmt.Errorf("ng: %w", err)
	}
	return &Client{conn}, nil
}

// Close gives the socket back.
func (c *Client) Close() error { return c.conn.Close() }

// Ask sends a command and gives what was answered. A datagram may be lost: it is repeated under
// the same cookie, which rtpengine answers without doing it twice.
func (c *Client) Ask(ctx context.Context, command string, d Dict) (Dict, error) {
	d["command"] = command
	cookie := rand.Text()[:12]
	text, err := encode(append([]byte(cookie), ' '), d)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("ng: no answer from %s to %s", c.conn.RemoteAddr(), command))
	defer cancel()
	buf := make([]byte, largest)
	for ctx.Err() == nil {
		if _, err := c.conn.Write(text); err != nil {
			return nil, fmt.Errorf("ng: %s: %w", command, err)
		}
		for until := time.Now().Add(again); ; {
			_ = c.conn.SetReadDeadline(until)
			n, err := c.conn.Read(buf)
			if err != nil {
				if ne, ok := errors.AsType[net.Error](err); !ok || !ne.Timeout() {
					_ = sleep(ctx, time.Until(until)) // nobody listens, yet
				}
				break
			}
			body, found := bytes.CutPrefix(buf[:n], append([]byte(cookie), ' '))
			if !found {
				continue
			}
			return understood(command, body)
		}
	}
	return nil, context.Cause(ctx)
}

func understood(command string, body []byte) (Dict, error) {
	v, _, err := decode(body, 0)
	if err != nil {
		return nil, fmt.Errorf("ng: %s: %w", command, err)
	}
	answer, ok := v.(Dict)
	if !ok {
		return nil, fmt.Errorf("ng: %s: %w", command, ErrMalformed)
	}
	if r := answer["result"]; r != "ok" && r != "pong" {
		return nil, fmt.Errorf("%w: %s: %v", ErrRefused, command, answer["error-reason"])
	}
	return answer, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
