//go:build !unix

package main

import "time"

var began = time.Now()

// cpu stands in where nobody counts processor time: the clock.
func cpu() time.Duration { return time.Since(began) }
