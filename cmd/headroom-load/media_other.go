//go:build !linux

package main

import (
	"context"
	"fmt"
	"io"
)

func runMedia(_ context.Context, _ []string, _, stderr io.Writer) int {
	fmt.Fprintln(stderr, "headroom-load media: it drives its sockets by epoll and needs Linux")
	return 2
}
